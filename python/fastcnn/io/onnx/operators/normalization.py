"""Normalisation by stored statistics or by the input's own."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastcnn.io.onnx.importer import Node
from fastcnn.io.onnx.operators.movement import resolve
from fastcnn.io.onnx.values import Value, channels_last
from fastcnn.layers.normalization import (
    BatchNormalization,
    GroupNormalization,
    InstanceNormalization,
    LayerNormalization,
    LocalResponseNormalization,
)
from fastcnn.sizes import same


def batch_normalization(node: Node) -> Any:
    """Translate BatchNormalization."""
    x = node.input()
    if node.attribute("spatial", 1) != 1:
        raise node.unsupported("spatial=0")
    if node.attribute("training_mode", 0):
        return _by_own_statistics(node, x)
    if any(node.outputs[1:]):
        raise node.unsupported("outputs of statistics")
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    epsilon = node.attribute("epsilon", 1e-5)
    order = channels_last(x.rank)
    if not all(node.input(i).is_constant for i in range(1, 5)):
        gamma, beta, mean, variance = (node.input(i).plain() for i in range(1, 5))
        y = node.op(
            "batch_normalization", x.stored_as(order), mean, variance, offset=beta, scale=gamma,
            epsilon=epsilon,
        )  # fmt: skip
        return node.value(y, order)
    weights = {name: node.constant(i + 1) for i, name in enumerate(names)}
    y = node.weighted(
        BatchNormalization, x.stored_as(order), weights, epsilon=epsilon,
        momentum=node.attribute("momentum", 0.9),
    )  # fmt: skip
    return node.value(y, order)


def _by_own_statistics(node: Node, x: Value) -> list[Value]:
    """Normalise by the statistics of the batch, and give their moving averages."""
    order = channels_last(x.rank)
    tensor = x.stored_as(order)
    places = tuple(range(x.rank - 1))
    mean = node.op("mean", tensor, axis=places)
    centred = node.op("subtract", tensor, mean)
    variance = node.op("mean", node.op("square", centred), axis=places)
    deviation = node.op("sqrt", node.op("add", variance, node.attribute("epsilon", 1e-5)))
    y = node.op("multiply", node.op("divide", centred, deviation), node.input(1).plain())
    results = [node.value(node.op("add", y, node.input(2).plain()), order)]
    momentum = node.attribute("momentum", 0.9)
    for old, new in ((node.input(3), mean), (node.input(4), variance)):
        kept = node.op("multiply", old.plain(), momentum)
        results.append(node.value(node.op("add", kept, node.op("multiply", new, 1.0 - momentum))))
    return results


def instance_normalization(node: Node) -> Value:
    """Translate InstanceNormalization."""
    x = node.input()
    order = channels_last(x.rank)
    weights = {"gamma": node.constant(1), "beta": node.constant(2)}
    y = node.weighted(
        InstanceNormalization, x.stored_as(order), weights, epsilon=node.attribute("epsilon", 1e-5)
    )
    return node.value(y, order)


def group_normalization(node: Node) -> Value:
    """Translate GroupNormalization; before opset 21 there is one factor a group."""
    x = node.input()
    groups = node.attribute("num_groups", 1)
    order = channels_last(x.rank)
    gamma, beta = node.constant(1), node.constant(2)
    if node.opset < 21:
        each = x.shape[1] // groups
        gamma, beta = np.repeat(gamma, each), np.repeat(beta, each)
    y = node.weighted(
        GroupNormalization, x.stored_as(order), {"gamma": gamma, "beta": beta}, groups=groups,
        epsilon=node.attribute("epsilon", 1e-5),
    )  # fmt: skip
    return node.value(y, order)


def group_norm(node: Node) -> Value:
    """Translate the group of nodes by which exporters write GroupNormalization."""
    x, gamma, beta = node.input(0), node.constant(1), node.constant(2)
    shape = resolve(x.shape, node.home.with_batch(node.numbers(3) or []))
    if not all(same(n, m) for n, m in zip(x.shape, shape, strict=True)):
        raise node.unsupported("a normalisation that changes the shape")
    order = channels_last(x.rank)
    y = node.weighted(
        GroupNormalization, x.stored_as(order), {"gamma": gamma.ravel(), "beta": beta.ravel()},
        groups=node.attribute("num_groups", 1), epsilon=node.attribute("epsilon", 1e-5),
    )  # fmt: skip
    return node.value(y, order)


def layer_normalization(node: Node) -> Value:
    """Translate LayerNormalization over the last axis."""
    x = node.input()
    if node.axis(node.attribute("axis", -1), x.rank) != x.rank - 1:
        raise node.unsupported("more than the last axis")
    if any(node.outputs[1:]):
        raise node.unsupported("outputs of statistics")
    weights = {"gamma": node.constant(1)}
    if node.has(2):
        weights["beta"] = node.constant(2)
    # The other axes may lie in any order.
    order = (*(axis for axis in x.order if axis != x.rank - 1), x.rank - 1)
    y = node.weighted(
        LayerNormalization, x.stored_as(order), weights, center=node.has(2),
        epsilon=node.attribute("epsilon", 1e-5),
    )  # fmt: skip
    return node.value(y, order)


def response_norm(node: Node) -> Value:
    """Translate the group of nodes by which exporters write LRN."""
    widths = [n for n in node.numbers(1) or [] if n]
    if widths != [node.attribute("size", 1) // 2] * 2:
        raise node.unsupported(f"pads {widths} of channels")
    return lrn(node)


def lrn(node: Node) -> Value:
    """Translate LRN."""
    x = node.input()
    y = node.layer(
        LocalResponseNormalization, x.channels_last(), size=node.attribute("size", 1),
        alpha=node.attribute("alpha", 1e-4), beta=node.attribute("beta", 0.75),
        k=node.attribute("bias", 1.0),
    )  # fmt: skip
    return node.pictures(y)
