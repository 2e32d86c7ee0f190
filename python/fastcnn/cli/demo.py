"""``fastcnn demo``: every application on a few pictures."""

from __future__ import annotations

import json
import sys
import webbrowser
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from fastcnn.cli.classify import Result, print_table
from fastcnn.demo.page import write_page
from fastcnn.demo.poster import classify_samples, draw_results
from fastcnn.demo.sections import Given, Section, run_sections

PAGES = (".html", ".htm")


def demo(
    given: Given, output: Path, open_it: bool = False, as_json: bool = False
) -> list[Section] | None:
    """Write the page, or the picture of the classifications alone.

    Parameters
    ----------
    given : Given
    output : pathlib.Path
        A ``.html`` file for the page; ``.png``, ``.pdf`` or ``.svg`` for the picture.
    open_it : bool, default False
        Show it in the browser.
    as_json : bool, default False
        Print nothing on the way.

    Returns
    -------
    list of Section or None
        What the page shows.

    Raises
    ------
    FastcnnError
        A picture cannot be read, or the file cannot be written.
    """
    sections = None
    if output.suffix.lower() in PAGES:
        sections = _sections(given, quiet=as_json)
        write_page(output, sections)
    else:
        results = classify_samples(given.photos)
        if not as_json:
            print_table([Result(Path(file).name, found) for file, found in results])
        draw_results(results, output)
    if open_it:
        webbrowser.open(output.resolve().as_uri())
    return sections


def _sections(given: Given, quiet: bool) -> list[Section]:
    """Compute the sections, and tell of each as it is done."""
    console = Console(stderr=True, quiet=quiet)
    made: list[Section] = []
    with console.status("") as status:
        for section in run_sections(given):
            if not made or made[-1] is not section:
                made.append(section)
                status.update(section.title)
                continue
            if section.missing and not section.figures:
                console.print(f"[yellow]-[/] {section.title}: ", end="")
                console.print(section.missing, markup=False, highlight=False)
            else:
                seconds = sum(taken for _, taken in section.times)
                console.print(f"[green]✓[/] {section.title} ({seconds:.1f} s)", highlight=False)
    return made


def print_json(output: Path, sections: Sequence[Section] | None) -> None:
    """Write one JSON object to stdout."""
    described = {
        "output": str(output),
        "sections": [
            {
                "title": section.title,
                "pictures": len(section.figures),
                "seconds": {what: round(taken, 4) for what, taken in section.times},
                "left_out": section.missing or None,
            }
            for section in sections or ()
        ],
    }
    sys.stdout.write(json.dumps(described, indent=2) + "\n")
