"""What the demonstration shows: each application on pictures, timed, or why it is left out."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastcnn as fc
from fastcnn.applications import imagenet
from fastcnn.applications.pretrained import home
from fastcnn.demo.poster import sample_photos
from fastcnn.errors import (
    FastcnnError,
    MissingDependencyError,
    MissingFileError,
    MissingWeightsError,
)
from fastcnn.io import load_image, resize_image
from fastcnn.io.darknet import load_darknet

Picture = NDArray[np.uint8]

_CLASSES = 3
_LOOKED_AT = 4  # pictures that are looked into, and cut out
_SIDE = 640  # pixels of the longer side of pictures for detection and cutting out
_PAINTED_SIDE, _PAINTED_ITERATIONS = 224, 40
_STRONG = 10.0  # how much the style counts, for a picture that is to change in few steps
_DETECTOR = "yolo-fastest-1.1-xl"
_HOTTEST = 12  # kernels that the table lists

_PORTRAIT = "astronaut.png"
_STYLE = "ihc.png"  # stained tissue: colours and a texture of its own


@dataclass
class Figure:
    """A picture and what there is to say about it.

    Attributes
    ----------
    picture : array, uint8, shape (h, w, 3)
    caption : str
    shares : list of (str, float)
        Names and numbers from 0 to 1, drawn as bars.
    """

    picture: Picture
    caption: str = ""
    shares: list[tuple[str, float]] = field(default_factory=list)


@dataclass
class Section:
    """One application.

    Attributes
    ----------
    title, text : str
    command : str
        What does the same on the reader's own pictures.
    figures : list of Figure
    times : list of (str, float)
        What took how many seconds.
    table : list of row
        Of texts, the first row being the heading.
    missing : str
        Why it is left out, and what to do about it; empty where it is not.
    """

    title: str
    text: str
    command: str
    figures: list[Figure] = field(default_factory=list)
    times: list[tuple[str, float]] = field(default_factory=list)
    table: list[tuple[str, ...]] = field(default_factory=list)
    missing: str = ""


@dataclass(frozen=True)
class Given:
    """What the demonstration was given.

    Attributes
    ----------
    photos : sequence of str
        Pictures of scikit-image unless there are some.
    style : str, optional
        The picture to paint like.
    detector : path, optional
        A Darknet ``.cfg`` whose ``.weights`` lie beside it, and names of classes in
        ``coco.names``. In `fastcnn.applications.pretrained.home` unless given.
    """

    photos: Sequence[str] = ()
    style: str | None = None
    detector: Path | None = None

    @property
    def pictures(self) -> list[str]:
        """The photos, or those of scikit-image."""
        return list(self.photos) or sample_photos()


def run_sections(given: Given) -> Iterator[Section]:
    """Compute the sections one by one; one that cannot be says why.

    Parameters
    ----------
    given : Given

    Yields
    ------
    Section
        Before its figures are computed with neither figures nor `missing`, then complete.

    Raises
    ------
    FastcnnError
        A picture that was given cannot be read.
    """
    # What is wrong with what was given is no section's fault.
    for photo in (*given.photos, *filter(None, [given.style])):
        load_image(photo)
    if given.detector is not None and not given.detector.is_file():
        raise MissingFileError(f"{given.detector}: no such file")
    for title, text, command, compute in _SECTIONS:
        section = Section(title, text, command)
        yield section
        try:
            compute(section, given)
        except (MissingWeightsError, MissingDependencyError) as error:
            section.figures.clear()
            section.times.clear()
            section.missing = str(error)
        except FastcnnError as error:
            section.missing = f"{error}"
        yield section


def _timed(section: Section, what: str, compute: Callable[..., Any], *args: Any) -> Any:
    start = time.perf_counter()
    result = compute(*args)
    section.times.append((what, time.perf_counter() - start))
    return result


def _count(pictures: Any) -> str:
    return f"{len(pictures)} picture{'s' if len(pictures) > 1 else ''}"


def _smaller(picture: Picture, side: int = _SIDE) -> Picture:
    """Shrink a picture whose longer side is longer."""
    height, width = picture.shape[:2]
    if max(height, width) <= side:
        return picture
    scale = side / max(height, width)
    size = max(1, round(height * scale)), max(1, round(width * scale))
    return resize_image(picture, size, "lanczos")


# ---- classification ------------------------------------------------------------------------------


def _classify(section: Section, given: Given) -> None:
    model = _timed(
        section,
        "read the weights",
        lambda: fc.applications.EfficientNetLite0(weights="imagenet"),
    )
    levels = _levels(given.pictures)
    batch = imagenet.preprocess_input(levels, "lite")
    _timed(section, "first picture: plan, packed weights, prediction", model, batch[:1])
    _timed(section, "one picture more", model, batch[:1])
    scores = _timed(section, f"{_count(batch)} at once", model, batch)
    for picture, found in zip(levels, imagenet.top_predictions(scores, _CLASSES), strict=True):
        shares = [(prediction.label, prediction.probability) for prediction in found]
        section.figures.append(Figure(picture, shares=shares))


def _levels(photos: Sequence[str]) -> Picture:
    """Read pictures as the classifier sees them, still levels from 0 to 255."""
    given = imagenet.load_and_preprocess(list(photos), mode="raw", method="bicubic")
    return np.clip(np.rint(given), 0, 255).astype(np.uint8)


# ---- look inside ---------------------------------------------------------------------------------


def _look(section: Section, given: Given) -> None:
    network = fc.applications.EfficientNetLite0(weights="imagenet")
    levels = _levels(given.pictures[:_LOOKED_AT])
    x = imagenet.preprocess_input(levels, "lite")
    names = [found[0].label for found in imagenet.top_predictions(network(x), 1)]
    heat = _timed(section, f"Grad-CAM, {_count(x)}", lambda: fc.visualize.grad_cam(network, x))
    patterns = _timed(
        section,
        f"guided backpropagation, {_count(x)}",
        lambda: fc.visualize.guided_backprop(network, x),
    )
    shown = fc.visualize.as_picture(patterns)
    for picture, warm, pattern, name in zip(levels, heat, shown, names, strict=True):
        section.figures.append(
            Figure(fc.visualize.overlay(picture, warm), f"{name}: where it is seen")
        )
        section.figures.append(Figure(pattern, f"{name}: what speaks for it"))


# ---- detection -----------------------------------------------------------------------------------


def _detect(section: Section, given: Given) -> None:
    config = given.detector or home() / f"{_DETECTOR}.cfg"
    if not config.is_file():
        raise MissingWeightsError(
            f"no detector at {config}: put {_DETECTOR}.cfg and .weights of "
            "github.com/dog-qiuqiu/Yolo-Fastest and coco.names there, or give --detector FILE.cfg"
        )
    names_file = config.with_name("coco.names")
    names = None
    if names_file.is_file():
        names = [line for line in names_file.read_text().splitlines() if line]
    network = _timed(
        section, "read the network", lambda: load_darknet(config, config.with_suffix(".weights"))
    )
    detector = fc.detection.Detector(network, names, resize="stretch")
    for photo in given.pictures:
        picture = _smaller(load_image(photo))
        (found,) = _timed(section, os.path.basename(photo), detector, [picture])
        known = ", ".join(dict.fromkeys(found.name(i) for i in range(len(found))))
        section.figures.append(Figure(found.draw(picture), known or "nothing found"))


# ---- segmentation --------------------------------------------------------------------------------


def _segment(section: Section, given: Given) -> None:
    for photo in given.pictures[:_LOOKED_AT]:
        picture = _smaller(load_image(photo))
        cut = _timed(section, os.path.basename(photo), fc.segmentation.remove_background, picture)
        section.figures.append(Figure(_on_squares(cut), os.path.basename(photo)))


def _on_squares(cut: Picture, size: int = 12) -> Picture:
    """Lay a cut-out over a chessboard, as editors show what is transparent."""
    rows, columns = (np.arange(side)[:, None] // size for side in cut.shape[:2])
    squares = np.where((rows + columns.T) % 2, 205, 240)[..., None].astype(np.float32)
    opacity = cut[..., 3:].astype(np.float32) / 255
    return np.rint(cut[..., :3] * opacity + squares * (1 - opacity)).astype(np.uint8)


# ---- faces ---------------------------------------------------------------------------------------


def _faces(section: Section, given: Given) -> None:
    photos = list(given.photos) or sample_photos([_PORTRAIT])
    pictures = [_smaller(load_image(photo), 512) for photo in photos]
    _timed(section, "first picture: read the weights, plan, detect",
           fc.faces.detect, pictures[0])  # fmt: skip
    found = _timed(
        section,
        f"detect again, {_count(pictures)}",
        lambda: [fc.faces.detect(picture) for picture in pictures],
    )
    chips: list[Picture] = []
    for photo, picture, faces in zip(photos, pictures, found, strict=True):
        if not len(faces.boxes):
            continue
        drawn = fc.visualize.draw_bounding_boxes(picture, faces.boxes)
        drawn = fc.visualize.draw_keypoints(drawn, faces.landmarks)
        section.figures.append(Figure(drawn, os.path.basename(photo)))
        chips.extend(fc.faces.align_faces(picture, faces.landmarks))
    if not chips:
        section.missing = "no face was found in these pictures"
        return
    encoder = fc.faces.encoder("dlib")
    chips = chips[:_LOOKED_AT] if len(chips) > 1 else [chips[0], _darker_mirror(chips[0])]
    vectors = _timed(
        section, f"encode {len(chips)} faces",
        lambda: fc.faces.encode(np.stack(chips), encoder, aligned=True),
    )  # fmt: skip
    apart = fc.ops.cdist(vectors[:1], vectors)[0]
    for chip, distance in zip(chips[1:], apart[1:], strict=True):
        both = np.concatenate([chips[0], chip], axis=1)
        same = "the same person" if distance <= 0.6 else "two persons"
        section.figures.append(Figure(both, f"distance {distance:.2f}: {same}"))


def _darker_mirror(chip: Picture) -> Picture:
    return np.ascontiguousarray((chip[:, ::-1] * 0.6).astype(np.uint8))


# ---- style ---------------------------------------------------------------------------------------


def _paint(section: Section, given: Given) -> None:
    content = _smaller(load_image(given.pictures[0]), _PAINTED_SIDE)
    style = _smaller(load_image(given.style or sample_photos([_STYLE])[0]), _PAINTED_SIDE)
    painter = fc.style.StyleTransfer(
        size=_PAINTED_SIDE, iterations=_PAINTED_ITERATIONS, scales=1, beta=_STRONG
    )
    painted = _timed(
        section,
        f"{_PAINTED_ITERATIONS} steps at {_PAINTED_SIDE} pixels",
        lambda: painter(content, style, verbose=0),
    )
    for picture, caption in ((content, "content"), (style, "style"), (painted, "painted")):
        section.figures.append(Figure(picture, caption))


# ---- kernels -------------------------------------------------------------------------------------


def _kernels(section: Section, given: Given) -> None:
    model = fc.applications.EfficientNetLite0()  # times do not depend on the weights
    x = np.random.default_rng(0).standard_normal((1, 224, 224, 3), np.float32)
    plan = model.plan(x.shape)
    plan.run([x])
    nanoseconds = np.min([plan.profile([x]) for _ in range(5)], axis=0)
    by_kernel: dict[str, list[float]] = {}
    for step, spent in zip(plan.steps, nanoseconds, strict=True):
        row = by_kernel.setdefault(step["kernel"], [0, 0, 0])
        row[0] += 1
        row[1] += float(spent)
        row[2] += step["flops"]
    total = float(nanoseconds.sum())
    section.times.append(("the whole plan, profiled", total / 1e9))
    section.table.append(("kernel", "steps", "time", "share", "speed"))
    ordered = sorted(by_kernel.items(), key=lambda item: -item[1][1])
    for kernel, (count, spent, flops) in ordered[:_HOTTEST]:
        speed = f"{flops / spent:.0f} GFLOP/s" if flops else "moves data"
        section.table.append(
            (kernel, f"{count:.0f}", f"{spent / 1e6:.2f} ms", f"{spent / total:.0%}", speed)
        )


_SECTIONS: tuple[tuple[str, str, str, Callable[[Section, Given], None]], ...] = (
    (
        "Classify",
        "EfficientNet-Lite0, trained on the thousand classes of ImageNet.",
        "fastcnn classify PHOTO...",
        _classify,
    ),
    (
        "Look inside",
        "Where the network sees what it names (Grad-CAM), and which pattern speaks for it (guided "
        "backpropagation).",
        "fastcnn look PHOTO --method gradcam",
        _look,
    ),
    (
        "Detect",
        "Yolo-Fastest, trained on the 80 classes of COCO: boxes, and what is in them.",
        "fastcnn detect PHOTO... --model DETECTOR.cfg --names coco.names",
        _detect,
    ),
    (
        "Cut out",
        "U2-Net (the small one, 4.6 MB) tells for every pixel how much it belongs to what the "
        "picture is of.",
        "fastcnn segment PHOTO... --remove-background",
        _segment,
    ),
    (
        "Recognise faces",
        "MTCNN finds faces and five landmarks; dlib's ResNet makes 128 numbers of each, which are "
        "near each other for one person (below 0.6).",
        "fastcnn face verify A B",
        _faces,
    ),
    (
        "Paint",
        "Neural style transfer (Gatys et al.): the content of one picture in the style of another, "
        "here small and after few steps.",
        "fastcnn stylize CONTENT STYLE -o OUT.png --size 512",
        _paint,
    ),
    (
        "Kernels",
        "Which kernels computed EfficientNet-Lite0's prediction for one picture, and what each "
        "took of the time.",
        "fastcnn bench efficientnet_lite0 --profile",
        _kernels,
    ),
)
