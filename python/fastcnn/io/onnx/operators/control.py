"""Branches that are decided when the model is described."""

from __future__ import annotations

import numpy as np

from fastcnn.errors import FileFormatError
from fastcnn.io.onnx.importer import Node
from fastcnn.io.onnx.values import Value


def if_(node: Node) -> list[Value]:
    """Translate If: exporters write it where a shape decides."""
    condition = node.constant(0)
    if condition.size != 1:
        raise FileFormatError(f"expected one condition, got shape {condition.shape}")
    branch = node.attributes.get("then_branch" if np.all(condition) else "else_branch")
    if branch is None or not hasattr(branch, "node"):
        raise FileFormatError("expected two branches")
    return node.home.inline(branch)
