"""``fastcnn weights``: published weights by name."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from fastcnn.applications.pretrained import PRETRAINED, find


def list_weights() -> None:
    """Print a line for each name: what it was trained on, format, licence, source."""
    columns = ("name", "trained on", "format", "licence", "source")
    rows = [columns] + [
        (name, known.data, known.format, known.licence, known.source)
        for name, known in sorted(PRETRAINED.items())
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(len(columns) - 1)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        print("  ".join([*cells, row[-1]]))


def get_weights(name: str) -> None:
    """Print where weights are, after they have been downloaded if need be."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task(name, visible=False)

        def show(done: int, total: int | None) -> None:
            bar.update(task, completed=done, total=total, visible=True)

        path = find(name, show)
    print(path)
