"""What each of TensorFlow's operators becomes: a layer where one exists, else functions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn import layers
from fastcnn.errors import FileFormatError, UnsupportedError
from fastcnn.io.tensorflow.constants import UNKNOWN, strided
from fastcnn.io.tensorflow.graphs import Graph, Handler

Array = NDArray[Any]
Node = Any
Tensor = Any


# ---- layers with weights -------------------------------------------------------------------------


def _kernel(node: Node, value: Any, rank: int) -> Array:
    if not isinstance(value, np.ndarray) or value.dtype.kind != "f" or value.ndim != rank:
        raise UnsupportedError(f"expected a constant kernel of {rank} axes")
    return np.asarray(value, np.float32)


def _image_format(node: Node) -> None:
    if node.attr["data_format"].s not in (b"", b"NHWC"):
        raise UnsupportedError(f"expected data_format NHWC, got {node.attr['data_format'].s!r}")


def _pair(node: Node, name: str) -> tuple[int, int]:
    """Read strides and the like, which have a number for batch and channels, too."""
    values = list(node.attr[name].list.i) or [1, 1, 1, 1]
    if len(values) != 4 or values[0] != 1 or values[3] != 1:
        raise UnsupportedError(f"expected {name} of height and width, got {values}")
    return values[1], values[2]


def _padding(node: Node) -> Any:
    name = node.attr["padding"].s
    if name == b"EXPLICIT":
        margins = list(node.attr["explicit_paddings"].list.i)
        if len(margins) != 8 or any(margins[:2] + margins[6:]):
            raise UnsupportedError(f"expected explicit_paddings of pictures, got {margins}")
        return (margins[2:4], margins[4:6])
    if name not in (b"SAME", b"VALID"):
        raise FileFormatError(f"expected padding SAME or VALID, got {name!r}")
    return name.decode().lower()


def _bias_after(graph: Graph, node: Node, channels: int) -> tuple[Array | None, Node]:
    """Find the bias that is all that happens to a product, and the node that adds it."""
    reader = graph.next(node)
    if reader is None or reader.op not in ("BiasAdd", "Add", "AddV2"):
        return None, None
    bias = graph.other_constant(reader, node)
    if bias is None or bias.dtype.kind != "f" or bias.size != channels:
        return None, None
    if bias.ndim == 0 or bias.shape[-1] != channels:
        return None, None
    return bias.reshape(channels), reader


def _with_bias(graph: Graph, node: Node, layer: Any, x: Tensor, kernel: Array, bias: Any) -> Tensor:
    """Call a layer, give it its weights, and let the node of the bias be part of it."""
    array, reader = bias
    x = layer(x)
    layer.kernel.assign(np.ascontiguousarray(kernel))
    if array is not None:
        layer.bias.assign(np.ascontiguousarray(array, np.float32))
    if reader is not None:
        graph.become(reader, x)
    return x


def _conv2d(graph: Graph, node: Node, values: list[Any], bias: Any = None) -> Tensor:
    _image_format(node)
    x, kernel = values[0], _kernel(node, values[1], 4)
    height, width, channels, filters = kernel.shape
    if x.shape[-1] is None or channels == 0 or x.shape[-1] % channels:
        raise FileFormatError(f"a kernel of shape {kernel.shape} for an input {x.shape}")
    bias = bias or _bias_after(graph, node, filters)
    layer = layers.Conv2D(
        filters,
        (height, width),
        strides=_pair(node, "strides"),
        padding=_padding(node),
        dilation_rate=_pair(node, "dilations"),
        groups=x.shape[-1] // channels,
        use_bias=bias[0] is not None,
        name=graph.name_of(node),
    )
    return _with_bias(graph, node, layer, x, kernel, bias)


def _depthwise(graph: Graph, node: Node, values: list[Any], bias: Any = None) -> Tensor:
    _image_format(node)
    x, kernel = values[0], _kernel(node, values[1], 4)
    height, width, channels, multiplier = kernel.shape
    if x.shape[-1] != channels:
        raise FileFormatError(f"a kernel of shape {kernel.shape} for an input {x.shape}")
    bias = bias or _bias_after(graph, node, channels * multiplier)
    layer = layers.DepthwiseConv2D(
        (height, width),
        strides=_pair(node, "strides"),
        padding=_padding(node),
        depth_multiplier=multiplier,
        dilation_rate=_pair(node, "dilations"),
        use_bias=bias[0] is not None,
        name=graph.name_of(node),
    )
    return _with_bias(graph, node, layer, x, kernel, bias)


def _conv2d_transpose(graph: Graph, node: Node, values: list[Any]) -> Tensor:
    _image_format(node)
    size, kernel, x = values[0], _kernel(node, values[1], 4), values[2]
    height, width, filters, channels = kernel.shape
    if x.shape[-1] != channels:
        raise FileFormatError(f"a kernel of shape {kernel.shape} for an input {x.shape}")
    bias = _bias_after(graph, node, filters)
    layer = layers.Conv2DTranspose(
        filters,
        (height, width),
        strides=_pair(node, "strides"),
        padding=_padding(node),
        use_bias=bias[0] is not None,
        name=graph.name_of(node),
    )
    result = _with_bias(graph, node, layer, x, kernel, bias)
    wanted = [int(n) for n in np.ravel(size)]
    for n, m in zip(wanted[1:3], result.shape[1:3], strict=True):
        if n != UNKNOWN and m is not None and n != m:
            raise UnsupportedError(f"expected a picture of {result.shape[1:3]}, got {wanted[1:3]}")
    return result


def _matmul(graph: Graph, node: Node, values: list[Any], bias: Any = None) -> Tensor:
    a, b = values
    if isinstance(a, np.ndarray) or node.attr["transpose_a"].b or node.attr["adj_x"].b:
        raise UnsupportedError("expected a product with a matrix on the right")
    transposed = node.attr["transpose_b"].b or node.attr["adj_y"].b
    if not isinstance(b, np.ndarray):
        return graph.call(node, "matmul", a, b, transpose_b=transposed)
    kernel = _kernel(node, b, 2)
    kernel = kernel.T if transposed else kernel
    if a.shape[-1] != kernel.shape[0]:
        raise FileFormatError(f"a matrix of shape {kernel.shape} for an input {a.shape}")
    bias = bias or _bias_after(graph, node, kernel.shape[1])
    layer = layers.Dense(kernel.shape[1], use_bias=bias[0] is not None, name=graph.name_of(node))
    return _with_bias(graph, node, layer, a, kernel, bias)


def _fused(graph: Graph, node: Node, values: list[Any]) -> Tensor:
    """A product with what follows it, as TensorFlow's optimiser writes it."""
    product = {
        "_FusedConv2D": _conv2d, "FusedConv2D": _conv2d, "_FusedMatMul": _matmul,
        "FusedDepthwiseConv2dNative": _depthwise, "_FusedDepthwiseConv2dNative": _depthwise,
    }[node.op]  # fmt: skip
    steps = [step.decode() for step in node.attr["fused_ops"].list.s]
    rest = values[2:]
    bias = None
    if steps and steps[0] == "BiasAdd":
        steps.pop(0)
        bias = np.ravel(rest.pop(0))
    x = product(graph, node, values[:2], (bias, None))
    for step in steps:
        if step == "FusedBatchNorm":
            x = _normalize(graph, node, x, rest[:4], node.attr["epsilon"].f or 1e-4)
            rest = rest[4:]
        elif step == "Prelu":
            x = _prelu(graph, node, [x, rest.pop(0)])
        elif step in _ACTIVATIONS:
            x = _activation(graph, node, [x], step)
        else:
            raise UnsupportedError(f"there is no layer for {step}")
    return x


def _prelu(graph: Graph, node: Node, values: list[Any]) -> Tensor:
    x, alpha = values
    if not isinstance(alpha, np.ndarray) or alpha.size != x.shape[-1]:
        raise UnsupportedError("expected one slope a channel")
    layer = layers.PReLU(shared_axes=list(range(1, len(x.shape) - 1)), name=graph.name_of(node))
    x = layer(x)
    layer.alpha.assign(alpha.reshape(layer.alpha.shape).astype(np.float32))
    return x


def _normalize(
    graph: Graph, node: Node, x: Tensor, values: list[Any], epsilon: float, **options: Any
) -> Tensor:
    """Apply a batch normalisation of given gamma, beta, mean and variance."""
    arrays = [np.ravel(v) for v in values]
    if any(a.dtype.kind != "f" or a.shape != (x.shape[-1],) for a in arrays):
        raise FileFormatError(
            f"expected four vectors of {x.shape[-1]} numbers, got {[a.shape for a in arrays]}"
        )
    layer = layers.BatchNormalization(epsilon=epsilon, name=graph.name_of(node), **options)
    x = layer(x)
    own = (layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance)
    for weight, array in zip(own, arrays, strict=True):
        weight.assign(np.ascontiguousarray(array, np.float32))
    return x


def _batch_norm(graph: Graph, node: Node, values: list[Any]) -> Any:
    _image_format(node)
    if len(values) != 5 or not all(isinstance(v, np.ndarray) for v in values[1:]):
        raise UnsupportedError("expected constant statistics")
    if "is_training" in node.attr and node.attr["is_training"].b and values[3].size == 0:
        raise UnsupportedError("expected a graph for inference, this one computes statistics")
    epsilon = node.attr["epsilon"].f if "epsilon" in node.attr else 1e-4
    result = _normalize(graph, node, values[0], values[1:], epsilon)
    return [result, *values[1:5], np.zeros(0, np.float32)]


# ---- arithmetic ----------------------------------------------------------------------------------


def _is_channels(value: Any, x: Tensor) -> bool:
    return (
        isinstance(value, np.ndarray)
        and value.dtype.kind == "f"
        and value.ndim >= 1
        and value.size == value.shape[-1] == x.shape[-1]
        and value.size > 1
    )


def _multiply(graph: Graph, node: Node, values: list[Any]) -> Tensor:
    a, b = values
    if isinstance(a, np.ndarray):
        a, b = b, a
    if isinstance(b, np.ndarray):
        seen = _written_out_batch_norm(graph, node, a, b) if _is_channels(b, a) else None
        return graph.call(node, "multiply", a, _operand(b)) if seen is None else seen
    seen = _written_out_length(graph, node)
    return graph.call(node, "multiply", a, b) if seen is None else seen


def _written_out_batch_norm(graph: Graph, node: Node, x: Tensor, factor: Array) -> Tensor | None:
    """See a batch normalisation in ``x * factor + offset``, and compute both at once."""
    reader = graph.next(node)
    if reader is None or reader.op not in ("Add", "AddV2", "BiasAdd"):
        return None
    offset = graph.other_constant(reader, node)
    if offset is None or not _is_channels(offset, x):
        return None
    factor_ref = next(ref for ref in graph.links(node) if graph.value(ref) is factor)
    offset_ref = next(ref for ref in graph.links(reader) if graph.value(ref) is offset)
    found = _statistics(graph, factor_ref, offset_ref)
    if found is not None:
        *arrays, epsilon = found
        result = _normalize(graph, node, x, arrays, epsilon)
    else:  # only the results are left: exactly these, as statistics 0 and 1 that stay so
        ones = np.ones(x.shape[-1], np.float32)
        arrays = [factor, offset, 0 * ones, ones]
        result = _normalize(graph, node, x, arrays, 0.0, trainable=False)
    graph.become(reader, result)
    return result


def _statistics(graph: Graph, factor_ref: Any, offset_ref: Any) -> Any:
    """Find gamma, beta, mean, variance and epsilon in how `tf.nn.batch_normalization` uses them.

    factor = rsqrt(variance + epsilon) * gamma; offset = beta - mean * factor.
    """

    def operands(node: Node) -> list[Any]:
        return graph.links(node)

    root, gamma = graph.maker(factor_ref), None
    if root.op == "Mul" and len(operands(root)) == 2:
        for one, other in (operands(root), operands(root)[::-1]):
            if graph.maker(one).op == "Rsqrt":
                root, gamma = graph.maker(one), graph.value(other)
                break
    if root.op != "Rsqrt":
        return None
    total = graph.maker(operands(root)[0])
    offset = graph.maker(offset_ref)
    if total.op not in ("Add", "AddV2") or offset.op != "Sub":
        return None
    variance, epsilon = (graph.value(ref) for ref in operands(total))
    if variance.size == 1 != epsilon.size:
        variance, epsilon = epsilon, variance
    beta_ref, product_ref = operands(offset)
    product = graph.maker(product_ref)
    if product.op != "Mul" or epsilon.size != 1:
        return None
    means = [graph.value(ref) for ref in operands(product) if ref != factor_ref]
    if len(means) != 1:
        return None
    ones = np.ones_like(variance)
    gamma = ones if gamma is None else gamma
    return gamma, graph.value(beta_ref), means[0], variance, float(epsilon.ravel()[0])


def _written_out_length(graph: Graph, node: Node) -> Tensor | None:
    """See a division by the length in ``x * rsqrt(max(sum(x ** 2), epsilon))``."""
    for ref, root_ref in (graph.links(node), graph.links(node)[::-1]):
        root = graph.maker(root_ref)
        if root.op != "Rsqrt":
            continue
        bounded = graph.maker(graph.links(root)[0])
        if bounded.op != "Maximum":
            continue
        total_ref, epsilon_ref = graph.links(bounded)
        total, epsilon = graph.maker(total_ref), graph.value(epsilon_ref)
        if total.op != "Sum" or not total.attr["keep_dims"].b or np.size(epsilon) != 1:
            continue
        square_ref, axes_ref = graph.links(total)
        square, axes = graph.maker(square_ref), graph.value(axes_ref)
        if square.op != "Square" or graph.links(square)[0] != ref:
            continue
        x = graph.value(ref)
        if np.size(axes) == 1 and int(np.ravel(axes)[0]) in (-1, len(x.shape) - 1):
            return graph.call(node, "l2_normalize", x, axis=-1, epsilon=float(np.ravel(epsilon)[0]))
    return None


def _binary(function: str, layer: Any = None) -> Handler:
    def apply(graph: Graph, node: Node, values: list[Any]) -> Tensor:
        a, b = values
        symbolic = not (isinstance(a, np.ndarray) or isinstance(b, np.ndarray))
        if layer is not None and symbolic and a.shape == b.shape:
            return layer(name=graph.name_of(node))([a, b])
        return graph.call(node, function, *(_operand(v) for v in values))

    return apply


def _operand(value: Any) -> Any:
    """Give a constant as functions take it: a number where it is one."""
    if not isinstance(value, np.ndarray):
        return value
    return float(value.ravel()[0]) if value.size == 1 else value.astype(np.float32)


def _add_many(graph: Graph, node: Node, values: list[Any]) -> Tensor:
    return layers.Add(name=graph.name_of(node))(values)


def _squared_difference(graph: Graph, node: Node, values: list[Any]) -> Tensor:
    return graph.call(node, "square", graph.call(node, "subtract", *(_operand(v) for v in values)))


def _unary(function: str) -> Handler:
    def apply(graph: Graph, node: Node, values: list[Any]) -> Tensor:
        return graph.call(node, function, values[0])

    return apply


def _activation(graph: Graph, node: Node, values: list[Any], kind: str = "") -> Tensor:
    return _ACTIVATIONS[kind or node.op](node, graph.name_of(node))(values[0])


_ACTIVATIONS: dict[str, Any] = {
    "Elu": lambda node, name: layers.ELU(name=name),
    "LeakyRelu": lambda node, name: layers.LeakyReLU(
        node.attr["alpha"].f if "alpha" in node.attr else node.attr["leakyrelu_alpha"].f or 0.2,
        name=name,
    ),
    "LogSoftmax": lambda node, name: layers.Activation("log_softmax", name=name),
    "Relu": lambda node, name: layers.ReLU(name=name),
    "Relu6": lambda node, name: layers.ReLU(6.0, name=name),
    "Selu": lambda node, name: layers.Activation("selu", name=name),
    "Sigmoid": lambda node, name: layers.Activation("sigmoid", name=name),
    "Softmax": lambda node, name: layers.Softmax(name=name),
    "Softplus": lambda node, name: layers.Activation("softplus", name=name),
    "Softsign": lambda node, name: layers.Activation("softsign", name=name),
    "Tanh": lambda node, name: layers.Activation("tanh", name=name),
}


# ---- windows, reductions, pictures ---------------------------------------------------------------


def _pool(kind: Any) -> Handler:
    def apply(graph: Graph, node: Node, values: list[Any]) -> Tensor:
        _image_format(node)
        layer = kind(
            _pair(node, "ksize"),
            _pair(node, "strides"),
            _padding(node),
            name=graph.name_of(node),
        )
        return layer(values[0])

    return apply


def _axes(value: Any, rank: int) -> tuple[int, ...]:
    if not isinstance(value, np.ndarray):
        raise UnsupportedError("expected constant axes")
    axes = tuple(sorted({int(n) % rank if -rank <= n < rank else rank for n in value.ravel()}))
    if rank in axes:
        raise FileFormatError(f"expected axes of {rank}, got {value.ravel()[:8]}")
    return axes


def _reduce(function: str) -> Handler:
    def apply(graph: Graph, node: Node, values: list[Any]) -> Tensor:
        x = values[0]
        axes, keep = _axes(values[1], len(x.shape)), node.attr["keep_dims"].b
        if function in ("mean", "max") and len(x.shape) == 4 and axes == (1, 2):
            layer = {
                "mean": layers.GlobalAveragePooling2D, "max": layers.GlobalMaxPooling2D,
            }[function]  # fmt: skip
            return layer(keepdims=keep, name=graph.name_of(node))(x)
        return graph.call(node, function, x, axis=axes, keepdims=keep)

    return apply


def _pad(graph: Graph, node: Node, values: list[Any]) -> Tensor:
    x, margins = values[0], values[1]
    if not isinstance(margins, np.ndarray) or margins.shape != (len(x.shape), 2):
        raise UnsupportedError("expected constant margins of each axis")
    widths = [(int(a), int(b)) for a, b in margins]
    if any(n < 0 or n > 2**16 for pair in widths for n in pair):
        raise FileFormatError(f"expected margins, got {widths}")
    if node.op == "MirrorPad":
        mode = {b"REFLECT": "reflect", b"SYMMETRIC": "symmetric"}.get(node.attr["mode"].s)
        if mode is None:
            raise UnsupportedError(f"there is no mode {node.attr['mode'].s!r}")
        return graph.call(node, "pad", x, widths, mode=mode)
    value = float(np.ravel(values[2])[0]) if len(values) > 2 else 0.0
    if value == 0 and len(widths) == 4 and widths[0] == widths[3] == (0, 0):
        return layers.ZeroPadding2D(tuple(widths[1:3]), name=graph.name_of(node))(x)
    return graph.call(node, "pad", x, widths, constant_values=value)


def _resize(kind: str) -> Handler:
    def apply(graph: Graph, node: Node, values: list[Any]) -> Tensor:
        x, size = values
        if not isinstance(size, np.ndarray) or size.size != 2 or (size.ravel() <= 0).any():
            raise UnsupportedError("expected a constant size")
        rows, columns = (int(n) for n in size.ravel())
        if max(rows, columns) > 2**16:
            raise FileFormatError(f"expected the size of a picture, got {rows} x {columns}")
        _, height, width, _ = x.shape
        if node.attr["align_corners"].b:
            coordinate = "align_corners"
        elif node.attr["half_pixel_centers"].b:
            coordinate = "half_pixel"
        else:
            coordinate = "asymmetric"
        whole = height and width and rows % height == 0 and columns % width == 0
        if whole and (kind, coordinate) in (
            ("nearest", "asymmetric"), ("nearest", "half_pixel"), ("bilinear", "half_pixel"),
        ):  # fmt: skip
            factors = (rows // height, columns // width)
            return layers.UpSampling2D(factors, interpolation=kind, name=graph.name_of(node))(x)
        return graph.call(node, "resize", x, (rows, columns), kind, coordinate=coordinate)

    return apply


def _blocks(kind: Any) -> Handler:
    def apply(graph: Graph, node: Node, values: list[Any]) -> Tensor:
        _image_format(node)
        return kind(int(node.attr["block_size"].i), name=graph.name_of(node))(values[0])

    return apply


def _lrn(graph: Graph, node: Node, values: list[Any]) -> Tensor:
    def number(name: str, default: float) -> float:
        return float(node.attr[name].f) if name in node.attr else default

    radius = int(node.attr["depth_radius"].i) if "depth_radius" in node.attr else 5
    size = 2 * radius + 1
    return layers.LocalResponseNormalization(
        size,
        alpha=number("alpha", 1.0) * size,  # ours divides it by the size, as torch does
        beta=number("beta", 0.5),
        k=number("bias", 1.0),
        name=graph.name_of(node),
    )(values[0])


# ---- shapes --------------------------------------------------------------------------------------


def _shape(graph: Graph, node: Node, values: list[Any]) -> Array:
    value = values[0]
    shape = value.shape
    return np.array([UNKNOWN if n is None else n for n in shape], np.int32)


def _reshape(graph: Graph, node: Node, values: list[Any]) -> Tensor:
    x, sizes = values
    if not isinstance(sizes, np.ndarray) or isinstance(x, np.ndarray):
        raise UnsupportedError("expected a constant shape")
    shape = [int(n) for n in sizes.ravel()]
    if not shape or UNKNOWN in shape[1:] or any(n < -1 for n in shape[1:]):
        raise UnsupportedError(f"expected sizes that do not depend on the data, got {shape}")
    rest = shape[1:]
    if None in x.shape[1:]:
        inside: int | None = None
    else:
        inside = math.prod(x.shape[1:])
    # The first axis is the batch if it is called so, or if the others hold one picture.
    batch = shape[0] == UNKNOWN or (
        x.shape[0] is None
        and (
            (shape[0] == -1 and math.prod(rest) == inside)
            or (shape[0] == graph.batch and (-1 in rest or math.prod(rest) == inside))
        )
    )
    if batch:
        if len(rest) == 1:
            return layers.Flatten(name=graph.name_of(node))(x)
        return layers.Reshape(rest, name=graph.name_of(node))(x)
    return graph.call(node, "reshape", x, shape)


def _squeeze(graph: Graph, node: Node, values: list[Any]) -> Tensor:
    x = values[0]
    axes = [int(n) for n in node.attr["squeeze_dims"].list.i or node.attr["axis"].list.i]
    return graph.call(node, "squeeze", x, axes or [i for i, n in enumerate(x.shape) if n == 1])


def _tile(graph: Graph, node: Node, values: list[Any]) -> Tensor:
    x, counts = values
    if not isinstance(counts, np.ndarray) or counts.shape != (len(x.shape),):
        raise UnsupportedError("expected constant numbers of repetitions")
    for axis, count in enumerate(int(n) for n in counts):
        if not 1 <= count <= 1024:
            raise UnsupportedError(f"expected 1 to 1024 repetitions, got {count}")
        if count > 1:
            x = layers.Concatenate(axis=axis, name=graph.name_of(node))([x] * count)
    return x


def _identity_many(graph: Graph, node: Node, values: list[Any]) -> list[Any]:
    return values


def _expand_dims(graph: Graph, node: Node, values: list[Any]) -> Tensor:
    return graph.call(node, "expand_dims", values[0], int(np.ravel(values[1])[0]))


def _concat(graph: Graph, node: Node, values: list[Any]) -> Tensor:
    *parts, axis = values if node.op == "ConcatV2" else (*values[1:], values[0])
    if not isinstance(axis, np.ndarray) or axis.size != 1:
        raise UnsupportedError("expected a constant axis")
    if any(isinstance(part, np.ndarray) for part in parts):
        raise UnsupportedError("expected no constants among what is joined")
    number = int(axis.ravel()[0])
    if len(parts) == 1:
        return parts[0]
    return layers.Concatenate(axis=number, name=graph.name_of(node))(parts)


def _split(graph: Graph, node: Node, values: list[Any]) -> Any:
    axis, x = values if node.op == "Split" else (values[2], values[0])
    if not isinstance(axis, np.ndarray) or axis.size != 1:
        raise UnsupportedError("expected a constant axis")
    number = int(axis.ravel()[0])
    if node.op == "Split":
        return graph.call(node, "split", x, int(node.attr["num_split"].i), axis=number)
    sizes = [int(n) for n in values[1].ravel()]
    if any(n < 0 for n in sizes):
        raise UnsupportedError(f"expected sizes, got {sizes}")
    return graph.call(node, "split", x, np.cumsum(sizes)[:-1].tolist(), axis=number)


def _transpose(graph: Graph, node: Node, values: list[Any]) -> Tensor:
    if not isinstance(values[1], np.ndarray):
        raise UnsupportedError("expected a constant order")
    return graph.call(node, "transpose", values[0], [int(n) for n in values[1].ravel()])


def _strided_slice(graph: Graph, node: Node, values: list[Any]) -> Tensor:
    x, *where = values
    if not all(isinstance(v, np.ndarray) for v in where):
        raise UnsupportedError("expected constant bounds")
    index = strided(node, *where)
    if Ellipsis in index:
        at = index.index(Ellipsis)
        missing = len(x.shape) - len(index) + 1
        index = (*index[:at], *[slice(None)] * missing, *index[at + 1 :])
    gone = []
    for axis, part in enumerate(index):
        if part is None or (isinstance(part, slice) and part.step not in (None, 1)):
            raise UnsupportedError("expected a part without gaps and new axes")
        if axis >= len(x.shape):
            raise FileFormatError(f"expected at most {len(x.shape)} axes")
        size = x.shape[axis]
        if isinstance(part, slice) and part in (slice(None), slice(None, None, 1)):
            continue
        if isinstance(part, slice) and size is not None and part.indices(size)[:2] == (0, size):
            continue
        if size is None:
            raise UnsupportedError("expected a part of axes of known size")
        if isinstance(part, int):
            first = part % size if -size <= part < size else size
            last = first + 1
            gone.append(axis)
        else:
            first, last, _ = part.indices(size)
        if not 0 <= first < last <= size:
            raise FileFormatError(f"expected a part of {size} elements, got {first} to {last}")
        x = _part(graph, node, x, first, last, axis)
    return graph.call(node, "squeeze", x, gone) if gone else x


def _part(graph: Graph, node: Node, x: Tensor, first: int, last: int, axis: int) -> Tensor:
    cuts = [n for n in (first, last) if 0 < n < x.shape[axis]]
    return graph.call(node, "split", x, cuts, axis=axis)[1 if first else 0] if cuts else x


def _slice(graph: Graph, node: Node, values: list[Any]) -> Tensor:
    x, begin, size = values
    if not (isinstance(begin, np.ndarray) and isinstance(size, np.ndarray)):
        raise UnsupportedError("expected constant bounds")
    for axis, (first, count) in enumerate(zip(begin.tolist(), size.tolist(), strict=True)):
        whole = x.shape[axis]
        if first == 0 and count in (-1, whole, UNKNOWN):
            continue
        if whole is None:
            raise UnsupportedError("expected a part of axes of known size")
        last = whole if count == -1 else first + count
        if not 0 <= first < last <= whole:
            raise FileFormatError(f"expected a part of {whole} elements, got {first} to {last}")
        x = _part(graph, node, x, first, last, axis)
    return x


def _cast(graph: Graph, node: Node, values: list[Any]) -> Tensor:
    if node.attr["DstT"].type != 1:
        raise UnsupportedError("expected a cast to float32")
    return values[0]


HANDLERS: dict[str, Handler] = {
    **dict.fromkeys(_ACTIVATIONS, _activation),
    **dict.fromkeys(
        (
            "FusedConv2D",
            "FusedDepthwiseConv2dNative",
            "_FusedConv2D",
            "_FusedDepthwiseConv2dNative",
            "_FusedMatMul",
        ),
        _fused,
    ),
    "Abs": _unary("absolute"),
    "Add": _binary("add", layers.Add),
    "AddN": _add_many,
    "AddV2": _binary("add", layers.Add),
    "AvgPool": _pool(layers.AveragePooling2D),
    "BatchMatMul": _matmul,
    "BatchMatMulV2": _matmul,
    "BiasAdd": _binary("add"),
    "Cast": _cast,
    "Concat": _concat,
    "ConcatV2": _concat,
    "Conv2D": _conv2d,
    "Conv2DBackpropInput": _conv2d_transpose,
    "DepthToSpace": _blocks(layers.DepthToSpace),
    "DepthwiseConv2dNative": _depthwise,
    "Div": _binary("divide"),
    "Exp": _unary("exp"),
    "ExpandDims": _expand_dims,
    "FusedBatchNorm": _batch_norm,
    "FusedBatchNormV2": _batch_norm,
    "FusedBatchNormV3": _batch_norm,
    "IdentityN": _identity_many,
    "LRN": _lrn,
    "Log": _unary("log"),
    "MatMul": _matmul,
    "Max": _reduce("max"),
    "MaxPool": _pool(layers.MaxPooling2D),
    "Maximum": _binary("maximum", layers.Maximum),
    "Mean": _reduce("mean"),
    "Min": _reduce("min"),
    "Minimum": _binary("minimum", layers.Minimum),
    "MirrorPad": _pad,
    "Mul": _multiply,
    "Neg": _unary("negative"),
    "Pad": _pad,
    "PadV2": _pad,
    "Pow": _binary("power"),
    "Prelu": _prelu,
    "RealDiv": _binary("divide"),
    "Reciprocal": _unary("reciprocal"),
    "Reshape": _reshape,
    "ResizeBilinear": _resize("bilinear"),
    "ResizeNearestNeighbor": _resize("nearest"),
    "Rsqrt": _unary("rsqrt"),
    "Shape": _shape,
    "Slice": _slice,
    "SpaceToDepth": _blocks(layers.SpaceToDepth),
    "Split": _split,
    "SplitV": _split,
    "Sqrt": _unary("sqrt"),
    "Square": _unary("square"),
    "SquaredDifference": _squared_difference,
    "Squeeze": _squeeze,
    "StridedSlice": _strided_slice,
    "Sub": _binary("subtract", layers.Subtract),
    "Sum": _reduce("sum"),
    "Tile": _tile,
    "Transpose": _transpose,
}
