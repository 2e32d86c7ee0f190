"""Quantisation: computing a trained model's products on codes of 8 bits.

`quantize` runs a model on calibration data, notes the range of every value between layers, and
gives a model whose convolutions and dense layers multiply 8-bit integers: weights with a scale for
every output channel, activations with one scale and zero point for a tensor, sums exact in 32
bits. Layers that lose too much stay in floats.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastcnn import _C, _tree
from fastcnn.errors import ConfigError, FileFormatError, ShapeError
from fastcnn.ops._dispatch import as_array
from fastcnn.plan import is_array

if TYPE_CHECKING:
    from fastcnn.layers.layer import Layer
    from fastcnn.model import Model

__all__ = ["LayerNoise", "QuantizationReport", "quantize"]

METHODS = ("minmax", "percentile", "mse")

_MOST_DECIBELS = 200.0  # what a result without any error is said to have
_SAMPLES = 8192  # of a value, of every batch
_PERCENTILE = 99.99


@dataclass(frozen=True)
class LayerNoise:
    """What 8-bit codes do to one layer.

    Attributes
    ----------
    name : str
        The layer's, with those around it.
    decibels : float
        The signal-to-noise ratio of its result on the calibration data when its input and weights
        alone are codes: 10 log10(sum y^2 / sum error^2).
    computed : {"int8", "float32"}
    reason : str
        Why it is not computed on codes: ``"excluded"`` or ``"sensitive"``; else empty.
    """

    name: str
    decibels: float
    computed: str
    reason: str


@dataclass(frozen=True)
class QuantizationReport:
    """How near a quantised model is to the float model, on the calibration data.

    Attributes
    ----------
    layers : tuple of LayerNoise
        In the order in which they are computed.
    decibels : tuple of float
        The signal-to-noise ratio of each output of the whole model.
    agreement : tuple of float or None
        For outputs of class scores, (n, classes): the share of inputs with the same best class.
    """

    layers: tuple[LayerNoise, ...]
    decibels: tuple[float, ...]
    agreement: tuple[float | None, ...]

    def __str__(self) -> str:
        width = max([len("layer"), *(len(layer.name) for layer in self.layers)])
        lines = [f"{'layer':{width}}  signal/noise  computed"]
        for layer in self.layers:
            reason = f" ({layer.reason})" if layer.reason else ""
            lines.append(
                f"{layer.name:{width}}  {layer.decibels:9.1f} dB  {layer.computed}{reason}"
            )
        for decibels, agreement in zip(self.decibels, self.agreement, strict=True):
            share = "" if agreement is None else f", same best class for {agreement:.1%}"
            lines.append(f"whole model: {decibels:.1f} dB{share}")
        return "\n".join(lines)


@dataclass(frozen=True)
class Quantization:
    """What a model knows of being quantised: how plans are to be compiled, and the report."""

    ranges: Mapping[str, tuple[float, float]]
    float_layers: tuple[str, ...]
    report: QuantizationReport

    def spec(self) -> dict[str, Any]:
        """What the core compiles with."""
        return {"ranges": dict(self.ranges), "float_layers": list(self.float_layers)}

    def apply_to(self, model: Model) -> None:
        """Let a model be computed so. From then on its weights are those that were measured."""
        model._quantization = self
        for weight in model.weights:
            weight.fixed = self.refusal(model)

    def refusal(self, model: Model) -> str:
        """Say why the model's weights cannot change, and what to do."""
        return (
            f'model "{model.name}" is quantised, with ranges that were measured for the weights '
            "it has; train the float model or load weights into it, and quantize it again"
        )

    def get_config(self) -> dict[str, Any]:
        """Write it as plain data."""
        report = self.report
        return {
            "ranges": {name: list(limits) for name, limits in self.ranges.items()},
            "float_layers": list(self.float_layers),
            "layers": [[n.name, n.decibels, n.computed, n.reason] for n in report.layers],
            "outputs": [list(o) for o in zip(report.decibels, report.agreement, strict=True)],
        }

    @classmethod
    def from_config(cls, config: Any) -> Quantization:
        """Read what `get_config` wrote, which may come from anywhere."""
        try:
            ranges = {_text(k): (_number(v[0]), _number(v[1])) for k, v in config["ranges"].items()}
            report = QuantizationReport(
                tuple(
                    LayerNoise(_text(n), _number(d), _text(c), _text(r))
                    for n, d, c, r in config["layers"]
                ),
                tuple(_number(d) for d, _ in config["outputs"]),
                tuple(None if a is None else _number(a) for _, a in config["outputs"]),
            )
            return cls(ranges, tuple(map(_text, config["float_layers"])), report)
        except (TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
            raise FileFormatError(f"expected how a model is quantised: {error}") from error


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected a text, got {value!r}")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise TypeError(f"expected a number, got {value!r}")
    return float(value)


def quantize(
    model: Model,
    calibration_data: Any,
    *,
    exclude: Iterable[str | Layer] = (),
    method: str = "minmax",
    min_decibels: float = 20.0,
    batch_size: int = 8,
) -> Any:
    """Make a model that computes on 8-bit integers where the given one computes on floats.

    The given model is not changed. The result predicts, prints and saves like any model; how it is
    quantised is saved with it. Layers it has no 8-bit form for are computed in float32. As a part
    of another model it is computed as that one is.

    Parameters
    ----------
    model : Model
        With its weights.
    calibration_data : array, or list or dict of arrays, or iterable of batches
        What `Model.predict` takes: inputs like those the model will see, some dozens of them.
    exclude : iterable of str or Layer
        Layers to be computed in floats: names, those of layers around them first
        (``"block/conv"``), or the layers themselves. Those inside are meant too.
    method : {"minmax", "percentile", "mse"}
        How the range of an activation is found: all that was seen; all but one in ten thousand;
        the range with the smallest squared error. What lies outside is cut off.
    min_decibels : float
        A layer whose signal-to-noise ratio on the calibration data is lower, when its input and
        weights alone are codes, stays in floats.
    batch_size : int
        How many inputs are computed at once while calibrating.

    Returns
    -------
    Model
        Its `Model.quantization_report` tells how near it is to the float model.

    Raises
    ------
    ConfigError
        The model has no weights yet or is quantised already; an excluded layer is not known; the
        data, or what the model makes of them, are not finite.
    ShapeError
        There are no data, or they do not fit the model.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> x = np.random.default_rng(0).random((16, 32, 32, 3), np.float32)
    >>> model = fc.Sequential([fc.Input((32, 32, 3)), fc.layers.Conv2D(8, 3, activation="relu")])
    >>> quantized = fc.quantize(model, x)
    >>> quantized.predict(x).shape
    (16, 30, 30, 8)
    >>> [layer.computed for layer in quantized.quantization_report().layers]
    ['int8']
    """
    from fastcnn.model import Model

    if not isinstance(model, Model):
        raise ConfigError(f"quantize: expected a Model, got {type(model).__name__}")
    if not model.built:
        raise ConfigError(f'quantize: "{model.name}" has no weights yet: call it on data first')
    if model._quantization is not None:
        raise ConfigError(f'quantize: "{model.name}" is quantised already')
    if method not in METHODS:
        raise ConfigError(f"quantize: method: expected one of {METHODS}, got {method!r}")
    if math.isnan(min_decibels):
        raise ConfigError("quantize: min_decibels: expected a number, got nan")
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise ConfigError(f"quantize: expected a batch_size >= 1, got {batch_size!r}")
    batches = list(_batches(calibration_data, batch_size, model._count_inputs()))
    if not batches:
        raise ShapeError("quantize: expected at least one input to calibrate with, got none")

    observer = _Observer(model)
    ranges = _find_ranges(observer, batches, method)
    noise = _measure_products(observer, batches, ranges)
    excluded = _resolve(exclude, noise)
    layers = []
    for name, decibels in noise.items():
        sensitive = "sensitive" if decibels < min_decibels else ""
        reason = "excluded" if name in excluded else sensitive
        layers.append(LayerNoise(name, decibels, "float32" if reason else "int8", reason))
    floats = tuple(sorted({_layer(layer.name) for layer in layers if layer.reason}))
    quantization = Quantization(ranges, floats, QuantizationReport(tuple(layers), (), ()))
    result = _copy(model)
    result._quantization = quantization
    whole, agreement = _compare(model, result, batches)
    report = replace(quantization.report, decibels=whole, agreement=agreement)
    replace(quantization, report=report).apply_to(result)
    return result


def _copy(model: Model) -> Any:
    """Make an equal model with the same weights."""
    restore, arguments = model.__reduce__()
    return restore(*arguments)


# ---- calibration data ----------------------------------------------------------------------------


def _batches(data: Any, size: int, inputs: int) -> Iterator[Any]:
    if not is_array(data) and not isinstance(data, (list, tuple, dict)):
        if not hasattr(data, "__iter__"):
            raise ShapeError(f"quantize: expected arrays to calibrate with, got {data!r}")
        from fastcnn.training.batches import parts_of

        for batch in data:
            yield from _batches(parts_of(batch, inputs)[0], size, inputs)
        return
    arrays = _tree.map_structure(as_array, data)
    counts = {a.shape[0] if a.ndim else -1 for a in _tree.flatten(arrays)}
    if len(counts) != 1 or -1 in counts:
        raise ShapeError(
            "quantize: expected inputs with one first axis, the batch, got shapes "
            f"{[a.shape for a in _tree.flatten(arrays)]}"
        )
    for start in range(0, counts.pop(), size):
        yield _tree.map_structure(lambda a: a[start : start + size], arrays)  # noqa: B023


class _Observer:
    """Runs a model on batches and gives what is between its layers, by name."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._plans: dict[Any, _C.Plan] = {}
        self._constants = _C.ConstantCache()

    def run(
        self, batch: Any, what: str, spec: dict[str, Any] | None = None
    ) -> dict[str, NDArray[Any]]:
        arrays = _tree.flatten(batch)
        key = (what, tuple(a.shape for a in arrays))
        if key not in self._plans:
            self._model(batch)  # refuses what does not fit, in the usual words
            trace, _ = self._model._trace((batch,), {})
            self._plans[key] = _C.compile(
                trace.graph, cache=self._constants, quantization=spec, observe=what
            )
        plan = self._plans[key]
        return dict(zip(plan.output_names, plan.run(arrays), strict=True))


# ---- ranges --------------------------------------------------------------------------------------


class _Seen:
    """The range of one value, and a sample of it."""

    def __init__(self) -> None:
        self.low = self.high = 0.0
        self.samples: list[NDArray[Any]] = []

    def add(self, x: NDArray[Any], sampled: bool) -> None:
        self.low, self.high = min(self.low, float(x.min())), max(self.high, float(x.max()))
        if sampled:
            flat = x.reshape(-1)
            # A step without common factors with the usual numbers of channels meets all of them.
            step = max(1, flat.size // _SAMPLES) | 1
            self.samples.append(flat[::step].copy())

    def limits(self, method: str) -> tuple[float, float]:
        if method == "minmax":
            return self.low, self.high
        x = np.concatenate(self.samples)
        if method == "percentile":
            low, high = np.percentile(x, [100 - _PERCENTILE, _PERCENTILE])
            return min(0.0, float(low)), max(0.0, float(high))
        best, limits = math.inf, (self.low, self.high)
        for share in np.linspace(1.0, 0.3, 36):
            low, high = self.low * share, self.high * share
            scale = max(high - low, 1e-30) / 255
            zero = np.round(-low / scale)
            codes = np.clip(np.round(x / scale + zero), 0, 255)
            error = float(np.square((codes - zero) * scale - x).sum(dtype=np.float64))
            if error < best:
                best, limits = error, (low, high)
        return limits


def _find_ranges(
    observer: _Observer, batches: Sequence[Any], method: str
) -> dict[str, tuple[float, float]]:
    seen: dict[str, _Seen] = {}
    for batch in batches:
        for name, x in observer.run(batch, "values").items():
            if x.size == 0:
                continue
            found = seen.setdefault(name, _Seen())
            found.add(x, method != "minmax")
            if not (math.isfinite(found.low) and math.isfinite(found.high)) or np.isnan(x.min()):
                what = (
                    "the data are" if _layer(name) == "input" else f"layer {name!r} gives what is"
                )
                raise ConfigError(f"quantize: {what} not finite, so that there is no range")
    return {name: found.limits(method) for name, found in seen.items()}


# ---- noise ---------------------------------------------------------------------------------------


class _Noise:
    """The signal-to-noise ratio of a result over several batches."""

    def __init__(self) -> None:
        self.signal = self.noise = 0.0

    def add(self, exact: NDArray[Any], x: NDArray[Any]) -> None:
        self.signal += float(np.square(exact, dtype=np.float64).sum())
        self.noise += float(np.square(np.subtract(x, exact, dtype=np.float64)).sum())

    @property
    def decibels(self) -> float:
        if self.noise == 0:
            return _MOST_DECIBELS
        if self.signal == 0:
            return -_MOST_DECIBELS
        ratio = 10 * math.log10(self.signal / self.noise)
        return min(_MOST_DECIBELS, max(-_MOST_DECIBELS, ratio))


def _measure_products(
    observer: _Observer, batches: Sequence[Any], ranges: Mapping[str, tuple[float, float]]
) -> dict[str, float]:
    spec = {"ranges": dict(ranges), "float_layers": []}
    found: dict[str, _Noise] = {}
    for batch in batches:
        exact = observer.run(batch, "values")
        for name, x in observer.run(batch, "products", spec).items():
            found.setdefault(name, _Noise()).add(exact[name], x)
    return {name: noise.decibels for name, noise in found.items()}


def _compare(
    model: Model, quantized: Model, batches: Sequence[Any]
) -> tuple[tuple[float, ...], tuple[float | None, ...]]:
    noise: list[_Noise] = []
    agreeing: list[int] = []
    count = 0
    scores: list[bool] = []
    for batch in batches:
        pairs = list(zip(_tree.flatten(model(batch)), _tree.flatten(quantized(batch)), strict=True))
        if not noise:
            noise, agreeing = [_Noise() for _ in pairs], [0] * len(pairs)
            scores = [exact.ndim == 2 and exact.shape[1] > 1 for exact, _ in pairs]
        count += len(_tree.flatten(batch)[0])
        for i, (exact, x) in enumerate(pairs):
            noise[i].add(exact, x)
            if scores[i]:
                agreeing[i] += int((exact.argmax(axis=1) == x.argmax(axis=1)).sum())
    shares = tuple(
        same / count if is_scores else None
        for same, is_scores in zip(agreeing, scores, strict=True)
    )
    return tuple(n.decibels for n in noise), shares


def _layer(name: str) -> str:
    """The name of the layer whose value has the name."""
    return name.rsplit(":", 1)[0]


def _resolve(exclude: Iterable[str | Layer], noise: Mapping[str, float]) -> set[str]:
    """The products that lie in excluded layers."""
    from fastcnn.layers.layer import Layer

    found: set[str] = set()
    for item in [exclude] if isinstance(exclude, (str, Layer)) else exclude:
        if isinstance(item, Layer):
            own = {name for name in noise if item.name in _layer(name).split("/")}
        else:
            own = {name for name in noise if f"{_layer(name)}/".startswith(f"{item}/")}
        if not own:
            what = item.name if isinstance(item, Layer) else item
            raise ConfigError(
                f"quantize: exclude: no layer {what!r} that could be quantised; "
                f"there are {', '.join(noise)}"
            )
        found |= own
    return found
