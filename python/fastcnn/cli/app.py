"""The commands and their options; what they do is imported when they run, so that help is fast."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from fastcnn.errors import FastcnnError

# What was given does not work: an option, a photo, a file of weights. (Click's number, too.)
_EXIT_WRONG_INPUT = 2

app = typer.Typer(
    name="fastcnn",
    help="Convolutional networks on the CPU.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def run() -> None:
    """Run the command of ``sys.argv``; an error of the library becomes one line on stderr."""
    try:
        app()
    except FastcnnError as error:
        print(f"fastcnn: {error}", file=sys.stderr)
        sys.exit(_EXIT_WRONG_INPUT)
    except BrokenPipeError:  # ``fastcnn ... | head``
        sys.stderr.close()
        sys.exit(1)


@app.command()
def classify(
    photos: Annotated[
        list[str], typer.Argument(metavar="PHOTO...", help="Files, folders or patterns (*.jpg).")
    ],
    model: Annotated[
        str, typer.Option(help="A network of fastcnn.applications, e.g. resnet50.")
    ] = "efficientnet_lite0",
    weights: Annotated[
        Path | None,
        typer.Option(
            help="A file of weights for it; those of ImageNet on this machine if not given."
        ),
    ] = None,
    top: Annotated[int, typer.Option(min=1, max=1000, help="How many classes to name.")] = 5,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON list and nothing else.")
    ] = False,
) -> None:
    """Tell what is in photos: ImageNet's 1000 classes."""
    from fastcnn.cli.classify import classify_photos, find_photos, print_json, print_table

    results = classify_photos(find_photos(photos), model, weights, top)
    if as_json:
        print_json(results)
    else:
        print_table(results)


@app.command()
def bench(
    model: Annotated[
        str,
        typer.Argument(help="A network of fastcnn.applications, or a file that Model.save wrote."),
    ] = "resnet50",
    size: Annotated[
        int | None, typer.Option(min=1, help="Height and width; the network's own if not given.")
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Pictures at once.")] = 1,
    threads: Annotated[
        int | None, typer.Option(min=1, max=4096, help="All that may be used if not given.")
    ] = None,
    precision: Annotated[str, typer.Option(help="highest, high or medium.")] = "highest",
    seconds: Annotated[float, typer.Option(min=0, help="How long to measure.")] = 3.0,
    profile: Annotated[
        bool, typer.Option("--profile", help="Also tell kernel, time and speed of each step.")
    ] = False,
    autotune: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Choose kernels by measurement; look up and keep times in FILE."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object and nothing else.")
    ] = False,
) -> None:
    """Tell how long a network takes on this machine."""
    from fastcnn.cli.bench import bench as measure, print_json, print_report

    report = measure(model, size, batch, threads, precision, seconds, profile, autotune)
    if as_json:
        print_json(report)
    else:
        print_report(report)


@app.command()
def demo(
    output: Annotated[Path, typer.Option(help="Where to draw the results.")] = Path("results.png"),
) -> None:
    """Classify pictures that come with scikit-image, and draw the results."""
    from fastcnn.cli.classify import Result, print_table
    from fastcnn.demo import classify_samples, draw_results

    results = classify_samples()
    print_table([Result(Path(file).name, predictions) for file, predictions in results])
    draw_results(results, output)
    print(f"Drawn: {output}")


@app.command()
def info() -> None:
    """Tell what this build and this machine offer."""
    from fastcnn.config import show_config

    show_config()
