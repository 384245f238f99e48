"""Residual networks of basic blocks, with torchvision's names of parameters."""

from __future__ import annotations

from collections.abc import Sequence

from pyengine import nn
from pyengine.nn import functional as F
from pyengine.nn import init
from pyengine.ops.shape import flatten
from pyengine.tensor import Tensor


def resnet18(num_classes: int = 1000) -> ResNet:
    """ResNet-18 (11,689,512 parameters for 1,000 classes): images (N, 3, H, W), 224 x 224 pixels in the paper, to logits (N, num_classes).

    ``state_dict`` has the keys and shapes of torchvision's ``resnet18``. Source: K. He, X. Zhang, S. Ren, J. Sun, "Deep residual learning
    for image recognition", CVPR 2016, table 1.
    """
    return ResNet((2, 2, 2, 2), num_classes)


class ResNet(nn.Module):
    """A 7x7 convolution and a pool, each of stride 2, then four stages of ``blocks`` basic blocks; each but the first halves the image and
    doubles the channels, 64 at first."""

    def __init__(self, blocks: Sequence[int], num_classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        channels = 64
        for number, count in enumerate(blocks, 1):
            stage = [BasicBlock(channels, 64 << (number - 1), 1 if number == 1 else 2)]
            channels = 64 << (number - 1)
            stage += [BasicBlock(channels, channels, 1) for _ in range(count - 1)]
            self.add_module(f"layer{number}", nn.Sequential(*stage))
        self.stages = [f"layer{number}" for number in range(1, len(blocks) + 1)]
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(channels, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(F.relu(self.bn1(self.conv1(x))))
        for stage in self.stages:
            x = getattr(self, stage)(x)
        logits: Tensor = self.fc(flatten(self.avgpool(x), 1))
        return logits


class BasicBlock(nn.Module):
    """y = relu(x' + bn(conv(relu(bn(conv(x)))))); x' is x, or a 1x1 convolution of it where the shape changes."""

    def __init__(self, channels: int, filters: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, filters, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(filters)
        self.conv2 = nn.Conv2d(filters, filters, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(filters)
        self.downsample = None
        if stride != 1 or channels != filters:
            self.downsample = nn.Sequential(nn.Conv2d(channels, filters, 1, stride=stride, bias=False), nn.BatchNorm2d(filters))

    def forward(self, x: Tensor) -> Tensor:
        residual = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu((x if self.downsample is None else self.downsample(x)) + residual)
