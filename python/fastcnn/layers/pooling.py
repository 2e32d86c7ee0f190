"""Pooling over windows and over whole pictures."""

from __future__ import annotations

from typing import Any

from fastcnn import ops
from fastcnn.layers._arguments import padding_mode, pair
from fastcnn.layers.input_spec import InputSpec
from fastcnn.layers.layer import Layer


class _Pooling(Layer):
    def __init__(
        self, pool_size: Any, strides: Any, padding: Any, data_format: str | None, **kwargs: Any
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        cls = type(self).__name__
        self.pool_size = pair(cls, "pool_size", pool_size)
        self.strides = self.pool_size if strides is None else pair(cls, "strides", strides)
        self.padding = padding_mode(cls, padding)
        self.data_format = "channels_last"
        self.input_spec = InputSpec(ndim=4)


class MaxPooling2D(_Pooling):
    """Maximum over windows.

    Parameters
    ----------
    pool_size : int or (int, int), default (2, 2)
    strides : int or (int, int), optional
        `pool_size` unless given.
    padding : {"valid", "same"} or numbers, default "valid"
        As for `Conv2D`; padding never wins.
    data_format : str, optional
        ``"channels_last"``.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.layers.MaxPooling2D(3, strides=2, padding="same")(np.zeros((1, 9, 9, 3))).shape
    (1, 5, 5, 3)
    """

    def __init__(
        self,
        pool_size: Any = (2, 2),
        strides: Any = None,
        padding: Any = "valid",
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(pool_size, strides, padding, data_format, **kwargs)

    def call(self, inputs: Any) -> Any:
        """Apply the layer."""
        return ops.max_pool2d(inputs, self.pool_size, self.strides, self.padding)


class AveragePooling2D(_Pooling):
    """Average over windows; padding does not count.

    Parameters
    ----------
    pool_size, strides, padding, data_format
        As for `MaxPooling2D`.
    """

    def __init__(
        self,
        pool_size: Any = (2, 2),
        strides: Any = None,
        padding: Any = "valid",
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(pool_size, strides, padding, data_format, **kwargs)

    def call(self, inputs: Any) -> Any:
        """Apply the layer."""
        return ops.avg_pool2d(inputs, self.pool_size, self.strides, self.padding)


class AdaptiveAveragePooling2D(Layer):
    """Average pooling to a given size, whatever the input's.

    Parameters
    ----------
    output_size : int or (int, int)
    data_format : str, optional
        ``"channels_last"``.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.layers.AdaptiveAveragePooling2D((2, 3))(np.zeros((1, 9, 9, 3))).shape
    (1, 2, 3, 3)
    """

    def __init__(self, output_size: Any, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.output_size = pair("AdaptiveAveragePooling2D", "output_size", output_size)
        self.data_format = "channels_last"
        self.input_spec = InputSpec(ndim=4)

    def call(self, inputs: Any) -> Any:
        """Apply the layer."""
        return ops.adaptive_avg_pool2d(inputs, self.output_size)


class _GlobalPooling(Layer):
    def __init__(
        self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.data_format = "channels_last"
        self.keepdims = bool(keepdims)
        self.input_spec = InputSpec(ndim=4)


class GlobalAveragePooling2D(_GlobalPooling):
    """Average over each channel's whole picture.

    Parameters
    ----------
    data_format : str, optional
        ``"channels_last"``.
    keepdims : bool, default False
        Whether the result is (n, 1, 1, c) rather than (n, c).
    """

    def call(self, inputs: Any) -> Any:
        """Apply the layer."""
        return ops.global_avg_pool2d(inputs, keepdims=self.keepdims)


class GlobalMaxPooling2D(_GlobalPooling):
    """Maximum over each channel's whole picture.

    Parameters
    ----------
    data_format, keepdims
        As for `GlobalAveragePooling2D`.
    """

    def call(self, inputs: Any) -> Any:
        """Apply the layer."""
        return ops.global_max_pool2d(inputs, keepdims=self.keepdims)
