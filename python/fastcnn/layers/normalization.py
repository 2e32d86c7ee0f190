"""Normalisation by statistics of the training data, or of the input itself."""

from __future__ import annotations

from typing import Any, ClassVar

from fastcnn import initializers, ops
from fastcnn.errors import ShapeError, UnsupportedError
from fastcnn.layers._arguments import number, positive_int
from fastcnn.layers.input_spec import InputSpec
from fastcnn.layers.layer import Layer


class _Normalization(Layer):
    """What all have: the last axis, epsilon, and a learned factor and offset."""

    _weight_options: ClassVar = {"gamma": "gamma", "beta": "beta"}

    def __init__(
        self,
        axis: Any,
        epsilon: float,
        center: bool,
        scale: bool,
        beta_initializer: Any,
        gamma_initializer: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.axis = axis
        self.epsilon = number(type(self).__name__, "epsilon", epsilon)
        self.center = bool(center)
        self.scale = bool(scale)
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.gamma: Any = None
        self.beta: Any = None

    def _size(self, input_shape: Any) -> int:
        """Give the size of the last axis, and demand it of every input from now on."""
        axes = self.axis if isinstance(self.axis, (list, tuple)) else [self.axis]
        if len(axes) != 1 or axes[0] not in (-1, len(input_shape) - 1):
            raise UnsupportedError(
                f'layer "{self.name}": expected axis=-1, the last, got axis={self.axis!r}'
            )
        size = input_shape[-1] if len(input_shape) else None
        if size is None:
            raise ShapeError(
                f'layer "{self.name}": expected an input whose last size is known, got shape '
                f"{tuple(input_shape)}"
            )
        self.input_spec = InputSpec(ndim=len(input_shape), axes={-1: size})
        return int(size)

    def _add_affine(self, size: int) -> None:
        if self.scale:
            self.gamma = self.add_weight((size,), self.gamma_initializer, name="gamma")
        if self.center:
            self.beta = self.add_weight((size,), self.beta_initializer, name="beta")


class BatchNormalization(_Normalization):
    """``(x - moving_mean) / sqrt(moving_variance + epsilon) * gamma + beta`` for each channel.

    In training mean and variance are those of the batch, and the moving ones follow them. A layer
    whose ``trainable`` is False uses the moving ones also then, and leaves them alone.

    Parameters
    ----------
    axis : int, default -1
        The last.
    momentum : float, default 0.99
        How slowly training changes the moving statistics.
    epsilon : float, default 0.001
    center, scale : bool, default True
        Whether there are beta and gamma.
    beta_initializer, gamma_initializer, moving_mean_initializer, moving_variance_initializer
        ``"zeros"``, ``"ones"``, ``"zeros"`` and ``"ones"`` unless given.
    """

    def __init__(
        self,
        axis: Any = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            axis, epsilon, center, scale, beta_initializer, gamma_initializer, **kwargs
        )
        self.momentum = number("BatchNormalization", "momentum", momentum)
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)
        self.moving_mean: Any = None
        self.moving_variance: Any = None

    def build(self, input_shape: Any) -> None:
        """Make gamma, beta, moving_mean and moving_variance, one number a channel each."""
        size = self._size(input_shape)
        self._add_affine(size)
        self.moving_mean = self.add_weight(
            (size,), self.moving_mean_initializer, trainable=False, name="moving_mean"
        )
        self.moving_variance = self.add_weight(
            (size,), self.moving_variance_initializer, trainable=False, name="moving_variance"
        )

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Apply the layer; one that is not trainable never uses the statistics of a batch."""
        if training and self.trainable:
            y, mean, variance = ops.batch_norm_training(
                inputs, self.gamma, self.beta, epsilon=self.epsilon
            )
            for average, new in ((self.moving_mean, mean), (self.moving_variance, variance)):
                average.assign(ops.moving_average(average, new, self.momentum))
            return y
        return ops.batch_normalization(
            inputs,
            self.moving_mean,
            self.moving_variance,
            offset=self.beta,
            scale=self.gamma,
            epsilon=self.epsilon,
        )


class GroupNormalization(_Normalization):
    """Each picture's channels, in groups, brought to mean 0 and variance 1.

    Parameters
    ----------
    groups : int, default 32
        -1: one group a channel, which is instance normalisation.
    axis, epsilon, center, scale, beta_initializer, gamma_initializer
        As for `BatchNormalization`.
    """

    def __init__(
        self,
        groups: int = 32,
        axis: Any = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            axis, epsilon, center, scale, beta_initializer, gamma_initializer, **kwargs
        )
        if groups != -1:
            positive_int(type(self).__name__, "groups", groups)
        self.groups = groups

    def build(self, input_shape: Any) -> None:
        """Make gamma and beta, one number a channel each."""
        size = self._size(input_shape)
        if self.groups > 0 and size % self.groups:
            raise ShapeError(
                f'layer "{self.name}": expected channels divisible by groups={self.groups}, got '
                f"shape {tuple(input_shape)}"
            )
        self._add_affine(size)

    def call(self, inputs: Any) -> Any:
        """Apply the layer."""
        groups = inputs.shape[-1] if self.groups == -1 else self.groups
        return ops.group_normalization(inputs, groups, self.gamma, self.beta, epsilon=self.epsilon)


class InstanceNormalization(GroupNormalization):
    """Each channel of each picture brought to mean 0 and variance 1.

    Parameters
    ----------
    axis, epsilon, center, scale, beta_initializer, gamma_initializer
        As for `BatchNormalization`.
    """

    def __init__(
        self,
        axis: Any = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            -1, axis, epsilon, center, scale, beta_initializer, gamma_initializer, **kwargs
        )


class LayerNormalization(_Normalization):
    """The last axis brought to mean 0 and variance 1.

    Parameters
    ----------
    axis, epsilon, center, scale, beta_initializer, gamma_initializer
        As for `BatchNormalization`.
    """

    def __init__(
        self,
        axis: Any = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            axis, epsilon, center, scale, beta_initializer, gamma_initializer, **kwargs
        )

    def build(self, input_shape: Any) -> None:
        """Make gamma and beta, of the last axis' size each."""
        self._add_affine(self._size(input_shape))

    def call(self, inputs: Any) -> Any:
        """Apply the layer."""
        return ops.layer_normalization(inputs, self.gamma, self.beta, epsilon=self.epsilon)


class UnitNormalization(Layer):
    """Vectors along an axis divided by their Euclidean length.

    Parameters
    ----------
    axis : int, default -1
    """

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, inputs: Any) -> Any:
        """Apply the layer."""
        return ops.l2_normalize(inputs, axis=self.axis)


class LocalResponseNormalization(Layer):
    """Each value divided by what its neighbour channels amount to, as in AlexNet and GoogLeNet.

    ``x / (k + alpha / size * sum of x ** 2 over size channels) ** beta``: torch's formula, torch's
    defaults.

    Parameters
    ----------
    size : int, default 5
        The number of channels.
    alpha : float, default 1e-4
    beta : float, default 0.75
    k : float, default 1.0
    """

    def __init__(
        self,
        size: int = 5,
        alpha: float = 1e-4,
        beta: float = 0.75,
        k: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.size = positive_int("LocalResponseNormalization", "size", size)
        self.alpha = number("LocalResponseNormalization", "alpha", alpha)
        self.beta = number("LocalResponseNormalization", "beta", beta)
        self.k = number("LocalResponseNormalization", "k", k)
        self.input_spec = InputSpec(ndim=4)

    def call(self, inputs: Any) -> Any:
        """Apply the layer."""
        return ops.local_response_normalization(
            inputs, size=self.size, alpha=self.alpha, beta=self.beta, k=self.k
        )
