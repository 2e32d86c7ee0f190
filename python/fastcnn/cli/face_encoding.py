"""``fastcnn face embed`` and ``verify``: pictures in, vectors or an answer out."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastcnn._checks import one_of
from fastcnn.cli.classify import find_photos
from fastcnn.errors import ConfigError, FastcnnError
from fastcnn.faces import Encoder, Faces, Verification, encoder
from fastcnn.faces.encoders import encode_parts, find_face
from fastcnn.faces.mtcnn import detect
from fastcnn.io._files import StrPath
from fastcnn.io.atomic import atomic_write
from fastcnn.io.images import load_image

_T = TypeVar("_T")


@dataclass(frozen=True)
class Embedded:
    """Faces of pictures and their vectors: a row for each face.

    Attributes
    ----------
    model : Encoder
    files : list of str
        The picture of each face.
    faces : Faces
    vectors : numpy.ndarray, float32, shape (n, embedding_size)
    """

    model: Encoder
    files: list[str]
    faces: Faces
    vectors: NDArray[np.float32]


def embed_pictures(
    given: Sequence[str],
    model: str,
    weights: StrPath | None,
    faces: str,
    min_face_size: float,
    skip: bool,
) -> Embedded:
    """Find and encode the faces of files, folders or patterns.

    Raises
    ------
    FastcnnError
        A picture cannot be used, and `skip` is not set; or none can.
    """
    one_of("face embed", "--faces", faces, ("one", "largest", "all"))
    chosen = encoder(model, weights)
    files: list[str] = []
    found: list[Faces] = []
    pictures = find_photos(given)

    def align() -> Iterator[NDArray[Any]]:
        for path in with_progress(pictures, "Encoding faces"):
            try:
                picture = load_image(path)
                if faces == "all":
                    these = detect(picture, min_face_size=min_face_size)
                else:
                    these = find_face(picture, faces, min_face_size, path)
            except FastcnnError as error:
                if not skip:
                    raise
                print(f"fastcnn: left out: {error}", file=sys.stderr)
                continue
            files.extend([path] * len(these.scores))
            found.append(these)
            yield chosen.align(picture, these)

    vectors = encode_parts(chosen, align())
    if not found:
        raise ConfigError(f"expected a picture that can be used, all {len(pictures)} were left out")
    together = Faces(*(np.concatenate(parts) for parts in zip(*found, strict=True)))
    return Embedded(chosen, files, together, vectors)


def with_progress(items: Sequence[_T], title: str) -> Iterator[_T]:
    """Go through items with a bar on the terminal, if there is one and they are many."""
    if len(items) < 2 or not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import track

    yield from track(items, title, console=Console(stderr=True), transient=True)


def check_output(path: StrPath) -> str:
    """Tell what kind of file is to be written, "npz" or "json", before anything is computed.

    Raises
    ------
    ConfigError
        It is neither.
    """
    suffix = str(path).rpartition(".")[2].lower()
    if suffix not in ("npz", "json"):
        raise ConfigError(f"{path}: expected a file that ends in .npz or .json")
    return suffix


def write_embedded(path: StrPath, found: Embedded) -> None:
    """Write vectors to a file, whole or not at all.

    A ``.npz`` file has the arrays ``files``, ``boxes``, ``landmarks``, ``scores``, ``encodings``,
    with a row for each face, and ``model``; ``numpy.load`` reads it. A ``.json`` file is what
    ``--json`` prints.

    Raises
    ------
    ConfigError
        The file has another suffix.
    FileAccessError
        It cannot be written.
    """
    suffix = check_output(path)
    with atomic_write(path) as partial:
        if suffix == "json":
            partial.write_text(json.dumps(_describe(found), allow_nan=False))
            return
        with open(partial, "wb") as file:
            np.savez(
                file, files=np.array(found.files, np.str_), encodings=found.vectors,
                model=np.array(found.model.name), **found.faces._asdict(),
            )  # fmt: skip


def _describe(found: Embedded) -> dict[str, Any]:
    rows: Iterable[Any] = zip(found.files, *found.faces, found.vectors, strict=True)
    return {
        "model": found.model.name,
        "faces": [
            {
                "file": file,
                "box": box.tolist(),
                "landmarks": landmarks.tolist(),
                "score": float(score),
                "encoding": vector.tolist(),
            }
            for file, box, landmarks, score, vector in rows
        ],
    }


def print_embedded(found: Embedded, output: StrPath | None, as_json: bool) -> None:
    """Write JSON to stdout, or tell what is in the file."""
    if as_json:
        sys.stdout.write(json.dumps(_describe(found), allow_nan=False) + "\n")
        return
    pictures = len(set(found.files))
    print(
        f"Written: {output}, {len(found.files)} face(s) of {pictures} picture(s), "
        f"{found.model.embedding_size} numbers each ({found.model.name})"
    )


def print_verification(first: str, second: str, answer: Verification, as_json: bool) -> None:
    """Write the answer to stdout."""
    if as_json:
        described = {"a": first, "b": second, **answer._asdict()}
        sys.stdout.write(json.dumps(described, allow_nan=False) + "\n")
        return
    verdict, sign = ("Same person", "<=") if answer.same else ("Different people", ">")
    print(
        f"{verdict}: {answer.metric} distance {answer.distance:.3f} {sign} {answer.threshold:g} "
        f"({answer.model})"
    )
