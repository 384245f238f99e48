"""The vision transformer, with torchvision's names of parameters."""

from __future__ import annotations

from pyengine import nn
from pyengine.creation import zeros
from pyengine.nn import init
from pyengine.ops.shape import broadcast_to, concat, flatten
from pyengine.tensor import Tensor


def vit(
    image: int = 224, patch: int = 16, width: int = 768, depth: int = 12, heads: int = 12, inner: int = 3072, num_classes: int = 1000
) -> VisionTransformer:
    """ViT-B/16 (86,567,656 parameters for 1,000 classes): images (N, 3, image, image) to logits (N, num_classes).

    ``state_dict`` has the keys and shapes of torchvision's ``vit_b_16``. Source: A. Dosovitskiy et al., "An image is worth 16x16 words:
    transformers for image recognition at scale", ICLR 2021, section 3.1 and table 1.
    """
    return VisionTransformer(image, patch, width, depth, heads, inner, num_classes)


class VisionTransformer(nn.Module):
    """logits = head(z₀), z = encoder([class token; patches E] + positions)."""

    def __init__(self, image: int, patch: int, width: int, depth: int, heads: int, inner: int, num_classes: int) -> None:
        super().__init__()
        if image % patch:
            raise ValueError(f"VisionTransformer: patches do not fit: image {image}, patch {patch}; patch must divide image")
        self.class_token = nn.Parameter(zeros((1, 1, width)))
        self.conv_proj = nn.Conv2d(3, width, patch, stride=patch)
        init.trunc_normal_(self.conv_proj.weight, std=(1 / (3 * patch * patch)) ** 0.5)
        self.encoder = Encoder((image // patch) ** 2 + 1, width, depth, heads, inner)
        self.heads = nn.Sequential({"head": nn.Linear(width, num_classes)})

    def forward(self, x: Tensor) -> Tensor:
        patches = flatten(self.conv_proj(x), 2).mT  # (N, patches, width)
        token = broadcast_to(self.class_token, (x.shape[0], 1, self.class_token.shape[-1]))
        logits: Tensor = self.heads(self.encoder(concat([token, patches], axis=1))[:, 0])
        return logits


class Encoder(nn.Module):
    """norm(layers(x + positions))."""

    def __init__(self, length: int, width: int, depth: int, heads: int, inner: int) -> None:
        super().__init__()
        self.pos_embedding = nn.Parameter(init.normal_(zeros((1, length, width)), std=0.02))
        self.layers = nn.Sequential({f"encoder_layer_{i}": EncoderLayer(width, heads, inner) for i in range(depth)})
        self.ln = nn.LayerNorm(width, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.ln(self.layers(x + self.pos_embedding))
        return result


class EncoderLayer(nn.Module):
    """x ← x + attention(norm(x)); x ← x + mlp(norm(x))."""

    def __init__(self, width: int, heads: int, inner: int) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(width, eps=1e-6)
        self.self_attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.ln_2 = nn.LayerNorm(width, eps=1e-6)
        # Dropout of nothing keeps the last layer's number, which is in its key.
        self.mlp = nn.Sequential(nn.Linear(width, inner), nn.GELU(), nn.Dropout(0.0), nn.Linear(inner, width))

    def forward(self, x: Tensor) -> Tensor:
        h = self.ln_1(x)
        x = x + self.self_attention(h, h, h, need_weights=False)[0]
        result: Tensor = x + self.mlp(self.ln_2(x))
        return result
