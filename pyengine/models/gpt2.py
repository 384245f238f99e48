"""GPT-2, with the names of parameters that Hugging Face's checkpoints have."""

from __future__ import annotations

from typing import Any

from pyengine import nn
from pyengine.creation import arange, empty
from pyengine.nn import functional as F
from pyengine.nn import init
from pyengine.ops.shape import flatten, reshape, split, swapaxes
from pyengine.tensor import Tensor


def gpt2(vocabulary: int = 50257, context: int = 1024, width: int = 768, depth: int = 12, heads: int = 12) -> GPT2:
    """GPT-2 (the small one; 124,439,808 parameters): token numbers (N, L), L <= context, to logits (N, L, vocabulary) of the next ones.

    ``state_dict`` has the keys and shapes of Hugging Face's ``GPT2LMHeadModel``. The files of the published model leave out the prefix and
    the output layer, which is the embedding itself: ``model.transformer.load_state_dict(pe.load(file), strict=False)``.

    Source: A. Radford et al., "Language models are unsupervised multitask learners", OpenAI, 2019, section 2.3.
    """
    return GPT2(vocabulary, context, width, depth, heads)


class GPT2(nn.Module):
    """logits = W_E transformer(tokens), W_E the embedding of tokens."""

    def __init__(self, vocabulary: int, context: int, width: int, depth: int, heads: int) -> None:
        super().__init__()
        self.transformer = Transformer(vocabulary, context, width, depth, heads)
        self.lm_head = nn.Linear(width, vocabulary, bias=False)
        for name, parameter in self.transformer.named_parameters():
            if parameter.ndim == 2:  # shrunk where it adds to the residual stream, so that its variance does not grow with depth
                init.normal_(parameter, std=0.02 / (2 * depth) ** 0.5 if name.endswith("c_proj.weight") else 0.02)
        self.lm_head.weight = self.transformer.wte.weight

    def forward(self, tokens: Tensor) -> Tensor:
        logits: Tensor = self.lm_head(self.transformer(tokens))
        return logits


class Transformer(nn.Module):
    """norm(blocks(W_E[tokens] + W_P[positions]))."""

    def __init__(self, vocabulary: int, context: int, width: int, depth: int, heads: int) -> None:
        super().__init__()
        self.wte = nn.Embedding(vocabulary, width)
        self.wpe = nn.Embedding(context, width)
        self.h = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.ln_f = nn.LayerNorm(width)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.wte(tokens) + self.wpe(arange(tokens.shape[-1]))
        for block in self.h:
            x = block(x)
        hidden: Tensor = self.ln_f(x)
        return hidden


class Block(nn.Module):
    """x ← x + attention(norm(x)); x ← x + mlp(norm(x))."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(width)
        self.attn = Attention(width, heads)
        self.ln_2 = nn.LayerNorm(width)
        self.mlp = MLP(width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.ln_1(x))
        result: Tensor = x + self.mlp(self.ln_2(x))
        return result


class Attention(nn.Module):
    """Causal self-attention; one product gives queries, keys and values."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.c_attn = Affine(width, 3 * width)
        self.c_proj = Affine(width, width)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (self._by_head(part) for part in split(self.c_attn(x), x.shape[-1], axis=-1))
        attended = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        result: Tensor = self.c_proj(flatten(swapaxes(attended, 1, 2), 2))
        return result

    def _by_head(self, x: Tensor) -> Tensor:
        """(N, L, E) to (N, heads, L, E / heads)."""
        return swapaxes(reshape(x, (*x.shape[:2], self.heads, -1)), 1, 2)


class MLP(nn.Module):
    """W₂ gelu(W₁ x + b₁) + b₂, four times as wide inside."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.c_fc = Affine(width, 4 * width)
        self.c_proj = Affine(4 * width, width)

    def forward(self, x: Tensor) -> Any:
        return self.c_proj(F.gelu(self.c_fc(x), approximate="tanh"))


class Affine(nn.Module):
    """y = x W + b with W (in, out): the transpose of Linear's, as the published weights have it."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(empty((inputs, outputs)))
        self.bias = nn.Parameter(init.zeros_(empty((outputs,))))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weight + self.bias
