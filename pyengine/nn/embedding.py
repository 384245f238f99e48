"""Embedding: a table of vectors."""

from __future__ import annotations

from typing import Any

from pyengine.autograd import no_grad
from pyengine.creation import empty
from pyengine.nn import functional as F
from pyengine.nn import init
from pyengine.nn.module import Module
from pyengine.nn.parameter import Parameter
from pyengine.tensor import Tensor

__all__ = ["Embedding"]


class Embedding(Module):
    """y = W[i]: a row of ``weight`` (num_embeddings, embedding_dim) for every integer in i (…), shape (…, embedding_dim).

    Drawn from N(0, 1). Row ``padding_idx`` starts as zeros and gets no gradient.
    """

    def __init__(
        self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None, device: str | None = None, dtype: Any = None
    ) -> None:
        super().__init__()
        if padding_idx is not None and not -num_embeddings <= padding_idx < num_embeddings:
            raise ValueError(f"Embedding: padding_idx out of range: {padding_idx}; must be in [{-num_embeddings}, {num_embeddings})")
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.padding_idx = None if padding_idx is None else range(num_embeddings)[padding_idx]
        self.weight = Parameter(empty((num_embeddings, embedding_dim), device=device, dtype=dtype))
        self.reset_parameters()

    @classmethod
    def from_pretrained(cls, embeddings: Tensor, freeze: bool = True, padding_idx: int | None = None) -> Embedding:
        """A layer over the rows of ``embeddings``, sharing their memory; not learned if ``freeze``."""
        if embeddings.ndim != 2:
            raise ValueError(f"Embedding: not a table: shape {embeddings.shape}; embeddings must have rank 2")
        rows, columns = embeddings.shape
        layer = cls(rows, columns, padding_idx)
        layer.weight = Parameter(embeddings, requires_grad=not freeze)
        return layer

    def reset_parameters(self) -> None:
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx] = 0

    def forward(self, indices: Tensor) -> Tensor:
        return F.embedding(indices, self.weight, self.padding_idx)

    def extra_repr(self) -> str:
        return f"{self.num_embeddings}, {self.embedding_dim}" + ("" if self.padding_idx is None else f", padding_idx={self.padding_idx}")
