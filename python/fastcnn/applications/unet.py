"""U-Net: Ronneberger, Fischer and Brox, "U-Net: Convolutional Networks for Biomedical Image
Segmentation", MICCAI 2015.

A contracting path halves the picture and doubles the filters; an expanding path goes back up, and
at each size reads beside what comes from below what the contracting path knew of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastcnn import _tree, layers
from fastcnn._checks import number, one_of, positive_int
from fastcnn.applications._application import Shape, Tensor
from fastcnn.errors import ConfigError, ShapeError
from fastcnn.model import Model

__all__ = ["UNet"]


def UNet(  # noqa: N802 - the paper's name
    input_shape: Shape | None = None,
    classes: int = 2,
    filters: int = 64,
    depth: int = 4,
    *,
    padding: str = "same",
    up: str = "transposed",
    batch_norm: bool = False,
    dropout: float = 0.0,
    variant: str = "paper",
    encoder: Model | None = None,
    classifier_activation: Any = "softmax",
    name: str = "unet",
) -> Model:
    """Make a U-Net, which gives scores of the classes for every pixel.

    Parameters
    ----------
    input_shape : (height, width, channels), optional
        (None, None, 3) unless given: pictures of any size, whose height and width ``2 ** depth``
        divides. With an `encoder`, that one's.
    classes : int, default 2
        The background counts.
    filters : int, default 64
        Of the first level; each level below has twice as many.
    depth : int, default 4
        How often the picture is halved.
    padding : {"same", "valid"}, default "same"
        Borders of zeros, so that the scores have the size of the picture (the course); or none, as
        in the paper: the scores are those of the middle, and skips are cropped to it. There,
        572 x 572 pixels give 388 x 388.
    up : {"transposed", "bilinear"}, default "transposed"
        How the expanding path doubles the size: by a transposed convolution, or by a convolution
        of 1 x 1, which halves the channels, and interpolation.
    batch_norm : bool, default False
        Whether convolutions are normalised; they have no bias then.
    dropout : float, default 0.0
        Of the two deepest blocks; the course has 0.3.
    variant : {"paper", "course"}, default "paper"
        The course's transposed convolutions are of 3 x 3 pixels instead of 2 x 2, and one more
        convolution comes before the classes. It has 32 `filters`.
    encoder : Model, optional
        A network for pictures of a known size whose features take the place of the contracting
        path: its last results at a half, a quarter ... of the size are the skips, its output is the
        deepest level. For example ``EfficientNetLite0(include_top=False, weights="imagenet",
        input_shape=(192, 256, 3))``; pictures are preprocessed as it wants them. `depth` is how
        often it halves them then. While it is not trainable, its batch norms keep their statistics.
    classifier_activation : str, callable or None, default "softmax"
        None gives logits.
    name : str, default "unet"

    Returns
    -------
    fastcnn.Model
        From (n, height, width, channels) to (n, height, width, classes). Its convolutions start
        from He's initialisation, as the paper's do.

    Raises
    ------
    ConfigError
        An argument has no meaning.
    ShapeError
        Pictures of this size cannot be halved so often; the message names sizes that can.

    References
    ----------
    O. Ronneberger, P. Fischer, T. Brox: U-Net: Convolutional Networks for Biomedical Image
    Segmentation. MICCAI 2015, figure 1.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> model = fc.applications.UNet((64, 96, 3), classes=11, filters=8, depth=3)
    >>> model.predict(np.zeros((1, 64, 96, 3))).shape
    (1, 64, 96, 11)
    >>> paper = fc.applications.UNet((572, 572, 1), padding="valid")
    >>> paper.output_shape
    (None, 388, 388, 2)
    """
    one_of("UNet", "padding", padding, ("same", "valid"))
    one_of("UNet", "up", up, ("transposed", "bilinear"))
    one_of("UNet", "variant", variant, ("paper", "course"))
    classes = positive_int("UNet", "classes", classes)
    filters = positive_int("UNet", "filters", filters)
    depth = positive_int("UNet", "depth", depth)
    dropout = number("UNet", "dropout", dropout, at_least=0, at_most=1)
    parts = _Parts(padding, up, bool(batch_norm), 3 if variant == "course" else 2)

    skips: Sequence[Tensor]
    if encoder is None:
        image = layers.Input(_checked_shape(input_shape or (None, None, 3), depth, padding))
        x, skips = _contract(parts, image, filters, depth, dropout)
    else:
        if padding != "same":
            raise ConfigError('UNet: an encoder needs padding="same"')
        scales = _scales(encoder)
        depth = len(scales) - 1
        image = layers.Input(_encoder_shape(encoder, input_shape))
        features = Model(encoder.input, scales[1:], name="encoder", trainable=encoder.trainable)
        *skips, x = features(image)
        skips = [None, *skips]

    margin = 0  # of the next skip, which shall have the size of what comes from below
    for level in reversed(range(depth)):
        if padding == "valid":  # of each side, two pixels are lost going down and two going up
            margin = 4 if level == depth - 1 else 2 * (margin + 4)
        label = f"up{level + 1}"
        x = parts.double(x, filters * 2**level, label)
        if skips[level] is not None:
            skip = skips[level]
            if margin:
                skip = layers.Cropping2D(margin, name=f"{label}_crop")(skip)
            x = layers.Concatenate(name=f"{label}_concat")([x, skip])
        x = parts.twice(x, filters * 2**level, label)
    if variant == "course":
        x = parts.convolve(x, filters, 3, "head_conv")
    scores = layers.Conv2D(classes, 1, kernel_initializer="he_normal", name="classes")(x)
    if classifier_activation is not None:
        scores = layers.Activation(classifier_activation, name="predictions")(scores)
    return Model(image, scores, name=name)


class _Parts:
    """What both paths are made of."""

    def __init__(self, padding: str, up: str, batch_norm: bool, up_size: int) -> None:
        self.padding = padding
        self.up = up
        self.batch_norm = batch_norm
        self.up_size = up_size

    def convolve(self, x: Tensor, filters: int, size: int, name: str) -> Tensor:
        x = layers.Conv2D(
            filters, size, padding=self.padding, use_bias=not self.batch_norm,
            kernel_initializer="he_normal", name=name,
        )(x)  # fmt: skip
        if self.batch_norm:
            x = layers.BatchNormalization(momentum=0.9, name=f"{name}_bn")(x)
        return layers.ReLU(name=f"{name}_relu")(x)

    def twice(self, x: Tensor, filters: int, name: str) -> Tensor:
        for which in (1, 2):
            x = self.convolve(x, filters, 3, f"{name}_conv{which}")
        return x

    def double(self, x: Tensor, filters: int, name: str) -> Tensor:
        if self.up == "transposed":
            return layers.Conv2DTranspose(
                filters, self.up_size, strides=2, padding="same",
                kernel_initializer="he_normal", name=name,
            )(x)  # fmt: skip
        # In this order, which changes no result, the convolution has a quarter of the pixels.
        x = layers.Conv2D(filters, 1, kernel_initializer="he_normal", name=f"{name}_halve")(x)
        return layers.UpSampling2D(2, interpolation="bilinear", name=name)(x)


def _contract(
    parts: _Parts, x: Tensor, filters: int, depth: int, dropout: float
) -> tuple[Tensor, list[Tensor]]:
    """Go down: what the deepest level gives, and what each above it keeps for the way up."""
    skips: list[Tensor] = []
    for level in range(depth + 1):
        label = "bottom" if level == depth else f"down{level + 1}"
        x = parts.twice(x, filters * 2**level, label)
        if dropout and level >= depth - 1:
            x = layers.Dropout(dropout, name=f"{label}_dropout")(x)
        if level < depth:
            skips.append(x)
            x = layers.MaxPooling2D(2, name=f"{label}_pool")(x)
    return x, skips


def _fits(size: int, depth: int, padding: str) -> bool:
    """Whether every level can be halved without a remainder, and something is left at the end."""
    lost = 4 if padding == "valid" else 0
    for _ in range(depth):
        size -= lost
        if size <= 0 or size % 2:
            return False
        size //= 2
    size -= lost
    for _ in range(depth):
        size = 2 * size - lost
    return size > 0


def _checked_shape(shape: Shape, depth: int, padding: str) -> Shape:
    if len(shape) != 3 or shape[2] is None:
        raise ShapeError(f"UNet: expected input_shape (height, width, channels), got {shape}")
    for size in shape[:2]:
        if size is not None and not _fits(size, depth, padding):
            near = [n for n in range(size + 2 ** (depth + 5)) if _fits(n, depth, padding)]
            below = [n for n in near if n < size][-1:]
            above = [n for n in near if n > size][:1]
            raise ShapeError(
                f"UNet: pictures of input_shape {shape} cannot be halved {depth} times with "
                f'padding="{padding}"; for {size}, take {" or ".join(map(str, below + above))}'
            )
    return shape


def _encoder_shape(encoder: Model, input_shape: Shape | None) -> Shape:
    shape: Shape = encoder.input_shape[1:]
    if input_shape is not None and tuple(input_shape) != shape:
        raise ShapeError(
            f"UNet: expected input_shape {shape}, that of the encoder, or none, got {input_shape}"
        )
    return shape


def _scales(encoder: Model) -> list[Tensor]:
    """Find the last result at each size of the encoder, the picture's first, its output last."""
    if len(encoder.inputs) != 1 or len(encoder.outputs) != 1:
        raise ConfigError("UNet: expected an encoder of one input and one output")
    shape = encoder.input_shape
    if len(shape) != 4 or None in shape[1:]:
        raise ShapeError(
            "UNet: expected an encoder for pictures of a known size, made with "
            f"input_shape=(height, width, channels), got input shape {shape}"
        )
    tensors = [x for node in encoder._functional().nodes for x in _tree.flatten(node.outputs)]
    found = [encoder.inputs[0]]
    while True:
        height, width = (size // 2 ** len(found) for size in shape[1:3])
        there = [x for x in tensors if len(x.shape) == 4 and x.shape[1:3] == (height, width)]
        if not there or 0 in (height, width):
            break
        found.append(there[-1])
    last = encoder.outputs[0]
    depth = len(found) - 1
    halved = depth > 0 and tuple(last.shape[1:3]) == tuple(found[-1].shape[1:3])
    if not halved or any(size % 2**depth for size in shape[1:3]):
        raise ShapeError(
            "UNet: expected an encoder whose output is smaller by a power of two, which divides "
            f"its pictures' sides; got {last.shape} from {shape}"
        )
    return [*found[:-1], last]
