"""Layers that move, repeat or leave out values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastcnn import ops
from fastcnn.errors import ConfigError, ShapeError
from fastcnn.layers._arguments import integers, margins, one_of, pair, positive_int
from fastcnn.layers.input_spec import InputSpec
from fastcnn.layers.layer import Layer


class Flatten(Layer):
    """All axes after the batch as one.

    Parameters
    ----------
    data_format : str, optional
        ``"channels_last"``.
    """

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.data_format = "channels_last"
        self.input_spec = InputSpec(min_ndim=1)

    def call(self, inputs: Any) -> Any:
        """Apply the layer."""
        return ops.flatten(inputs)


class Reshape(Layer):
    """The same values under another shape.

    Parameters
    ----------
    target_shape : sequence of int
        Without the batch; one size may be -1, whatever is left.
    """

    def __init__(self, target_shape: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.target_shape = tuple(
            n if n == -1 else positive_int("Reshape", "target_shape", n, at_least=0)
            for n in integers("Reshape", "target_shape", target_shape)
        )
        if self.target_shape.count(-1) > 1:
            raise ConfigError(f"Reshape: expected at most one -1, got {self.target_shape}")

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Tell the shape of the result from that of the input, None where it is not known."""
        known = 1
        for n in self.target_shape:
            known *= n if n != -1 else 1
        total: int | None = 1
        for n in input_shape[1:]:
            total = None if n is None or total is None else total * n
        if total is None:
            return (input_shape[0], *(None if n == -1 else n for n in self.target_shape))
        fits = total == known if -1 not in self.target_shape else known and total % known == 0
        if not fits:
            raise ShapeError(
                f'layer "{self.name}": expected an input that fits target_shape='
                f"{self.target_shape}, got shape {tuple(input_shape)}"
            )
        return (input_shape[0], *(total // known if n == -1 else n for n in self.target_shape))

    def call(self, inputs: Any) -> Any:
        """Apply the layer."""
        return ops.reshape(inputs, self.compute_output_shape(inputs.shape))


class Permute(Layer):
    """The axes after the batch in another order.

    Parameters
    ----------
    dims : sequence of int
        The axes in their new order, counted from 1.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.layers.Permute((2, 1))(np.zeros((5, 2, 3))).shape
    (5, 3, 2)
    """

    def __init__(self, dims: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dims = integers("Permute", "dims", dims)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ConfigError(
                f"Permute: expected each of 1 to {len(self.dims)} once in dims, got {self.dims}"
            )
        self.input_spec = InputSpec(ndim=len(self.dims) + 1)

    def call(self, inputs: Any) -> Any:
        """Apply the layer."""
        return ops.transpose(inputs, (0, *self.dims))


class _Padding2D(Layer):
    mode: str

    def __init__(
        self, padding: Any = (1, 1), data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.padding = margins(type(self).__name__, "padding", padding)
        self.data_format = "channels_last"
        self.input_spec = InputSpec(ndim=4)

    def call(self, inputs: Any) -> Any:
        """Apply the layer."""
        return ops.pad(inputs, ((0, 0), *self.padding, (0, 0)), mode=self.mode)


class ZeroPadding2D(_Padding2D):
    """Zeros around pictures.

    Parameters
    ----------
    padding : int, (int, int) or ((int, int), (int, int)), default (1, 1)
        For all sides, (height, width), or ((top, bottom), (left, right)).
    data_format : str, optional
        ``"channels_last"``.
    """

    mode = "constant"


class ReflectionPadding2D(_Padding2D):
    """Pictures continued by their mirror image, the pixel at the edge not repeated.

    Parameters
    ----------
    padding, data_format
        As for `ZeroPadding2D`.
    """

    mode = "reflect"


class ReplicationPadding2D(_Padding2D):
    """Pictures continued by the pixels at their edges.

    Parameters
    ----------
    padding, data_format
        As for `ZeroPadding2D`.
    """

    mode = "edge"


class Cropping2D(Layer):
    """Pictures without their margins.

    Parameters
    ----------
    cropping : int, (int, int) or ((int, int), (int, int)), default ((0, 0), (0, 0))
        For all sides, (height, width), or ((top, bottom), (left, right)).
    data_format : str, optional
        ``"channels_last"``.
    """

    def __init__(
        self, cropping: Any = ((0, 0), (0, 0)), data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.cropping = margins("Cropping2D", "cropping", cropping)
        self.data_format = "channels_last"
        self.input_spec = InputSpec(ndim=4)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Tell the shape of the result from that of the input, None where it is not known."""
        n, *sizes, c = input_shape
        left = [
            None if s is None else s - sum(m) for s, m in zip(sizes, self.cropping, strict=True)
        ]
        if any(s is not None and s <= 0 for s in left):
            raise ShapeError(
                f'layer "{self.name}": expected an input larger than cropping={self.cropping}, got '
                f"shape {tuple(input_shape)}"
            )
        return (n, *left, c)

    def call(self, inputs: Any) -> Any:
        """Apply the layer."""
        (top, _), (left, _) = self.cropping
        return ops.slice(inputs, (0, top, left, 0), self.compute_output_shape(inputs.shape))


class UpSampling2D(Layer):
    """Pictures enlarged by whole factors.

    Parameters
    ----------
    size : int or (int, int), default (2, 2)
        Factors of height and width.
    data_format : str, optional
        ``"channels_last"``.
    interpolation : {"nearest", "bilinear"}, default "nearest"
    """

    def __init__(
        self,
        size: Any = (2, 2),
        data_format: str | None = None,
        interpolation: str = "nearest",
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.size = pair("UpSampling2D", "size", size)
        self.data_format = "channels_last"
        self.interpolation = one_of(
            "UpSampling2D", "interpolation", interpolation, ("nearest", "bilinear")
        )
        self.input_spec = InputSpec(ndim=4)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Tell the shape of the result from that of the input, None where it is not known."""
        n, h, w, c = input_shape
        rows, columns = self.size
        return (n, None if h is None else h * rows, None if w is None else w * columns, c)

    def call(self, inputs: Any) -> Any:
        """Apply the layer."""
        size = self.compute_output_shape(inputs.shape)[1:3]
        return ops.resize(inputs, size, interpolation=self.interpolation)


class SpaceToDepth(Layer):
    """Blocks of pixels as channels; the inverse of `DepthToSpace`.

    Parameters
    ----------
    block_size : int, default 2
    mode : {"DCR", "CRD"}, default "DCR"
        The order of the new channels: TensorFlow's and Darknet's depth first, or torch's.
    """

    def __init__(self, block_size: int = 2, mode: str = "DCR", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.block_size = positive_int(type(self).__name__, "block_size", block_size)
        self.mode = one_of(type(self).__name__, "mode", mode, ("DCR", "CRD"))
        self.input_spec = InputSpec(ndim=4)

    def call(self, inputs: Any) -> Any:
        """Apply the layer."""
        return ops.space_to_depth(inputs, self.block_size, mode=self.mode)


class DepthToSpace(SpaceToDepth):
    """Channels as blocks of pixels; the inverse of `SpaceToDepth`.

    Parameters
    ----------
    block_size, mode
        As for `SpaceToDepth`.
    """

    def call(self, inputs: Any) -> Any:
        """Apply the layer."""
        return ops.depth_to_space(inputs, self.block_size, mode=self.mode)
