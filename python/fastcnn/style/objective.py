"""What a picture is compared with: the content's features, the styles' matrices, and how much each
counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastcnn import ops
from fastcnn.errors import ConfigError
from fastcnn.model import Model
from fastcnn.plan import PlanCache
from fastcnn.style.costs import (
    content_cost,
    layer_style_cost,
    style_matrix,
    total_variation_cost,
)

__all__ = ["Costs", "Objective"]

Picture = NDArray[np.float32]


class Costs(NamedTuple):
    """What style transfer makes small, and what it is made of.

    Attributes
    ----------
    total : float
        ``alpha * content + beta * style + total_variation_weight * variation``.
    content, style, variation : float
        Of all layers and styles, by their weights.
    """

    total: Any
    content: Any
    style: Any
    variation: Any


class Objective:
    """The costs of a picture of one size, beside a content and styles.

    Parameters
    ----------
    network : Model
        What `feature_network` made, or any model that gives a dictionary of features, each of shape
        (1, h, w, c), of RGB pictures of 0 to 255.
    content : array, float32, shape (1, h, w, 3)
    styles : sequence of array, float32, shape (1, h, w, 3)
        Of any sizes.
    content_layers, style_layers : mapping of str to float
        How much each layer counts.
    alpha, beta : float
        How much content and style count.
    total_variation_weight : float, default 0.0
    style_weights : sequence of float, optional
        How much each style counts; the same unless given.
    masks : sequence of array or None, optional
        For each style its part of the picture, float32, shape (1, h, w, 1), 0 to 1; None: all of
        it.
    normalize : bool, default False
        Divide each layer's cost by that of a picture in which it sees nothing (features of 0).
        Layers and networks then have comparable costs, and so the same alpha and beta.

    Raises
    ------
    ConfigError
        A mask is 0 everywhere, or a layer is not among the network's features.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> network = fc.style.feature_network(["conv1_1", "conv1_2"], weights=None)
    >>> content, style = np.zeros((2, 1, 32, 32, 3), np.float32)
    >>> objective = fc.style.Objective(
    ...     network, content, [style], {"block1_conv2": 1.0}, {"block1_conv1": 1.0}, 1.0, 1.0
    ... )
    >>> cost = fc.value_and_grad(lambda picture: objective.describe(picture).total)
    >>> value, gradient = cost(content)
    >>> float(value), gradient.shape
    (0.0, (1, 32, 32, 3))
    """

    def __init__(
        self,
        network: Model,
        content: Picture,
        styles: Sequence[Picture],
        content_layers: Mapping[str, float],
        style_layers: Mapping[str, float],
        alpha: float,
        beta: float,
        total_variation_weight: float = 0.0,
        style_weights: Sequence[float] | None = None,
        masks: Sequence[Picture | None] | None = None,
        normalize: bool = False,
    ) -> None:
        known = network.output if isinstance(network.output, dict) else {}
        for name in (*content_layers, *style_layers):
            if name not in known:
                raise ConfigError(
                    f"Objective: the network gives no features {name!r}, but {', '.join(known)}"
                )
        self.network = network
        self.content_layers = dict(content_layers)
        self.style_layers = dict(style_layers)
        self.alpha, self.beta = float(alpha), float(beta)
        self.total_variation_weight = float(total_variation_weight)
        self.style_weights = [1.0 / len(styles)] * len(styles)
        if style_weights is not None:
            self.style_weights = [float(w) for w in style_weights]
        self._masks = list(masks) if masks is not None else [None] * len(styles)
        self._guides: dict[tuple[int, tuple[int, ...]], NDArray[Any]] = {}
        self._content = self._compute(self._content_features, content)
        self._styles = [self._compute(self._style_matrices, style) for style in styles]
        self._normalize = normalize

    # ---- targets ---------------------------------------------------------------------------------

    def _content_features(self, features: Mapping[str, Any]) -> dict[str, Any]:
        return {name: features[name] for name in self.content_layers}

    def _style_matrices(self, features: Mapping[str, Any]) -> dict[str, Any]:
        return {name: style_matrix(features[name]) for name in self.style_layers}

    def _compute(self, wanted: Any, picture: Picture) -> Any:
        """Compute something of a picture's features; the features themselves are not kept."""
        plans = PlanCache(lambda trace, args, kwargs: wanted(self.network(args[0])), "the network")
        compiled, arrays = plans.get((picture,), {})
        return compiled(arrays)

    def _guide(self, style: int, shape: tuple[int, ...]) -> NDArray[Any] | None:
        """Give the weights of a layer's pixels for a style, their squares having the sum 1."""
        mask = self._masks[style]
        if mask is None:
            return None
        if (style, shape) not in self._guides:
            size = (shape[1], shape[2])
            small = mask if mask.shape[1:3] == size else ops.resize(mask, size, antialias=True)
            length = float(np.sqrt(np.square(small, dtype=np.float64).sum()))
            if length == 0:
                raise ConfigError(f"style {style + 1}: its mask is 0 everywhere")
            self._guides[style, shape] = (small / length).astype(np.float32)
        return self._guides[style, shape]

    # ---- costs -----------------------------------------------------------------------------------

    def describe(self, picture: Any) -> Costs:
        """Compute the costs with functions of `fastcnn.ops`: in a plan, nodes are added to it.

        Parameters
        ----------
        picture : float32, shape (1, h, w, 3)
            What a plan is traced with; see the example above.
        """
        features = self.network(picture)
        content = _sum(
            content_cost(self._content[name], features[name])
            * (weight * self._unit(self._content[name]))
            for name, weight in self.content_layers.items()
        )
        style = _sum(
            self._style_cost(name, features[name]) * weight
            for name, weight in self.style_layers.items()
        )
        variation = total_variation_cost(picture)
        total = content * self.alpha + style * self.beta
        if self.total_variation_weight:
            total = total + variation * self.total_variation_weight
        return Costs(total, content, style, variation)

    def _unit(self, target: NDArray[Any]) -> float:
        """One over the cost of seeing nothing."""
        nothing = 0.25 * float(np.square(target, dtype=np.float64).mean())
        return 1.0 / nothing if self._normalize and nothing > 0 else 1.0

    def _style_cost(self, name: str, features: Any) -> Any:
        """The cost of one layer, of all styles; those without a mask share a matrix."""
        whole: Any = None
        costs = []
        for number, weight in enumerate(self.style_weights):
            guide = self._guide(number, tuple(features.shape))
            if guide is not None:
                matrix = style_matrix(features, guide)
            else:
                matrix = whole = style_matrix(features) if whole is None else whole
            target = self._styles[number][name]
            costs.append(layer_style_cost(target, matrix) * (weight * self._unit(target)))
        return _sum(costs)


def _sum(values: Any) -> Any:
    total: Any = None
    for value in values:
        total = value if total is None else total + value
    return total
