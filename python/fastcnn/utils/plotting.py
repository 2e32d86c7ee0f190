"""Models as drawings, by Graphviz."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

from fastcnn import _tree
from fastcnn.errors import ConfigError, FastcnnError, MissingDependencyError
from fastcnn.layers.core import InputLayer
from fastcnn.symbolic import Node

if TYPE_CHECKING:
    from fastcnn.model import Model

_FORMATS = ("png", "svg", "pdf", "jpg", "jpeg")


def model_to_dot(
    model: Model,
    show_shapes: bool = False,
    show_layer_names: bool = True,
    rankdir: str = "TB",
) -> str:
    """Describe a functional model's drawing in Graphviz' language.

    Parameters
    ----------
    model : Model
        Functional, or a Sequential that knows its input.
    show_shapes : bool, default False
        Whether boxes tell the shapes of inputs and outputs.
    show_layer_names : bool, default True
    rankdir : {"TB", "LR", "BT", "RL"}, default "TB"
        From top to bottom, from left to right ...

    Examples
    --------
    >>> import fastcnn as fc
    >>> model = fc.Sequential([fc.Input((8, 8, 3), name="x"), fc.layers.MaxPooling2D(name="pool")])
    >>> print(model_to_dot(model))
    digraph {
      rankdir=TB;
      node [shape=box, fontname="sans-serif"];
      n0 [label="x\\nInputLayer"];
      n1 [label="pool\\nMaxPooling2D"];
      n0 -> n1;
    }
    """
    if rankdir not in ("TB", "LR", "BT", "RL"):
        raise ConfigError(f'rankdir: expected "TB", "LR", "BT" or "RL", got {rankdir!r}')
    graph = model._functional()
    nodes = [x.node for x in _tree.flatten(graph.inputs)] + graph.nodes
    numbers = {id(node): number for number, node in enumerate(nodes)}
    lines = [f"  rankdir={rankdir};", '  node [shape=box, fontname="sans-serif"];']
    for number, node in enumerate(nodes):
        label = _label(node, show_shapes, show_layer_names)
        lines.append(f'  n{number} [label="{label}"];')
    for number, node in enumerate(nodes):
        for tensor in node.inputs:
            lines.append(f"  n{numbers[id(tensor.node)]} -> n{number};")
    return "\n".join(["digraph {", *lines, "}"])


def _label(node: Node, show_shapes: bool, show_layer_names: bool) -> str:
    parts = [node.layer.name] if show_layer_names else []
    parts.append(type(node.layer).__name__)
    if show_shapes:
        if not isinstance(node.layer, InputLayer):
            parts.append("in: " + ", ".join(str(x.shape) for x in node.inputs))
        parts.append("out: " + ", ".join(str(x.shape) for x in _tree.flatten(node.outputs)))
    escaped = [part.replace("\\", "\\\\").replace('"', '\\"') for part in parts]
    return "\\n".join(escaped)


def plot_model(
    model: Model,
    to_file: str | os.PathLike[str] = "model.png",
    show_shapes: bool = False,
    show_layer_names: bool = True,
    rankdir: str = "TB",
    dpi: int = 200,
) -> str:
    """Draw a functional model to a file.

    Parameters
    ----------
    model, show_shapes, show_layer_names, rankdir
        As for `model_to_dot`.
    to_file : str or os.PathLike, default "model.png"
        ``.png``, ``.svg``, ``.pdf`` or ``.jpg``; or ``.dot``, which needs no other program.
    dpi : int, default 200
        Dots in an inch of a picture made of pixels.

    Returns
    -------
    str
        The drawing in Graphviz' language.

    Raises
    ------
    MissingDependencyError
        The program ``dot`` of Graphviz is not installed.
    ConfigError
        The file's suffix is none of these.
    """
    from fastcnn.io.atomic import atomic_write

    source = model_to_dot(model, show_shapes, show_layer_names, rankdir)
    suffix = os.path.splitext(os.fspath(to_file))[1].lower().lstrip(".")
    if suffix in ("dot", "gv"):
        with atomic_write(to_file) as partial:
            partial.write_text(source, encoding="utf-8")
        return source
    if suffix not in _FORMATS:
        raise ConfigError(
            f"plot_model: expected a file that ends in .dot or .{', .'.join(_FORMATS)}, got "
            f"{os.fspath(to_file)!r}"
        )
    program = shutil.which("dot")
    if program is None:
        raise MissingDependencyError(
            "plot_model: the program dot of Graphviz is not installed (Debian: apt install "
            'graphviz); to_file="model.dot" writes the drawing\'s description without it'
        )
    with atomic_write(to_file) as partial:
        command = [program, f"-T{suffix}", f"-Gdpi={int(dpi)}", "-o", str(partial)]
        done = subprocess.run(command, input=source.encode(), capture_output=True, check=False)
        if done.returncode:
            raise FastcnnError(f"plot_model: dot failed: {done.stderr.decode(errors='replace')}")
    return source
