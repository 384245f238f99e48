"""Small classifiers of images, from the linear model to attention: what ``pyengine train`` and the lessons train.

Each takes images (N, C, H, W) and gives logits (N, classes).
"""

from __future__ import annotations

import math
from collections.abc import Callable

from pyengine import nn
from pyengine.ops.random import randn
from pyengine.tensor import Tensor

ImageShape = tuple[int, int, int]


def softmax_regression(image: ImageShape, classes: int) -> nn.Module:
    """logits = W x + b: one linear layer, the model that softmax turns into probabilities."""
    channels, height, width = image
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * height * width, classes))


def mlp(image: ImageShape, classes: int, hidden: int = 400) -> nn.Module:
    """logits = W₂ relu(W₁ x + b₁) + b₂: one hidden layer."""
    channels, height, width = image
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * height * width, hidden), nn.ReLU(), nn.Linear(hidden, classes))


def cnn(image: ImageShape, classes: int, width: int = 16) -> nn.Module:
    """3x3 convolutions, of which the second and fourth halve the image and double the channels; batch normalisation after every one.

    Source: K. Simonyan, A. Zisserman, "Very deep convolutional networks for large-scale image recognition", ICLR 2015 (3x3 throughout), and
    S. Ioffe, C. Szegedy, "Batch normalization", ICML 2015.
    """
    channels, height, columns = image
    return nn.Sequential(
        *_convolution(channels, width),
        *_convolution(width, 2 * width, stride=2),
        *_convolution(2 * width, 2 * width),
        *_convolution(2 * width, 4 * width, stride=2),
        *_convolution(4 * width, 4 * width),
        nn.Flatten(),
        nn.Linear(4 * width * math.ceil(height / 4) * math.ceil(columns / 4), classes),
    )


def _convolution(channels: int, filters: int, stride: int = 1) -> tuple[nn.Module, ...]:
    """No bias: the normalisation that follows would take it away again."""
    return nn.Conv2d(channels, filters, 3, stride=stride, padding=1, bias=False), nn.BatchNorm2d(filters), nn.ReLU()


class ViT(nn.Module):
    """A vision transformer: the image as a row of patches, each attending to all others.

    Source: A. Dosovitskiy et al., "An image is worth 16x16 words", ICLR 2021, section 3.1; normalisation first, and the mean over the
    patches in place of a class token (L. Beyer, X. Zhai, A. Kolesnikov, "Better plain ViT baselines for ImageNet-1k", 2022).
    """

    def __init__(self, image: ImageShape, classes: int, patch: int = 4, width: int = 64, depth: int = 3, heads: int = 4) -> None:
        super().__init__()
        channels, height, columns = image
        patch = max(min(patch, height // 4), 1)
        if height % patch or columns % patch:
            raise ValueError(f"ViT: image of {height} x {columns} pixels does not divide into patches of {patch} x {patch}")
        self.embed = nn.Conv2d(channels, width, patch, stride=patch)
        self.position = nn.Parameter(0.02 * randn(1, (height // patch) * (columns // patch), width))
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        patches = self.embed(x).flatten(2).mT  # (N, patches, width)
        hidden: Tensor = self.norm(self.blocks(patches + self.position))
        logits: Tensor = self.head(hidden.mean(axis=1))
        return logits


class Block(nn.Module):
    """x ← x + attention(norm(x)); x ← x + mlp(norm(x))."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm1(x)
        x = x + self.attention(h, h, h, need_weights=False)[0]
        result: Tensor = x + self.mlp(self.norm2(x))
        return result


MODELS: dict[str, Callable[[ImageShape, int], nn.Module]] = {"softmax": softmax_regression, "mlp": mlp, "cnn": cnn, "vit": ViT}
