"""``fastcnn face``: its commands and their options; what they do is imported when they run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fastcnn.cli.outputs import file_to_write

face_app = typer.Typer(
    name="face", help="Find faces, and tell whose they are.", no_args_is_help=True
)

_EXIT_DIFFERENT = 1

PICTURES = typer.Argument(metavar="PICTURE...", help="Files, folders or patterns (*.jpg).")
MODEL = typer.Option(help="The encoder: dlib, facenet, or openface (needs --weights).")
WEIGHTS = typer.Option(
    metavar="PATH", help="Weights for it; the published ones on this machine if not given."
)
MIN_FACE_SIZE = typer.Option(min=12, help="In pixels; smaller faces are passed over.")
JSON = typer.Option("--json", help="Print JSON and nothing else.")


@face_app.command(
    epilog="Examples:\n\nfastcnn face embed anna.jpg ben.jpg -o encodings.npz\n\n"
    "fastcnn face embed party.jpg --faces all --json\n\n"
    "fastcnn face embed photos/ --skip -o encodings.json"
)
def embed(
    pictures: Annotated[list[str], PICTURES],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Where to: ends in .npz or .json.",
            callback=file_to_write,
        ),
    ] = None,
    model: Annotated[str, MODEL] = "dlib",
    weights: Annotated[Path | None, WEIGHTS] = None,
    faces: Annotated[
        str,
        typer.Option(help="one: more are an error; largest; or all: a row for each, maybe none."),
    ] = "one",
    min_face_size: Annotated[float, MIN_FACE_SIZE] = 20,
    skip: Annotated[
        bool, typer.Option("--skip", help="Leave out pictures that cannot be used, and say so.")
    ] = False,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Turn the faces of pictures into vectors: those of one person are near each other."""
    from fastcnn.cli.face_encoding import (
        check_output,
        embed_pictures,
        print_embedded,
        write_embedded,
    )

    if output is not None:
        check_output(output)
    elif not as_json:
        raise typer.BadParameter("expected a file to write (-o encodings.npz), or --json")
    found = embed_pictures(pictures, model, weights, faces, min_face_size, skip)
    if output is not None:
        write_embedded(output, found)
    print_embedded(found, output, as_json)


@face_app.command(
    epilog="Exits with 0 if it is the same person, 1 if not, 2 if that cannot be told.\n\n"
    "Examples:\n\nfastcnn face verify camera.jpg passport.jpg\n\n"
    "fastcnn face verify a.jpg b.jpg --model facenet --faces largest --json"
)
def verify(
    first: Annotated[str, typer.Argument(metavar="A", help="A picture.")],
    second: Annotated[str, typer.Argument(metavar="B", help="Another.")],
    model: Annotated[str, MODEL] = "dlib",
    weights: Annotated[Path | None, WEIGHTS] = None,
    threshold: Annotated[
        float | None,
        typer.Option(min=0, help="The largest distance that counts as same; the encoder's own."),
    ] = None,
    faces: Annotated[
        str, typer.Option(help="one: more in a picture are an error; or largest.")
    ] = "one",
    min_face_size: Annotated[float, MIN_FACE_SIZE] = 20,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Tell whether two pictures show the same person."""
    from fastcnn.cli.face_encoding import print_verification
    from fastcnn.faces import encoder, verify as verify_pictures

    answer = verify_pictures(
        first, second, encoder(model, weights), threshold=threshold, faces=faces,
        min_face_size=min_face_size,
    )  # fmt: skip
    print_verification(first, second, answer, as_json)
    if not answer.same:
        raise typer.Exit(_EXIT_DIFFERENT)
