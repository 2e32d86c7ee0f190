"""What networks trained on ImageNet need around them: their pictures' form and their classes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fastcnn.errors import ConfigError, DTypeError, ShapeError
from fastcnn.io.images import ImageSource, load_image
from fastcnn.io.resize import Method, center_crop, resize_image

Mode = Literal["caffe", "tf", "torch", "lite", "raw"]

NUM_CLASSES = 1000

_MAX_PROPORTION = 4

# Per mode: channel order (of RGB), then (x - mean) / scale, in the units of 0..255.
_MODES: dict[str, tuple[slice, tuple[float, ...], tuple[float, ...]]] = {
    "caffe": (slice(None, None, -1), (103.939, 116.779, 123.68), (1.0,) * 3),
    "tf": (slice(None), (127.5,) * 3, (127.5,) * 3),
    "torch": (slice(None), (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
    "lite": (slice(None), (127.0,) * 3, (128.0,) * 3),
    "raw": (slice(None), (0.0,) * 3, (1.0,) * 3),
}


@functools.cache
def imagenet_classes() -> tuple[tuple[str, str], ...]:
    """Return the 1,000 classes, in the order of a network's outputs.

    Returns
    -------
    tuple of (str, str)
        WordNet id and English name. Some names occur twice ("crane" is a bird and a machine);
        ids do not.

    Examples
    --------
    >>> imagenet_classes()[1]
    ('n01443537', 'goldfish')
    """
    file = resources.files(__package__).joinpath("imagenet_classes.tsv")
    lines = file.read_text(encoding="utf-8").splitlines()
    classes = [tuple(line.split("\t")) for line in lines]
    return tuple((wnid, name) for wnid, name in classes)


@dataclass(frozen=True)
class Prediction:
    """One class that a network sees in a picture.

    Attributes
    ----------
    index : int
        The network's output, 0 to 999.
    wnid : str
        WordNet id.
    label : str
        English name.
    probability : float
        The network's score; a probability behind a softmax.
    """

    index: int
    wnid: str
    label: str
    probability: float


def top_predictions(preds: NDArray[Any], top: int = 5) -> list[list[Prediction]]:
    """Find the most probable classes of each picture.

    Parameters
    ----------
    preds : numpy.ndarray
        Scores of shape (N, 1000), of any real dtype.
    top : int, default 5
        How many classes to name, 1 to 1000.

    Returns
    -------
    list of list of Prediction
        For each picture, the highest score first; of equal scores the lower class first, NaN
        last.

    Raises
    ------
    ShapeError
        `preds` has another shape.
    ConfigError
        `top` is out of range.

    Examples
    --------
    >>> scores = np.zeros((1, 1000), np.float32)
    >>> scores[0, 2] = 0.75
    >>> top_predictions(scores, top=1)[0][0].label
    'great white shark'
    """
    preds = np.asarray(preds)
    if preds.ndim != 2 or preds.shape[1] != NUM_CLASSES:
        raise ShapeError(f"expected predictions of shape (N, {NUM_CLASSES}), got {preds.shape}")
    if not 1 <= top <= NUM_CLASSES:
        raise ConfigError(f"expected top from 1 to {NUM_CLASSES}, got {top}")
    classes = imagenet_classes()
    # float64 because unsigned integers have no negative; stable, so that ties keep their order.
    order = np.argsort(-preds.astype(np.float64), axis=1, kind="stable")[:, :top]
    return [
        [Prediction(int(i), classes[i][0], classes[i][1], float(scores[i])) for i in row]
        for scores, row in zip(preds, order, strict=True)
    ]


def decode_predictions(preds: NDArray[Any], top: int = 5) -> list[list[tuple[str, str, float]]]:
    """Name the most probable classes of each picture, in the form of Keras.

    Parameters
    ----------
    preds, top
        As for `top_predictions`.

    Returns
    -------
    list of list of (str, str, float)
        For each picture, WordNet id, name and score, in the order of `top_predictions`. Names are
        written with spaces, where Keras has underscores.

    Raises
    ------
    ShapeError, ConfigError
        As `top_predictions`.

    Examples
    --------
    >>> scores = np.zeros((1, 1000), np.float32)
    >>> scores[0, 2] = 0.75
    >>> decode_predictions(scores, top=1)
    [[('n01484850', 'great white shark', 0.75)]]
    """
    named = top_predictions(preds, top)
    return [[(p.wnid, p.label, p.probability) for p in row] for row in named]


def preprocess_input(x: NDArray[Any], mode: Mode = "caffe") -> NDArray[np.float32]:
    """Turn RGB levels of 0 to 255 into what a network was trained on.

    Parameters
    ----------
    x : numpy.ndarray
        Real numbers of shape (..., 3), RGB, 0 to 255; it is not changed (Keras writes into it).
    mode : {"caffe", "tf", "torch", "lite", "raw"}
        - "caffe": BGR, minus the means 103.939, 116.779, 123.68 (Keras's VGG and ResNet)
        - "tf": to -1..1 (Keras's MobileNetV2)
        - "torch": to 0..1, then normalised by ImageNet's mean and deviation (torchvision)
        - "lite": (x - 127) / 128 (EfficientNet-Lite)
        - "raw": unchanged (Keras's EfficientNet, which begins with a scaling of its own)

    Returns
    -------
    numpy.ndarray
        float32 of the same shape.

    Raises
    ------
    ShapeError, DTypeError
        `x` has no three channels in the last axis, or no real numbers.
    ConfigError
        `mode` is unknown.

    Examples
    --------
    >>> preprocess_input(np.array([[0, 127, 255]], np.uint8), mode="lite").tolist()
    [[-0.9921875, 0.0, 1.0]]
    """
    x = np.asarray(x)
    if x.ndim < 1 or x.shape[-1] != 3:
        raise ShapeError(f"expected RGB pictures of shape (..., 3), got {x.shape}")
    if x.dtype.kind not in "uif":
        raise DTypeError(f"expected integers or floats, got {x.dtype}")
    if mode not in _MODES:
        raise ConfigError(f"expected a mode of {', '.join(_MODES)}, got {mode!r}")
    channels, mean, scale = _MODES[mode]
    result: NDArray[np.float32] = np.subtract(
        x[..., channels], np.array(mean, np.float32), dtype=np.float32
    )
    result /= np.array(scale, np.float32)
    return result


def preprocessing(mode: Mode = "caffe") -> Callable[[Any], Any]:
    """Make `preprocess_input` a part of a model, which then takes RGB levels of 0 to 255.

    Parameters
    ----------
    mode : {"caffe", "tf", "torch", "lite", "raw"}
        As `preprocess_input`.

    Returns
    -------
    callable
        From a symbolic tensor of pictures to a symbolic tensor.

    Examples
    --------
    >>> import fastcnn as fc
    >>> x = fc.Input((1, 1, 3))
    >>> model = fc.Model(x, preprocessing("caffe")(x))
    >>> model.predict(np.array([[[[103.68, 16.779, 3.939]]]]))
    array([[[[-100., -100.,  -20.]]]], dtype=float32)
    """
    from fastcnn import layers, ops

    if mode not in _MODES:
        raise ConfigError(f"expected a mode of {', '.join(_MODES)}, got {mode!r}")
    channels, mean, scale = _MODES[mode]

    def preprocess(x: Any) -> Any:
        ordered = ops.flip(x, axis=-1) if channels.step == -1 else x
        return layers.Normalization(mean=mean, variance=np.square(scale))(ordered)

    return preprocess


def load_and_preprocess(
    sources: ImageSource | Sequence[ImageSource],
    *,
    size: int = 224,
    shorter_side: int = 256,
    mode: Mode = "caffe",
    method: Method = "bilinear",
) -> NDArray[np.float32]:
    """Read pictures into a batch: resize the shorter side, cut out the middle, preprocess.

    Parameters
    ----------
    sources : picture or sequence of pictures
        What `fastcnn.io.load_image` takes: paths, bytes or binary files.
    size : int, default 224
        Height and width of the result.
    shorter_side : int, default 256
        To which the shorter side is resized first; the longer keeps the proportions.
    mode : {"caffe", "tf", "torch", "lite", "raw"}
        As `preprocess_input`: "caffe" for Keras's ResNet-50, "lite" for EfficientNet-Lite.
    method : str, default "bilinear"
        As `fastcnn.io.resize_image`; EfficientNet-Lite was trained with "bicubic".

    Returns
    -------
    numpy.ndarray
        float32 of shape (N, size, size, 3); N is 1 for a single picture.

    Raises
    ------
    ConfigError
        `size` is not between 1 and `shorter_side`, or `mode` or `method` is unknown.
    ShapeError
        There is no picture.
    MissingFileError, FileAccessError, FileFormatError, MissingDependencyError
        As `fastcnn.io.load_image`.

    Examples
    --------
    >>> load_and_preprocess("cat.jpg").shape  # doctest: +SKIP
    (1, 224, 224, 3)
    """
    if not 1 <= size <= shorter_side:
        raise ConfigError(f"expected size from 1 to shorter_side {shorter_side}, got {size}")
    # bytes are a sequence too, of integers
    many = isinstance(sources, Sequence) and not isinstance(sources, (str, bytes, bytearray))
    pictures: Sequence[Any] = sources if many else [sources]  # type: ignore[assignment]
    if not pictures:
        raise ShapeError("expected at least one picture, got none")
    batch = np.empty((len(pictures), size, size, 3), np.uint8)
    for slot, source in zip(batch, pictures, strict=True):
        image = load_image(source)
        # A strip of one row and a million columns would grow with its shorter side. The middle
        # square is all that is kept, so cutting long pictures to four squares changes nothing.
        longest = _MAX_PROPORTION * min(image.shape[:2])
        image = center_crop(image, (min(image.shape[0], longest), min(image.shape[1], longest)))
        ratio = shorter_side / min(image.shape[:2])
        height, width = (max(shorter_side, round(side * ratio)) for side in image.shape[:2])
        slot[...] = center_crop(resize_image(image, (height, width), method), (size, size))
    return preprocess_input(batch, mode)
