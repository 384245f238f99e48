"""Linear algebra: the extension ``linalg`` of the array API standard. What the functions compute is in ``pyengine.ops``."""

from pyengine.ops.decompositions import (
    EighResult,
    EigResult,
    QRResult,
    SVDResult,
    cholesky,
    eig,
    eigh,
    eigvals,
    eigvalsh,
    qr,
    svd,
    svdvals,
)
from pyengine.ops.linalg import cross, diagonal, matmul, outer, tensordot, trace, vecdot
from pyengine.ops.shape import matrix_transpose
from pyengine.ops.solving import SlogdetResult, det, inv, matrix_power, pinv, slogdet, solve
from pyengine.ops.vector_norm import matrix_norm, matrix_rank, vector_norm

__all__ = [
    "EigResult",
    "EighResult",
    "QRResult",
    "SVDResult",
    "SlogdetResult",
    "cholesky",
    "cross",
    "det",
    "diagonal",
    "eig",
    "eigh",
    "eigvals",
    "eigvalsh",
    "inv",
    "matmul",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "matrix_transpose",
    "outer",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "svd",
    "svdvals",
    "tensordot",
    "trace",
    "vecdot",
    "vector_norm",
]
