"""Quantisation: computing a trained model's products on codes of 8 bits.

`quantize` runs a model on calibration data, notes the range of every value between layers, and
gives a model whose convolutions and dense layers multiply 8-bit integers: weights with a scale for
every output channel, activations with one scale and zero point for a tensor, sums exact in 32
bits. Layers that lose too much stay in floats.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastcnn import _C, _tree
from fastcnn._checks import number, one_of, positive_int
from fastcnn.errors import ConfigError, DTypeError, FileFormatError, ShapeError

if TYPE_CHECKING:
    from fastcnn.layers.layer import Layer
    from fastcnn.model import Model
    from fastcnn.plan import PlanCache

__all__ = ["LayerNoise", "QuantizationReport", "quantize"]

Ranges = Mapping[str, tuple[float, float]]  # smallest and largest number, by value

METHODS = ("minmax", "percentile", "mse")

_MOST = float(np.finfo(np.float32).max)
_SAMPLES = 4096  # of a value, for every input
_PERCENTILE = 99.99


@dataclass(frozen=True)
class LayerNoise:
    """What 8-bit codes do to one layer.

    Attributes
    ----------
    name : str
        The layer's, with those around it.
    decibels : float or None
        The signal-to-noise ratio of its result on the calibration data when its input and weights
        alone are codes: 10 log10(sum y^2 / sum error^2); infinity without any error. None where
        nothing could be measured: its result was zeros, or its input had no range.
    computed : {"int8", "float32"}
    reason : str
        Why it is not computed on codes: ``"excluded"``, ``"no range"`` (its input was one number
        throughout the calibration data) or ``"sensitive"``; else empty.
    """

    name: str
    decibels: float | None
    computed: str
    reason: str


@dataclass(frozen=True)
class QuantizationReport:
    """How near a quantised model is to the float model, on the calibration data.

    Attributes
    ----------
    layers : tuple of LayerNoise
        In the order in which they are computed.
    decibels : tuple of float or None
        The signal-to-noise ratio of each output of the whole model; None of zeros alone.
    agreement : tuple of float or None
        For outputs of class scores, (n, classes): the share of inputs with the same best class.
    """

    layers: tuple[LayerNoise, ...]
    decibels: tuple[float | None, ...]
    agreement: tuple[float | None, ...]

    def __str__(self) -> str:
        width = max([len("layer"), *(len(layer.name) for layer in self.layers)])
        lines = [f"{'layer':{width}}  signal/noise  computed"]
        for layer in self.layers:
            reason = f" ({layer.reason})" if layer.reason else ""
            lines.append(
                f"{layer.name:{width}}  {_ratio(layer.decibels):>12}  {layer.computed}{reason}"
            )
        for decibels, agreement in zip(self.decibels, self.agreement, strict=True):
            share = "" if agreement is None else f", same best class for {agreement:.1%}"
            lines.append(f"whole model: {_ratio(decibels)}{share}")
        return "\n".join(lines)


def _ratio(decibels: float | None) -> str:
    return "not measured" if decibels is None else f"{decibels:.1f} dB"


@dataclass(frozen=True)
class Quantization:
    """What a model knows of being quantised: how plans are to be compiled, and the report."""

    ranges: Ranges
    float_layers: tuple[str, ...]
    report: QuantizationReport

    def spec(self) -> dict[str, Any]:
        """What the core compiles with."""
        return _spec(self.ranges, self.float_layers)

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
            ranges = {_text(name): _limits(pair) for name, pair in config["ranges"].items()}
            layers = tuple(_layer_noise(entry) for entry in config["layers"])
            floats = tuple(map(_text, config["float_layers"]))
            if len({layer.name for layer in layers}) < len(layers):
                raise ValueError("a layer comes twice")
            if floats != _float_layers(layers):
                raise ValueError(
                    f"expected float_layers to be {list(_float_layers(layers))}, those computed in "
                    f"float32, got {list(floats)}"
                )
            if not ranges and any(layer.computed == "int8" for layer in layers):
                raise ValueError("layers are computed on codes, and there are no ranges")
            report = QuantizationReport(
                layers,
                tuple(_decibels(d) for d, _ in config["outputs"]),
                tuple(None if a is None else _number(a) for _, a in config["outputs"]),
            )
            return cls(ranges, floats, report)
        except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
            raise FileFormatError(f"expected how a model is quantised: {error}") from error


def _spec(ranges: Ranges, float_layers: Iterable[str]) -> dict[str, Any]:
    return {"ranges": dict(ranges), "float_layers": list(float_layers)}


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected a text, got {value!r}")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise TypeError(f"expected a number, got {value!r}")
    return float(value)


def _limits(given: Any) -> tuple[float, float]:
    low, high = map(_number, given)
    if not (-_MOST <= low <= 0 <= high <= _MOST and _has_codes(low, high)):
        raise ValueError(
            f"expected a range of float32 from 0 or below to 0 or above, got {low!r} to {high!r}"
        )
    return low, high


def _has_codes(low: float, high: float) -> bool:
    """Whether numbers of the range have codes: their scale is a normal float32."""
    return (high - low) / 255 >= float(np.finfo(np.float32).tiny)


def _decibels(value: Any) -> float | None:
    return value if value is None or value in (math.inf, -math.inf) else _number(value)


def _layer_noise(given: Any) -> LayerNoise:
    name, decibels, computed, reason = given
    if (computed, bool(_text(reason))) not in (("int8", False), ("float32", True)):
        raise ValueError(
            f"layer {name!r}: expected it to be computed in int8, or in float32 for a reason, got "
            f"{computed!r} and {reason!r}"
        )
    return LayerNoise(_text(name), _decibels(decibels), computed, reason)


def quantize(
    model: Model,
    calibration_data: Any,
    *,
    exclude: Iterable[str | Layer] = (),
    method: str = "minmax",
    min_decibels: float = 20.0,
    batch_size: int = 2,
    steps: int | None = None,
) -> Any:
    """Make a model that computes on 8-bit integers where the given one computes on floats.

    The given model is not changed. The result predicts, evaluates, prints and saves like any model;
    how it is quantised is saved with it, beside the weights as floats. Layers it has no 8-bit form
    for are computed in float32. As a part of another model it is computed as that one is.

    Its ranges are those of the weights it has: it refuses training and other weights.

    Codes stand for numbers only. Where a layer makes codes of its input, infinity becomes the
    largest or the smallest, and NaN the smallest: a picture with NaN gives results that look like
    any others.

    Parameters
    ----------
    model : Model
        With its weights.
    calibration_data : array, or list or dict of arrays, or iterable of batches
        What `Model.predict` takes: inputs like those the model will see, some dozens of them. The
        model runs on them three times, so those of an iterable are kept in memory.
    exclude : iterable of str or Layer
        Layers to be computed in floats: names, those of layers around them first
        (``"block/conv"``), or the layers themselves. Those inside are meant too.
    method : {"minmax", "percentile", "mse"}
        How the range of an activation is found: all that was seen; all but one in ten thousand;
        the range with the smallest squared error. What lies outside is cut off. The last two keep
        some thousand numbers of every layer's result for each input.
    min_decibels : float
        A layer whose signal-to-noise ratio on the calibration data is lower, when its input and
        weights alone are codes, stays in floats.
    batch_size : int
        How many inputs are computed at once while calibrating, of larger batches, too. For that
        many all that lies between layers is held in memory: about 110 MB an input of ResNet-50.
    steps : int, optional
        The number of batches of the data to take, which for arrays are those of `batch_size`; all
        unless given. An iterable without end needs it.

    Returns
    -------
    Model
        Its `Model.quantization_report` tells how near it is to the float model.

    Raises
    ------
    ConfigError
        The model has no weights yet or is quantised already; an excluded layer is not known; an
        option has no meaning; the data, or what the model makes of them, are not finite.
    DTypeError
        The data, or the excluded layers, are something else.
    ShapeError
        There are no data, or they do not fit the model.

    Warns
    -----
    UserWarning
        The input of a layer is one number throughout the data, such as 0, or nearly. It has no
        range then, and the layer stays in floats.

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
    one_of("quantize", "method", method, METHODS)
    if math.isnan(number("quantize", "min_decibels", min_decibels)):
        raise ConfigError("quantize: min_decibels: expected a number, got nan")
    positive_int("quantize", "batch_size", batch_size)
    if steps is not None:
        positive_int("quantize", "steps", steps)
    batches = list(_batches(calibration_data, batch_size, steps, model._count_inputs()))
    if not batches:
        raise ShapeError("quantize: expected at least one input to calibrate with, got none")

    layers, ranges = _calibrate(model, batches, exclude, method, min_decibels)
    quantization = Quantization(
        ranges, _float_layers(layers), QuantizationReport(tuple(layers), (), ())
    )
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


def _batches(data: Any, size: int, steps: int | None, inputs: int) -> Iterator[Any]:
    from fastcnn.data import Dataset
    from fastcnn.training.batches import as_batches, opened, parts_of, unpack

    own = isinstance(data, Dataset)  # its batches are what it says
    with ExitStack() as threads:
        given = opened(as_batches("quantize", data, batch_size=None if own else size), threads)
        for batch in islice(given, steps):
            x, _, _ = unpack("quantize", parts_of(batch, inputs)[:1])
            for start in range(0, len(_tree.flatten(x)[0]), size):
                yield _tree.map_structure(lambda a: a[start : start + size], x)  # noqa: B023


class _Observer:
    """Runs a model on batches and gives what is between its layers, by name."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._plans: dict[Any, _C.Plan] = {}
        self._constants = _C.ConstantCache()

    def values(self, batch: Any) -> dict[str, NDArray[Any]]:
        """Everything between the input and the output."""
        return self._run("values", batch, None)

    def products(self, batch: Any, ranges: Ranges) -> dict[str, NDArray[Any]]:
        """What products of codes give for exact inputs; always for the same ranges."""
        return self._run("products", batch, ranges)

    def with_ranges(self, batch: Any, ranges: Ranges) -> set[str]:
        """The names of the products whose input has one of the ranges."""
        return set(self._compile("products", batch, ranges).output_names)

    def _run(self, what: str, batch: Any, ranges: Ranges | None) -> dict[str, NDArray[Any]]:
        arrays = _tree.flatten(batch)
        key = (what, tuple(a.shape for a in arrays))
        if key not in self._plans:
            self._plans[key] = self._compile(what, batch, ranges)
        plan = self._plans[key]
        return dict(zip(plan.output_names, plan.run(arrays), strict=True))

    def _compile(self, what: str, batch: Any, ranges: Ranges | None) -> _C.Plan:
        trace, _ = self._model._trace((batch,), {})
        spec = None if ranges is None else _spec(ranges, ())
        return _C.compile(trace.graph, cache=self._constants, quantization=spec, observe=what)


def _calibrate(
    model: Model,
    batches: Sequence[Any],
    exclude: Iterable[str | Layer],
    method: str,
    min_decibels: float,
) -> tuple[list[LayerNoise], Ranges]:
    """Find out what is computed on codes, and the ranges of the values that can be."""
    observer = _Observer(model)
    every, constant = _find_ranges(observer, batches, method)
    noise = _measure_products(observer, batches, every)
    ranges = {name: limits for name, limits in every.items() if name not in constant}
    coded = observer.with_ranges(batches[0], ranges) if constant else set(noise)
    excluded = _resolve(exclude, noise)
    layers = []
    for name, decibels in noise.items():
        reason = ""
        if name in excluded:
            reason = "excluded"
        elif name not in coded:
            reason, decibels = "no range", None
        elif decibels is not None and decibels < min_decibels:
            reason = "sensitive"
        layers.append(LayerNoise(name, decibels, "float32" if reason else "int8", reason))
    without = [layer.name for layer in layers if layer.reason == "no range"]
    if without:
        warnings.warn(
            f"quantize: in the calibration data the input of {', '.join(map(repr, without))} is "
            "one number throughout, or nearly, so that there is no range for its codes; it is "
            "computed in float32. Calibrate with inputs like those the model will see",
            stacklevel=3,
        )
    return layers, ranges


def _float_layers(layers: Iterable[LayerNoise]) -> tuple[str, ...]:
    """The names of the layers that are computed in floats, as plans are compiled with them."""
    return tuple(sorted({_layer(layer.name) for layer in layers if layer.reason}))


# ---- ranges --------------------------------------------------------------------------------------


class _Seen:
    """The range of one value, and a sample of it."""

    def __init__(self) -> None:
        self.least, self.most = math.inf, -math.inf
        self.samples: list[NDArray[Any]] = []

    @property
    def low(self) -> float:
        """Zero is always one of the codes."""
        return min(0.0, self.least)

    @property
    def high(self) -> float:
        return max(0.0, self.most)

    def add(self, x: NDArray[Any], samples: int) -> None:
        self.least = min(self.least, float(x.min()))
        self.most = max(self.most, float(x.max()))
        if samples:
            flat = x.reshape(-1)
            # A step without common factors with the usual numbers of channels meets all of them.
            step = max(1, flat.size // samples) | 1
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
) -> tuple[Ranges, set[str]]:
    """Find the ranges of all values, and which of them are (nearly) one number throughout."""
    seen: dict[str, _Seen] = {}
    for batch in batches:
        samples = 0 if method == "minmax" else _SAMPLES * len(_tree.flatten(batch)[0])
        for name, x in observer.values(batch).items():
            if x.size == 0:
                continue
            found = seen.setdefault(name, _Seen())
            found.add(x, samples)
            if not (math.isfinite(found.low) and math.isfinite(found.high)) or np.isnan(x.min()):
                what = (
                    "the data are" if _layer(name) == "input" else f"layer {name!r} gives what is"
                )
                raise ConfigError(f"quantize: {what} not finite, so that there is no range")
    ranges = {name: found.limits(method) for name, found in seen.items()}
    return ranges, {
        name
        for name, limits in ranges.items()
        if seen[name].least == seen[name].most or not _has_codes(*limits)
    }


# ---- noise ---------------------------------------------------------------------------------------


class _Noise:
    """The signal-to-noise ratio of a result over several batches."""

    def __init__(self) -> None:
        self.signal = self.noise = 0.0

    def add(self, exact: NDArray[Any], x: NDArray[Any]) -> None:
        self.signal += float(np.square(exact, dtype=np.float64).sum())
        self.noise += float(np.square(np.subtract(x, exact, dtype=np.float64)).sum())

    @property
    def decibels(self) -> float | None:
        if self.signal == 0:
            return None if self.noise == 0 else -math.inf
        return math.inf if self.noise == 0 else 10 * math.log10(self.signal / self.noise)


def _measure_products(
    observer: _Observer, batches: Sequence[Any], ranges: Ranges
) -> dict[str, float | None]:
    found: dict[str, _Noise] = {}

    def measure(batch: Any) -> None:
        products, exact = observer.products(batch, ranges), observer.values(batch)
        for name, x in products.items():
            found.setdefault(name, _Noise()).add(exact[name], x)

    for batch in batches:
        measure(batch)  # whose arrays go before the next
    return {name: noise.decibels for name, noise in found.items()}


def _compare(
    model: Model, quantized: Model, batches: Sequence[Any]
) -> tuple[tuple[float | None, ...], tuple[float | None, ...]]:
    # Plans for calibration go afterwards: the models keep those that their users run.
    plans = [m._make_plan_cache() for m in (model, quantized)]
    noise: list[_Noise] = []
    agreeing: list[int] = []
    count = 0
    scores: list[bool] = []
    for batch in batches:
        pairs = list(zip(*(_outputs(cache, batch) for cache in plans), strict=True))
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


def _outputs(plans: PlanCache, batch: Any) -> list[NDArray[Any]]:
    compiled, arrays = plans.get((batch,), {})
    return compiled.run(arrays)


def _layer(name: str) -> str:
    """The name of the layer whose value has the name."""
    return name.rsplit(":", 1)[0]


def _resolve(exclude: Any, noise: Mapping[str, Any]) -> set[str]:
    """The products that lie in excluded layers."""
    from fastcnn.layers.layer import Layer

    if not isinstance(exclude, (Iterable, Layer)):
        raise DTypeError(f"quantize: exclude: expected names of layers or layers, got {exclude!r}")
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
