"""``fastcnn segment``: photos in, masks, overlays or cut-outs out."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastcnn as fc
from fastcnn.errors import ConfigError, FileAccessError
from fastcnn.io._files import StrPath
from fastcnn.segmentation import find_foreground, predict_tiled, remove_background
from fastcnn.visualize.masks import CAMVID_CLASSES, VOC_CLASSES

U2NETP = "u2netp"

_NAMES = {"camvid": CAMVID_CLASSES, "voc": VOC_CLASSES}
_OPACITY = 0.6

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Segmented:
    """What was found in a photo, and written.

    Attributes
    ----------
    file : str
    height, width : int
    classes : dict of str to float
        The share of the pixels of each class that occurs.
    written : dict of str to str
        The files: ``"cutout"`` or ``"mask"``, and ``"overlay"``.
    """

    file: str
    height: int
    width: int
    classes: dict[str, float]
    written: dict[str, str]


def segment_photos(
    photos: Sequence[str],
    model: str = U2NETP,
    palette: str = "voc",
    cut_out: bool = False,
    output: Path = Path("segmented"),
    tile: int | None = None,
    overlap: int | None = None,
    quiet: bool = False,
) -> list[Segmented]:
    """Segment photos, and write what was found to a folder.

    Parameters
    ----------
    photos : sequence of str
        Paths.
    model : str, default "u2netp"
        The published U2-Net, which tells what a photo is of; or a file of `Model.save` or ONNX,
        from pictures of 0 to 255 to scores of classes for every pixel.
    palette : str, default "voc"
        The colours, of `fastcnn.visualize.palette`.
    cut_out : bool, default False
        Write photos without their background.
    output : pathlib.Path
        The folder.
    tile, overlap : int, optional
        As of `fastcnn.segmentation.predict_tiled`.
    quiet : bool, default False
        Draw no progress bar.

    Raises
    ------
    FastcnnError
        A photo or the model cannot be read, or a file cannot be written; what was done before
        stays.
    """
    if model == U2NETP:
        if tile is not None or overlap is not None:
            raise ConfigError("--tile and --overlap are for models that give classes, not u2netp")
        network = None
    elif cut_out:
        raise ConfigError(
            "--remove-background needs --model u2netp, which tells what a photo is of"
        )
    else:
        network = _load(model)
    fc.visualize.palette(palette)  # refuses what there is not, before work begins
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileAccessError(f"{output}: cannot be made a folder: {error}") from error
    results: list[Segmented] = []
    with _progress(len(photos), quiet) as begin:
        for photo, name in zip(photos, _names(photos), strict=True):
            told = begin(photo)
            image = fc.io.load_image(photo)
            if network is None:
                found = _foreground(image, output / name, cut_out)
            else:
                found = _classes(network, image, output / name, palette, tile, overlap, told)
            results.append(Segmented(photo, image.shape[0], image.shape[1], *found))
    return results


def _load(model: StrPath) -> Any:
    suffix = os.path.splitext(os.fspath(model))[1].lower()
    load = fc.io.load_onnx if suffix == ".onnx" else fc.load_model
    network = load(model)
    shape = network.input_shape
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[3] != 3:
        raise ConfigError(
            f"{os.fspath(model)}: expected a model of pictures (n, height, width, 3), it takes "
            f"{shape}"
        )
    return network


def _names(photos: Sequence[str]) -> list[str]:
    """What each photo's files are called: photos of one name in several folders get numbers."""
    taken: dict[str, int] = {}
    names = []
    for photo in photos:
        stem = Path(photo).stem
        taken[stem] = taken.get(stem, 0) + 1
        names.append(stem if taken[stem] == 1 else f"{stem}-{taken[stem]}")
    return names


def _foreground(
    image: NDArray[np.uint8], base: Path, cut_out: bool
) -> tuple[dict[str, float], dict[str, str]]:
    if cut_out:
        picture = remove_background(image)
        path = f"{base}_cutout.png"
        share = float(picture[..., 3].mean()) / 255
    else:
        alpha = find_foreground(image)
        picture = np.rint(alpha * 255).astype(np.uint8)
        path = f"{base}_mask.png"
        share = float(alpha.mean())
    fc.io.save_image(path, picture)
    return {"foreground": share}, {"cutout" if cut_out else "mask": path}


def _classes(
    network: Any,
    image: NDArray[np.uint8],
    base: Path,
    palette: str,
    tile: int | None,
    overlap: int | None,
    told: Progress,
) -> tuple[dict[str, float], dict[str, str]]:
    mask = predict_tiled(network, image, tile, overlap, argmax=True, progress=told)
    count = network.output_shape[-1]
    names = network.class_names or _NAMES[palette]
    if len(names) != count:
        names = [str(i) for i in range(count)]
    shares = np.bincount(mask.ravel(), minlength=count) / mask.size
    order = np.argsort(-shares, kind="stable")
    found = {names[i]: float(shares[i]) for i in order if shares[i]}
    written = {"mask": f"{base}_mask.png", "overlay": f"{base}_overlay.png"}
    colours = fc.visualize.palette(palette)
    fc.io.save_mask(written["mask"], mask, colours)
    drawn = fc.visualize.draw_segmentation_masks(image, mask, _OPACITY, colours)
    shown = [name if shares[i] else "" for i, name in enumerate(names[: len(colours)])]
    fc.io.save_image(written["overlay"], fc.visualize.draw_legend(drawn, shown, colours))
    return found, written


@contextmanager
def _progress(count: int, quiet: bool) -> Iterator[Callable[[str], Progress]]:
    """Draw on stderr how far it is; gives what is called for each photo."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal) as bar:
        photos = bar.add_task("photos", total=count)
        tiles = bar.add_task("tiles", visible=False)
        begun = 0

        def begin(photo: str) -> Callable[[int, int], None]:
            nonlocal begun
            bar.update(photos, description=os.path.basename(photo), completed=begun)
            begun += 1
            return lambda done, total: bar.update(
                tiles, completed=done, total=total, visible=total > 1
            )

        yield begin
        bar.update(photos, completed=count)


def print_json(results: Sequence[Segmented]) -> None:
    """Write one JSON list to stdout."""
    sys.stdout.write(json.dumps([asdict(result) for result in results], indent=2) + "\n")


def print_table(results: Sequence[Segmented], most: int = 4) -> None:
    """Write a line for each photo: its classes, and what was written."""
    for result in results:
        shares = [f"{name} {share:.0%}" for name, share in result.classes.items()][:most]
        written = ", ".join(result.written.values())
        print(f"{result.file}: {', '.join(shares)} -> {written}")
