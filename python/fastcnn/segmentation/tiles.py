"""Pictures of any size through a network, tile by tile: the overlap-tile strategy of U-Net."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn import ops
from fastcnn._checks import one_of, positive_int
from fastcnn.errors import ConfigError, ShapeError
from fastcnn.model import Model

__all__ = ["iter_tiled", "predict_tiled"]

Progress = Callable[[int, int], None]
Preprocess = Callable[[NDArray[Any]], Any]

_TILE = 512  # where the network leaves it open


def predict_tiled(
    model: Model,
    image: Any,
    tile: int | tuple[int, int] | None = None,
    overlap: int | tuple[int, int] | None = None,
    *,
    margin: int | tuple[int, int] | None = None,
    blend: str = "hann",
    argmax: bool = False,
    preprocess: Preprocess | None = None,
    progress: Progress | None = None,
) -> NDArray[Any]:
    """Predict a picture of any size, a tile at a time.

    Each tile is computed with context around it, which is mirrored where the picture ends, and of
    which the results are thrown away (`margin`); neighbouring tiles share a strip in which one
    fades into the other (`overlap`). Only a row of tiles is held as floats, so memory does not grow
    with the picture's height but for the result; `iter_tiled` does not hold that either.

    Parameters
    ----------
    model : Model
        From (1, th, tw, channels) to (1, oh, ow, c), either as large or, without padding, smaller
        by as much on both sides.
    image : array, shape (h, w, channels), any real dtype
        Read in parts: a ``numpy.memmap`` will do.
    tile : int or (int, int), optional
        th and tw, which the network can take. Its own size unless given; 512 where that is open.
    overlap : int or (int, int), optional
        Pixels that neighbours share, up to half of what a tile keeps; an eighth of it unless given.
    margin : int or (int, int), optional
        Pixels of the network's result that are thrown away on each side, because the network saw
        too little around them. Nothing unless given: blending weighs them little. With a margin of
        the radius of the network's receptive field, and tiles at multiples of its strides, the
        result is that of the whole picture but for the picture's own border.
    blend : {"hann", "linear", "none"}, default "hann"
        How one tile fades into the next: by a squared sine, a straight line, or at once.
    argmax : bool, default False
        Give the class of each pixel, not the scores.
    preprocess : callable, optional
        Applied to each tile (1, th, tw, channels) before the network.
    progress : callable, optional
        Told after each tile how many are done, and how many there are.

    Returns
    -------
    array, float32, shape (h, w, c), or with `argmax` integers of shape (h, w)
        uint8 for up to 256 classes, else int32.

    Raises
    ------
    ShapeError
        The picture or the network does not fit, or the picture is empty.
    ConfigError
        Tile, overlap or margin leave nothing.

    References
    ----------
    O. Ronneberger, P. Fischer, T. Brox: U-Net. MICCAI 2015, section 2 and figure 2.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> model = fc.applications.UNet(classes=3, filters=4, depth=2)
    >>> picture = np.zeros((70, 95, 3), np.uint8)
    >>> fc.segmentation.predict_tiled(model, picture, tile=32, overlap=8).shape
    (70, 95, 3)
    >>> fc.segmentation.predict_tiled(model, picture, tile=32, argmax=True).dtype
    dtype('uint8')
    """
    rows = iter_tiled(
        model, image, tile, overlap, margin=margin, blend=blend, argmax=argmax,
        preprocess=preprocess, progress=progress,
    )  # fmt: skip
    result: NDArray[Any] | None = None
    for top, part in rows:
        if result is None:
            result = np.empty((image.shape[0], *part.shape[1:]), part.dtype)
        result[top : top + len(part)] = part
    assert result is not None
    return result


def iter_tiled(
    model: Model,
    image: Any,
    tile: int | tuple[int, int] | None = None,
    overlap: int | tuple[int, int] | None = None,
    *,
    margin: int | tuple[int, int] | None = None,
    blend: str = "hann",
    argmax: bool = False,
    preprocess: Preprocess | None = None,
    progress: Progress | None = None,
) -> Iterator[tuple[int, NDArray[Any]]]:
    """Predict a picture as `predict_tiled` does, and give rows of pixels as they are done.

    Parameters
    ----------
    model, image, tile, overlap, margin, blend, argmax, preprocess, progress
        As of `predict_tiled`.

    Yields
    ------
    (int, array)
        The first row, and the rows: (rows, w, c) or with `argmax` (rows, w). They are the caller's.

    Raises
    ------
    ShapeError, ConfigError
        As `predict_tiled`.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> model = fc.applications.UNet(classes=3, filters=4, depth=2)
    >>> picture = np.zeros((70, 40, 3), np.uint8)
    >>> [(top, len(rows)) for top, rows in fc.segmentation.iter_tiled(model, picture, 32, 8)]
    [(0, 24), (24, 24), (48, 22)]
    """
    one_of("predict_tiled", "blend", blend, ("hann", "linear", "none"))
    if getattr(image, "ndim", None) != 3 or 0 in image.shape:
        raise ShapeError(
            "predict_tiled: expected a picture (h, w, channels) that is not empty, got shape "
            f"{getattr(image, 'shape', type(image).__name__)}"
        )
    axes = _axes(model, image.shape, tile, overlap, margin, blend)
    return _rows(model, image, *axes, argmax, preprocess, progress)


@dataclass(frozen=True)
class _Axis:
    """The tiles along one side of the picture.

    What tile i keeps starts at pixel ``i * step`` and has ``kept`` pixels, of which it shares
    ``overlap`` with each neighbour. The network reads ``size`` pixels from ``i * step - before``
    on; what is kept starts at ``skipped`` of its result.
    """

    length: int
    size: int
    kept: int
    overlap: int
    before: int
    skipped: int
    ramp: NDArray[np.float32]

    @property
    def step(self) -> int:
        return self.kept - self.overlap

    @property
    def count(self) -> int:
        return max(1, -(-(self.length - self.overlap) // self.step))

    def read(self, i: int) -> NDArray[np.intp]:
        """Which pixels of the picture the network sees, mirrored at both ends."""
        at = np.arange(i * self.step - self.before, i * self.step - self.before + self.size)
        period = max(2 * (self.length - 1), 1)
        at = np.abs(at) % period
        return np.minimum(at, period - at) if self.length > 1 else np.zeros_like(at)

    def weights(self, i: int) -> NDArray[np.float32]:
        """How much each pixel that a tile keeps counts; with those of its neighbours it is 1."""
        weights = np.ones(self.kept, np.float32)
        if self.overlap:
            if i > 0:
                weights[: self.overlap] = self.ramp
            if i < self.count - 1:
                weights[-self.overlap :] = 1 - self.ramp
        return weights


def _axes(
    model: Model, shape: Any, tile: Any, overlap: Any, margin: Any, blend: str
) -> tuple[_Axis, _Axis]:
    try:
        own = model.input_shape
    except ConfigError:  # its layers are only known when it is called
        own = (None,) * 4
    if len(own) != 4:
        raise ShapeError(f"predict_tiled: expected a model of one picture, it takes {own}")
    sizes = [
        own[axis + 1] or _TILE if given is None else given for axis, given in enumerate(_two(tile))
    ]
    sizes = [positive_int("predict_tiled", "tile", size) for size in sizes]
    result = model.compute_output_shape((1, *sizes, shape[2]))
    if not isinstance(result, tuple) or len(result) != 4:
        raise ShapeError(
            f"predict_tiled: expected a model that gives scores (1, h, w, c), it gives {result}"
        )
    pairs = zip(shape[:2], sizes, result[1:3], _two(overlap), _two(margin), strict=True)
    first, second = (_axis(*pair, blend) for pair in pairs)
    return first, second


def _axis(
    length: int, size: int, computed: int, overlap: int | None, margin: int | None, blend: str
) -> _Axis:
    lost = size - computed  # by a network without padding
    if lost < 0 or lost % 2:
        raise ShapeError(
            "predict_tiled: expected a model whose results are as large as its tiles, or smaller "
            f"by as much on both sides; of {size} pixels it makes {computed}"
        )
    skipped = positive_int("predict_tiled", "margin", margin or 0, 0)
    kept = computed - 2 * skipped
    if kept < 1:
        raise ConfigError(
            f"predict_tiled: a margin of {skipped} leaves nothing of the {computed} pixels that "
            f"the model gives for a tile of {size}"
        )
    # A border of zeros disturbs less where the neighbour's weight is large.
    shared = kept // 8 if overlap is None else positive_int("predict_tiled", "overlap", overlap, 0)
    if shared > kept // 2:
        raise ConfigError(
            f"predict_tiled: expected an overlap of at most {kept // 2}, half of what is kept of a "
            f"tile of {size}, got {shared}"
        )
    at = (np.arange(shared) + 0.5) / max(shared, 1)
    ramps = {"hann": np.sin(np.pi / 2 * at) ** 2, "linear": at, "none": np.round(at)}
    ramp = ramps[blend].astype(np.float32)
    return _Axis(length, size, kept, shared, lost // 2 + skipped, skipped, ramp)


def _rows(
    model: Model,
    image: Any,
    down: _Axis,
    across: _Axis,
    argmax: bool,
    preprocess: Preprocess | None,
    progress: Progress | None,
) -> Iterator[tuple[int, NDArray[Any]]]:
    live: NDArray[np.float32] | None = None  # a row of tiles, of which the first rows may be begun
    total = down.count * across.count
    for i in range(down.count):
        strip = np.asarray(image[_span(down.read(i))])  # all that a memmap has to read
        strip = strip[down.read(i) - down.read(i).min()]
        for j in range(across.count):
            given: Any = np.ascontiguousarray(strip[:, across.read(j)])[None]
            scores = model(given if preprocess is None else preprocess(given))[0]
            part = scores[
                down.skipped : down.skipped + down.kept,
                across.skipped : across.skipped + across.kept,
            ]
            if live is None:
                width = (across.count - 1) * across.step + across.kept
                live = np.zeros((down.kept, width, part.shape[-1]), np.float32)
            weight = down.weights(i)[:, None, None] * across.weights(j)[:, None]
            left = j * across.step
            live[:, left : left + across.kept] += part * weight
            if progress is not None:
                progress(i * across.count + j + 1, total)
        assert live is not None
        top = i * down.step
        done = down.step if i < down.count - 1 else down.length - top
        yield top, _finished(live[:done, : across.length], argmax)
        live[: down.overlap] = live[down.step :]
        live[down.overlap :] = 0


def _finished(scores: NDArray[np.float32], argmax: bool) -> NDArray[Any]:
    if not argmax:
        whole: NDArray[np.float32] = scores.copy()
        return whole
    dtype = np.uint8 if scores.shape[-1] <= 256 else np.int32
    classes: NDArray[Any] = np.asarray(ops.argmax(np.ascontiguousarray(scores), axis=-1), dtype)
    return classes


def _span(at: NDArray[np.intp]) -> slice:
    return slice(int(at.min()), int(at.max()) + 1)


def _two(given: Any) -> tuple[Any, Any]:
    if isinstance(given, (tuple, list)):
        if len(given) != 2:
            raise ConfigError(f"predict_tiled: expected a number or (height, width), got {given!r}")
        return given[0], given[1]
    return given, given
