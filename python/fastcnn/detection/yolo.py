"""YOLO's annotations: a text file for each picture."""

from __future__ import annotations

import os
from collections.abc import Sequence

from fastcnn.detection._annotation_files import (
    first_folder,
    folder_of,
    pictures_by_stem,
    read_text,
)
from fastcnn.detection.examples import BoxChecker, Example, Examples, number_classes
from fastcnn.errors import ConfigError, FileFormatError
from fastcnn.io._files import StrPath
from fastcnn.io.images import image_size


def load_yolo(
    directory: StrPath,
    class_names: Sequence[str] | None = None,
    on_error: str = "raise",
) -> Examples:
    """Read a folder with a text file for each picture, as Darknet's and its successors' have it.

    Each line is ``class x y width height``: the class' number, the centre and the size of a box as
    shares of the picture's.

    Parameters
    ----------
    directory : str or os.PathLike
        With the folders ``images`` and ``labels``, or the files of both in one. A picture without a
        text file has nothing in it.
    class_names : sequence of str, optional
        The lines of ``classes.txt`` or ``obj.names`` in the folder, or in ``labels``, unless given.
    on_error : {"raise", "skip"}, default "raise"
        As in `load_voc`.

    Returns
    -------
    Examples
        In the order of the pictures' names.

    Raises
    ------
    MissingFileError, FileAccessError
        A folder is not there, or cannot be read.
    FileFormatError
        A line has another form; the message names the file and the line.

    Examples
    --------
    >>> import os, numpy as np, fastcnn as fc
    >>> os.makedirs("toys")
    >>> fc.io.save_image("toys/1.png", np.zeros((40, 80, 3), np.uint8))
    >>> with open("toys/1.txt", "w") as file:
    ...     _ = file.write("1 0.5 0.5 0.25 0.5")
    >>> found = fc.detection.load_yolo("toys", class_names=["ball", "car"])
    >>> found[0].labels.tolist(), found[0].boxes.tolist()
    ([1], [[30.0, 10.0, 50.0, 30.0]])
    """
    folder = folder_of(directory)
    pictures = first_folder(folder, ("images",)) or folder
    texts = first_folder(folder, ("labels",)) or folder
    classes = number_classes({}, class_names if class_names is not None else
                             _class_file(folder, texts))  # fmt: skip
    listed = pictures_by_stem(pictures)
    if not listed:
        raise FileFormatError(f"{pictures}: expected pictures, found none")
    checker = BoxChecker(on_error)
    examples = []
    for stem in sorted(listed):
        picture = os.path.join(pictures, listed[stem])
        path = os.path.join(texts, f"{stem}.txt")
        boxes: list[list[float]] = []
        labels: list[int] = []
        if os.path.exists(path):
            height, width = image_size(picture)
            for number, line in enumerate(read_text(path).splitlines(), start=1):
                if not line.strip():
                    continue
                label, shares = _yolo_line(f"{path}: line {number}", line, len(classes))
                x, y, w, h = shares
                corners = (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
                scaled = [c * side for c, side in zip(corners, (width, height) * 2, strict=True)]
                box = checker.check(f"{path}: line {number}", scaled, (height, width))
                if box is not None:
                    boxes.append(box)
                    labels.append(label)
        examples.append(Example(picture, boxes, labels))
    checker.warn(folder)
    return Examples(examples, classes)


def _yolo_line(where: str, line: str, classes: int) -> tuple[int, list[float]]:
    parts = line.split()
    try:
        label, shares = int(parts[0]), [float(part) for part in parts[1:]]
    except ValueError:
        label, shares = -1, []
    if len(shares) != 4 or label < 0:
        raise FileFormatError(f"{where}: expected 'class x y width height', got {line.strip()!r}")
    if label >= classes:
        raise FileFormatError(f"{where}: expected a class from 0 to {classes - 1}, got {label}")
    if not all(0 <= share <= 1 for share in shares):
        raise FileFormatError(
            f"{where}: expected shares of the picture from 0 to 1, got {line.strip()!r}"
        )
    return label, shares


def _class_file(*folders: str) -> list[str]:
    for folder in folders:
        for name in ("classes.txt", "obj.names"):
            path = os.path.join(folder, name)
            if os.path.exists(path):
                return [line.strip() for line in read_text(path).splitlines() if line.strip()]
    raise ConfigError(
        f"{folders[0]}: expected class_names, or a file classes.txt with a name in each line"
    )
