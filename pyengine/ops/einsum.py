"""Einstein summation, as products of matrices: views, sums and :func:`pyengine.matmul`, so that it has gradients of any order."""

from __future__ import annotations

import builtins
import itertools
import math
import string
from collections.abc import Sequence
from typing import Any, NamedTuple

from pyengine import ops
from pyengine.tensor import Tensor, as_tensor

__all__ = ["einsum"]

Label = str
"""One letter, or "...n" for the n-th axis from the right of those an ellipsis stands for."""


class _Term(NamedTuple):
    """A tensor whose axes are named."""

    tensor: Tensor
    labels: tuple[Label, ...]


def einsum(subscripts: Any, /, *operands: Any) -> Tensor:
    """``y[kept] = sum over the others of the product of all operands``: the axes are named by letters, as in ``"bij,bjk->bik"``.

    A letter that occurs twice in one operand takes the diagonal; one that is missing behind ``->`` is summed over. Without ``->`` the
    letters that occur once are kept, in alphabetical order. ``...`` stands for the axes not named, aligned at the right; they broadcast,
    and so do axes of size 1. The form ``einsum(a, [0, 1], b, [1, 2], [0, 2])`` of NumPy works as well.
    Operands are contracted in pairs, those first whose product saves most memory; each pair is one :func:`pyengine.matmul`, so nothing
    larger than a result is ever formed. Dtypes, accuracy and gradient follow. ValueError if letters and shapes do not fit.

    >>> pe.einsum("ij,j->i", pe.ones((2, 3)), pe.ones(3)).tolist()
    [3.0, 3.0]
    """
    if not isinstance(subscripts, str):
        subscripts, operands = _from_lists((subscripts, *operands))
    tensors = [as_tensor(x) for x in operands]
    inputs, output = _parse(subscripts, tensors)
    _check_sizes(subscripts, tensors, inputs)
    terms = [_take_diagonals(_Term(t, labels)) for t, labels in zip(tensors, inputs, strict=True)]
    terms = [_sum_lonely(terms, i, output) for i in range(len(terms))]
    while len(terms) > 1:
        i, j = _best_pair(terms, output)
        pair = (terms[i], terms[j])
        terms = [t for n, t in enumerate(terms) if n not in (i, j)]
        terms.append(_contract(*pair, kept={*output, *(label for t in terms for label in t.labels)}))
    return _permute(terms[0], output)


# Reading the subscripts -------------------------------------------------------------------------------------------------------------------


def _from_lists(arguments: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    """NumPy's other form: operands and lists of numbers in turn, then maybe the list of the result."""

    def letters(labels: Sequence[Any]) -> str:
        return "".join("..." if label is Ellipsis else string.ascii_letters[label] for label in labels)

    pairs = len(arguments) // 2
    subscripts = ",".join(letters(labels) for labels in arguments[1 : 2 * pairs : 2])
    if len(arguments) % 2:
        subscripts += "->" + letters(arguments[-1])
    return subscripts, arguments[0 : 2 * pairs : 2]


def _parse(subscripts: str, tensors: Sequence[Tensor]) -> tuple[list[tuple[Label, ...]], tuple[Label, ...]]:
    left, arrow, right = subscripts.replace(" ", "").partition("->")
    parts = left.split(",")
    if len(parts) != len(tensors):
        raise ValueError(f"einsum: wrong number of operands: {len(tensors)} for '{subscripts}'; it names {len(parts)}")
    inputs = [_labels(subscripts, part, t.ndim) for part, t in zip(parts, tensors, strict=True)]
    used = list(itertools.chain.from_iterable(inputs))
    dots = sorted({label for label in used if label.startswith("...")}, key=lambda label: -int(label[3:]))
    if arrow:
        output = _labels(subscripts, right, len(right.replace("...", "")) + len(dots) * right.count("..."))
    else:
        output = (*dots, *sorted(label for label in set(used) if used.count(label) == 1 and not label.startswith("...")))
    for label in output:
        if label not in used or output.count(label) > 1:
            raise ValueError(
                f"einsum: output letter unknown or repeated: '{label}' in '{subscripts}'; it must occur in an operand, and once behind '->'"
            )
    return inputs, output


def _labels(subscripts: str, part: str, ndim: int) -> tuple[Label, ...]:
    before, dots, after = part.partition("...")
    if not builtins.all(c.isascii() and c.isalpha() for c in before + after):
        raise ValueError(f"einsum: not a letter: '{part}' in '{subscripts}'; axes are named by a-z and A-Z, '...' may occur once in each")
    rest = ndim - len(before) - len(after)
    if rest < 0 or (rest > 0 and not dots):
        raise ValueError(f"einsum: wrong number of axes: '{part}' in '{subscripts}' for rank {ndim}; one letter for each axis, or '...'")
    return (*before, *(f"...{n}" for n in range(rest, 0, -1)), *after)


def _check_sizes(subscripts: str, tensors: Sequence[Tensor], inputs: Sequence[tuple[Label, ...]]) -> None:
    sizes: dict[Label, int] = {}
    for t, labels in zip(tensors, inputs, strict=True):
        if t.dtype.kind == "b":
            raise TypeError(f"einsum: boolean operand in '{subscripts}'; the elements must be numbers, convert first")
        for label, size in zip(labels, t.shape, strict=True):
            known = sizes.setdefault(label, size)
            if size not in (1, known) and known != 1:
                shapes = ", ".join(str(t.shape) for t in tensors)
                raise ValueError(
                    f"einsum: sizes of '{label}' differ: {known} and {size} in '{subscripts}' of {shapes}; they must be equal or 1"
                )
            sizes[label] = size if known == 1 else known


# One operand ------------------------------------------------------------------------------------------------------------------------------


def _take_diagonals(term: _Term) -> _Term:
    tensor, labels = term
    for label in dict.fromkeys(labels):
        while labels.count(label) > 1:
            i = labels.index(label)
            j = labels.index(label, i + 1)
            if tensor.shape[i] != tensor.shape[j]:  # one of them is 1 and broadcasts
                drop = i if tensor.shape[i] == 1 else j
                tensor, labels = ops.squeeze(tensor, drop), (*labels[:drop], *labels[drop + 1 :])
                continue
            tensor = ops.diagonal(ops.moveaxis(tensor, (i, j), (-2, -1)))
            labels = (*(name for n, name in enumerate(labels) if n not in (i, j)), label)
    return _Term(tensor, labels)


def _sum_out(term: _Term, dropped: set[Label]) -> _Term:
    axes = tuple(i for i, label in enumerate(term.labels) if label in dropped)
    if not axes:
        return term
    return _Term(ops.sum(term.tensor, axis=axes, dtype=term.tensor.dtype), tuple(label for label in term.labels if label not in dropped))


def _sum_lonely(terms: Sequence[_Term], i: int, output: tuple[Label, ...]) -> _Term:
    """Sums over the axes that no other operand and not the output has."""
    needed = {*output, *(label for n, t in enumerate(terms) if n != i for label in t.labels)}
    return _sum_out(terms[i], set(terms[i].labels) - needed)


def _permute(term: _Term, labels: Sequence[Label]) -> Tensor:
    return ops.permute_dims(term.tensor, [term.labels.index(label) for label in labels])


# Two operands -----------------------------------------------------------------------------------------------------------------------------


def _best_pair(terms: Sequence[_Term], output: tuple[Label, ...]) -> tuple[int, int]:
    """The pair whose result is smallest, compared with the two operands (the greedy order of Smith and Gray, opt_einsum, 2018)."""
    sizes: dict[Label, int] = {}
    for t in terms:
        for label, size in zip(t.labels, t.tensor.shape, strict=True):
            sizes[label] = builtins.max(size, sizes.get(label, 1)) if size else 0

    def growth(pair: tuple[int, int]) -> int:
        kept = {*output, *(label for n, t in enumerate(terms) if n not in pair for label in t.labels)}
        union = {*terms[pair[0]].labels, *terms[pair[1]].labels}
        return math.prod(sizes[label] for label in union & kept) - builtins.sum(terms[n].tensor.size for n in pair)

    return builtins.min(itertools.combinations(range(len(terms)), 2), key=growth)


def _contract(a: _Term, b: _Term, kept: set[Label]) -> _Term:
    """Multiplies two operands and sums over what they share and nobody else needs."""
    summed = {label for label in a.labels if label in b.labels and label not in kept}
    stretched = {label for label in summed if a.tensor.shape[a.labels.index(label)] != b.tensor.shape[b.labels.index(label)]}
    if stretched:  # size 1 in one of them: a constant factor of the sum
        a, b, summed = _sum_out(a, stretched), _sum_out(b, stretched), summed - stretched
    inner = [label for label in a.labels if label in summed]
    batch = [label for label in a.labels if label in b.labels and label not in summed]
    rows = [label for label in a.labels if label not in b.labels]
    columns = [label for label in b.labels if label not in a.labels]
    left, right = _permute(a, [*batch, *rows, *inner]), _permute(b, [*batch, *inner, *columns])
    n = len(batch)
    row_sizes, column_sizes = left.shape[n : n + len(rows)], right.shape[n + len(inner) :]
    if inner:
        inner_size = math.prod(left.shape[n + len(rows) :])
        product = ops.matmul(
            ops.reshape(left, (*left.shape[:n], math.prod(row_sizes), inner_size)),
            ops.reshape(right, (*right.shape[:n], inner_size, math.prod(column_sizes))),
        )
    else:
        product = ops.multiply(
            ops.reshape(left, (*left.shape[:n], *row_sizes, *(1 for _ in columns))),
            ops.reshape(right, (*right.shape[:n], *(1 for _ in rows), *column_sizes)),
        )
    return _Term(ops.reshape(product, (*product.shape[:n], *row_sizes, *column_sizes)), (*batch, *rows, *columns))
