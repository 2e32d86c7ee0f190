"""COCO's annotations: a JSON file for all pictures."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from fastcnn.detection._annotation_files import read_file
from fastcnn.detection.examples import BoxChecker, Example, Examples, number_classes
from fastcnn.errors import ConfigError, FileFormatError
from fastcnn.io._files import StrPath, naming

_MOST_JSON = 2**31


def load_coco(
    annotations: StrPath,
    images: StrPath,
    class_names: Sequence[str] | None = None,
    on_error: str = "raise",
) -> Examples:
    """Read a JSON file of COCO's form.

    Parameters
    ----------
    annotations : str or os.PathLike
        ``instances_val2017.json`` and the like: ``images``, ``annotations`` and ``categories``.
    images : str or os.PathLike
        The folder of the pictures.
    class_names : sequence of str, optional
        The categories to take, in the order of their numbers; all, by their ids, unless given.
        Boxes of others are passed over.
    on_error : {"raise", "skip"}, default "raise"
        As in `load_voc`.

    Returns
    -------
    Examples
        Of all pictures, by their ids, also of those without boxes; `Example.name` is the id. That
        the pictures exist is not looked after: evaluation needs none.

    Raises
    ------
    MissingFileError, FileAccessError
        The file is not there, or cannot be read.
    FileFormatError
        It has another form; the message says where.

    Examples
    --------
    >>> import json, fastcnn as fc
    >>> with open("cats.json", "w") as file:
    ...     json.dump(
    ...         {
    ...             "images": [{"id": 7, "file_name": "7.jpg", "width": 64, "height": 48}],
    ...             "categories": [{"id": 17, "name": "cat"}],
    ...             "annotations": [
    ...                 {"id": 1, "image_id": 7, "category_id": 17, "bbox": [8, 4, 16, 12]}
    ...             ],
    ...         },
    ...         file,
    ...     )
    >>> found = fc.detection.load_coco("cats.json", "pictures")
    >>> found[0].path, found[0].boxes.tolist()
    ('pictures/7.jpg', [[8.0, 4.0, 24.0, 16.0]])
    """
    path = os.fspath(annotations)
    checker = BoxChecker(on_error)
    with naming(path):
        try:
            content = json.loads(read_file(path, _MOST_JSON))
        except (ValueError, RecursionError) as error:
            raise FileFormatError(f"expected JSON: {error}") from error
        if not isinstance(content, dict):
            raise FileFormatError(f"expected an object, got {type(content).__name__}")
        categories = {
            _id(entry, place): _string(entry, "name", place)
            for place, entry in _entries(content, "categories")
        }
        by_id = [categories[key] for key in sorted(categories)]
        classes = number_classes(dict.fromkeys(by_id, 0), by_id if class_names is None else
                                 class_names)  # fmt: skip
        unknown = [name for name in classes if name not in by_id]
        if unknown:
            raise ConfigError(f"{path}: expected names of classes among {by_id}, got {unknown}")
        pictures: dict[int, tuple[str, tuple[float, float] | None]] = {}
        for place, entry in _entries(content, "images"):
            size = None
            if "width" in entry and "height" in entry:
                size = (_real(entry, "height", place), _real(entry, "width", place))
            name = _string(entry, "file_name", place)
            parts = name.replace("\\", "/").split("/")
            if ".." in parts or name.startswith("/") or ":" in parts[0]:
                raise FileFormatError(f"{place}: file_name: expected a name in a folder: {name!r}")
            pictures[_id(entry, place)] = (name, size)
        boxes: dict[int, list[tuple[list[float], int, bool, float]]] = {i: [] for i in pictures}
        numbers = {name: number for number, name in enumerate(classes)}
        for place, entry in _entries(content, "annotations"):
            image, category = _id(entry, place, "image_id"), _id(entry, place, "category_id")
            if image not in pictures or category not in categories:
                what = "image_id" if image not in pictures else "category_id"
                raise FileFormatError(f"{place}: {what}: there is none of id {entry[what]}")
            number = numbers.get(categories[category])
            if number is None:
                continue
            given = entry.get("bbox")
            if (
                not isinstance(given, list)
                or len(given) != 4
                or any(isinstance(v, bool) or not isinstance(v, (int, float)) for v in given)
            ):
                raise FileFormatError(f"{place}: bbox: expected four numbers, got {given!r}")
            x, y, w, h = (float(v) for v in given)
            box = checker.check(f"{path}: {place}: bbox", (x, y, x + w, y + h), pictures[image][1])
            if box is not None:
                area = _real(entry, "area", place) if "area" in entry else w * h
                boxes[image].append((box, number, bool(entry.get("iscrowd", 0)), area))
    checker.warn(path)
    examples = [
        Example(
            os.path.join(os.fspath(images), pictures[i][0]),
            [box for box, *_ in boxes[i]],
            [label for _, label, *_ in boxes[i]],
            crowd=[crowd for *_, crowd, _ in boxes[i]],
            areas=[area for *_, area in boxes[i]],
            name=i,
        )
        for i in sorted(pictures)
    ]
    return Examples(examples, classes)


def _entries(content: Mapping[str, Any], key: str) -> list[tuple[str, dict[str, Any]]]:
    entries = content.get(key)
    if not isinstance(entries, list):
        raise FileFormatError(f"{key}: expected a list, got {type(entries).__name__}")
    for number, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise FileFormatError(f"{key}[{number}]: expected an object, got {entry!r}")
    return [(f"{key}[{number}]", entry) for number, entry in enumerate(entries)]


def _field(entry: Mapping[str, Any], key: str, place: str, kind: type | tuple[type, ...]) -> Any:
    value = entry.get(key)
    if isinstance(value, bool) or not isinstance(value, kind):
        wanted = {str: "a text", int: "an integer"}.get(kind, "a number")  # type: ignore[arg-type]
        raise FileFormatError(f"{place}: {key}: expected {wanted}, got {value!r}")
    return value


def _id(entry: Mapping[str, Any], place: str, key: str = "id") -> int:
    return int(_field(entry, key, place, int))


def _string(entry: Mapping[str, Any], key: str, place: str) -> str:
    return str(_field(entry, key, place, str))


def _real(entry: Mapping[str, Any], key: str, place: str) -> float:
    return float(_field(entry, key, place, (int, float)))
