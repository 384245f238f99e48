"""Models: small classifiers to learn with, and three well-known networks whose checkpoints cross over to PyTorch and back."""

from pyengine.models.classifiers import MODELS, ImageShape, ViT, cnn, mlp, softmax_regression
from pyengine.models.gpt2 import GPT2, gpt2
from pyengine.models.resnet import ResNet, resnet18
from pyengine.models.vit import VisionTransformer, vit

__all__ = [
    "GPT2",
    "MODELS",
    "ImageShape",
    "ResNet",
    "ViT",
    "VisionTransformer",
    "cnn",
    "gpt2",
    "mlp",
    "resnet18",
    "softmax_regression",
    "vit",
]
