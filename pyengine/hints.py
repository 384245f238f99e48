"""What PyTorch's and NumPy's names are called here: said in the error where one of them is looked for."""

from __future__ import annotations

_FUNCTIONS = {
    "absolute": "abs",
    "array": "asarray",
    "as_tensor": "asarray",
    "bmm": "matmul",
    "cat": "concat",
    "clamp": "clip",
    "clone": "copy",
    "div": "divide",
    "eq": "equal",
    "expand": "broadcast_to",
    "from_numpy": "asarray",
    "ge": "greater_equal",
    "gt": "greater",
    "index_select": "take",
    "inference_mode": "no_grad",
    "le": "less_equal",
    "lt": "less",
    "masked_fill": "where",
    "mm": "matmul",
    "mul": "multiply",
    "ne": "not_equal",
    "neg": "negative",
    "permute": "permute_dims",
    "power": "pow",
    "sub": "subtract",
    "unique": "unique_values",
    "unsqueeze": "expand_dims",
}

_METHODS = {
    "contiguous": "x.copy()",
    "cpu": "x.to('cpu')",
    "cuda": "x.to('cuda')",
    "dim": "x.ndim",
    "double": "x.astype(pe.float64)",
    "element_size": "x.itemsize",
    "float": "x.astype(pe.float32)",
    "half": "x.astype(pe.float16)",
    "int": "x.astype(pe.int32)",
    "long": "x.astype(pe.int64)",
    "bool": "x.astype(pe.bool)",
    "is_cuda": "x.device",
    "new_zeros": "pe.zeros(shape, dtype=x.dtype, device=x.device)",
    "numel": "x.size",
    "nelement": "x.size",
    "permute": "x.permute_dims(axes)",
    "repeat": "pe.tile(x, repetitions)",
    "t": "x.T",
    "transpose": "pe.swapaxes(x, axis1, axis2)",
    "type": "x.astype(dtype)",
    "zero_": "x[...] = 0",
}


def of_function(name: str) -> str:
    """What to add to the error: "; use pe.concat" for "cat", nothing for a name that nobody knows."""
    return f"; use pe.{_FUNCTIONS[name]}" if name in _FUNCTIONS else ""


def of_method(name: str, functions: object) -> str:
    """The same for an attribute of a tensor: "; use x.size" for "numel", "; use pe.sort(x, ...)" for one of ``functions``."""
    if name in _METHODS:
        return f"; use {_METHODS[name]}"
    known = _FUNCTIONS.get(name.removesuffix("_"), name.removesuffix("_"))
    if name.startswith("_") or not callable(getattr(functions, known, None)):
        return ""
    return f"; use x[...] = pe.{known}(x, ...)" if name.endswith("_") else f"; use pe.{known}(x, ...)"
