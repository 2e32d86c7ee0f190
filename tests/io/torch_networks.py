"""Networks in torch that fastcnn has no application for: DenseNet, ShuffleNetV2, EfficientNet,
RegNet and ConvNeXt as torchvision builds them, and small ones that export in uncommon ways.

All take pictures (n, 3, h, w). Arguments make them smaller than the papers' without losing a kind
of layer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812


def conv(
    inputs: int,
    filters: int,
    size: int = 1,
    stride: int = 1,
    groups: int = 1,
    activation: type[nn.Module] | None = nn.ReLU,
) -> nn.Sequential:
    """Convolution, batch norm and activation."""
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, filters, size, stride, size // 2, groups=groups, bias=False),
        nn.BatchNorm2d(filters),
    ]
    return nn.Sequential(*layers, *([activation()] if activation else []))


class Classifier(nn.Module):
    """Features, their average over the picture, and a dense layer."""

    def __init__(self, features: nn.Module, channels: int, classes: int = 1000) -> None:
        super().__init__()
        self.features = features
        self.fc = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = F.adaptive_avg_pool2d(self.features(x), (1, 1))
        return self.fc(torch.flatten(x, 1))


# --- DenseNet -------------------------------------------------------------------------------------


class DenseLayer(nn.Module):
    def __init__(self, inputs: int, growth: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, 4 * growth, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(4 * growth)
        self.conv2 = nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(F.relu(self.norm1(x)))
        return torch.cat([x, self.conv2(F.relu(self.norm2(y)))], 1)


def densenet(blocks: Sequence[int] = (6, 12, 24, 16), growth: int = 32) -> nn.Module:
    """DenseNet-121."""
    channels = 2 * growth
    layers: list[nn.Module] = [
        nn.Conv2d(3, channels, 7, 2, 3, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, 1),
    ]
    for i, count in enumerate(blocks):
        if i:
            layers += [
                nn.BatchNorm2d(channels),
                nn.ReLU(),
                nn.Conv2d(channels, channels // 2, 1, bias=False),
            ]
            layers += [nn.AvgPool2d(2)]
            channels //= 2
        for _ in range(count):
            layers.append(DenseLayer(channels, growth))
            channels += growth
    layers += [nn.BatchNorm2d(channels), nn.ReLU()]
    return Classifier(nn.Sequential(*layers), channels)


# --- ShuffleNetV2 ---------------------------------------------------------------------------------


class ShuffleUnit(nn.Module):
    def __init__(self, inputs: int, filters: int, stride: int) -> None:
        super().__init__()
        self.stride, half = stride, filters // 2
        if stride > 1:
            self.branch1 = nn.Sequential(
                conv(inputs, inputs, 3, stride, inputs, None), conv(inputs, half)
            )
        self.branch2 = nn.Sequential(
            conv(inputs if stride > 1 else half, half),
            conv(half, half, 3, stride, half, None),
            conv(half, half),
        )

    def forward(self, x: Tensor) -> Tensor:
        if self.stride == 1:
            kept, taken = x.chunk(2, dim=1)
            y = torch.cat((kept, self.branch2(taken)), dim=1)
        else:
            y = torch.cat((self.branch1(x), self.branch2(x)), dim=1)
        n, c, h, w = y.size()
        return y.view(n, 2, c // 2, h, w).transpose(1, 2).contiguous().view(n, -1, h, w)


def shufflenet(blocks: Sequence[int] = (4, 8, 4), width: int = 116) -> nn.Module:
    """ShuffleNetV2 x1.0."""
    layers: list[nn.Module] = [conv(3, 24, 3, 2), nn.MaxPool2d(3, 2, 1)]
    channels = 24
    for count, filters in zip(blocks, (width, 2 * width, 4 * width), strict=True):
        for i in range(count):
            layers.append(ShuffleUnit(channels, filters, 1 if i else 2))
            channels = filters
    last = 1024 if width == 116 else 4 * width
    return Classifier(nn.Sequential(*layers, conv(channels, last)), last)


# --- EfficientNet and RegNet ----------------------------------------------------------------------


class SqueezeExcitation(nn.Module):
    def __init__(self, channels: int, squeezed: int, activation: type[nn.Module]) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)
        self.activation = activation()

    def forward(self, x: Tensor) -> Tensor:
        gate = self.activation(self.fc1(F.adaptive_avg_pool2d(x, 1)))
        return x * torch.sigmoid(self.fc2(gate))


class Residual(nn.Module):
    def __init__(self, body: nn.Module, shortcut: nn.Module | None, last: nn.Module) -> None:
        super().__init__()
        self.body, self.shortcut, self.last = body, shortcut or nn.Identity(), last

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.shortcut(x) + self.body(x))


def mobile_block(inputs: int, filters: int, size: int, stride: int, expansion: int) -> nn.Module:
    """EfficientNet's: expand, filter, squeeze and excite, project."""
    inner = inputs * expansion
    layers: list[nn.Module] = [conv(inputs, inner, activation=nn.SiLU)] if expansion > 1 else []
    layers += [
        conv(inner, inner, size, stride, inner, nn.SiLU),
        SqueezeExcitation(inner, max(1, inputs // 4), nn.SiLU),
        conv(inner, filters, activation=None),
    ]
    body = nn.Sequential(*layers)
    return Residual(body, None, nn.Identity()) if stride == 1 and inputs == filters else body


def efficientnet(depth: int | None = None, width: int = 8) -> nn.Module:
    """EfficientNet-B0; `depth` bounds the blocks of each stage, `width` is in eighths."""
    stages = [
        (1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3),
        (6, 5, 2, 192, 4), (6, 3, 1, 320, 1),
    ]  # fmt: skip
    channels = 4 * width
    layers: list[nn.Module] = [conv(3, channels, 3, 2, activation=nn.SiLU)]
    for expansion, size, stride, base, count in stages:
        filters = base * width // 8
        for i in range(min(count, depth or count)):
            layers.append(mobile_block(channels, filters, size, 1 if i else stride, expansion))
            channels = filters
    layers.append(conv(channels, 160 * width, activation=nn.SiLU))
    return Classifier(nn.Sequential(*layers), 160 * width)


def regnet(
    blocks: Sequence[int] = (1, 3, 6, 6), widths: Sequence[int] = (48, 104, 208, 440)
) -> nn.Module:
    """RegNetY-400MF."""
    layers: list[nn.Module] = [conv(3, 32, 3, 2)]
    channels = 32
    for count, filters in zip(blocks, widths, strict=True):
        for i in range(count):
            stride = 1 if i else 2
            body = nn.Sequential(
                conv(channels, filters),
                conv(filters, filters, 3, stride, filters // 8),
                SqueezeExcitation(filters, channels // 4, nn.ReLU),
                conv(filters, filters, activation=None),
            )
            shortcut = conv(channels, filters, 1, stride, activation=None) if not i else None
            layers.append(Residual(body, shortcut, nn.ReLU()))
            channels = filters
    return Classifier(nn.Sequential(*layers), channels)


# --- ConvNeXt -------------------------------------------------------------------------------------


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of pictures."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ConvNeXtBlock(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.expand = nn.Linear(channels, 4 * channels)
        self.project = nn.Linear(4 * channels, channels)
        self.scale = nn.Parameter(torch.linspace(0.1, 0.5, channels).reshape(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        y = self.project(F.gelu(self.expand(y))).permute(0, 3, 1, 2)
        return x + self.scale * y


def convnext(blocks: Sequence[int] = (3, 3, 9, 3), channels: int = 96) -> nn.Module:
    """ConvNeXt-T."""
    layers: list[nn.Module] = [nn.Conv2d(3, channels, 4, 4), ChannelNorm(channels, eps=1e-6)]
    for i, count in enumerate(blocks):
        if i:
            layers += [ChannelNorm(channels, eps=1e-6), nn.Conv2d(channels, 2 * channels, 2, 2)]
            channels *= 2
        layers += [ConvNeXtBlock(channels) for _ in range(count)]
    return Classifier(nn.Sequential(*layers), channels)


# --- Small ones -----------------------------------------------------------------------------------


class Resizing(nn.Module):
    """Two scales, joined at the size of the finer and brought to that of the input."""

    def __init__(self) -> None:
        super().__init__()
        self.fine = nn.Conv2d(3, 8, 3, 2, 1)
        self.coarse = nn.Conv2d(8, 8, 3, 2, 1)
        self.last = nn.Conv2d(24, 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        fine = F.silu(self.fine(x))
        coarse = F.gelu(self.coarse(fine), approximate="tanh")
        linear = F.interpolate(coarse, size=fine.shape[2:], mode="bilinear")
        nearest = F.interpolate(coarse, scale_factor=2, mode="nearest")
        y = self.last(torch.cat([fine, linear, nearest], 1))
        return F.interpolate(y, size=x.shape[2:], mode="bilinear", align_corners=True)


class Grid(nn.Module):
    """A detector's head: anchors become an axis, cells and anchors become rows."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 21, 3, 2, 1)
        self.register_buffer("anchors", torch.tensor([1.0, 2.0, 4.0]).reshape(1, 3, 1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        n, _, h, w = x.shape
        x = x.view(n, 3, 7, h, w).permute(0, 1, 3, 4, 2).contiguous().sigmoid()
        return torch.cat([x[..., :4] * self.anchors, x[..., 4:]], -1).view(n, -1, 7)


class Attention(nn.Module):
    """Patches, one layer of self-attention, their mean."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 16, 8, 8)
        self.norm = nn.LayerNorm(16)
        self.qkv = nn.Linear(16, 48)
        self.last = nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.patches(x).flatten(2).transpose(1, 2))
        n, t, c = x.shape
        q, k, v = self.qkv(x).reshape(n, t, 3, 4, 4).permute(2, 0, 3, 1, 4)
        y = (q @ k.transpose(-1, -2) / math.sqrt(4)).softmax(-1) @ v
        return self.last(y.transpose(1, 2).reshape(n, t, c).mean(1))


class Flattening(nn.Module):
    """A dense layer on whole maps, with a batch norm and a sum on the way."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, 2, 1)
        self.norm = nn.BatchNorm2d(6)
        self.fc1 = nn.Linear(6 * 16 * 16, 10)
        self.norm1 = nn.BatchNorm1d(10)
        self.fc2 = nn.Linear(10, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.hardswish(self.norm(self.conv(x))), 2)
        x = F.dropout(x.view(x.size(0), -1), 0.3, self.training)
        return F.log_softmax(self.fc2(F.elu(self.norm1(self.fc1(x)))), 1)


class Oddities(nn.Module):
    """What exporters write seldom: groups, dilation, odd padding, ceil mode, PReLU, other norms."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding="same", dilation=2)
        self.up = nn.ConvTranspose2d(8, 6, 3, 2, 1, output_padding=1, groups=2)
        self.up2 = nn.ConvTranspose2d(6, 4, 2, 2)
        self.group_norm = nn.GroupNorm(2, 4)
        self.instance_norm = nn.InstanceNorm2d(4, affine=True)
        self.prelu = nn.PReLU(4)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(self.conv(x), 3, 2, 1, ceil_mode=True)
        x = self.up2(self.up(F.avg_pool2d(x, 3, 1, 1)))
        x = self.instance_norm(F.pad(self.prelu(self.group_norm(x)), (1, 2, 3, -1)))
        x = F.pad(x, (2, 2, 1, 1), mode="reflect")
        a, b = x.chunk(2, 1)
        y = F.leaky_relu(a * b + a[:, :, :1].mean((2, 3), keepdim=True), 0.1)
        return F.pixel_unshuffle(F.mish(y[:, :, 1:-1, 1:-1:2])[:, :, :64, :32], 2)


class Signal(nn.Module):
    """One-dimensional layers on the rows of pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(3, 8, 5, 2, 2)
        self.norm = nn.BatchNorm1d(8)
        self.up = nn.ConvTranspose1d(8, 4, 4, 2, 1)
        self.last = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = F.avg_pool1d(F.relu(self.norm(self.conv(x.flatten(2)))), 2)
        x = self.up(F.max_pool1d(x, 3, 1, 1))
        return self.last(x.amax(-1)), x
