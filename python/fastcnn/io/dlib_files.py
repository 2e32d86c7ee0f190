"""dlib's serialised networks, such as the face encoder ``dlib_face_recognition_resnet_model_v1``.

dlib writes a network from its output to its input: for each layer first a version, then the network
below, then the layer itself. The versions therefore come first, from the loss to the input, and the
layers behind them in the order in which they compute. What a tag or a skip refers to is part of the
C++ type and not in the file; it is read from the order in which dlib's residual blocks have them.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastcnn import layers, ops
from fastcnn.errors import FileFormatError, MissingWeightsError, UnsupportedError
from fastcnn.io._files import StrPath, naming, open_binary
from fastcnn.model import Model
from fastcnn.serialization import weights_follow

Array = NDArray[np.float32]
Tensor = Any

MAGIC = b"\x01\x01\x01"
"""How a network with a loss begins: its version, 1, and the length of the length of a name."""

_MAX_LAYERS = 10_000
_MAX_SIZE = 2**16
_MAX_FILE = 2**31
_TAG, _LAYER, _FIRST_LAYER = 1, 2, 3  # versions of add_tag_layer and add_skip_layer, of add_layer


def load_dlib(path: StrPath) -> Model:
    """Make a model of a network that dlib serialised.

    Parameters
    ----------
    path : str or os.PathLike
        A file of convolutions, poolings, ``affine`` layers (dlib's frozen batch normalisation),
        ReLUs, dense layers and residual blocks, as `dlib::serialize` writes it.

    Returns
    -------
    Model
        From RGB pictures (values from 0 to 255) to what the layer below the loss gives: a vector
        of 128 numbers for the face encoder. The normalisation of its input is the first layer.
        Layers have dlib's names and are numbered from the input on: ``con_1``, ``affine_1``. Those
        called affine are batch normalisations that are not trainable.

    Raises
    ------
    MissingWeightsError
        There is no such file.
    FileFormatError
        It is damaged, or no network of dlib.
    UnsupportedError
        A layer has no counterpart here; the message names it.

    Examples
    --------
    >>> encoder = load_dlib("dlib_face_recognition_resnet_model_v1.dat")  # doctest: +SKIP
    >>> encoder.predict(faces).shape  # doctest: +SKIP
    (5, 128)
    """
    parts = _read(path)
    with naming(path):
        try:
            with weights_follow(sum(part.numbers.size for part in parts)):
                inputs, outputs = _build(parts)
        except (FileFormatError, UnsupportedError):
            raise
        except (ValueError, TypeError, OverflowError) as error:  # a layer refuses its operand
            raise FileFormatError(str(error)) from error
    return Model(inputs, outputs, name=os.path.splitext(os.path.basename(os.fspath(path)))[0])


def load_dlib_weights(path: StrPath) -> dict[str, NDArray[np.generic]]:
    """Read the arrays of a network that dlib serialised, under its layers' names.

    Parameters and layouts are dlib's: kernels are (filters, channels, height, width).

    Raises
    ------
    MissingWeightsError, FileFormatError, UnsupportedError
        As `load_dlib`.
    """
    arrays: dict[str, NDArray[np.generic]] = {}
    for part in _read(path):
        for leaf, array in part.arrays().items():
            arrays[f"{part.name}/{leaf}"] = array
    return arrays


class _Part(NamedTuple):
    """A layer as the file holds it.

    `numbers` are its weights in one row; `shapes` tells how they divide.
    """

    kind: str
    name: str
    sizes: tuple[int, ...] = ()
    averages: tuple[float, ...] = ()
    numbers: Array = np.zeros(0, np.float32)
    shapes: tuple[tuple[str, tuple[int, ...]], ...] = ()

    def arrays(self) -> dict[str, Array]:
        found, start = {}, 0
        for leaf, shape in self.shapes:
            end = start + math.prod(shape)
            if end > self.numbers.size:
                raise FileFormatError(
                    f"{self.name}: expected {end} numbers or more, got {self.numbers.size}"
                )
            found[leaf] = self.numbers[start:end].reshape(shape)
            start = end
        if start != self.numbers.size:
            raise FileFormatError(f"{self.name}: expected {start} numbers, got {self.numbers.size}")
        return found


# ---- reading -------------------------------------------------------------------------------------


class _Stream:
    """dlib's encoding of numbers and texts."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        end = self._at + count
        if end > len(self._data):
            raise FileFormatError(
                f"cut off: expected {end - len(self._data)} bytes more at {self._at}"
            )
        found = self._data[self._at : end]
        self._at = end
        return found

    def integer(self) -> int:
        """A byte with the sign and the number of bytes, then these, least significant first."""
        control = self.take(1)[0]
        if control & 0x70 or control & 0x0F > 8:
            raise FileFormatError(f"expected an integer at {self._at - 1}, got {control:#x}")
        value = int.from_bytes(self.take(control & 0x0F), "little")
        return -value if control & 0x80 else value

    def size(self) -> int:
        value = self.integer()
        if not 0 <= value <= _MAX_SIZE:
            raise FileFormatError(f"expected a size of 0 to {_MAX_SIZE}, got {value}")
        return value

    def sizes(self, count: int) -> tuple[int, ...]:
        return tuple(self.size() for _ in range(count))

    def real(self) -> float:
        """Mantissa and exponent, two integers; exponents from 32000 on are infinities and NaN."""
        mantissa, exponent = self.integer(), self.integer()
        if not -2000 <= exponent <= 2000:
            raise FileFormatError(f"expected a finite number, got an exponent of {exponent}")
        try:
            return math.ldexp(mantissa, exponent)
        except OverflowError as error:
            raise FileFormatError("expected a number that a float holds") from error

    def text(self) -> str:
        length = self.integer()
        if not 0 <= length <= 256:
            raise FileFormatError(f"expected a name of at most 256 letters, got {length}")
        return self.take(length).decode("latin-1")

    def version(self, what: str, *known: int) -> int:
        value = self.integer()
        if value not in known:
            raise FileFormatError(f"expected version {known} of {what}, got {value}")
        return value

    def tensor(self) -> Array:
        self.version("a tensor", 2)
        shape = [self.integer() for _ in range(4)]
        if any(not 0 <= n <= _MAX_FILE for n in shape):
            raise FileFormatError(f"expected a tensor's sizes, got {shape}")
        return np.frombuffer(self.take(4 * math.prod(shape)), "<f4").astype(np.float32)

    def alias(self) -> tuple[int, ...]:
        self.version("an alias", 1)
        return self.sizes(4)

    def flags(self) -> None:
        """What an add_layer keeps besides its layer: three flags, and tensors between calls."""
        if set(self.take(3)) - {ord("0"), ord("1")}:
            raise FileFormatError(f"expected three flags at {self._at - 3}")
        for _ in range(3):
            self.tensor()


def _read(path: StrPath) -> list[_Part]:
    """Read the layers of a file in the order in which they compute, tags and skips among them."""
    with open_binary(path, missing=MissingWeightsError) as file:
        head = file.read(3)
        if head != MAGIC or os.fstat(file.fileno()).st_size > _MAX_FILE:
            raise FileFormatError(
                f"{os.fspath(path)}: expected a network with a loss, as dlib serialises it"
            )
        data = head + file.read()
    with naming(path):
        return _parts(_Stream(data))


def _parts(stream: _Stream) -> list[_Part]:
    stream.version("the loss", 1)
    loss = stream.text()
    if loss not in _LOSSES:
        raise UnsupportedError(f"{loss!r}: expected a network with one of {', '.join(_LOSSES)}")
    for _ in range(_LOSSES[loss]):
        stream.real()
    versions: list[int] = []
    while not versions or versions[-1] != _FIRST_LAYER:
        versions.append(stream.version("a layer", _TAG, _LAYER, _FIRST_LAYER))
        if len(versions) > _MAX_LAYERS:
            raise FileFormatError(f"expected at most {_MAX_LAYERS} layers")
    parts = [_input(stream)]
    counts: dict[str, int] = {}
    for version in reversed(versions):
        if version == _TAG:
            parts.append(_Part("tag", ""))
            continue
        kind = stream.text()
        if kind not in _READERS:
            raise UnsupportedError(f"there is no layer for dlib's {kind!r}")
        short = kind.rstrip("_0123456789")
        counts[short] = counts.get(short, 0) + 1
        parts.append(_READERS[kind](stream, kind, f"{short}_{counts[short]}"))
        stream.flags()
        if version == _FIRST_LAYER:
            stream.integer()  # how many pictures the input makes of one
    return parts


def _input(stream: _Stream) -> _Part:
    kind = stream.text()
    if kind not in ("input_rgb_image", "input_rgb_image_sized"):
        raise UnsupportedError(f"there is no layer for dlib's {kind!r}")
    averages = tuple(stream.real() for _ in range(3))
    sizes = stream.sizes(2) if kind.endswith("sized") else ()
    return _Part("input", "input", sizes, averages)


def _con(stream: _Stream, kind: str, name: str) -> _Part:
    numbers = stream.tensor()
    sizes = stream.sizes(7)  # filters, height, width, strides, padding
    kernel, bias = stream.alias(), stream.alias()
    for _ in range(4):  # factors of learning rate and weight decay
        stream.real()
    used = kind != "con_5" or stream.take(1) == b"1"
    shapes = (("kernel", kernel), *([("bias", (math.prod(bias),))] if used else []))
    return _Part("con", name, sizes, (), numbers, shapes)


def _affine(stream: _Stream, kind: str, name: str) -> _Part:
    numbers = stream.tensor()
    gamma, beta = stream.alias(), stream.alias()
    mode = stream.integer()
    if mode != 0:
        raise UnsupportedError(f"{name}: expected one factor a channel, got mode {mode}")
    shapes = (("gamma", (math.prod(gamma),)), ("beta", (math.prod(beta),)))
    return _Part("affine", name, (), (), numbers, shapes)


def _fc(stream: _Stream, kind: str, name: str) -> _Part:
    stream.sizes(2)
    numbers = stream.tensor()
    kernel, bias = stream.alias(), stream.alias()
    stream.integer()
    for _ in range(4):
        stream.real()
    if kind == "fc_3":
        stream.take(1)
    shapes: tuple[tuple[str, tuple[int, ...]], ...] = (("kernel", kernel[:2]),)
    if math.prod(bias):
        shapes += (("bias", (math.prod(bias),)),)
    return _Part("fc", name, (), (), numbers, shapes)


def _pool(stream: _Stream, kind: str, name: str) -> _Part:
    return _Part(kind[:8], name, stream.sizes(6))


def _plain(stream: _Stream, kind: str, name: str) -> _Part:
    return _Part(kind, name)


_LOSSES = {"loss_metric_": 0, "loss_metric_2": 2, "loss_multiclass_log_": 0}

_READERS: dict[str, Callable[[_Stream, str, str], _Part]] = {
    "add_prev_": _plain,
    "affine_": _affine,
    "avg_pool_2": _pool,
    "con_4": _con,
    "con_5": _con,
    "fc_2": _fc,
    "fc_3": _fc,
    "max_pool_2": _pool,
    "relu_": _plain,
}


# ---- building ------------------------------------------------------------------------------------


def _build(parts: list[_Part]) -> tuple[Tensor, Tensor]:
    first = parts[0]
    height, width = first.sizes or (None, None)
    inputs = layers.Input((height or None, width or None, 3), name="input")
    offset = np.array(first.averages, np.float32) / -256
    x = layers.Rescaling(1 / 256, offset, name="normalize")(inputs)
    tagged: dict[int, Tensor] = {}
    index = 1
    while index < len(parts):
        part = parts[index]
        if part.kind == "tag" and index + 1 < len(parts) and parts[index + 1].kind == "tag":
            # tag2 keeps the block's result; skip1 goes on from what tag1 kept.
            if 1 not in tagged:
                raise FileFormatError("expected a tag before a skip")
            tagged[2], x = x, tagged[1]
            index += 2
            continue
        if part.kind == "tag":
            tagged = {1: x}
        elif part.kind == "add_prev_":
            if not tagged:
                raise FileFormatError(f"{part.name}: expected a tag before it")
            x = _add(x, tagged[max(tagged)], part.name)
        else:
            x = _BUILDERS[part.kind](part, x)
        index += 1
    return inputs, x


def _add_con(part: _Part, x: Tensor) -> Tensor:
    _, height, width, *rest = part.sizes
    kernel, bias = part.arrays()["kernel"], part.arrays().get("bias")
    if kernel.shape[1:] != (x.shape[-1], height, width):
        raise FileFormatError(
            f"{part.name}: expected a kernel of {(x.shape[-1], height, width)}, got {kernel.shape}"
        )
    layer = layers.Conv2D(
        kernel.shape[0],
        (height, width),
        strides=tuple(rest[:2]),
        padding=tuple(rest[2:]),
        use_bias=bias is not None,
        name=part.name,
    )
    x = layer(x)
    layer.kernel.assign(np.ascontiguousarray(kernel.transpose(2, 3, 1, 0)))
    if bias is not None:
        layer.bias.assign(bias)
    return x


def _add_affine(part: _Part, x: Tensor) -> Tensor:
    arrays = part.arrays()
    if arrays["gamma"].shape != (x.shape[-1],) or arrays["beta"].shape != (x.shape[-1],):
        raise FileFormatError(f"{part.name}: expected {x.shape[-1]} channels")
    # Mean 0, variance 1 and nothing added to it: exactly x * gamma + beta.
    layer = layers.BatchNormalization(epsilon=0.0, name=part.name, trainable=False)
    # No budget: unlike dlib's, this layer has statistics, too.
    with weights_follow(4 * x.shape[-1]):
        x = layer(x)
    layer.gamma.assign(arrays["gamma"])
    layer.beta.assign(arrays["beta"])
    layer.moving_variance.assign(np.ones_like(arrays["gamma"]))
    return x


def _add_fc(part: _Part, x: Tensor) -> Tensor:
    kernel, bias = part.arrays()["kernel"], part.arrays().get("bias")
    if len(x.shape) == 4:
        if None in x.shape[1:] or x.shape[1:3] != (1, 1):
            raise UnsupportedError(f"{part.name}: expected a vector, got shape {x.shape}")
        x = layers.Flatten(name=f"flatten_{part.name}")(x)
    if kernel.shape[0] != x.shape[-1]:
        raise FileFormatError(f"{part.name}: expected {x.shape[-1]} inputs, got {kernel.shape}")
    layer = layers.Dense(kernel.shape[1], use_bias=bias is not None, name=part.name)
    x = layer(x)
    layer.kernel.assign(np.ascontiguousarray(kernel))
    if bias is not None:
        layer.bias.assign(bias)
    return x


def _add_pool(part: _Part, x: Tensor) -> Tensor:
    size, strides, padding = part.sizes[:2], part.sizes[2:4], part.sizes[4:]
    if size == (0, 0):  # dlib's way to say: all of the picture
        every = {
            "avg_pool": layers.GlobalAveragePooling2D, "max_pool": layers.GlobalMaxPooling2D,
        }[part.kind]  # fmt: skip
        return every(name=part.name, keepdims=True)(x)
    if part.kind == "max_pool":
        return layers.MaxPooling2D(size, strides, padding, name=part.name)(x)
    return layers.AveragePooling2D(size, strides, padding, name=part.name)(x)


def _add_relu(part: _Part, x: Tensor) -> Tensor:
    return layers.ReLU(name=part.name)(x)


def _add(a: Tensor, b: Tensor, name: str) -> Tensor:
    """Add as dlib does: what is smaller is continued by zeros, in channels and in pixels."""
    if None in (*a.shape[1:], *b.shape[1:]):
        raise UnsupportedError(f"{name}: expected an input of known size")
    wanted = [max(m, n) for m, n in zip(a.shape[1:], b.shape[1:], strict=True)]
    both = []
    for x in (a, b):
        missing = [(0, n - m) for m, n in zip(x.shape[1:], wanted, strict=True)]
        both.append(ops.pad(x, ((0, 0), *missing)) if any(n for _, n in missing) else x)
    return layers.Add(name=name)(both)


_BUILDERS: dict[str, Callable[[_Part, Tensor], Tensor]] = {
    "affine": _add_affine,
    "avg_pool": _add_pool,
    "con": _add_con,
    "fc": _add_fc,
    "max_pool": _add_pool,
    "relu_": _add_relu,
}
