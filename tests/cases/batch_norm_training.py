"""Problems of batch normalisation in training: few and many channels, one and many chunks."""

from typing import Any

from tests.harness import Case

_SHAPES = ((4, 1), (5, 3), (2, 7, 5, 3), (2, 5, 6, 70), (1, 1, 1, 21), (3, 40, 30, 16), (90, 1000))


def _training(shape: tuple[int, ...], residual: bool = False, **attrs: Any) -> Case:
    count = attrs.get("scale", True) + attrs.get("center", True)
    return Case(
        "batch_norm_training", (shape, *((shape[-1],),) * count, *(shape,) * residual), attrs
    )


def _gradient(shape: tuple[int, ...], **attrs: Any) -> Case:
    vectors = ((shape[-1],),) * (2 + attrs.get("scale", True))
    last = (shape,) * (attrs.get("activation", "linear") != "linear")
    if attrs.get("from_x"):
        last = (shape[-1:],)
    return Case("batch_norm_gradient", (shape, shape, *vectors, *last), attrs)


TRAINING = [
    *(_training(shape) for shape in _SHAPES),
    *(
        _training((3, 5, 21), scale=scale, center=center, epsilon=0.5)
        for scale in (False, True)
        for center in (False, True)
    ),
    *(_training((2, 3, 37), activation=kind) for kind in ("relu", "relu6", "silu")),
    _training((2, 3, 37), residual=True, activation="relu"),
    _training((2, 9, 8), residual=True, scale=False),
    _training((2, 9, 80), residual=True, activation="hard_swish"),
    _training((70_001, 2)),
]
GRADIENT = [
    *(_gradient(shape) for shape in _SHAPES),
    *(_gradient((2, 30, 37), activation=kind) for kind in ("relu", "relu6", "leaky_relu")),
    _gradient((2, 9, 80), activation="relu", scale=False),
    *(_gradient((2, 9, 8), training=False, activation=kind) for kind in ("linear", "relu")),
    _gradient((70_001, 2), activation="relu"),
    *(_gradient((2, 30, 37), activation=k, from_x=True) for k in ("relu", "relu6", "leaky_relu")),
    _gradient((2, 9, 80), activation="relu6", from_x=True, scale=False),
    _gradient((2, 9, 8), activation="relu", from_x=True, training=False),
]

# For timing: ResNet-50 at batch 16, MobileNetV2 at batch 32.
BENCHMARK = [
    _training((16, 56, 56, 256), residual=True, activation="relu"),
    _training((16, 112, 112, 64), activation="relu"),
    _training((32, 56, 56, 24)),
    _training((16, 7, 7, 2048)),
    _gradient((16, 56, 56, 256)),
    _gradient((16, 112, 112, 64), activation="relu"),
    _gradient((32, 56, 56, 24)),
    _gradient((16, 7, 7, 2048), activation="relu"),
    _gradient((8, 56, 56, 144), activation="relu6", from_x=True),
]
