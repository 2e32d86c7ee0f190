"""The networks of fastcnn in torch: the oracle of parity tests, and a peer in benchmarks.

Written from the papers and in torch's ways, not from fastcnn's code. Modules are named so that
`fastcnn_state` has the names by which fastcnn loads weights; those of ResNet-18 and 34, SqueezeNet
and EfficientNet-Lite0 have the names of torch's own files, which fastcnn knows.

All take pictures (n, 3, h, w) and give logits.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812


def fastcnn_state(model: nn.Module) -> dict[str, Tensor]:
    """The weights with flat names: ``conv2_block1.1_conv.weight`` loses its first dot."""

    def flat(name: str) -> str:
        modules, _, leaf = name.rpartition(".")
        return f"{modules.replace('.', '_')}.{leaf}"

    return {flat(name): tensor for name, tensor in model.state_dict().items()}


def randomize(model: nn.Module, seed: int = 0) -> nn.Module:
    """Give weights and statistics random values under which no signal vanishes."""
    generator = torch.Generator().manual_seed(seed)

    def uniform(tensor: Tensor, low: float, high: float) -> None:
        nn.init.uniform_(tensor, low, high, generator=generator)

    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            uniform(module.weight, 0.5, 1.5)
            uniform(module.bias, -0.5, 0.5)
            uniform(module.running_mean, -0.5, 0.5)
            uniform(module.running_var, 0.5, 1.5)
        elif isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight, generator=generator)
            if module.bias is not None:
                uniform(module.bias, -0.5, 0.5)
    return model.eval()


# --- What torch lacks -----------------------------------------------------------------------------


def _pad_same(x: Tensor, size: int, stride: int, value: float = 0.0) -> Tensor:
    """Pad as TensorFlow's "same" does: the odd pixel goes below and right."""
    total = [max((-(-n // stride) - 1) * stride + size - n, 0) for n in x.shape[2:]]
    (top, bottom), (left, right) = ((t // 2, t - t // 2) for t in total)
    return F.pad(x, (left, right, top, bottom), value=value)


class SameConv2d(nn.Conv2d):
    """Conv2d with TensorFlow's "same" padding."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(_pad_same(x, self.kernel_size[0], self.stride[0]))


class SameMaxPool2d(nn.MaxPool2d):
    """MaxPool2d with TensorFlow's "same" padding."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(_pad_same(x, self.kernel_size, self.stride, float("-inf")))


class FlattenChannelsLast(nn.Module):
    """Flatten with the channels innermost, so that the kernel behind it is fastcnn's."""

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, 2, 3, 1).flatten(1)


def _average(x: Tensor) -> Tensor:
    return x.mean((2, 3))


# --- VGG ------------------------------------------------------------------------------------------


class VGG(nn.Sequential):
    """Simonyan and Zisserman, 2014; `side` is the picture's behind the last pooling."""

    def __init__(self, convolutions: Sequence[int], side: tuple[int, int] = (7, 7)) -> None:
        super().__init__()
        channels = 3
        for block, count in enumerate(convolutions, start=1):
            filters = min(64 * 2 ** (block - 1), 512)
            for number in range(1, count + 1):
                name = f"block{block}_conv{number}"
                self.add_module(name, nn.Conv2d(channels, filters, 3, padding=1))
                self.add_module(f"{name}_relu", nn.ReLU(inplace=True))
                channels = filters
            self.add_module(f"block{block}_pool", nn.MaxPool2d(2))
        self.add_module("flatten", FlattenChannelsLast())
        for name, inputs in (("fc1", 512 * side[0] * side[1]), ("fc2", 4096)):
            self.add_module(name, nn.Linear(inputs, 4096))
            self.add_module(f"{name}_relu", nn.ReLU(inplace=True))
        self.add_module("predictions", nn.Linear(4096, 1000))


def vgg16(side: tuple[int, int] = (7, 7)) -> nn.Module:
    """VGG-16."""
    return VGG((2, 2, 3, 3, 3), side)


def vgg19(side: tuple[int, int] = (7, 7)) -> nn.Module:
    """VGG-19."""
    return VGG((2, 2, 4, 4, 4), side)


# --- ResNet ---------------------------------------------------------------------------------------


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut, as in torchvision."""

    def __init__(self, channels: int, filters: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, filters, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(filters)
        self.conv2 = nn.Conv2d(filters, filters, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(filters)
        self.downsample = nn.Sequential()
        if stride != 1 or channels != filters:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels, filters, 1, stride, bias=False), nn.BatchNorm2d(filters)
            )

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.downsample(x))


class BasicResNet(nn.Module):
    """torchvision's ResNet of basic blocks."""

    def __init__(self, blocks: Sequence[int]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        channels = 64
        for stage, count in enumerate(blocks):
            filters = 64 * 2**stage
            layer = nn.Sequential()
            for index in range(count):
                layer.append(BasicBlock(channels, filters, 2 if stage and not index else 1))
                channels = filters
            self.add_module(f"layer{stage + 1}", layer)
        self.fc = nn.Linear(channels, 1000)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, stride=2, padding=1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(_average(x))


class Bottleneck(nn.ModuleDict):
    """1x1, 3x3, 1x1 and a shortcut, as in Keras: with biases, the stride in the first."""

    def __init__(self, channels: int, filters: int, stride: int, project: bool) -> None:
        super().__init__()
        wide = 4 * filters
        shapes = [(channels, filters, 1, stride), (filters, filters, 3, 1), (filters, wide, 1, 1)]
        for number, (inputs, outputs, size, step) in enumerate(shapes, start=1):
            self[f"{number}_conv"] = nn.Conv2d(inputs, outputs, size, step, padding=size // 2)
            self[f"{number}_bn"] = nn.BatchNorm2d(outputs, eps=1.001e-5)
        if project:
            self["0_conv"] = nn.Conv2d(channels, wide, 1, stride)
            self["0_bn"] = nn.BatchNorm2d(wide, eps=1.001e-5)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self["1_bn"](self["1_conv"](x)))
        y = F.relu(self["2_bn"](self["2_conv"](y)))
        y = self["3_bn"](self["3_conv"](y))
        return F.relu(y + (self["0_bn"](self["0_conv"](x)) if "0_conv" in self else x))


class BottleneckResNet(nn.Sequential):
    """Keras' ResNet of bottlenecks."""

    def __init__(self, blocks: Sequence[int]) -> None:
        super().__init__()
        self.add_module("conv1_conv", nn.Conv2d(3, 64, 7, stride=2, padding=3))
        self.add_module("conv1_bn", nn.BatchNorm2d(64, eps=1.001e-5))
        self.add_module("conv1_relu", nn.ReLU(inplace=True))
        self.add_module("pool1_pool", nn.MaxPool2d(3, stride=2, padding=1))
        channels = 64
        for stage, count in enumerate(blocks):
            filters = 64 * 2**stage
            for index in range(count):
                stride = 2 if stage and not index else 1
                block = Bottleneck(channels, filters, stride, project=not index)
                self.add_module(f"conv{stage + 2}_block{index + 1}", block)
                channels = 4 * filters
        self.add_module("avg_pool", nn.AdaptiveAvgPool2d(1))
        self.add_module("flatten", nn.Flatten())
        self.add_module("predictions", nn.Linear(channels, 1000))


def resnet18() -> nn.Module:
    """ResNet-18 of torchvision."""
    return BasicResNet((2, 2, 2, 2))


def resnet34() -> nn.Module:
    """ResNet-34 of torchvision."""
    return BasicResNet((3, 4, 6, 3))


def resnet50() -> nn.Module:
    """ResNet-50 of Keras."""
    return BottleneckResNet((3, 4, 6, 3))


def resnet101() -> nn.Module:
    """ResNet-101 of Keras."""
    return BottleneckResNet((3, 4, 23, 3))


# --- MobileNetV2 and EfficientNet-Lite0 -----------------------------------------------------------


class MobileBlock(nn.ModuleDict):
    """MobileNetV2's inverted residual."""

    def __init__(self, channels: int, filters: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = expansion * channels
        self.is_residual = stride == 1 and channels == filters
        if expansion != 1:
            self["expand"] = nn.Conv2d(channels, wide, 1, bias=False)
            self["expand_BN"] = nn.BatchNorm2d(wide, eps=1e-3)
        self["depthwise"] = SameConv2d(wide, wide, 3, stride, groups=wide, bias=False)
        self["depthwise_BN"] = nn.BatchNorm2d(wide, eps=1e-3)
        self["project"] = nn.Conv2d(wide, filters, 1, bias=False)
        self["project_BN"] = nn.BatchNorm2d(filters, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu6(self["expand_BN"](self["expand"](x))) if "expand" in self else x
        y = F.relu6(self["depthwise_BN"](self["depthwise"](y)))
        y = self["project_BN"](self["project"](y))
        return x + y if self.is_residual else y


class MobileNetV2(nn.Sequential):
    """Sandler et al., 2018, of width 1 or with the filters given."""

    def __init__(
        self, filters: Sequence[int] = (32, 16, 24, 32, 64, 96, 160, 320), last: int = 1280
    ) -> None:
        super().__init__()
        channels, *stages = filters
        self.add_module("Conv1", SameConv2d(3, channels, 3, stride=2, bias=False))
        self.add_module("bn_Conv1", nn.BatchNorm2d(channels, eps=1e-3))
        self.add_module("Conv1_relu", nn.ReLU6(inplace=True))
        number = 0
        strides, repeats = (1, 2, 2, 2, 1, 2, 1), (1, 2, 3, 4, 3, 3, 1)
        for stage, filters_out in enumerate(stages):
            for index in range(repeats[stage]):
                stride = 1 if index else strides[stage]
                block = MobileBlock(channels, filters_out, stride, 6 if number else 1)
                self.add_module(f"block_{number}" if number else "expanded_conv", block)
                channels = filters_out
                number += 1
        self.add_module("Conv_1", nn.Conv2d(channels, last, 1, bias=False))
        self.add_module("Conv_1_bn", nn.BatchNorm2d(last, eps=1e-3))
        self.add_module("out_relu", nn.ReLU6(inplace=True))
        self.add_module("avg_pool", nn.AdaptiveAvgPool2d(1))
        self.add_module("flatten", nn.Flatten())
        self.add_module("predictions", nn.Linear(last, 1000))


def mobilenet_v2(**options: Any) -> nn.Module:
    """MobileNetV2, of width 1 unless told otherwise."""
    return MobileNetV2(**options)


class LiteBlock(nn.Module):
    """The inverted residual with the names of efficientnet-pytorch."""

    def __init__(self, channels: int, filters: int, size: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = expansion * channels
        self.is_residual = stride == 1 and channels == filters
        self.expands = expansion != 1
        if self.expands:
            self._expand_conv = nn.Conv2d(channels, wide, 1, bias=False)
            self._bn0 = nn.BatchNorm2d(wide, eps=1e-3)
        self._depthwise_conv = SameConv2d(wide, wide, size, stride, groups=wide, bias=False)
        self._bn1 = nn.BatchNorm2d(wide, eps=1e-3)
        self._project_conv = nn.Conv2d(wide, filters, 1, bias=False)
        self._bn2 = nn.BatchNorm2d(filters, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        y = F.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + y if self.is_residual else y


class EfficientNetLite0(nn.Module):
    """Tan and Le, 2019, without squeeze-and-excitation and swish."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = SameConv2d(3, 32, 3, stride=2, bias=False)
        self._bn0 = nn.BatchNorm2d(32, eps=1e-3)
        self._blocks = nn.Sequential()
        channels = 32
        for repeats, size, stride, expansion, filters in (
            (1, 3, 1, 1, 16),
            (2, 3, 2, 6, 24),
            (2, 5, 2, 6, 40),
            (3, 3, 2, 6, 80),
            (3, 5, 1, 6, 112),
            (4, 5, 2, 6, 192),
            (1, 3, 1, 6, 320),
        ):
            for index in range(repeats):
                step = 1 if index else stride
                self._blocks.append(LiteBlock(channels, filters, size, step, expansion))
                channels = filters
        self._conv_head = nn.Conv2d(channels, 1280, 1, bias=False)
        self._bn1 = nn.BatchNorm2d(1280, eps=1e-3)
        self._fc = nn.Linear(1280, 1000)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu6(self._bn0(self._conv_stem(x)))
        x = F.relu6(self._bn1(self._conv_head(self._blocks(x))))
        return self._fc(_average(x))


def efficientnet_lite0() -> nn.Module:
    """EfficientNet-Lite0."""
    return EfficientNetLite0()


# --- GoogLeNet ------------------------------------------------------------------------------------


class Inception(nn.ModuleDict):
    """Windows of three sizes and a pooling, side by side."""

    def __init__(self, channels: int, filters: Sequence[int]) -> None:
        super().__init__()
        one, reduce3, three, reduce5, five, project = filters
        self["1x1"] = nn.Conv2d(channels, one, 1)
        self["3x3_reduce"] = nn.Conv2d(channels, reduce3, 1)
        self["3x3"] = nn.Conv2d(reduce3, three, 3, padding=1)
        self["5x5_reduce"] = nn.Conv2d(channels, reduce5, 1)
        self["5x5"] = nn.Conv2d(reduce5, five, 5, padding=2)
        self["pool_proj"] = nn.Conv2d(channels, project, 1)

    def forward(self, x: Tensor) -> Tensor:
        one = self["1x1"](x)
        three = self["3x3"](F.relu(self["3x3_reduce"](x)))
        five = self["5x5"](F.relu(self["5x5_reduce"](x)))
        pooled = self["pool_proj"](F.max_pool2d(x, 3, stride=1, padding=1))
        return F.relu(torch.cat([one, three, five, pooled], dim=1))


def googlenet() -> nn.Module:
    """Szegedy et al., 2014, with local response normalisation and without the side classifiers."""
    steps: OrderedDict[str, nn.Module] = OrderedDict(
        conv1_7x7_s2=SameConv2d(3, 64, 7, stride=2),
        relu1=nn.ReLU(inplace=True),
        pool1=SameMaxPool2d(3, stride=2),
        norm1=nn.LocalResponseNorm(5),
        conv2_3x3_reduce=nn.Conv2d(64, 64, 1),
        relu2=nn.ReLU(inplace=True),
        conv2_3x3=nn.Conv2d(64, 192, 3, padding=1),
        relu3=nn.ReLU(inplace=True),
        norm2=nn.LocalResponseNorm(5),
        pool2=SameMaxPool2d(3, stride=2),
        inception_3a=Inception(192, (64, 96, 128, 16, 32, 32)),
        inception_3b=Inception(256, (128, 128, 192, 32, 96, 64)),
        pool3=SameMaxPool2d(3, stride=2),
        inception_4a=Inception(480, (192, 96, 208, 16, 48, 64)),
        inception_4b=Inception(512, (160, 112, 224, 24, 64, 64)),
        inception_4c=Inception(512, (128, 128, 256, 24, 64, 64)),
        inception_4d=Inception(512, (112, 144, 288, 32, 64, 64)),
        inception_4e=Inception(528, (256, 160, 320, 32, 128, 128)),
        pool4=SameMaxPool2d(3, stride=2),
        inception_5a=Inception(832, (256, 160, 320, 32, 128, 128)),
        inception_5b=Inception(832, (384, 192, 384, 48, 128, 128)),
        avg_pool=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
        predictions=nn.Linear(1024, 1000),
    )
    return nn.Sequential(steps)


# --- ZFNet and SqueezeNet -------------------------------------------------------------------------


def zfnet(side: tuple[int, int] = (6, 6)) -> nn.Module:
    """Zeiler and Fergus, 2013; `side` is the picture's behind the last pooling."""
    steps: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=nn.Conv2d(3, 96, 7, stride=2, padding=1),
        relu1=nn.ReLU(inplace=True),
        pool1=SameMaxPool2d(3, stride=2),
        norm1=nn.LocalResponseNorm(5, alpha=5e-4, k=2.0),
        conv2=nn.Conv2d(96, 256, 5, stride=2),
        relu2=nn.ReLU(inplace=True),
        pool2=SameMaxPool2d(3, stride=2),
        norm2=nn.LocalResponseNorm(5, alpha=5e-4, k=2.0),
        conv3=nn.Conv2d(256, 384, 3, padding=1),
        relu3=nn.ReLU(inplace=True),
        conv4=nn.Conv2d(384, 384, 3, padding=1),
        relu4=nn.ReLU(inplace=True),
        conv5=nn.Conv2d(384, 256, 3, padding=1),
        relu5=nn.ReLU(inplace=True),
        pool5=nn.MaxPool2d(3, stride=2),
        flatten=FlattenChannelsLast(),
        fc6=nn.Linear(256 * side[0] * side[1], 4096),
        relu6=nn.ReLU(inplace=True),
        fc7=nn.Linear(4096, 4096),
        relu7=nn.ReLU(inplace=True),
        predictions=nn.Linear(4096, 1000),
    )
    return nn.Sequential(steps)


class Fire(nn.Module):
    """Few 1x1 filters, then many 1x1 and 3x3 side by side."""

    def __init__(self, channels: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeeze, 1)
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.squeeze(x))
        return F.relu(torch.cat([self.expand1x1(x), self.expand3x3(x)], dim=1))


class SqueezeNet(nn.Module):
    """torchvision's squeezenet1_1."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 3, stride=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2, ceil_mode=True),
            Fire(64, 16, 64),
            Fire(128, 16, 64),
            nn.MaxPool2d(3, stride=2, ceil_mode=True),
            Fire(128, 32, 128),
            Fire(256, 32, 128),
            nn.MaxPool2d(3, stride=2, ceil_mode=True),
            Fire(256, 48, 192),
            Fire(384, 48, 192),
            Fire(384, 64, 256),
            Fire(512, 64, 256),
        )
        self.classifier = nn.Sequential(nn.Dropout(0.5), nn.Conv2d(512, 1000, 1), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        return _average(self.classifier(self.features(x)))


def squeezenet() -> nn.Module:
    """SqueezeNet 1.1."""
    return SqueezeNet()


# --- For benchmarks: U-Net and YOLOv2 -------------------------------------------------------------


class UNet(nn.Module):
    """Ronneberger et al., 2015, as courses teach it: "same" convolutions, 3x3 transposed ones."""

    def __init__(self, filters: int = 32, classes: int = 23) -> None:
        super().__init__()

        def double(channels: int, outputs: int) -> nn.Module:
            return nn.Sequential(
                nn.Conv2d(channels, outputs, 3, padding=1),
                nn.ReLU(inplace=True),
                nn.Conv2d(outputs, outputs, 3, padding=1),
                nn.ReLU(inplace=True),
            )

        widths = [filters * 2**level for level in range(5)]
        self.down = nn.ModuleList(map(double, [3, *widths[:-1]], widths))
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(2 * width, width, 3, stride=2) for width in reversed(widths[:-1])
        )
        self.merge = nn.ModuleList(double(2 * width, width) for width in reversed(widths[:-1]))
        self.last = nn.Conv2d(filters, filters, 3, padding=1)
        self.classify = nn.Conv2d(filters, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        kept: list[Tensor] = []
        for level, down in enumerate(self.down):
            x = down(F.max_pool2d(x, 2) if level else x)
            kept.append(x)
        kept.pop()
        for up, merge in zip(self.up, self.merge, strict=True):
            skip = kept.pop()
            # TensorFlow's "same" drops the last row and column of the transposed convolution.
            x = up(x)[:, :, : skip.shape[2], : skip.shape[3]]
            x = merge(torch.cat([x, skip], dim=1))
        return self.classify(F.relu(self.last(x)))


def unet() -> nn.Module:
    """U-Net with 32 base channels and 23 classes, for pictures of 256 x 256."""
    return UNet()


class YOLOv2(nn.Module):
    """Redmon and Farhadi, 2016: Darknet-19, a passthrough, one scale; for 416 x 416."""

    def __init__(self, anchors: int = 5, classes: int = 80) -> None:
        super().__init__()

        def stage(channels: int, *filters: int) -> nn.Sequential:
            """Convolutions of 3x3 and 1x1 in turn."""
            steps: list[nn.Module] = []
            for index, outputs in enumerate(filters):
                size = 1 if index % 2 else 3
                steps += [
                    nn.Conv2d(channels, outputs, size, padding=size // 2, bias=False),
                    nn.BatchNorm2d(outputs),
                    nn.LeakyReLU(0.1, inplace=True),
                ]
                channels = outputs
            return nn.Sequential(*steps)

        self.fine = nn.Sequential(
            stage(3, 32),
            nn.MaxPool2d(2),
            stage(32, 64),
            nn.MaxPool2d(2),
            stage(64, 128, 64, 128),
            nn.MaxPool2d(2),
            stage(128, 256, 128, 256),
            nn.MaxPool2d(2),
            stage(256, 512, 256, 512, 256, 512),
        )
        self.coarse = nn.Sequential(
            nn.MaxPool2d(2),
            stage(512, 1024, 512, 1024, 512, 1024),
            stage(1024, 1024),
            stage(1024, 1024),
        )
        self.passthrough = nn.Sequential(
            nn.Conv2d(512, 64, 1, bias=False),
            nn.BatchNorm2d(64),
            nn.LeakyReLU(0.1, inplace=True),
            nn.PixelUnshuffle(2),
        )
        self.merge = stage(1024 + 256, 1024)
        self.predict = nn.Conv2d(1024, anchors * (5 + classes), 1)

    def forward(self, x: Tensor) -> Tensor:
        fine = self.fine(x)
        x = torch.cat([self.passthrough(fine), self.coarse(fine)], dim=1)
        return self.predict(self.merge(x))


def yolov2() -> nn.Module:
    """YOLOv2 with the 5 anchors and 80 classes of COCO, for pictures of 416 x 416."""
    return YOLOv2()
