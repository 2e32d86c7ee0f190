"""``fastcnn face enroll``, ``identify``, ``evaluate`` and ``cluster``: what they do and print."""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastcnn.cli.classify import find_photos
from fastcnn.cli.face_encoding import Embedded, embed_pictures
from fastcnn.data._folders import list_pictures
from fastcnn.errors import ConfigError, FileAccessError, MissingFileError
from fastcnn.faces import (
    Calibration,
    FaceClusters,
    FacePair,
    Gallery,
    LFWResult,
    Match,
    RocCurve,
    lfw_protocol,
    make_pairs,
    pair_distances,
    read_lfw_pairs,
    roc_curve,
)
from fastcnn.io.atomic import atomic_write

_MODEL = "dlib"
# Pairs of a folder grow with the square of its pictures.
_MOST_PAIRS = 10**6
_SHOWN_RATES = (0.1, 0.01, 0.001, 0.0001)


def print_json(described: Any) -> None:
    """Write JSON to stdout."""
    # ASCII, so that any terminal and any name will do; NaN and infinity are no JSON.
    sys.stdout.write(json.dumps(described, indent=2, allow_nan=False) + "\n")


# ---- enroll --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Enrolled:
    """Somebody who was added to a gallery.

    Attributes
    ----------
    gallery, name : str
    added, encodings, people : int
        How many pictures were added, how many encodings the person has now, and how many people
        the gallery.
    similar : Match or None
        Somebody else who is nearer to a picture than the threshold.
    """

    gallery: str
    name: str
    added: int
    encodings: int
    people: int
    similar: Match | None


def enroll(
    path: Path,
    name: str,
    pictures: Sequence[str],
    model: str | None,
    weights: Path | None,
    threshold: float | None,
    faces: str,
    min_face_size: float,
    skip: bool,
    replace: bool,
) -> Enrolled:
    """Add pictures of somebody to a gallery; the file is as before when something is wrong.

    Raises
    ------
    FastcnnError
        A picture has not one face, the gallery cannot be read or written, or was made by another
        encoder.
    """
    state = _state(path)
    gallery = Gallery.load(path) if state is not None else Gallery()
    model = _model_of(path, gallery, model)
    found = embed_pictures(pictures, model, weights, faces, min_face_size, skip)
    if not gallery.names:
        gallery = Gallery(found.model.metric, gallery.threshold, found.model.name)
    if threshold is not None:
        gallery.threshold = threshold
    elif gallery.threshold is None:
        gallery.threshold = found.model.threshold
    similar = _similar(gallery, name, found.vectors)
    if replace and name in gallery:
        gallery.remove(name)
    gallery.add(name, found.vectors)
    if _state(path) != state:
        raise FileAccessError(
            f"{path}: another program changed the gallery meanwhile; nothing was written, run the "
            "command again"
        )
    gallery.save(path)
    count = len(gallery.encodings(name))
    return Enrolled(str(path), name, len(found.files), count, len(gallery.names), similar)


def _state(path: Path) -> tuple[int, int, int] | None:
    """By what one sees that a file was replaced; None: there is none."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise FileAccessError(f"{path}: {error}") from error
    return status.st_ino, status.st_mtime_ns, status.st_size


def _model_of(path: Path, gallery: Gallery, given: str | None) -> str:
    if gallery.names and gallery.encoder is not None:
        if given not in (None, gallery.encoder):
            raise ConfigError(
                f"{path}: its encodings were made by {gallery.encoder}, which --model {given} "
                "cannot be compared with"
            )
        return gallery.encoder
    return _MODEL if given is None else given


def _similar(gallery: Gallery, name: str, vectors: NDArray[np.float32]) -> Match | None:
    matches = [m for found in gallery.search(vectors, k=2, threshold=gallery.threshold)
               for m in found if m.name != name]  # fmt: skip
    return min(matches, key=lambda match: match.distance, default=None)


def print_enrolled(result: Enrolled, as_json: bool) -> None:
    """Tell who was added."""
    if result.similar is not None:
        print(
            f"fastcnn: {result.name} looks like {result.similar.name}: distance "
            f"{result.similar.distance:.3f}",
            file=sys.stderr,
        )
    if as_json:
        described = {**vars(result), "similar": result.similar and result.similar._asdict()}
        print_json(described)
        return
    print(
        f"{result.name}: {result.added} picture(s) added, {result.encodings} in all. "
        f"{result.gallery}: {result.people} people"
    )


# ---- identify ------------------------------------------------------------------------------------


class Identified(NamedTuple):
    """A face of a picture, and who it may be.

    Attributes
    ----------
    file : str
    box : list of float
        x1, y1, x2, y2 in pixels.
    name : str or None
    matches : list of Match
        The nearest people, near enough or not.
    """

    file: str
    box: list[float]
    name: str | None
    matches: list[Match]


def identify(
    path: Path,
    pictures: Sequence[str],
    weights: Path | None,
    threshold: float | None,
    top: int,
    min_face_size: float,
    skip: bool,
) -> tuple[list[Identified], list[str]]:
    """Tell whose the faces of pictures are.

    Returns
    -------
    faces : list of Identified
    without : list of str
        Pictures in which there is no face.
    """
    gallery = Gallery.load(path)
    if not gallery.names:
        raise ConfigError(f"{path}: the gallery is empty; fastcnn face enroll adds people")
    limit = gallery.threshold if threshold is None else threshold
    if limit is None:
        raise ConfigError(f"{path}: the gallery has no threshold: expected --threshold")
    files = find_photos(pictures)
    model = _model_of(path, gallery, None)
    found = embed_pictures(files, model, weights, "all", min_face_size, skip)
    faces = []
    for file, box, matches in zip(
        found.files, found.faces.boxes, gallery.search(found.vectors, k=top), strict=True
    ):
        near = matches[0].distance <= limit
        faces.append(Identified(file, box.tolist(), matches[0].name if near else None, matches))
    there = set(found.files)
    return faces, [file for file in files if file not in there]


def print_identified(faces: list[Identified], without: list[str], as_json: bool) -> None:
    """Write a line for each face, those of a picture from left to right."""
    if as_json:
        described = [
            {**face._asdict(), "matches": [m._asdict() for m in face.matches]} for face in faces
        ]
        print_json({"faces": described, "without_face": without})
        return
    for face in sorted(faces, key=lambda f: (f.file, f.box[0])):
        x, y = (round(v) for v in face.box[:2])
        nearest = ", ".join(f"{m.name} {m.distance:.3f}" for m in face.matches)
        print(f"{face.file} ({x}, {y}): {face.name or 'unknown'} ({nearest})")
    for file in without:
        print(f"{file}: no face")


# ---- evaluate ------------------------------------------------------------------------------------


class Evaluation(NamedTuple):
    """How well an encoder verifies the faces of a folder.

    Attributes
    ----------
    model : str
    pictures, people : int
    curve : RocCurve
    calibrated : Calibration
        For the wanted rate of false accepts.
    lfw : LFWResult or None
        With a list of pairs in several folds.
    left_out : int
        Pairs with a picture that could not be used.
    """

    model: str
    pictures: int
    people: int
    curve: RocCurve
    calibrated: Calibration
    lfw: LFWResult | None
    left_out: int


def evaluate(
    directory: Path,
    pairs: Path | None,
    far: float,
    model: str,
    weights: Path | None,
    faces: str,
    min_face_size: float,
    skip: bool,
) -> Evaluation:
    """Verify pairs of a folder that has a folder of pictures for each person.

    Raises
    ------
    FastcnnError
        The folder or the list cannot be read, a picture has not one face (unless `skip`), or there
        are no pairs of both kinds.
    """
    if pairs is None:
        listing = list_pictures(directory, "inferred", "int", None, follow_links=False)
        assert listing.labels is not None
        people = dict(zip(listing.paths, listing.labels.tolist(), strict=True))
        found = embed_pictures(listing.paths, model, weights, faces, min_face_size, skip)
        first, second, same = make_pairs(
            [people[file] for file in found.files], balanced=False, limit=_MOST_PAIRS
        )
        folds, left_out = None, 0
    else:
        listed = read_lfw_pairs(pairs)
        people = _people_of(directory, pairs, listed)
        found = embed_pictures(list(people), model, weights, faces, min_face_size, skip)
        rows = {file: row for row, file in enumerate(found.files)}
        places = [(rows.get(_path(directory, pair.first)), rows.get(_path(directory, pair.second)))
                  for pair in listed]  # fmt: skip
        usable = [i for i, place in enumerate(places) if None not in place]
        if not usable:
            raise ConfigError(f"{pairs}: no pair is left whose pictures can be used")
        first, second = np.array([places[i] for i in usable], np.intp).T
        same = np.array([listed[i].same for i in usable])
        folds, left_out = [listed[i].fold for i in usable], len(listed) - len(usable)
    distances = pair_distances(found.vectors[first], found.vectors[second], found.model.metric)
    curve = roc_curve(same, distances)
    return Evaluation(
        found.model.name,
        len(found.files),
        len({people[file] for file in found.files}),
        curve,
        curve.at(curve.threshold_at_far(far)),
        lfw_protocol(same, distances, folds) if folds and len(set(folds)) > 1 else None,
        left_out,
    )


def _path(directory: Path, name: str) -> str:
    """Where a picture of a list lies."""
    return os.path.join(directory, *name.split("/"))


def _people_of(directory: Path, pairs: Path, listed: list[FacePair]) -> dict[str, Any]:
    """The pictures of a list, and whose they are."""
    names = sorted({name for pair in listed for name in (pair.first, pair.second)})
    people = {_path(directory, name): name.split("/")[0] for name in names}
    missing = [path for path in people if not os.path.isfile(path)]
    if missing:
        raise MissingFileError(
            f"{pairs}: {len(missing)} of {len(people)} pictures are not there, the first is "
            f"{missing[0]}"
        )
    return people


def write_roc(path: Path, curve: RocCurve) -> None:
    """Write threshold, FAR, TAR and FRR as CSV, whole or not at all."""
    with atomic_write(path) as partial, open(partial, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["threshold", "far", "tar", "frr"])
        writer.writerows(
            zip(curve.thresholds[1:], curve.far[1:], curve.tar[1:], curve.frr[1:], strict=True)
        )


def print_evaluation(result: Evaluation, as_json: bool) -> None:
    """Tell the rates."""
    curve, at, lfw = result.curve, result.calibrated, result.lfw
    best = curve.best_threshold()
    measurable = [far for far in _SHOWN_RATES if far * curve.impostors >= 1]
    if as_json:
        print_json(
            {
                "model": result.model,
                "pictures": result.pictures,
                "people": result.people,
                "pairs_left_out": result.left_out,
                "auc": curve.auc,
                "eer": curve.eer,
                "best": {"threshold": best, "accuracy": curve.accuracy(best)},
                "tar_at_far": {str(far): curve.tar_at_far(far) for far in measurable},
                "calibrated": at._asdict(),
                "lfw": None if lfw is None else {
                    "accuracy": lfw.accuracy,
                    "standard_error": lfw.standard_error,
                    "accuracies": lfw.accuracies.tolist(),
                    "thresholds": lfw.thresholds.tolist(),
                },
            }
        )  # fmt: skip
        return
    print(
        f"{result.model}: {result.pictures} pictures of {result.people} people, {at.genuine} pairs "
        f"of one person, {at.impostors} of two"
        + (f"; {result.left_out} pairs left out" if result.left_out else "")
    )
    print(f"AUC {curve.auc:.4f}, equal error rate {curve.eer:.2%}")
    print(f"Best threshold {best:.3f}: {curve.accuracy(best):.2%} of the pairs right")
    rates = ", ".join(f"{curve.tar_at_far(far):.2%} at {far:g}" for far in measurable)
    if rates:
        print(f"True accepts at false accepts: {rates}")
    low, high = at.far_interval
    print(
        f"For the wanted rate of false accepts: threshold {at.threshold:.4f}, false accepts "
        f"{at.far:.3%} (95 % sure: {low:.3%} to {high:.3%}), true accepts {at.tar:.2%}"
    )
    if lfw is not None:
        print(f"LFW protocol: accuracy {lfw.accuracy:.4f} +- {lfw.standard_error:.4f}")


# ---- cluster -------------------------------------------------------------------------------------


def cluster(
    pictures: Sequence[str],
    model: str,
    weights: Path | None,
    threshold: float | None,
    method: str,
    min_face_size: float,
    skip: bool,
) -> tuple[Embedded, FaceClusters]:
    """Group the faces of pictures by person."""
    clusters = FaceClusters(0.0 if threshold is None else threshold, method=method)  # checks first
    found = embed_pictures(pictures, model, weights, "all", min_face_size, skip)
    limit = found.model.threshold if threshold is None else threshold
    clusters = FaceClusters(limit, found.model.metric, method)
    if len(found.files):
        clusters.add(found.vectors)
    return found, clusters


def print_clusters(found: Embedded, clusters: FaceClusters, as_json: bool) -> None:
    """Write the faces of each group, the largest group first."""
    groups = clusters.clusters()
    boxes = found.faces.boxes
    if as_json:
        print_json(
            [
                [{"file": found.files[i], "box": boxes[i].tolist()} for i in group]
                for group in groups
            ]
        )
        return
    for number, group in enumerate(groups, start=1):
        print(f"Person {number}: {len(group)} face(s)")
        for i in group:
            x, y = (round(float(v)) for v in boxes[i, :2])
            print(f"  {found.files[i]} ({x}, {y})")
    if not groups:
        print("No face")
