"""YOLO: detectors that find all objects of a picture in one pass of one network.

Redmon and Farhadi, "YOLO9000: Better, Faster, Stronger", 2016 (YOLOv2), and "YOLOv3: An Incremental
Improvement", 2018; the tiny ones are those of the authors' Darknet. Layers are called after the
sections of Darknet's configurations, as `fastcnn.io.load_darknet` calls them, so that its weights
fit.

What a network gives is raw: `fastcnn.detection.decode` makes boxes of it, with the description in
``model.heads``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn import layers
from fastcnn._checks import one_of, positive_int
from fastcnn.applications import weights as pretrained
from fastcnn.applications._blocks import darknet_reorg
from fastcnn.detection.heads import Head
from fastcnn.errors import ConfigError, ShapeError
from fastcnn.io._files import StrPath
from fastcnn.model import Model
from fastcnn.ops._dispatch import as_array

__all__ = ["TinyYOLOv2", "YOLOv2", "YOLOv3", "YOLOv3Tiny", "preprocess_input"]

Tensor = Any
Shape = tuple[int | None, int | None, int]
Anchors = Sequence[tuple[float, float]]

_STRIDE = 32  # how many pixels of the picture become one cell of the coarsest grid

# Of COCO, in pixels of a picture of 416 x 416; YOLOv2's files measure them in cells.
_COCO_V2 = (
    (18.32736, 21.67632), (59.98272, 66.00096), (106.82976, 175.17888), (252.25024, 112.88896),
    (312.65664, 293.38496),
)  # fmt: skip
_VOC_V2_TINY = (
    (34.56, 38.08), (109.44, 141.12), (212.16, 364.16), (301.44, 163.52), (531.84, 336.64),
)  # fmt: skip
_COCO_V3 = (
    (10, 13), (16, 30), (33, 23), (30, 61), (62, 45), (59, 119), (116, 90), (156, 198), (373, 326),
)  # fmt: skip
_COCO_V3_TINY = ((10, 14), (23, 27), (37, 58), (81, 82), (135, 169), (344, 319))


def preprocess_input(x: Any) -> NDArray[np.float32]:
    """Preprocess RGB pictures of 0 to 255: divide by 255.

    Examples
    --------
    >>> float(preprocess_input(np.full((1, 2, 2, 3), 255, np.uint8)).max())
    1.0
    """
    scaled: NDArray[np.float32] = as_array(x) / np.float32(255)
    return scaled


class _Darknet:
    """Layers with the numbers of the sections they are in Darknet's configurations."""

    def __init__(self) -> None:
        self.section = 0

    def _next(self) -> int:
        self.section += 1
        return self.section - 1

    def skip(self, sections: int = 1) -> None:
        """Leave out sections of which no layer is made: where a network ends or branches."""
        self.section += sections

    def conv(self, x: Tensor, filters: int, size: int = 3, strides: int = 1) -> Tensor:
        """Convolution, batch normalisation and leaky ReLU."""
        number = self._next()
        # Padding in numbers: "same" would put all of it below and right where the stride is 2.
        x = layers.Conv2D(
            filters, size, strides, padding=size // 2, use_bias=False, name=f"conv_{number}"
        )(x)
        x = layers.BatchNormalization(epsilon=1e-5, name=f"bn_{number}")(x)
        return layers.LeakyReLU(0.1, name=f"leaky_{number}")(x)

    def squeezed(self, x: Tensor, filters: int, count: int) -> Tensor:
        """Convolutions of `filters`, before each but the first one that halves the channels."""
        for i in range(count):
            x = self.conv(x, filters // 2, 1) if i % 2 else self.conv(x, filters)
        return x

    def pool(self, x: Tensor, strides: int = 2) -> Tensor:
        return layers.MaxPooling2D(
            2, strides, padding="same", name=f"maxpool_{self._next()}"
        )(x)  # fmt: skip

    def residual(self, x: Tensor, count: int) -> Tensor:
        """YOLOv3's blocks: to half the channels, back, and add what came in."""
        filters = x.shape[-1]
        for _ in range(count):
            y = self.conv(self.conv(x, filters // 2, 1), filters)
            x = layers.Add(name=f"shortcut_{self._next()}")([y, x])
        return x

    def upsample(self, x: Tensor, beside: Tensor) -> Tensor:
        """Twice as many rows and columns, together with the channels of a finer layer."""
        x = layers.UpSampling2D(2, name=f"upsample_{self._next()}")(x)
        return layers.Concatenate(name=f"route_{self._next()}")([x, beside])

    def head(self, x: Tensor, head: Head) -> Tensor:
        """The last convolution; its section's successor says how to read it."""
        x = layers.Conv2D(head.channels, 1, name=f"conv_{self._next()}")(x)
        self.skip()
        return x


def _yolo_v2(x: Tensor, heads: Sequence[Head], variant: str | None = None) -> list[Tensor]:
    net = _Darknet()
    x = net.pool(net.conv(x, 32))
    x = net.pool(net.conv(x, 64))
    x = net.pool(net.squeezed(x, 128, 3))
    x = net.pool(net.squeezed(x, 256, 3))
    fine = net.squeezed(x, 512, 5)
    x = net.squeezed(net.pool(fine), 1024, 5)
    x = net.conv(net.conv(x, 1024), 1024)
    net.skip()
    passed = net.conv(fine, 64, 1)
    if variant == "darknet":
        passed = darknet_reorg(passed, 2, "YOLOv2")
    else:
        passed = layers.SpaceToDepth(2, name="reorg_27")(passed)
    x = layers.Concatenate(name="route_28")([passed, x])
    net.skip(2)
    return [net.head(net.conv(x, 1024), heads[0])]


def _tiny_yolo_v2(x: Tensor, heads: Sequence[Head]) -> list[Tensor]:
    net = _Darknet()
    for filters in (16, 32, 64, 128, 256):
        x = net.pool(net.conv(x, filters))
    x = net.pool(net.conv(x, 512), strides=1)
    x = net.conv(net.conv(x, 1024), 1024)
    return [net.head(x, heads[0])]


def _yolo_v3(x: Tensor, heads: Sequence[Head]) -> list[Tensor]:
    net = _Darknet()
    x = net.conv(x, 32)
    stages = []
    for filters, blocks in ((64, 1), (128, 2), (256, 8), (512, 8), (1024, 4)):
        x = net.residual(net.conv(x, filters, strides=2), blocks)
        stages.append(x)
    found = []
    for filters, head, finer in zip(
        (512, 256, 128), heads, (stages[3], stages[2], None), strict=True
    ):
        x = net.conv(x, filters, 1)
        for _ in range(2):
            x = net.conv(net.conv(x, 2 * filters), filters, 1)
        found.append(net.head(net.conv(x, 2 * filters), head))
        if finer is not None:
            net.skip()
            x = net.upsample(net.conv(x, filters // 2, 1), finer)
    return found


def _tiny_yolo_v3(x: Tensor, heads: Sequence[Head]) -> list[Tensor]:
    net = _Darknet()
    for filters in (16, 32, 64, 128):
        x = net.pool(net.conv(x, filters))
    fine = net.conv(x, 256)
    x = net.pool(net.conv(net.pool(fine), 512), strides=1)
    x = net.conv(net.conv(x, 1024), 256, 1)
    coarse = net.head(net.conv(x, 512), heads[0])
    net.skip()
    x = net.upsample(net.conv(x, 128, 1), fine)
    return [coarse, net.head(net.conv(x, 256), heads[1])]


def _build(
    features: Callable[[Tensor, Sequence[Head]], list[Tensor]],
    scales: int,
    softmax: bool,
    weights: StrPath | None,
    input_tensor: Tensor | None,
    input_shape: Shape,
    classes: int,
    anchors: Anchors,
    name: str,
) -> Model:
    positive_int(name, "classes", classes, at_least=0)
    count, rest = divmod(len(anchors), scales)
    if rest or not count:
        raise ConfigError(
            f"{name}: anchors: expected as many for each of {scales} scales, got {len(anchors)}"
        )
    # The coarsest grid comes first, and gets the largest anchors, which come last.
    heads = [
        Head(classes, tuple(anchors[i * count : (i + 1) * count]), softmax=softmax)
        for i in reversed(range(scales))
    ]
    shape = tuple(input_shape) if input_tensor is None else tuple(input_tensor.shape[1:])
    if len(shape) != 3 or shape[2] is None:
        raise ShapeError(f"{name}: expected input_shape (height, width, channels), got {shape}")
    if any(side is not None and (side < _STRIDE or side % _STRIDE) for side in shape[:2]):
        raise ShapeError(
            f"{name}: expected a height and width that are multiples of {_STRIDE}, got {shape}"
        )
    image = layers.Input(shape) if input_tensor is None else input_tensor
    outputs = features(image, heads)
    model = Model(image, outputs[0] if len(outputs) == 1 else outputs, name=name)
    model.heads = heads
    if weights is not None:
        pretrained.load_into(model, weights)
    return model


def YOLOv2(  # noqa: N802 - in Keras' way
    weights: StrPath | None = None,
    input_tensor: Tensor | None = None,
    input_shape: Shape = (416, 416, 3),
    classes: int = 80,
    anchors: Anchors = _COCO_V2,
    name: str = "yolo_v2",
    variant: str | None = None,
) -> Model:
    """Make YOLOv2: Darknet-19, and a passthrough from the layer of twice the resolution.

    Parameters
    ----------
    weights : None or path, default None
        Random, or a file that `fastcnn.io.load_weights_file` reads, whose names are those of
        `fastcnn.io.load_darknet`.
    input_tensor : KerasTensor, optional
        What to apply the network to, instead of an `Input` of its own.
    input_shape : (height, width, channels), default (416, 416, 3)
        Height and width are multiples of 32, or None.
    classes : int, default 80
    anchors : sequence of (float, float)
        Typical (width, height) of boxes in pixels of the input; COCO's unless given. They are
        shared out to the scales: sort them by size.
    name : str, optional
        The model's name.
    variant : None or "darknet", default None
        How the passthrough moves blocks of 2 x 2 pixels to channels: as the paper says, or in the
        order of Darknet's ``[reorg]``, for weights that were trained there. That needs a known
        height and width.

    Returns
    -------
    fastcnn.Model
        From pictures that `preprocess_input` made to raw outputs of shape
        (n, height / 32, width / 32, anchors * (5 + classes)), which ``model.heads`` describes.

    Raises
    ------
    ConfigError, ShapeError
        An argument is out of its range.
    MissingFileError
        There is no such file of weights.
    FileFormatError
        The file is damaged, or its weights are those of another network.

    Examples
    --------
    >>> YOLOv2(input_shape=(None, None, 3), classes=20).output_shape
    (None, None, None, 125)
    """
    one_of(name, "variant", variant, (None, "darknet"))
    features = partial(_yolo_v2, variant=variant)
    return _build(features, 1, True, weights, input_tensor, input_shape, classes, anchors, name)


def TinyYOLOv2(  # noqa: N802 - in Keras' way
    weights: StrPath | None = None,
    input_tensor: Tensor | None = None,
    input_shape: Shape = (416, 416, 3),
    classes: int = 20,
    anchors: Anchors = _VOC_V2_TINY,
    name: str = "tiny_yolo_v2",
) -> Model:
    """Make Tiny YOLOv2 as for Pascal VOC: nine convolutions.

    Parameters
    ----------
    weights, input_tensor, input_shape, classes, anchors, name
        As of `YOLOv2`; the classes and anchors are VOC's unless given.

    Returns
    -------
    fastcnn.Model
        As of `YOLOv2`.

    Examples
    --------
    >>> TinyYOLOv2(input_shape=(320, 416, 3)).output_shape
    (None, 10, 13, 125)
    """
    return _build(
        _tiny_yolo_v2, 1, True, weights, input_tensor, input_shape, classes, anchors, name
    )


def YOLOv3(  # noqa: N802 - in Keras' way
    weights: StrPath | None = None,
    input_tensor: Tensor | None = None,
    input_shape: Shape = (416, 416, 3),
    classes: int = 80,
    anchors: Anchors = _COCO_V3,
    name: str = "yolo_v3",
) -> Model:
    """Make YOLOv3: Darknet-53, and outputs at three scales.

    Parameters
    ----------
    weights, input_tensor, input_shape, classes, anchors, name
        As of `YOLOv2`; of the anchors, a third is for each scale.

    Returns
    -------
    fastcnn.Model
        As of `YOLOv2`, with outputs of 1/32, 1/16 and 1/8 of the picture's height and width.

    Examples
    --------
    >>> YOLOv3(classes=1, input_shape=(64, 64, 3)).output_shape
    [(None, 2, 2, 18), (None, 4, 4, 18), (None, 8, 8, 18)]
    """
    return _build(_yolo_v3, 3, False, weights, input_tensor, input_shape, classes, anchors, name)


def YOLOv3Tiny(  # noqa: N802 - in Keras' way
    weights: StrPath | None = None,
    input_tensor: Tensor | None = None,
    input_shape: Shape = (416, 416, 3),
    classes: int = 80,
    anchors: Anchors = _COCO_V3_TINY,
    name: str = "yolo_v3_tiny",
) -> Model:
    """Make the tiny YOLOv3: thirteen convolutions, and outputs at two scales.

    Parameters
    ----------
    weights, input_tensor, input_shape, classes, anchors, name
        As of `YOLOv2`; of the anchors, a half is for each scale.

    Returns
    -------
    fastcnn.Model
        As of `YOLOv2`, with outputs of 1/32 and 1/16 of the picture's height and width.

    Examples
    --------
    >>> YOLOv3Tiny(classes=1, input_shape=(64, 64, 3)).output_shape
    [(None, 2, 2, 18), (None, 4, 4, 18)]
    """
    return _build(
        _tiny_yolo_v3, 2, False, weights, input_tensor, input_shape, classes, anchors, name
    )
