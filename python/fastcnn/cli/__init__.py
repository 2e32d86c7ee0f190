"""The command ``fastcnn``."""

from __future__ import annotations

import sys

from fastcnn._optional import import_optional
from fastcnn.errors import MissingDependencyError


def main() -> None:
    """Run the command; without the packages it needs, tell how to install them."""
    try:
        for package in ("typer", "rich"):
            import_optional(package, extra="cli")
    except MissingDependencyError as error:
        sys.exit(f"fastcnn: {error}")
    from fastcnn.cli.app import run

    run()
