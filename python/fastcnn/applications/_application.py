"""What the classifiers share: Keras' arguments, the input, the top, the weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from fastcnn import layers
from fastcnn.applications import weights as pretrained
from fastcnn.applications.imagenet import Mode
from fastcnn.errors import ConfigError, ShapeError
from fastcnn.io._files import StrPath
from fastcnn.io.resize import Method
from fastcnn.model import Model

Tensor = Any
Shape = tuple[int | None, int | None, int]


def average_and_classify(x: Tensor, classes: int, activation: Any, dropout: float = 0.0) -> Tensor:
    """Average over the picture, then one dense layer: the top of networks since GoogLeNet."""
    x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    if dropout:
        x = layers.Dropout(dropout, name="top_dropout")(x)
    return layers.Dense(classes, activation=activation, name="predictions")(x)


@dataclass(frozen=True)
class Variant:
    """A network as another library has it: the same layers and names, but not quite the same sums.

    Attributes
    ----------
    features : callable
        As of `Application`.
    sign : str
        A weight that a file of that library has, and no other.
    mode : str
        How pictures for the library's weights are preprocessed.
    """

    features: Callable[[Tensor], Tensor]
    sign: str
    mode: Mode = "torch"


@dataclass(frozen=True)
class Application:
    """A network as its paper describes it, and what its pictures and weights are like.

    Attributes
    ----------
    name : str
        ``"resnet50"``: the model's name, and what its file of weights is called.
    features : callable
        From the picture to what the top classifies.
    top : callable
        From these features, the number of classes and an activation to the predictions.
    top_layers : tuple of str
        The layers of the top that have weights.
    mode : str
        How its pictures are preprocessed, a mode of `imagenet.preprocess_input`.
    size, min_size : int
        Height and width of the pictures it was made for, and the smallest it can take.
    method : str
        How they are resized, a method of `fastcnn.io.resize_image`.
    layer_of : callable
        From a layer's name in other libraries to its name here.
    variants : dict of str to Variant
        By the library's name.
    flattened : dict of str to int
        The dense layers that read a flattened picture, and how many channels that has: torch
        flattens channels first.
    dropped : tuple of str
        Layers that files have, and the network never.
    """

    name: str
    features: Callable[[Tensor], Tensor]
    top: Callable[[Tensor, int, Any], Tensor] = average_and_classify
    top_layers: tuple[str, ...] = ("predictions",)
    mode: Mode = "caffe"
    size: int = 224
    min_size: int = 32
    method: Method = "bilinear"
    layer_of: Callable[[str], str] = lambda layer: layer
    variants: Mapping[str, Variant] = field(default_factory=dict)
    flattened: Mapping[str, int] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()

    def build(
        self,
        *,
        include_top: bool,
        weights: StrPath | None,
        input_tensor: Tensor | None,
        input_shape: Shape | None,
        pooling: str | None,
        classes: int,
        classifier_activation: Any,
        name: str | None,
        variant: str | None = None,
    ) -> Model:
        """Make the model; the arguments are those of Keras Applications, and `variant`."""
        if pooling not in (None, "avg", "max"):
            raise ConfigError(
                f"{self.name}: expected pooling None, 'avg' or 'max', got {pooling!r}"
            )
        if weights == "imagenet" and include_top and classes != 1000:
            raise ConfigError(
                f'{self.name}: the top of weights="imagenet" has 1000 classes, got '
                f"classes={classes}; use include_top=False and a top of your own"
            )
        path = self._path(weights)
        chosen = self._variant(variant, path)
        image = self._image(include_top, input_tensor, input_shape)
        x = self.features(image) if chosen is None else chosen.features(image)
        if include_top:
            x = self.top(x, classes, classifier_activation)
        elif pooling == "avg":
            x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
        elif pooling == "max":
            x = layers.GlobalMaxPooling2D(name="max_pool")(x)
        model = Model(image, x, name=name or self.name)
        if path is not None:
            pretrained.load_into(
                model,
                path,
                layer_of=self.layer_of,
                ignored=(*self.dropped, *(() if include_top else self.top_layers)),
                flattened=self.flattened,
            )
        sources = _source_inputs(image)
        if sources == [image]:
            return model
        return Model(sources[0] if len(sources) == 1 else sources, x, name=model.name)

    def mode_for(self, weights: StrPath | None = None, variant: str | None = None) -> Mode:
        """Tell how pictures are preprocessed for a model that was made with these arguments."""
        found = self._variant(variant, self._path(weights))
        return self.mode if found is None else found.mode

    def _path(self, weights: StrPath | None) -> StrPath | None:
        if weights == "imagenet":
            return pretrained.find(self.name)
        named = isinstance(weights, str) and weights in pretrained.PRETRAINED
        return pretrained.find(str(weights)) if named else weights

    def _variant(self, variant: str | None, path: StrPath | None) -> Variant | None:
        """Choose what was asked for, or else what the file of weights is for."""
        if variant is None and self.variants and path is not None:
            names = pretrained.names(path)
            return next((v for v in self.variants.values() if v.sign in names), None)
        if variant in (None, "keras"):
            return None
        if variant not in self.variants:
            raise ConfigError(
                f"{self.name}: expected variant None or one of "
                f"{', '.join(['keras', *self.variants])}, got {variant!r}"
            )
        return self.variants[variant]

    def _image(
        self, include_top: bool, input_tensor: Tensor | None, input_shape: Shape | None
    ) -> Tensor:
        side = self.size if include_top else None
        shape = input_shape or (side, side, 3)
        if input_tensor is not None:
            shape = input_tensor.shape[1:]
        if len(shape) != 3 or shape[2] is None:
            raise ShapeError(
                f"{self.name}: expected input_shape (height, width, channels), got {shape}"
            )
        if any(side is not None and side < self.min_size for side in shape[:2]):
            raise ShapeError(
                f"{self.name}: expected pictures of at least {self.min_size} x {self.min_size}, "
                f"got input_shape {shape}"
            )
        return layers.Input(shape) if input_tensor is None else input_tensor


def _source_inputs(x: Tensor) -> list[Tensor]:
    """Find the `Input` tensors that a symbolic tensor is computed from."""
    found: list[Tensor] = []
    seen: set[int] = set()
    waiting = [x]
    while waiting:
        tensor = waiting.pop()
        if id(tensor) in seen:
            continue
        seen.add(id(tensor))
        inputs = tensor.node.inputs if tensor.node is not None else []
        waiting.extend(reversed(inputs))
        if not inputs:
            found.append(tensor)
    return found


class Constructor(Protocol):
    """A function that makes a network, as `fastcnn.applications` offers it."""

    application: Application
    __name__: str

    def __call__(
        self,
        include_top: bool = True,
        weights: StrPath | None = None,
        input_tensor: Tensor | None = None,
        input_shape: Shape | None = None,
        pooling: str | None = None,
        classes: int = 1000,
        classifier_activation: Any = "softmax",
        name: str | None = None,
        variant: str | None = None,
    ) -> Model: ...


def application(name: str, **options: Any) -> Callable[[Callable[[Tensor], Tensor]], Constructor]:
    """Turn the function that computes a network's features into Keras' function that makes a model.

    Parameters
    ----------
    name : str
        The model's name.
    **options
        The other attributes of `Application`.
    """

    def decorate(features: Callable[[Tensor], Tensor]) -> Constructor:
        network = Application(name, features, **options)

        def construct(
            include_top: bool = True,
            weights: StrPath | None = None,
            input_tensor: Tensor | None = None,
            input_shape: Shape | None = None,
            pooling: str | None = None,
            classes: int = 1000,
            classifier_activation: Any = "softmax",
            name: str | None = None,
            variant: str | None = None,
        ) -> Model:
            return network.build(
                include_top=include_top,
                weights=weights,
                input_tensor=input_tensor,
                input_shape=input_shape,
                pooling=pooling,
                classes=classes,
                classifier_activation=classifier_activation,
                name=name,
                variant=variant,
            )

        construct.__name__ = features.__name__
        construct.__qualname__ = features.__qualname__
        construct.__module__ = features.__module__
        return with_application(construct, network, features.__doc__)

    return decorate


def with_application(construct: Any, network: Application, doc: str | None) -> Constructor:
    """Attach a network's description to the function that makes it, and complete the docs."""
    construct.__doc__ = f"{(doc or '').rstrip()}\n{_PARAMETERS.format(network=network)}"
    construct.application = network
    return cast(Constructor, construct)


_PARAMETERS = """
    Parameters
    ----------
    include_top : bool, default True
        Whether the classifier is part of the model; without it the model gives features.
    weights : None, "imagenet" or path, default None
        Random; those that `fastcnn.applications.weights` finds; or a file that
        `fastcnn.io.load_weights_file` reads.
    input_tensor : KerasTensor, optional
        What to apply the network to, instead of an `Input` of its own.
    input_shape : (height, width, channels), optional
        ({network.size}, {network.size}, 3) unless given; without the top, height and width
        are left open, and may be None. At least {network.min_size}.
    pooling : None, "avg" or "max"
        Without the top: how the features are pooled over the picture, if at all.
    classes : int, default 1000
    classifier_activation : str, callable or None, default "softmax"
        None gives logits.
    name : str, optional
        The model's name, "{network.name}" unless given.
    variant : None, "keras" or "torchvision", default None
        For networks that torchvision computes a little differently: which one. None: the one that
        the file of weights is for, else Keras'.

    Returns
    -------
    fastcnn.Model
        Its pictures are preprocessed by ``preprocess_input`` of the same module.

    Raises
    ------
    ConfigError, ShapeError
        An argument is out of its range.
    MissingWeightsError
        There is no such file of weights.
    FileFormatError
        The file is damaged, or its weights are those of another network.
    """
