"""The networks that are measured: described once, with fastcnn's layers and seeded random weights.

Peers get the same network through `record`, which reads it off as a list of ops (a `Tape`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fastcnn import _C, applications, layers
from fastcnn.model import Model
from fastcnn.tracing import Trace, Value

Tensor = Any


@dataclass(frozen=True)
class Network:
    """A network without a top activation: its outputs are logits, so that errors stay visible."""

    name: str
    size: int
    build: Callable[[int], Model]

    def model(self, size: int | None = None, precision: str | None = None, seed: int = 0) -> Any:
        """The model with random weights: the same for the same seed, in every process."""
        model = self.build(size or self.size)
        randomize(model, np.random.default_rng(seed))
        model.precision = precision
        return model


def picture(batch: int, size: int, seed: int = 1) -> np.ndarray:
    """A batch of pictures (n, size, size, 3) of unit variance."""
    return np.random.default_rng(seed).standard_normal((batch, size, size, 3), dtype=np.float32)


def randomize(model: Any, rng: np.random.Generator) -> None:
    """Give every weight a value that keeps signals of moderate size through many layers."""
    for weight in model.weights:
        name, shape = weight.name, weight.shape
        if name == "kernel" or len(shape) > 1:
            depthwise = len(shape) == 4 and shape[3] == 1 and shape[2] > 3
            terms = np.prod(shape[:2]) if depthwise else np.prod(shape[:-1])
            value = rng.standard_normal(shape, dtype=np.float32) * np.sqrt(2.0 / terms)
        elif name in ("gamma", "moving_variance"):
            value = rng.uniform(0.5, 1.5, shape)
        else:
            value = 0.1 * rng.standard_normal(shape)
        weight.assign(value)


# ---- networks ----------------------------------------------------------------------------------


def _application(name: str) -> Callable[[int], Model]:
    def build(size: int) -> Model:
        function = getattr(applications, name)
        return function(input_shape=(size, size, 3), classifier_activation=None)

    return build


def unet(size: int, filters: int = 32, classes: int = 23, depth: int = 4) -> Model:
    """U-Net of the course: transposed convolutions up, class scores for every pixel."""
    return applications.UNet(
        (size, size, 3), classes, filters, depth, variant="course", classifier_activation=None
    )


def yolo_v2(size: int) -> Model:
    """YOLOv2 for the 80 classes of COCO, raw outputs."""
    return applications.YOLOv2(input_shape=(size, size, 3))


def inception_resnet_v1(size: int, embedding: int = 512) -> Model:
    """Inception-ResNet-v1 as FaceNet uses it, up to the embedding before its normalisation."""

    def conv(
        x: Tensor, filters: int, size: Any = 1, strides: int = 1, padding: str = "same"
    ) -> Tensor:
        x = layers.Conv2D(filters, size, strides=strides, padding=padding, use_bias=False)(x)
        return layers.ReLU()(layers.BatchNormalization(epsilon=1e-3)(x))

    def chain(x: Tensor, *sizes: tuple[int, Any]) -> Tensor:
        for filters, size in sizes:
            x = conv(x, filters, size)
        return x

    def residual(x: Tensor, scale: float, activate: bool, *branches: tuple[Any, ...]) -> Tensor:
        mixed = layers.Concatenate()([chain(x, *branch) for branch in branches])
        mixed = layers.Conv2D(x.shape[-1], 1)(mixed)
        x = layers.Add()([layers.Rescaling(scale)(mixed) if scale != 1 else mixed, x])
        return layers.ReLU()(x) if activate else x

    def reduce(x: Tensor, *branches: tuple[Any, ...]) -> Tensor:
        parts = [
            conv(chain(x, *branch[:-1]), branch[-1], 3, strides=2, padding="valid")
            for branch in branches
        ]
        return layers.Concatenate()([*parts, layers.MaxPooling2D(3, strides=2)(x)])

    image = layers.Input((size, size, 3))
    x = conv(image, 32, 3, strides=2, padding="valid")
    x = conv(conv(x, 32, 3, padding="valid"), 64, 3)
    x = layers.MaxPooling2D(3, strides=2)(x)
    x = conv(conv(x, 80), 192, 3, padding="valid")
    x = conv(x, 256, 3, strides=2, padding="valid")
    for _ in range(5):
        x = residual(x, 0.17, True, ((32, 1),), ((32, 1), (32, 3)), ((32, 1), (32, 3), (32, 3)))
    x = reduce(x, (384,), ((192, 1), (192, 3), 256))
    for _ in range(10):
        x = residual(x, 0.10, True, ((128, 1),), ((128, 1), (128, (1, 7)), (128, (7, 1))))
    x = reduce(x, ((256, 1), 384), ((256, 1), 256), ((256, 1), (256, 3), 256))
    for last in (False,) * 5 + (True,):
        scale = 1.0 if last else 0.20
        x = residual(x, scale, not last, ((192, 1),), ((192, 1), (192, (1, 3)), (192, (3, 1))))
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.BatchNormalization(epsilon=1e-3)(layers.Dense(embedding, use_bias=False)(x))
    return Model(image, x, name="inception_resnet_v1")


NETWORKS = {
    n.name: n
    for n in (
        Network("resnet50", 224, _application("ResNet50")),
        Network("vgg19", 224, _application("VGG19")),
        Network("mobilenetv2", 224, _application("MobileNetV2")),
        Network("unet256", 256, unet),
        Network("yolov2", 416, yolo_v2),
        Network("inceptionresnetv1", 160, inception_resnet_v1),
    )
}


def convnet(size: int, classes: int = 10) -> Model:
    """The ConvNet of a first exercise: three convolutions with batch norm and pooling."""
    x = image = layers.Input((size, size, 3))
    for filters in (32, 64, 128):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.MaxPooling2D(2)(layers.ReLU()(layers.BatchNormalization(epsilon=1e-3)(x)))
    return Model(image, layers.Dense(classes)(layers.GlobalAveragePooling2D()(x)), name="convnet")


TRAINING_NETWORKS = {
    "convnet": Network("convnet", 64, convnet),
    **{name: NETWORKS[name] for name in ("resnet50", "mobilenetv2", "unet256")},
}


def training_model(name: str, size: int | None, precision: str | None) -> Any:
    """A network to train, whose first gradients are of moderate size."""
    return TRAINING_NETWORKS[name].model(size, precision)


# ---- the same network for peers ----------------------------------------------------------------


@dataclass(frozen=True)
class Node:
    """One op as the model describes it: before any pass of the planner."""

    op: str
    name: str
    inputs: tuple[int, ...]
    output: int
    attrs: dict[str, Any]


@dataclass
class Tape:
    """A network as a list of nodes on numbered values; layouts are ours (NHWC, HWIO)."""

    input: int = -1
    output: int = -1
    nodes: list[Node] = field(default_factory=list)
    arrays: dict[int, np.ndarray] = field(default_factory=dict)
    shapes: dict[int, tuple[int, ...]] = field(default_factory=dict)


class _Recorder(Trace):
    """A trace that also keeps what it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.tape = Tape()

    def value_of(self, x: Any) -> Value:
        value = super().value_of(x)
        if not isinstance(x, Value):
            array = x.numpy() if isinstance(x, _C.Variable) else np.asarray(x, np.float32)
            self.tape.arrays[value._index] = array
        self.tape.shapes[value._index] = value.shape
        return value

    def apply(self, op: str, inputs: Any, attrs: dict[str, Any]) -> Any:
        operands = [self.value_of(x) for x in inputs]
        result = super().apply(op, operands, attrs)
        self.tape.shapes[result._index] = result.shape
        indices = tuple(x._index for x in operands)
        self.tape.nodes.append(Node(op, self.name, indices, result._index, attrs))
        return result


def record(model: Any, shape: tuple[int, ...]) -> Tape:
    """Read a model with one input and one output off as a tape, for an input of `shape`."""
    recorder = _Recorder()
    x = recorder.input(shape)
    y = model._call_traced(recorder, (x,), {}, "")
    recorder.tape.input, recorder.tape.output = x._index, y._index
    recorder.tape.shapes[x._index] = x.shape
    return recorder.tape
