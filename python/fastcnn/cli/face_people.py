"""``fastcnn face``: the commands about people who are known, or to be found out; their options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fastcnn.cli.face import JSON, MIN_FACE_SIZE, MODEL, PICTURES, WEIGHTS, face_app
from fastcnn.cli.outputs import file_to_write

__all__ = ["face_app"]

_EXIT_NOBODY = 1

_GALLERY = typer.Argument(metavar="GALLERY", help="The file of people.")
_SKIP = typer.Option("--skip", help="Leave out pictures that cannot be used, and say so.")
_FACES = typer.Option(help="one: more in a picture are an error; or largest.")
_THRESHOLD = typer.Option(min=0, help="The largest distance that counts as the same person.")


@face_app.command(
    epilog="The gallery is made if it is not there. When something is wrong with a picture, it "
    "stays as it was.\n\nExamples:\n\nfastcnn face enroll team.gallery Ada ada.jpg\n\n"
    "fastcnn face enroll team.gallery Grace photos/grace/*.jpg --skip\n\n"
    "fastcnn face enroll team.gallery Ada newer.jpg --replace --threshold 0.55"
)
def enroll(
    gallery: Annotated[
        Path,
        typer.Argument(metavar="GALLERY", help="The file of people.", callback=file_to_write),
    ],
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who it is.")],
    pictures: Annotated[list[str], PICTURES],
    model: Annotated[
        str | None, typer.Option(help="The encoder, of a new gallery: dlib, facenet or openface.")
    ] = None,
    weights: Annotated[Path | None, WEIGHTS] = None,
    threshold: Annotated[
        float | None,
        typer.Option(min=0, help="Keep this in the gallery; the encoder's own at first."),
    ] = None,
    faces: Annotated[str, _FACES] = "one",
    min_face_size: Annotated[float, MIN_FACE_SIZE] = 20,
    skip: Annotated[bool, _SKIP] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Forget the pictures of this name so far.")
    ] = False,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Add somebody to a gallery; one picture is enough."""
    from fastcnn.cli.face_gallery import enroll as run_enrolment, print_enrolled

    result = run_enrolment(
        gallery, name, pictures, model, weights, threshold, faces, min_face_size, skip, replace
    )
    print_enrolled(result, as_json)


@face_app.command(
    epilog="Exits with 0 if somebody is known, 1 if nobody is, 2 if that cannot be told.\n\n"
    "Examples:\n\nfastcnn face identify team.gallery party.jpg\n\n"
    "fastcnn face identify team.gallery photos/ --top 3 --threshold 0.5 --json"
)
def identify(
    gallery: Annotated[Path, _GALLERY],
    pictures: Annotated[list[str], PICTURES],
    weights: Annotated[Path | None, WEIGHTS] = None,
    threshold: Annotated[
        float | None,
        typer.Option(min=0, help="The largest distance that counts as known; the gallery's own."),
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="How many of the nearest people to name.")] = 1,
    min_face_size: Annotated[float, MIN_FACE_SIZE] = 20,
    skip: Annotated[bool, _SKIP] = False,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Tell whose the faces in pictures are, of the people in a gallery."""
    from fastcnn.cli.face_gallery import identify as run_identification, print_identified

    found, without = run_identification(
        gallery, pictures, weights, threshold, top, min_face_size, skip
    )
    print_identified(found, without, as_json)
    if all(face.name is None for face in found):
        raise typer.Exit(_EXIT_NOBODY)


@face_app.command(
    epilog="Examples:\n\nfastcnn face evaluate people/ --far 0.01\n\n"
    "fastcnn face evaluate lfw/ --pairs pairs.txt --faces largest --skip\n\n"
    "fastcnn face evaluate people/ --model facenet --roc roc.csv --json"
)
def evaluate(
    directory: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="A folder with a folder of pictures for each person."),
    ],
    pairs: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Pairs in the format of LFW's pairs.txt; else all."),
    ] = None,
    far: Annotated[
        float, typer.Option(min=0, max=1, help="Find the threshold for this rate of false accepts.")
    ] = 0.001,
    model: Annotated[str, MODEL] = "dlib",
    weights: Annotated[Path | None, WEIGHTS] = None,
    faces: Annotated[str, _FACES] = "one",
    min_face_size: Annotated[float, MIN_FACE_SIZE] = 20,
    roc: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the ROC curve, as CSV.", callback=file_to_write),
    ] = None,
    skip: Annotated[bool, _SKIP] = False,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Tell how well an encoder verifies people: ROC, equal error rate, thresholds."""
    from fastcnn.cli.face_gallery import evaluate as run_evaluation, print_evaluation, write_roc

    result = run_evaluation(directory, pairs, far, model, weights, faces, min_face_size, skip)
    if roc is not None:
        write_roc(roc, result.curve)
    print_evaluation(result, as_json)


@face_app.command(
    epilog="Examples:\n\nfastcnn face cluster photos/\n\n"
    "fastcnn face cluster photos/*.jpg --threshold 0.5 --json"
)
def cluster(
    pictures: Annotated[list[str], PICTURES],
    model: Annotated[str, MODEL] = "dlib",
    weights: Annotated[Path | None, WEIGHTS] = None,
    threshold: Annotated[float | None, _THRESHOLD] = None,
    method: Annotated[
        str, typer.Option(help="chinese_whispers; or connected: a chain of neighbours is enough.")
    ] = "chinese_whispers",
    min_face_size: Annotated[float, MIN_FACE_SIZE] = 20,
    skip: Annotated[bool, _SKIP] = False,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Group the faces of pictures by person, whoever they are."""
    from fastcnn.cli.face_gallery import cluster as run_clustering, print_clusters

    found, clusters = run_clustering(
        pictures, model, weights, threshold, method, min_face_size, skip
    )
    print_clusters(found, clusters, as_json)
