"""Darknet's networks: a ``.cfg`` in text, and ``.weights`` that hold numbers and no names.

A layer is called after its section and the section's number, which is how the file refers to it:
``conv_12``, ``bn_12`` and ``leaky_12`` are what section 12, a convolution, is made of.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from fastcnn import layers, ops
from fastcnn.applications._blocks import darknet_reorg
from fastcnn.detection.heads import Head
from fastcnn.errors import ConfigError, FileFormatError, MissingWeightsError, UnsupportedError
from fastcnn.io._files import StrPath, naming, open_binary
from fastcnn.model import Model
from fastcnn.serialization import weights_follow

Array = NDArray[np.float32]
Tensor = Any

_MAX_TEXT = 2**20
_MAX_SECTIONS = 5_000
_MAX_SIZE = 2**16
_MAX_PARAMETERS = 2**28

_ACTIVATIONS: dict[str, Callable[[str], Any]] = {
    "leaky": lambda name: layers.LeakyReLU(0.1, name=name),
    "relu": lambda name: layers.ReLU(name=name),
    "relu6": lambda name: layers.ReLU(6.0, name=name),
    "elu": lambda name: layers.ELU(name=name),
    "logistic": lambda name: layers.Activation("sigmoid", name=name),
    "tanh": lambda name: layers.Activation("tanh", name=name),
    "mish": lambda name: layers.Activation("mish", name=name),
    "swish": lambda name: layers.Activation("silu", name=name),
}
# Options that change what a section computes, and that are not known here unless 0.
_UNKNOWN_OPTIONS = (
    "antialiasing", "assisted_excitation", "binary", "deform", "maxpool_depth", "reverse",
    "share_index", "tree", "xnor",
)  # fmt: skip


def load_darknet(
    cfg: StrPath,
    weights: StrPath | None = None,
    *,
    input_shape: tuple[int | None, int | None, int] | None = None,
    epsilon: float = 1e-5,
) -> Model:
    """Make a model of a Darknet configuration, with the weights of its file.

    Parameters
    ----------
    cfg : str or os.PathLike
        The ``.cfg`` file.
    weights : str or os.PathLike, optional
        The ``.weights`` file; random weights without.
    input_shape : (height, width, channels), optional
        Other than the configuration's; None for a size that is left open.
    epsilon : float, default 1e-5
        What batch normalisation adds to the variance: Darknet's own number. OpenCV adds 1e-6.

    Returns
    -------
    Model
        From RGB pictures divided by 255 to what enters the detection heads (``yolo`` and
        ``region`` sections), one output each; a classifier's model gives its last layer's.
        ``model.heads`` describes each head, in the order of the outputs, by a
        `fastcnn.detection.Head`; `fastcnn.detection.decode` makes boxes of them.

    Raises
    ------
    MissingFileError
        There is no such file; `MissingWeightsError` for the weights.
    FileFormatError
        A file is damaged, or the weights are those of another configuration.
    UnsupportedError
        A section or an option of it has no layer here; the message names it.

    Examples
    --------
    >>> import os, tempfile
    >>> cfg = os.path.join(tempfile.mkdtemp(), "tiny.cfg")
    >>> with open(cfg, "w") as file:
    ...     _ = file.write("[net]\\nwidth=32\\nheight=32\\nchannels=3\\n[convolutional]\\n"
    ...                    "filters=8\\nsize=3\\nstride=2\\npad=1\\nactivation=leaky\\n")
    >>> load_darknet(cfg).output_shape
    (None, 16, 16, 8)
    """
    with open_binary(cfg) as file, naming(cfg):
        if os.fstat(file.fileno()).st_size > _MAX_TEXT:
            raise FileFormatError(f"expected a configuration of at most {_MAX_TEXT} bytes")
        sections = _parse(file.read().decode("utf-8", "replace"))
    name = os.path.splitext(os.path.basename(os.fspath(cfg)))[0]
    with ExitStack() as stack:
        stream = None
        if weights is not None:
            file = stack.enter_context(open_binary(weights, missing=MissingWeightsError))
            with naming(weights):
                stream = _Weights(file)
        with naming(cfg if weights is None else f"{os.fspath(cfg)}, {os.fspath(weights)}"):
            try:
                network = _Network(sections, stream, input_shape, epsilon)
            except (FileFormatError, UnsupportedError):
                raise
            except (ValueError, TypeError, OverflowError) as error:  # a layer refuses its operand
                raise FileFormatError(str(error)) from error
    model = Model(network.input, network.outputs(), name=name)
    model.heads = network.heads or None
    return model


class _Section:
    """A part of the configuration: ``[name]`` and the options below it."""

    def __init__(self, name: str, number: int) -> None:
        self.name = name
        self.number = number
        self.options: dict[str, str] = {}

    def __str__(self) -> str:
        return f"section {self.number} [{self.name}]"

    def text(self, key: str, default: str) -> str:
        return self.options.get(key, default)

    def number_of(self, key: str, default: float) -> float:
        try:
            value = float(self.options.get(key, default))
        except ValueError as error:
            raise FileFormatError(f"{self}: {key}: expected a number: {error}") from error
        if not math.isfinite(value):
            raise FileFormatError(f"{self}: {key}: expected a finite number, got {value}")
        return value

    def integer(self, key: str, default: int, low: int = 0, high: int = _MAX_SIZE) -> int:
        value = self.number_of(key, default)
        if value != int(value) or not low <= value <= high:
            raise FileFormatError(
                f"{self}: {key}: expected an integer from {low} to {high}, got {value:g}"
            )
        return int(value)

    def numbers(self, key: str) -> list[float]:
        try:
            values = [float(v) for v in self.options.get(key, "").split(",") if v.strip()]
        except ValueError as error:
            raise FileFormatError(f"{self}: {key}: expected numbers: {error}") from error
        if len(values) > 1000 or not all(math.isfinite(v) and abs(v) < 1e9 for v in values):
            raise FileFormatError(f"{self}: {key}: expected at most 1000 finite numbers")
        return values


def _parse(text: str) -> list[_Section]:
    sections: list[_Section] = []
    for line in text.splitlines():
        line = line.strip()
        if not line or line[0] in "#;":
            continue
        if line.startswith("["):
            # The first section describes the input, so that the first layer has number 0.
            sections.append(_Section(line.strip("[] "), len(sections) - 1))
        elif sections and "=" in line:
            key, _, value = line.partition("=")
            sections[-1].options[key.strip()] = value.partition("#")[0].strip()
        else:
            raise FileFormatError(f"expected [section] or key=value, got {line[:60]!r}")
        if len(sections) > _MAX_SECTIONS:
            raise FileFormatError(f"expected at most {_MAX_SECTIONS} sections")
    if not sections or sections[0].name not in ("net", "network"):
        raise FileFormatError("expected a Darknet configuration, which begins with [net]")
    if len(sections) == 1:
        raise FileFormatError("expected sections after [net]")
    return sections


class _Weights:
    """The numbers of a ``.weights`` file, one after the other."""

    def __init__(self, file: BinaryIO) -> None:
        head = file.read(12)
        if len(head) != 12:
            raise FileFormatError("cut off in the header")
        major, minor, _ = struct.unpack("<iii", head)
        if not (0 <= major < 1000 and 0 <= minor < 1000):
            raise FileFormatError(f"expected a file of Darknet, got version {major}.{minor}")
        seen = 8 if major * 10 + minor >= 2 else 4  # how many pictures it was trained on
        if len(file.read(seen)) != seen:
            raise FileFormatError("cut off in the header")
        self._file = file
        self.remaining = (os.fstat(file.fileno()).st_size - file.tell()) // 4

    def take(self, *shape: int) -> Array:
        count = math.prod(shape)
        if count > self.remaining:
            raise FileFormatError(
                f"the configuration asks for {count} more numbers, {self.remaining} are left"
            )
        self.remaining -= count
        data = self._file.read(4 * count)
        return np.frombuffer(data, "<f4").astype(np.float32).reshape(shape)


class _Network:
    """The layers of a configuration, joined in its order."""

    def __init__(
        self,
        sections: list[_Section],
        stream: _Weights | None,
        input_shape: Any,
        epsilon: float,
    ) -> None:
        net = sections[0]
        given = (
            tuple(net.integer(key, default, low=1) for key, default in _INPUT)
            if input_shape is None
            else tuple(input_shape)
        )
        self.input = layers.Input(given, name="input")
        self.heads: list[Head] = []
        self._size = given[:2]
        self._stream = stream
        self._epsilon = epsilon
        self._left = _MAX_PARAMETERS if stream is None else stream.remaining
        self._made: list[Tensor] = []
        self._ends: list[Tensor] = []
        x = self.input
        with ExitStack() as stack:
            if stream is not None:
                stack.enter_context(weights_follow(stream.remaining))
            for section in sections[1:]:
                for option in _UNKNOWN_OPTIONS:
                    if section.text(option, "0") != "0":
                        raise UnsupportedError(f"{section}: no layer here has {option}")
                if section.name not in _SECTIONS:
                    raise UnsupportedError(f"{section}: there is no layer for it")
                x = _SECTIONS[section.name](self, section, x)
                self._made.append(x)
        if stream is not None and stream.remaining:
            raise FileFormatError(
                f"expected the weights of this configuration, {stream.remaining} numbers are left"
            )

    def outputs(self) -> Any:
        if not self._ends:
            return self._made[-1]
        return self._ends[0] if len(self._ends) == 1 else list(self._ends)

    # ---- weights -------------------------------------------------------------------------------

    def _reserve(self, section: _Section, count: int) -> None:
        """Refuse weights before they are made that no file could fill."""
        if count > self._left:
            raise FileFormatError(
                f"{section}: asks for {count} weights, more than the {self._left} there can be"
            )
        self._left -= count

    def _batch_norm(self, x: Tensor, section: _Section) -> tuple[Tensor, Any]:
        norm = layers.BatchNormalization(
            momentum=0.99, epsilon=self._epsilon, name=f"bn_{section.number}"
        )
        return norm(x), norm

    def _activate(self, x: Tensor, section: _Section, default: str) -> Tensor:
        kind = section.text("activation", default)
        if kind == "linear":
            return x
        if kind not in _ACTIVATIONS:
            raise UnsupportedError(f"{section}: there is no activation {kind!r}")
        return _ACTIVATIONS[kind](f"{kind}_{section.number}")(x)

    # ---- sections ------------------------------------------------------------------------------

    def convolutional(self, section: _Section, x: Tensor) -> Tensor:
        number, channels = section.number, x.shape[-1]
        if len(x.shape) != 4:
            raise FileFormatError(f"{section}: expected pictures, got shape {x.shape}")
        filters = section.integer("filters", 1, low=1)
        size = section.integer("size", 1, low=1, high=255)
        stride = section.integer("stride", 1, low=1)
        dilation = section.integer("dilation", 1, low=1)
        groups = section.integer("groups", 1, low=1)
        padding = section.integer("padding", 0, high=255)
        if section.integer("pad", 0):
            padding = size // 2
        if channels % groups or filters % groups:
            raise FileFormatError(f"{section}: {channels} channels in {groups} groups")
        normalized = section.integer("batch_normalize", 0) != 0
        vectors = 4 if normalized else 1
        self._reserve(section, filters * (channels // groups * size * size + vectors))
        options: dict[str, Any] = {
            "strides": (
                section.integer("stride_y", stride, 1),
                section.integer("stride_x", stride, 1),
            ),
            "padding": padding * dilation,
            "dilation_rate": dilation,
            "use_bias": not normalized,
            "name": f"conv_{number}",
        }
        depthwise = groups == channels > 1
        if depthwise:
            multiplier = filters // groups
            conv: Any = layers.DepthwiseConv2D(size, depth_multiplier=multiplier, **options)
        else:
            conv = layers.Conv2D(filters, size, groups=groups, **options)
        x, norm = conv(x), None
        if normalized:
            x, norm = self._batch_norm(x, section)
        if self._stream is not None:
            # The offset comes first whether it is the convolution's or the batch norm's.
            (conv.bias if norm is None else norm.beta).assign(self._stream.take(filters))
            if norm is not None:
                for weight in (norm.gamma, norm.moving_mean, norm.moving_variance):
                    weight.assign(self._stream.take(filters))
            kernel = self._stream.take(filters, channels // groups, size, size)
            if depthwise:
                kernel = kernel.reshape(channels, multiplier, size, size).transpose(2, 3, 0, 1)
            else:
                kernel = kernel.transpose(2, 3, 1, 0)
            conv.kernel.assign(np.ascontiguousarray(kernel))
        return self._activate(x, section, "logistic")

    def connected(self, section: _Section, x: Tensor) -> Tensor:
        units = section.integer("output", 1, low=1)
        if None in x.shape[1:]:
            raise FileFormatError(f"{section}: expected an input of known size, got {x.shape}")
        inputs = math.prod(x.shape[1:])
        normalized = section.integer("batch_normalize", 0) != 0
        self._reserve(section, units * (inputs + (4 if normalized else 1)))
        dense = layers.Dense(units, use_bias=not normalized, name=f"dense_{section.number}")
        h, w, c = (1, 1, inputs) if len(x.shape) == 2 else x.shape[1:]
        if len(x.shape) == 4:
            x = layers.Flatten(name=f"flatten_{section.number}")(x)
        x, norm = dense(x), None
        if normalized:
            x, norm = self._batch_norm(x, section)
        if self._stream is not None:
            (dense.bias if norm is None else norm.beta).assign(self._stream.take(units))
            # A row of the file's matrix goes through a picture channel by channel.
            kernel = self._stream.take(units, c, h, w).transpose(2, 3, 1, 0)
            dense.kernel.assign(np.ascontiguousarray(kernel).reshape(inputs, units))
            if norm is not None:
                for weight in (norm.gamma, norm.moving_mean, norm.moving_variance):
                    weight.assign(self._stream.take(units))
        return self._activate(x, section, "logistic")

    def maxpool(self, section: _Section, x: Tensor) -> Tensor:
        stride = section.integer("stride", 1, low=1)
        strides = (section.integer("stride_y", stride, 1), section.integer("stride_x", stride, 1))
        size = section.integer("size", stride, low=1)
        # All padding there is, the smaller half of it before the picture.
        padding = section.integer("padding", size - 1, high=size)
        margins = (padding // 2, padding - padding // 2)
        return layers.MaxPooling2D(
            size, strides, (margins, margins), name=f"maxpool_{section.number}"
        )(x)

    def avgpool(self, section: _Section, x: Tensor) -> Tensor:
        return layers.GlobalAveragePooling2D(keepdims=True, name=f"avgpool_{section.number}")(x)

    def upsample(self, section: _Section, x: Tensor) -> Tensor:
        if section.number_of("scale", 1.0) != 1.0:
            raise UnsupportedError(f"{section}: expected scale=1")
        size = section.integer("stride", 2, low=1, high=64)
        return layers.UpSampling2D(size, name=f"upsample_{section.number}")(x)

    def reorg(self, section: _Section, x: Tensor) -> Tensor:
        stride = section.integer("stride", 2, low=1, high=64)
        return darknet_reorg(x, stride, str(section))

    def reorg3d(self, section: _Section, x: Tensor) -> Tensor:
        stride = section.integer("stride", 2, low=1, high=64)
        return layers.SpaceToDepth(stride, name=f"reorg_{section.number}")(x)

    def route(self, section: _Section, x: Tensor) -> Tensor:
        found = [self._find(section, n) for n in section.numbers("layers")]
        if not found:
            raise FileFormatError(f"{section}: expected the numbers of layers")
        groups = section.integer("groups", 1, low=1)
        part = section.integer("group_id", 0, high=groups - 1)
        if groups > 1:
            if any(tensor.shape[-1] % groups for tensor in found):
                raise FileFormatError(f"{section}: channels do not divide by groups={groups}")
            found = [ops.split(tensor, groups, axis=-1)[part] for tensor in found]
        if len(found) == 1:
            return found[0]
        return layers.Concatenate(name=f"route_{section.number}")(found)

    def shortcut(self, section: _Section, x: Tensor) -> Tensor:
        added = [self._find(section, n) for n in section.numbers("from")]
        if any(tensor.shape != x.shape for tensor in added) or not added:
            raise UnsupportedError(
                f"{section}: expected sums of equal shapes, got {x.shape} and "
                f"{[tensor.shape for tensor in added]}"
            )
        if "weights_type" in section.options and section.text("weights_type", "") != "none":
            raise UnsupportedError(f"{section}: no layer here has weights_type")
        x = layers.Add(name=f"shortcut_{section.number}")([x, *added])
        return self._activate(x, section, "linear")

    def _find(self, section: _Section, number: float) -> Tensor:
        index = int(number) if number >= 0 else section.number + int(number)
        if index != int(index) or not 0 <= index < len(self._made):
            raise FileFormatError(f"{section}: refers to the layer {number:g}, which there is not")
        return self._made[index]

    def dropout(self, section: _Section, x: Tensor) -> Tensor:
        rate = section.number_of("probability", 0.5)
        if not 0 <= rate < 1:
            raise FileFormatError(f"{section}: probability: expected 0 to 1, got {rate:g}")
        return layers.Dropout(rate, name=f"dropout_{section.number}")(x)

    def softmax(self, section: _Section, x: Tensor) -> Tensor:
        if section.integer("groups", 1) != 1 or section.number_of("temperature", 1) != 1:
            raise UnsupportedError(f"{section}: expected groups=1 and temperature=1")
        if any(n != 1 for n in x.shape[1:-1]):
            raise UnsupportedError(f"{section}: expected one vector, got shape {x.shape}")
        if len(x.shape) == 4:
            x = layers.Flatten(name=f"flatten_{section.number}")(x)
        return layers.Softmax(name=f"softmax_{section.number}")(x)

    def cost(self, section: _Section, x: Tensor) -> Tensor:
        return x  # how it was trained

    def yolo(self, section: _Section, x: Tensor) -> Tensor:
        anchors = self._anchors(section)
        mask = section.numbers("mask") or list(range(len(anchors)))
        if any(n != int(n) or not 0 <= n < len(anchors) for n in mask):
            raise FileFormatError(f"{section}: mask: expected indices of {len(anchors)} anchors")
        return self._end(
            section, x, [anchors[int(n)] for n in mask], bool(section.integer("new_coords", 0))
        )

    def region(self, section: _Section, x: Tensor) -> Tensor:
        # Its anchors are measured in cells of the grid.
        if None in (*self._size, *x.shape[1:]):
            raise UnsupportedError(f"{section}: expected an input_shape without None")
        height, width = (whole / part for whole, part in zip(self._size, x.shape[1:3], strict=True))
        anchors = [[w * width, h * height] for w, h in self._anchors(section)]
        return self._end(section, x, anchors, False)

    def _anchors(self, section: _Section) -> list[list[float]]:
        numbers = section.numbers("anchors")
        if not numbers or len(numbers) % 2:
            raise FileFormatError(f"{section}: anchors: expected pairs, got {len(numbers)} numbers")
        return [[w, h] for w, h in zip(numbers[::2], numbers[1::2], strict=True)]

    def _end(self, section: _Section, x: Tensor, anchors: Any, activated: bool) -> Tensor:
        classes = section.integer("classes", 20, low=1)
        if len(x.shape) != 4 or x.shape[-1] != len(anchors) * (5 + classes):
            raise FileFormatError(
                f"{section}: expected {len(anchors)} anchors x (5 + {classes}) channels, got "
                f"shape {x.shape}"
            )
        self._ends.append(x)
        try:
            head = Head(
                classes,
                anchors,
                softmax=bool(section.integer("softmax", 0)),
                scale_xy=section.number_of("scale_x_y", 1.0),
                activated=activated,
            )
        except ConfigError as error:
            raise FileFormatError(f"{section}: {error}") from error
        self.heads.append(head)
        return x


_INPUT = (("height", 416), ("width", 416), ("channels", 3))

_SECTIONS: dict[str, Callable[[_Network, _Section, Tensor], Tensor]] = {
    "avgpool": _Network.avgpool,
    "connected": _Network.connected,
    "convolutional": _Network.convolutional,
    "cost": _Network.cost,
    "dropout": _Network.dropout,
    "maxpool": _Network.maxpool,
    "region": _Network.region,
    "reorg": _Network.reorg,
    "reorg3d": _Network.reorg3d,
    "route": _Network.route,
    "shortcut": _Network.shortcut,
    "softmax": _Network.softmax,
    "upsample": _Network.upsample,
    "yolo": _Network.yolo,
}  # fmt: skip
