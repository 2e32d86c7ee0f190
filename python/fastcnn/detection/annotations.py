"""Readers of boxes that people drew: Pascal VOC's XML, COCO's JSON, YOLO's text files.

Files may come from anywhere: XML with a document type, which could make a few bytes grow to
gigabytes, is refused, as are files of absurd size, and names lead to no other folder.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from fastcnn.detection.examples import BoxChecker, Example, Examples, number_classes
from fastcnn.errors import ConfigError, FileAccessError, FileFormatError, MissingFileError
from fastcnn.io._files import StrPath, naming, open_binary
from fastcnn.io.images import IMAGE_SUFFIXES, image_size

_MOST_XML = 2**24
_MOST_TEXT = 2**24
_MOST_JSON = 2**31

_ANNOTATIONS = ("annotations", "Annotations")
_PICTURES = ("images", "JPEGImages")


def load_voc(
    directory: StrPath,
    image_set: str | None = None,
    class_names: Sequence[str] | None = None,
    on_error: str = "raise",
) -> Examples:
    """Read a folder with an XML file for each picture, as Pascal VOC has it and LabelImg writes it.

    Parameters
    ----------
    directory : str or os.PathLike
        With the folders ``annotations`` or ``Annotations``, and ``images`` or ``JPEGImages``; a
        folder that has the files of both will do, too.
    image_set : str, optional
        Only the pictures that ``ImageSets/Main/<image_set>.txt`` names: ``"train"``, ``"val"`` ...
    class_names : sequence of str, optional
        The classes, in the order of their numbers; those that there are, sorted, unless given.
    on_error : {"raise", "skip"}, default "raise"
        What to do about boxes without an area, or outside of the picture: raise, or leave them out
        with a warning. Boxes that reach over the border are cut at it.

    Returns
    -------
    Examples
        In the order of the files' names.

    Raises
    ------
    MissingFileError, FileAccessError
        A folder or a picture is not there, or cannot be read.
    FileFormatError
        A file is no such annotation; the message names the file and what is wrong in it.

    Examples
    --------
    >>> import os, numpy as np, fastcnn as fc
    >>> os.makedirs("cells/annotations"), os.makedirs("cells/images")
    (None, None)
    >>> fc.io.save_image("cells/images/1.png", np.zeros((48, 64, 3), np.uint8))
    >>> with open("cells/annotations/1.xml", "w") as file:
    ...     _ = file.write(
    ...         "<annotation><filename>1.png</filename><object><name>RBC</name><bndbox>"
    ...         "<xmin>1</xmin><ymin>2</ymin><xmax>30</xmax><ymax>40</ymax></bndbox></object>"
    ...         "</annotation>"
    ...     )
    >>> found = fc.detection.load_voc("cells")
    >>> found.class_names, found[0].boxes.tolist()
    (['RBC'], [[1.0, 2.0, 30.0, 40.0]])
    """
    folder = _folder(directory)
    where = _one_of(folder, _ANNOTATIONS) or folder
    pictures = _one_of(folder, _PICTURES) or folder
    names = sorted(_list(where, ".xml"))
    if image_set is not None:
        names = [f"{name}.xml" for name in _image_set(folder, image_set)]
    if not names:
        raise FileFormatError(f"{where}: expected .xml files, found none")
    checker = BoxChecker(on_error)
    listed = _by_stem(pictures)
    read = [_read_voc(os.path.join(where, name), pictures, listed, checker) for name in names]
    found: dict[str, int] = {}
    for _, objects in read:
        for name, *_ in objects:
            found.setdefault(name, 0)
    classes = number_classes(found, class_names)
    numbers = {name: number for number, name in enumerate(classes)}
    examples = []
    for file, (picture, objects) in zip(names, read, strict=True):
        for name, *_ in objects:
            if name not in numbers:
                raise FileFormatError(
                    f"{os.path.join(where, file)}: object/name: expected one of {classes}, got "
                    f"{name!r}"
                )
        examples.append(
            Example(
                picture,
                [box for _, box, _ in objects],
                [numbers[name] for name, _, _ in objects],
                difficult=[hard for _, _, hard in objects],
            )
        )
    checker.warn(where)
    return Examples(examples, classes)


_Object = tuple[str, list[float], bool]


def _read_voc(
    path: str, pictures: str, listed: Mapping[str, str], checker: BoxChecker
) -> tuple[str, list[_Object]]:
    with naming(path):
        root = _parse_xml(_read(path, _MOST_XML))
        if root.tag != "annotation":
            raise FileFormatError(f"expected an <annotation>, got <{root.tag}>")
        # Names of other systems, too; only the last part, so that no other folder is read.
        given = (root.findtext("filename") or "").replace("\\", "/").rsplit("/", 1)[-1].strip()
        stem = os.path.splitext(os.path.basename(path))[0]
        picture = os.path.join(pictures, given)
        if not given or not os.path.isfile(picture):
            found = listed.get(stem)
            if found is None:
                raise MissingFileError(
                    f"{path}: filename: there is no picture {given or stem!r} in {pictures}"
                )
            picture = os.path.join(pictures, found)
        size = None
        if root.find("size") is not None:
            width, height = (_number(root, f"size/{key}") for key in ("width", "height"))
            size = (height, width) if width > 0 and height > 0 else None
        objects: list[_Object] = []
        for number, thing in enumerate(root.iterfind("object"), start=1):
            name = (thing.findtext("name") or "").strip()
            if not name:
                raise FileFormatError(f"object {number}: name: expected the name of a class")
            field = f"object {number}, {name}: bndbox"
            box = [_number(thing, f"bndbox/{key}", field) for key in _CORNERS]
            kept = checker.check(f"{path}: {field}", box, size)
            if kept is not None:
                hard = (thing.findtext("difficult") or "0").strip() == "1"
                objects.append((name, kept, hard))
    return picture, objects


_CORNERS = ("xmin", "ymin", "xmax", "ymax")


def _number(element: Element, path: str, field: str | None = None) -> float:
    text = element.findtext(path)
    try:
        return float(text or "")
    except ValueError:
        key = path.rsplit("/", 1)[-1]
        raise FileFormatError(
            f"{f'{field}/{key}' if field else path}: expected a number, got {text!r}"
        ) from None


def _parse_xml(data: bytes) -> Element:
    """Read a document that has no document type, and so no entities of its own."""
    builder = TreeBuilder()
    parser = expat.ParserCreate()
    depth = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > 50:
            raise FileFormatError("expected an annotation, got elements nested more than 50 deep")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    def refuse(*_: Any) -> None:
        raise FileFormatError("expected XML without a document type (<!DOCTYPE>)")

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(data, True)
        return builder.close()
    except (expat.ExpatError, AssertionError, ValueError, LookupError) as error:
        if isinstance(error, FileFormatError):
            raise
        raise FileFormatError(f"expected XML: {error}") from error


def _image_set(folder: str, image_set: str) -> list[str]:
    if os.path.basename(image_set) != image_set:
        raise ConfigError(f"image_set: expected a name like 'train', got {image_set!r}")
    path = os.path.join(folder, "ImageSets", "Main", f"{image_set}.txt")
    lines = _text(path).splitlines()
    names = [line.split()[0] for line in lines if line.strip()]
    for name in names:
        if os.path.basename(name) != name:
            raise FileFormatError(f"{path}: expected names of pictures, got {name!r}")
    return names


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
            content = json.loads(_read(path, _MOST_JSON))
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
            raise ConfigError(f"{path}: class_names: expected some of {by_id}, got {unknown}")
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
    folder = _folder(directory)
    pictures = _one_of(folder, ("images",)) or folder
    texts = _one_of(folder, ("labels",)) or folder
    classes = number_classes({}, class_names if class_names is not None else
                             _class_file(folder, texts))  # fmt: skip
    listed = _by_stem(pictures)
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
            for number, line in enumerate(_text(path).splitlines(), start=1):
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
                return [line.strip() for line in _text(path).splitlines() if line.strip()]
    raise ConfigError(
        f"{folders[0]}: expected class_names, or a file classes.txt with a name in each line"
    )


# ---- files --------------------------------------------------------------------------------------


def _folder(directory: StrPath) -> str:
    folder = os.fspath(directory)
    if not os.path.isdir(folder):
        kind = FileAccessError if os.path.exists(folder) else MissingFileError
        raise kind(f"{folder}: expected a folder")
    return folder


def _one_of(folder: str, names: Sequence[str]) -> str | None:
    paths = (os.path.join(folder, name) for name in names)
    return next((path for path in paths if os.path.isdir(path)), None)


def _list(folder: str, suffix: str) -> list[str]:
    return [name for name in _names(folder) if name.lower().endswith(suffix) and name[0] != "."]


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError as error:
        raise FileAccessError(f"{folder}: {error}") from error


def _by_stem(folder: str) -> dict[str, str]:
    """The pictures of a folder by their names without suffix."""
    found = {}
    for name in sorted(_names(folder)):
        stem, suffix = os.path.splitext(name)
        if suffix.lower() in IMAGE_SUFFIXES and not name.startswith("."):
            found[stem] = name
    return found


def _read(path: str, most: int) -> bytes:
    with open_binary(path) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise FileFormatError(f"expected an annotation of at most {most} bytes, got more")
    return data


def _text(path: str) -> str:
    with naming(path):
        try:
            return _read(path, _MOST_TEXT).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise FileFormatError(f"expected text in UTF-8: {error}") from error
