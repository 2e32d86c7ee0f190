"""A model as a table of its layers."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

from fastcnn import _tree
from fastcnn.layers.core import InputLayer
from fastcnn.plan import html_table, with_unit
from fastcnn.symbolic import KerasTensor

if TYPE_CHECKING:
    from fastcnn.layers.layer import Layer
    from fastcnn.model import Model


def summarize(model: Model, expand_nested: bool = False, show_trainable: bool = False) -> str:
    """Draw the table that `Model.summary` prints."""
    header, rows = _table(model, expand_nested, show_trainable)
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    lines = [f'Model: "{model.name}"', rule, _line(header, widths), rule.replace("-", "=")]
    lines += [_line(row, widths) for row in rows]
    return "\n".join([*lines, rule, *_totals(model)])


def summarize_html(model: Model) -> str:
    """Draw the table for a notebook."""
    header, rows = _table(model, False, False)
    totals = "<br>".join(html.escape(line) for line in _totals(model))
    title = f"<p>Model: <b>{html.escape(model.name)}</b></p>"
    return f"{title}{html_table(header, rows)}<p>{totals}</p>"


def _line(row: list[str], widths: list[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _table(
    model: Model, expand_nested: bool, show_trainable: bool
) -> tuple[list[str], list[list[str]]]:
    from fastcnn.model import Model as _Model
    from fastcnn.sequential import Sequential

    linear = isinstance(model, Sequential) or model._graph is None
    kernels = _kernels(model)
    header = ["Layer (type)", "Output Shape", "Param #"]
    header += [] if linear else ["Connected to"]
    header += ["Trainable"] if show_trainable else []
    header += ["Kernel (precision)"] if kernels else []
    rows: list[list[str]] = []

    def add(layer: Layer, indent: str, scope: str) -> None:
        row = [
            f"{indent}{layer.name} ({type(layer).__name__})",
            _shape_of(layer),
            f"{layer.count_params():,}" if layer.built else "unbuilt",
        ]
        row += [] if linear else [_connections(layer, model) if not indent else ""]
        row += [("yes" if layer.trainable else "no") if layer.weights else "-"] * show_trainable
        row += [kernels.get(scope + layer.name, "")] if kernels else []
        rows.append(row)
        if expand_nested and isinstance(layer, _Model):
            for child in layer.layers:
                add(child, indent + "  ", f"{scope}{layer.name}/")

    for layer in model.layers:
        add(layer, "", "")
    return header, rows


def _shape_of(layer: Layer) -> str:
    from fastcnn.model import Model

    if isinstance(layer, Model) and layer._graph is not None:
        outputs = layer.output
    elif layer._nodes:
        outputs = layer._nodes[0].outputs
    else:
        return "?"
    shapes = [str(x.shape) for x in _tree.flatten(outputs)]
    return shapes[0] if len(shapes) == 1 else f"[{', '.join(shapes)}]"


def _connections(layer: Layer, model: Model) -> str:
    graph = model._graph
    if graph is None or isinstance(layer, InputLayer):
        return "-"
    read = [x for node in graph.nodes if node.layer is layer for x in node.inputs]
    return ", ".join(x.node.layer.name for x in read if isinstance(x, KerasTensor) and x.node)


def _kernels(model: Model) -> dict[str, str]:
    """Tell, for each layer by the path of its name, what its steps run on in the latest plan."""
    plan = model._plans.latest() if model._plans is not None else None
    found: dict[str, list[str]] = {}
    for step in plan.steps() if plan is not None else ():
        details = [step["precision"], *(note for note in step["notes"] if note == "in place")]
        text = f"{step['kernel']} ({', '.join(details)})"
        parts = step["name"].split("/")
        for depth in range(1, len(parts) + 1):
            texts = found.setdefault("/".join(parts[:depth]), [])
            if text not in texts:
                texts.append(text)
    return {
        path: ", ".join(texts) if len(texts) <= 2 else f"{len(texts)} kernels"
        for path, texts in found.items()
    }


def _totals(model: Model) -> list[str]:
    if not model.built:
        return ["Total params: unknown before the model is called"]
    trained = sum(v.size for v in model.trainable_weights)
    total = sum(v.size for v in model.weights)
    plan: Any = model._plans.latest() if model._plans is not None else None
    lines = [
        f"Total params: {total:,} ({with_unit(4 * total, 'B')})",
        f"Trainable params: {trained:,}",
        f"Non-trainable params: {total - trained:,}",
    ]
    if plan is not None:
        lines.append(
            f"Latest plan: {len(plan.steps())} steps, arena {with_unit(plan.arena_bytes, 'B')}, "
            f"constants {with_unit(plan.constant_bytes, 'B')}"
        )
    return lines
