"""``fastcnn face``: its commands and their options; what they do is imported when they run."""

from __future__ import annotations

from typing import Annotated

import typer

face_app = typer.Typer(
    name="face", help="Find faces, and tell whose they are.", no_args_is_help=True
)


@face_app.command()
def embed(
    pictures: Annotated[list[str], typer.Argument(metavar="PICTURE...")],
) -> None:
    """Turn the faces of pictures into vectors."""


@face_app.command()
def verify(
    first: Annotated[str, typer.Argument(metavar="A")],
    second: Annotated[str, typer.Argument(metavar="B")],
) -> None:
    """Tell whether two pictures show the same person."""
