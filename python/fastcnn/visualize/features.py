"""What layers give for a picture, and the filters that look at the picture itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastcnn._checks import number, one_of, positive_int
from fastcnn._optional import import_optional
from fastcnn.errors import ConfigError, ShapeError
from fastcnn.layers.layer import Layer
from fastcnn.ops._dispatch import as_array
from fastcnn.tracing import Value
from fastcnn.visualize._inside import Array, WatchedTrace, inside, pictures


def feature_maps(
    model: Layer, x: Any, layers: str | Sequence[str] | None = None
) -> dict[str, Array]:
    """What layers give for pictures.

    Parameters
    ----------
    model : Model
        It takes one tensor of pictures.
    x : array, float32, shape (n, h, w, c)
        Pictures as the model takes them, preprocessed.
    layers : str or sequence of str, optional
        By their names, or paths ``"outer/inner"`` where models are parts of models. All that give
        feature maps (n, h, w, c) unless given.

    Returns
    -------
    dict of str to array
        In the order of the calls, or as asked for.

    Raises
    ------
    ConfigError
        There is no such layer.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> model = fc.Sequential([fc.Input((8, 8, 3)), fc.layers.Conv2D(4, 3, name="edges"),
    ...                        fc.layers.MaxPooling2D(name="less"), fc.layers.Flatten()])
    >>> maps = fc.visualize.feature_maps(model, np.ones((1, 8, 8, 3)))
    >>> {name: array.shape for name, array in maps.items()}
    {'edges': (1, 6, 6, 4), 'less': (1, 3, 3, 4)}
    """
    wanted = [layers] if isinstance(layers, str) else layers
    names: list[str] = []

    def describe(trace: WatchedTrace, x: Any, output: Any) -> Any:
        names[:] = wanted if wanted is not None else _with_maps(trace)
        return [trace.result(name) for name in names]

    found = inside(model, describe)(pictures("feature_maps", x))
    return dict(zip(names, found, strict=True))


def _with_maps(trace: WatchedTrace) -> list[str]:
    """Name the layers that give feature maps; models that give what their last layer gave not."""
    seen: set[int] = set()
    names = []
    for path, value in trace.results.items():
        if isinstance(value, Value) and value.ndim == 4 and value._index not in seen:
            seen.add(value._index)
            names.append(path)
    return names


def filters(model: Layer, layer: str | None = None) -> Array:
    """The filters of a convolution, as small pictures.

    Parameters
    ----------
    model : Model
    layer : str, optional
        The first convolution, the one that sees the picture, unless given.

    Returns
    -------
    array, float32, shape (filters, h, w, channels)
        Of depthwise convolutions (filters, h, w, 1).

    Raises
    ------
    ConfigError
        There is no such layer, or it is no convolution.

    Examples
    --------
    >>> import fastcnn as fc
    >>> model = fc.Sequential([fc.Input((8, 8, 3)), fc.layers.Conv2D(4, 5)])
    >>> fc.visualize.filters(model).shape
    (4, 5, 5, 3)
    """
    kernels = {
        inner.name: variable.numpy()
        for inner in model._walk()
        for variable in inner._own_variables().values()
        if len(variable.shape) == 4
    }
    if not kernels:
        raise ConfigError(f'model "{model.name}" has no convolution')
    name = layer if layer is not None else next(iter(kernels))
    if name not in kernels:
        raise ConfigError(
            f'model "{model.name}" has no convolution {name!r}; it has {", ".join(kernels)}'
        )
    kernel: Array = kernels[name]
    if kernel.shape[3] == 1 < kernel.shape[2]:  # of a depthwise convolution
        kernel = kernel.transpose(0, 1, 3, 2)
    return np.ascontiguousarray(kernel.transpose(3, 0, 1, 2))


def project(
    features: Any,
    dims: int = 2,
    method: str = "pca",
    *,
    perplexity: float = 30.0,
    seed: int = 0,
) -> Array:
    """Bring vectors to two or three dimensions, to look at which are alike.

    Parameters
    ----------
    features : array, shape (n, ...)
        One vector for each example, such as what `feature_maps` gives of a layer near the end; of
        several axes the rest is flattened.
    dims : int, default 2
    method : {"pca", "tsne"}, default "pca"
        Principal components: the directions in which the vectors differ most, a linear map. Or
        t-SNE (van der Maaten & Hinton 2008) of scikit-learn, which keeps neighbours together and
        makes up distances between groups.
    perplexity : float, default 30.0
        Of t-SNE: about how many neighbours count; less where there are few vectors.
    seed : int, default 0
        Of t-SNE.

    Returns
    -------
    array, float32, shape (n, dims)

    Raises
    ------
    ShapeError
        There are fewer than two vectors, or they have fewer than `dims` numbers.
    MissingDependencyError
        scikit-learn is not installed (for t-SNE).

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> line = np.arange(4)[:, None] * np.array([[3.0, 4.0, 0.0]])
    >>> fc.visualize.project(line, dims=1).ravel()
    array([-7.5, -2.5,  2.5,  7.5], dtype=float32)
    """
    array = as_array(features)
    count = positive_int("project", "dims", dims)
    one_of("project", "method", method, ("pca", "tsne"))
    flat = array.reshape(len(array), -1) if array.ndim > 1 and array.size else array
    if flat.ndim != 2 or len(flat) < 2 or flat.shape[1] < count:
        raise ShapeError(
            f"project: expected at least two vectors of at least {count} numbers, got shape "
            f"{array.shape}"
        )
    if method == "tsne":
        tsne = import_optional("sklearn.manifold", extra="sklearn").TSNE
        near = min(number("project", "perplexity", perplexity, at_least=1), (len(flat) - 1) / 3)
        made = tsne(n_components=count, perplexity=max(near, 1.0), init="pca", random_state=seed)
        return np.asarray(made.fit_transform(flat), np.float32)
    centred = flat.astype(np.float64) - flat.mean(axis=0, dtype=np.float64)
    directions = np.linalg.svd(centred, full_matrices=False)[2][:count]
    # A direction and its opposite are as good; this choice does not depend on how they were found.
    largest = np.take_along_axis(directions, np.abs(directions).argmax(1)[:, None], axis=1)
    places = centred @ (directions * np.sign(largest)).T
    padded = np.zeros((len(flat), count), np.float32)  # fewer vectors span fewer directions
    padded[:, : places.shape[1]] = places
    return padded
