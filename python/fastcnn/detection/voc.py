"""Pascal VOC's annotations: an XML file for each picture.

Files may come from anywhere: a document type, which could make a few bytes grow to gigabytes, is
refused, as are files of absurd size, and names lead to no other folder.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from fastcnn.detection._annotation_files import (
    first_folder,
    folder_of,
    names_in,
    pictures_by_stem,
    read_file,
    read_text,
)
from fastcnn.detection.examples import BoxChecker, Example, Examples, number_classes
from fastcnn.errors import ConfigError, FileFormatError, MissingFileError
from fastcnn.io._files import StrPath, naming

_MOST_XML = 2**24

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
    folder = folder_of(directory)
    where = first_folder(folder, _ANNOTATIONS) or folder
    pictures = first_folder(folder, _PICTURES) or folder
    names = names_in(where, ".xml")
    if image_set is not None:
        names = [f"{name}.xml" for name in _image_set(folder, image_set)]
    if not names:
        raise FileFormatError(f"{where}: expected .xml files, found none")
    checker = BoxChecker(on_error)
    listed = pictures_by_stem(pictures)
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
        root = _parse_xml(read_file(path, _MOST_XML))
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
    lines = read_text(path).splitlines()
    names = [line.split()[0] for line in lines if line.strip()]
    for name in names:
        if os.path.basename(name) != name:
            raise FileFormatError(f"{path}: expected names of pictures, got {name!r}")
    return names
