"""Groups of nodes that are one function here.

Exporters write what their operator set lacks as several nodes: SiLU as a product with a sigmoid,
GELU with Erf. A node that ends such a group is replaced by one node; the others go where nothing
else reads them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastcnn.errors import FastcnnError
from fastcnn.io.onnx import reading

DOMAIN = "fastcnn"  # of the nodes made here


class Groups:
    """Finds groups of nodes.

    Parameters
    ----------
    graph : onnx.GraphProto
    """

    def __init__(self, graph: Any) -> None:
        self._makers = {name: node for node in graph.node for name in node.output if name}
        self._tensors = {tensor.name: tensor for tensor in graph.initializer}

    def replace(self, nodes: Sequence[Any]) -> list[Any]:
        """Give the nodes with one for each group found, in the place of its last."""
        return [self._match(node) or node for node in nodes]

    def _match(self, node: Any) -> Any:
        for match in _MATCHERS.get(node.op_type, ()) if not node.domain else ():
            try:
                found = match(self, node)
            except (ArithmeticError, LookupError, ValueError):
                continue  # a malformed node is no group; its translator will say what is wrong
            if found is not None:
                return found
        return None

    def _source(self, name: str) -> str:
        """Go back over the Identity nodes by which exporters share equal parameters."""
        for _ in range(8):
            node = self._makers.get(name)
            if node is None or node.op_type != "Identity" or not node.input:
                break
            name = node.input[0]
        return name

    # ---- what matchers ask -----------------------------------------------------------------------

    def maker(self, name: str, op_type: str) -> Any:
        """Give the node that makes a value if it is of a type, else None."""
        node = self._makers.get(self._source(name))
        return node if node is not None and node.op_type == op_type and not node.domain else None

    def behind(self, name: str, op_type: str, passing: set[str]) -> Any:
        """Give the node of a type that is reached over nodes of some others, else None."""
        for _ in range(8):
            node = self._makers.get(self._source(name))
            if node is None or node.op_type == op_type or node.op_type not in passing:
                return node if node is not None and node.op_type == op_type else None
            name = node.input[0]
            if node.op_type == "If":  # its branches give the same elements
                name = node.attribute[0].g.node[-1].input[0]
        return None

    def number(self, name: str) -> float | None:
        """Give a value that is one constant number, else None."""
        array = self.array(name, most=1)
        return None if array is None or array.dtype.kind not in "fiu" else float(array.ravel()[0])

    def array(self, name: str, most: int = 4096) -> Any:
        """Give a value that is a constant of 1 to `most` elements, else None."""
        tensor = self._tensors.get(self._source(name))
        if tensor is None:
            node = self.maker(name, "Constant")
            if node is None or len(node.attribute) != 1:
                return None
            attribute = node.attribute[0]
            if attribute.name == "value_float":
                return np.array([attribute.f])
            if attribute.name != "value":
                return None
            tensor = attribute.t
        if not 1 <= math.prod(tensor.dims) <= most or tensor.external_data:
            return None
        try:
            return reading.tensor_array(tensor)
        except FastcnnError:
            return None

    def is_constant(self, name: str, rank: int) -> bool:
        """Whether a value is a tensor of the file with so many axes."""
        tensor = self._tensors.get(self._source(name))
        return tensor is not None and len(tensor.dims) == rank

    def plus(self, name: str, number: float) -> str | None:
        """Give x of ``x + number``."""
        return self._with(name, "Add", number)

    def times(self, name: str, number: float) -> str | None:
        """Give x of ``x * number`` or ``x / (1 / number)``."""
        found = self._with(name, "Mul", number)
        if found is None and (node := self.maker(name, "Div")) is not None:
            divisor = self.number(node.input[1])
            if divisor and _close(1 / divisor, number):
                return str(node.input[0])
        return found

    def _with(self, name: str, op_type: str, number: float) -> str | None:
        node = self.maker(name, op_type)
        if node is None or len(node.input) != 2:
            return None
        for one, other in (node.input, node.input[::-1]):
            value = self.number(other)
            if value is not None and _close(value, number):
                return str(one)
        return None

    def factors(self, name: str, depth: int = 3) -> tuple[list[str], float]:
        """Give what a product is of: values, and all constant numbers in one."""
        number = self.number(name)
        if number is not None:
            return [], number
        node = self.maker(name, "Mul")
        if node is not None and depth and len(node.input) == 2:
            left, a = self.factors(node.input[0], depth - 1)
            right, b = self.factors(node.input[1], depth - 1)
            return left + right, a * b
        node = self.maker(name, "Div")
        if node is not None and depth and len(node.input) == 2:
            divisor = self.number(node.input[1])
            if divisor:
                left, a = self.factors(node.input[0], depth - 1)
                return left, a / divisor
        return [name], 1.0


def _close(a: float, b: float) -> bool:
    return abs(a - b) <= 1e-4 * abs(b)


def _made(node: Any, op_type: str, inputs: list[str], domain: str = "", **attributes: Any) -> Any:
    return reading.onnx().helper.make_node(
        op_type, inputs, list(node.output[:1]), name=node.name, domain=domain, **attributes
    )


def _six(groups: Groups, name: str, op_type: str = "Clip") -> str | None:
    """Give x of ``clip(x + 3, 0, 6)``."""
    node = groups.maker(name, op_type)
    if node is None:
        return None
    bounds = [groups.number(bound) for bound in node.input[1:3]]
    if not bounds:
        given = {attribute.name: attribute.f for attribute in node.attribute}
        bounds = [given.get("min"), given.get("max")]
    return groups.plus(node.input[0], 3.0) if bounds == [0.0, 6.0] else None


def _product(groups: Groups, node: Any) -> Any:
    """SiLU, Mish, hard swish, GELU: a value times a function of it."""
    values, number = groups.factors(node.output[0])
    if len(values) != 2:
        return None
    for x, gate in (values, values[::-1]):
        if number == 1.0:
            sigmoid = groups.maker(gate, "Sigmoid")
            if sigmoid is not None and sigmoid.input[0] == x:
                return _made(node, "Silu", [x], DOMAIN)
            hard = groups.maker(gate, "HardSigmoid")
            if hard is not None and hard.input[0] == x:
                given = {attribute.name: attribute.f for attribute in hard.attribute}
                if _close(given.get("alpha", 0.2), 1 / 6) and given.get("beta", 0.5) == 0.5:
                    return _made(node, "HardSwish", [x])
            tanh = groups.maker(gate, "Tanh")
            plus = groups.maker(tanh.input[0], "Softplus") if tanh is not None else None
            if plus is not None and plus.input[0] == x:
                return _made(node, "Mish", [x])
        if _close(number, 1 / 6) and _six(groups, gate) == x:
            return _made(node, "HardSwish", [x])
        if _close(number, 0.5):
            inner = groups.plus(gate, 1.0)
            if inner is None:
                continue
            erf = groups.maker(inner, "Erf")
            if erf is not None and groups.times(erf.input[0], math.sqrt(0.5)) == x:
                return _made(node, "Gelu", [x])
            tanh = groups.maker(inner, "Tanh")
            if tanh is not None and _cubic(groups, tanh.input[0], x):
                return _made(node, "Gelu", [x], approximate="tanh")
    return None


def _cubic(groups: Groups, name: str, x: str) -> bool:
    """Whether a value is ``sqrt(2 / pi) * (x + 0.044715 * x ** 3)``."""
    total = groups.times(name, math.sqrt(2 / math.pi))
    node = groups.maker(total, "Add") if total else None
    if node is None:
        return False
    for one, other in (node.input, node.input[::-1]):
        cube = groups.times(other, 0.044715) if one == x else None
        power = groups.maker(cube, "Pow") if cube else None
        if power is not None and power.input[0] == x and groups.number(power.input[1]) == 3.0:
            return True
    return False


def _quotient(groups: Groups, node: Any) -> Any:
    """Hard sigmoid: ``clip(x + 3, 0, 6) / 6``."""
    x = groups.times(node.output[0], 1 / 6)
    inner = _six(groups, x) if x else None
    return None if inner is None else _made(node, "HardSigmoid", [inner], alpha=1 / 6, beta=0.5)


def _sum(groups: Groups, node: Any) -> Any:
    """A matrix product and its bias."""
    for product, bias in (node.input, node.input[::-1]):
        inner = groups.maker(product, "MatMul")
        if (
            inner is not None
            and groups.is_constant(inner.input[1], 2)
            and groups.is_constant(bias, 1)
        ):
            return _made(node, "Linear", [*inner.input, bias], DOMAIN)
    return None


def _group_norm(groups: Groups, node: Any) -> Any:
    """Group normalisation: groups as an axis, normalised, and a factor and offset a channel."""
    for scaled, beta in (node.input, node.input[::-1]):
        product = groups.maker(scaled, "Mul")
        for restored, gamma in (product.input, product.input[::-1]) if product is not None else ():
            made = _normalized_groups(groups, restored)
            if made is not None:
                x, shape, options = made
                return _made(node, "GroupNorm", [x, gamma, beta, shape], DOMAIN, **options)
    return None


def _normalized_groups(groups: Groups, name: str) -> tuple[str, str, dict[str, Any]] | None:
    """Give x, the shape asked for and the options of what is normalised and reshaped back."""
    back = groups.maker(name, "Reshape")
    if back is None:
        return None
    inner = groups.maker(back.input[0], "InstanceNormalization")
    if inner is None:
        return None
    split = groups.maker(inner.input[0], "Reshape")
    scale, offset = (groups.array(constant) for constant in inner.input[1:])
    if split is None or scale is None or offset is None or (scale != 1).any() or offset.any():
        return None
    into = groups.array(split.input[1])
    if into is None or into.size != 3:
        return None
    given = {attribute.name: attribute.f for attribute in inner.attribute}
    options = {"num_groups": int(scale.size), "epsilon": given.get("epsilon", 1e-5)}
    return split.input[0], back.input[1], options


def _response_norm(groups: Groups, node: Any) -> Any:
    """Local response normalisation: ``x / (k + alpha * mean of neighbours' squares) ** beta``."""
    x = node.input[0]
    power = groups.maker(node.input[1], "Pow")
    beta = groups.number(power.input[1]) if power is not None else None
    total = groups.maker(power.input[0], "Add") if beta is not None else None
    for scaled, constant in (total.input, total.input[::-1]) if total is not None else ():
        k = groups.number(constant)
        values, alpha = groups.factors(scaled, 1)
        if k is None or len(values) != 1:
            continue
        pool = groups.behind(values[0], "AveragePool", {"If", "Reshape", "Squeeze"})
        if pool is None:
            continue
        given = {attribute.name: attribute for attribute in pool.attribute}
        size, *others = given["kernel_shape"].ints
        pad = groups.behind(pool.input[0], "Pad", {"Reshape", "Unsqueeze"})
        if pad is None or len(pad.input) < 2:
            continue
        square = groups.behind(pad.input[0], "Mul", {"Reshape", "Unsqueeze"})
        if square is None or list(square.input) != [x, x] or {*others} - {1} or not size % 2:
            continue
        options = {"size": size, "alpha": alpha, "beta": beta, "bias": k}
        return _made(node, "LRN", [x, pad.input[1]], DOMAIN, **options)
    return None


_MATCHERS: dict[str, tuple[Callable[[Groups, Any], Any], ...]] = {
    "Add": (_sum, _group_norm),
    "Div": (_quotient, _product, _response_norm),
    "Mul": (_quotient, _product),
}
