"""The base of all layers and models."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fastcnn import _tree, constraints, initializers, naming, ops, regularizers, serialization
from fastcnn.errors import ConfigError, DTypeError, ShapeError, UnsupportedError
from fastcnn.layers.input_spec import check_inputs
from fastcnn.ops._dispatch import active
from fastcnn.plan import Compiled, PlanCache, is_array, note_change
from fastcnn.symbolic import KerasTensor, Node, record, shapes_only
from fastcnn.tracing import Trace, Value
from fastcnn.variable import Variable

Shape = Sequence["int | None"]

# What a weight may be given besides its initializer, and where it is found by its name.
_WEIGHT_OPTIONS: dict[str, Any] = {"regularizer": regularizers, "constraint": constraints}

_MOST_WEIGHTS = 2**44  # numbers in one array: what the core takes for larger than any memory


def _refuse_other_dtypes(who: str, dtype: Any) -> None:
    try:
        same = dtype is None or np.dtype(dtype) == np.float32
    except TypeError:
        same = False
    if not same:
        raise UnsupportedError(f"{who}: expected dtype float32, got {dtype!r}")


class Layer:
    """Makes nodes of a graph and owns parameters.

    A layer of one's own defines ``call`` with functions of `fastcnn.ops` and other layers, and
    ``build`` when it has weights. Called on arrays it is compiled for their shapes and run; called
    on a `KerasTensor` it becomes part of a functional model. ``layer.call(array)`` runs it op by
    op, which is the way to look inside.

    Parameters
    ----------
    name : str, optional
        ``"conv2d"``, ``"conv2d_1"`` ... unless given.
    trainable : bool, default True
        Whether training changes the weights.
    dtype : str, optional
        ``"float32"``, the only one there is.
    activity_regularizer : str, callable or None, optional
        The penalty of the result, a picture, that is added to the loss.
    **kwargs
        ``kernel_regularizer``, ``kernel_constraint`` and the like for the weights that have an
        initializer, where the layer has such weights.

    Attributes
    ----------
    built : bool
        Whether the weights exist.
    input_spec : InputSpec or list of InputSpec or None
        What the inputs must be; a subclass sets it.

    Examples
    --------
    >>> import fastcnn as fc
    >>> class Scale(fc.layers.Layer):
    ...     def build(self, input_shape):
    ...         self.factor = self.add_weight(shape=input_shape[-1:], initializer="ones")
    ...
    ...     def call(self, x):
    ...         return x * self.factor
    >>> Scale()(np.zeros((2, 3))).shape
    (2, 3)
    """

    name: str = ""
    built: bool = False
    input_spec: Any = None
    _arguments: _Arguments
    _variables: list[Variable]
    _nodes: list[Node]
    _plans: PlanCache | None
    _call_shapes: list[Any] | None
    _traced: bool = False
    _weight_options: ClassVar[Mapping[str, str]] = {}  # {"kernel": what kernel_regularizer is for}

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        layer = super().__new__(cls)
        # Kept for get_config. In an object, not a dictionary: layers among them are not children.
        layer._arguments = _Arguments(cls, args, kwargs)
        layer._variables = []
        layer._nodes = []
        layer._plans = None
        layer._trainable = True
        layer._call_shapes = None
        return layer

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "build" in vars(cls):
            cls.build = _marking_built(cls.build)  # type: ignore[method-assign]

    def __init__(
        self,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: str | None = None,
        activity_regularizer: Any = None,
        **kwargs: Any,
    ) -> None:
        cls = type(self).__name__
        if name is not None and (not isinstance(name, str) or not name or "/" in name):
            raise ConfigError(f"{cls}: expected a name without '/', got {name!r}")
        _refuse_other_dtypes(cls, dtype)
        self._input_shape = _given_input_shape(kwargs)
        if kwargs.pop("data_format", None) not in (None, "channels_last"):
            raise UnsupportedError(
                f'{cls}: expected data_format "channels_last" (images are (n, h, w, c))'
            )
        kwargs.pop("autocast", None)
        self.activity_regularizer = regularizers.get(activity_regularizer)
        for prefix in self._weight_options.values():
            for option, module in _WEIGHT_OPTIONS.items():
                key = f"{prefix}_{option}"
                setattr(self, key, module.get(kwargs.pop(key, None)))
        for key in kwargs:
            raise TypeError(f"{cls}.__init__() got an unexpected keyword argument {key!r}")
        self.name = name or naming.auto_name(naming.to_snake_case(cls))
        self._trainable = bool(trainable)

    # ---- to be defined by subclasses -----------------------------------------------------------

    def build(self, input_shape: Any) -> None:
        """Make the weights, knowing the shape of the first input (or their structure of shapes)."""
        self.built = True

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the layer's result with functions of `fastcnn.ops` and other layers."""
        raise TypeError(f"{type(self).__name__} defines no call(self, inputs)")

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Tell the shape of the result from that of the input, None where it is not known.

        Parameters
        ----------
        input_shape : tuple, or list or dict of tuples
            With the batch. A layer that has no weights yet makes them for it.

        Examples
        --------
        >>> import fastcnn as fc
        >>> fc.layers.MaxPooling2D().compute_output_shape((None, 33, None, 8))
        (None, 16, None, 8)
        """
        inputs = _map_shapes(KerasTensor, input_shape)
        with shapes_only():
            outputs = self(inputs)
        return _tree.map_structure(lambda x: x.shape, outputs)

    # ---- calling -------------------------------------------------------------------------------

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Apply the layer to arrays, to symbolic tensors, or within another layer's call."""
        if not self.name:
            raise ConfigError(
                f"{type(self).__name__}: call super().__init__() in __init__ before anything else"
            )
        if not (len(args) == 1 and type(args[0]) is np.ndarray and not kwargs):
            return self._call_any(args, kwargs)
        compiled, arrays = self._compile(args, kwargs)  # what most calls are
        return compiled(arrays)

    def _call_any(self, args: Any, kwargs: Any) -> Any:
        leaves = _tree.flatten((args, kwargs))
        if any(isinstance(x, KerasTensor) for x in leaves):
            return self._call_symbolic(args, kwargs)
        for x in leaves:
            if isinstance(x, Value):
                return self._call_traced(x.trace, args, kwargs)
        if not any(is_array(x) for x in leaves):
            given = args[0] if args else None
            raise DTypeError(
                f'layer "{self.name}": expected an array or a symbolic tensor, got {given!r}'
            )
        compiled, arrays = self._compile(args, kwargs)
        return compiled(arrays)

    def _call_symbolic(self, args: Any, kwargs: Any) -> Any:
        check_inputs(self.name, self.input_spec, args[0] if args else None)
        with shapes_only():
            self._ensure_built(args, kwargs)
            if type(self).compute_output_shape is Layer.compute_output_shape:
                outputs = self.call(*args, **self._call_options(kwargs, None))
            else:
                outputs = self._from_compute_output_shape(args[0])
        return record(self, args, kwargs, outputs)

    def _from_compute_output_shape(self, inputs: Any) -> Any:
        """Make the outputs whose shapes a subclass tells, in the scratch traces too."""
        leaves = _tree.flatten(inputs)
        shapes = _tree.map_structure(lambda x: x.shape, inputs)
        outputs = _map_shapes(KerasTensor, self.compute_output_shape(shapes))
        if all(x.samples is not None for x in leaves):
            for run in range(2):
                sampled = iter([x.samples[run] for x in leaves])
                shapes = _tree.pack(inputs, sampled)
                found = _map_shapes(KerasTensor, self.compute_output_shape(shapes))
                for x, y in zip(_tree.flatten(outputs), _tree.flatten(found), strict=True):
                    x.samples = (*(x.samples or ()), y.shape)
        return outputs

    def _call_options(self, kwargs: Any, training: bool | None) -> dict[str, Any]:
        """Give the keyword arguments for ``call``: with `training` if it takes that."""
        options = {key: value for key, value in kwargs.items() if key != "training"}
        if training is not None and _accepts(type(self).call, "training"):
            options["training"] = training
        return options

    def _call_traced(self, trace: Trace, args: Any, kwargs: Any, scope: str | None = None) -> Any:
        """Add the layer to a graph; `scope` names its nodes, the layers around it unless given.

        ``training`` among `kwargs` decides for the layer and all layers inside; without it they
        are in training when the graph is.
        """
        check_inputs(self.name, self.input_spec, args[0] if args else None)
        self._ensure_built(args, kwargs)
        outer = trace.name, trace.training
        if scope is None:
            scope = f"{trace.name}/{self.name}" if trace.name else self.name
        trace.name = scope
        if kwargs.get("training") is not None:
            trace.training = bool(kwargs["training"])
        self._traced = True
        try:
            outputs = self.call(*args, **self._call_options(kwargs, trace.training))
            if self.activity_regularizer is not None:
                for x in _tree.flatten(outputs):
                    size = x.shape[0] if x.shape else 1
                    self.add_loss(self.activity_regularizer(x) * (1.0 / max(1, size)))
            trace.called(scope, outputs)
            return outputs
        finally:
            trace.name, trace.training = outer

    @property
    def _root_scope(self) -> str:
        """The name of its nodes in a plan of its own."""
        return self.name

    def _compile(self, args: Any, kwargs: Any) -> tuple[Compiled, list[NDArray[Any]]]:
        return self._plan_cache().get(args, kwargs)

    def _plan_cache(self) -> PlanCache:
        if self._plans is None:
            self._plans = self._make_plan_cache()
        return self._plans

    def _make_plan_cache(self) -> PlanCache:
        def describe(trace: Trace, args: Any, kwargs: Any) -> Any:
            return self._call_traced(trace, args, kwargs, self._root_scope)

        return PlanCache(describe, f'layer "{self.name}"', options=self)

    def _ensure_built(self, args: Any, kwargs: Any) -> None:
        if self._call_shapes is None:
            self._call_shapes = [
                _tree.map_structure(lambda x: getattr(x, "shape", None), x) for x in args
            ]
        if not self.built:
            self.build(self._call_shapes[0] if self._call_shapes else None)

    # ---- weights -------------------------------------------------------------------------------

    def add_weight(
        self,
        shape: Shape | None = None,
        initializer: Any = None,
        dtype: str | None = None,
        trainable: bool = True,
        *,
        name: str | None = None,
        regularizer: Any = None,
        constraint: Any = None,
    ) -> Variable:
        """Make a weight that belongs to the layer.

        Parameters
        ----------
        shape : sequence of int, optional
            A scalar's, ``()``, unless given.
        initializer : str, callable or array, optional
            See `fastcnn.initializers.get`; ``"glorot_uniform"`` unless given.
        dtype : str, optional
            ``"float32"``.
        trainable : bool, default True
        name : str, optional
            Its name within the layer; ``"variable"`` unless given.
        regularizer : str, callable or None, optional
            See `fastcnn.regularizers.get`: a penalty that training adds to the loss.
        constraint : str, callable or None, optional
            See `fastcnn.constraints.get`: what every step of training ends with.
        """
        _refuse_other_dtypes(f'layer "{self.name}"', dtype)
        sizes = tuple(shape or ())
        if not all(isinstance(n, (int, np.integer)) and n >= 0 for n in sizes):
            raise ShapeError(
                f'layer "{self.name}": expected known sizes for weight {name or "variable"!r}, '
                f"got {sizes}"
            )
        taken = {v.name for v in self._variables}
        name = name or next(
            n for n in ("variable", *(f"variable_{i}" for i in range(1, 1000))) if n not in taken
        )
        known = tuple(int(n) for n in sizes if n is not None)
        if math.prod(known) > _MOST_WEIGHTS:
            raise ShapeError(
                f'layer "{self.name}": weight {name!r} of shape {known} is larger than any memory'
            )
        value = serialization.preset_weight(known)
        if value is None:
            make = initializers.get("glorot_uniform" if initializer is None else initializer)
            assert make is not None
            value = make(known, dtype="float32")
        if np.shape(value) != known:
            raise ShapeError(
                f'layer "{self.name}": expected the initializer of {name!r} to give shape {known}, '
                f"got {np.shape(value)}"
            )
        variable = Variable(value, trainable=trainable, name=name, path=f"{self.name}/{name}")
        given = {"regularizer": regularizer, "constraint": constraint}
        for option, module in _WEIGHT_OPTIONS.items():
            argument = f"{self._weight_options.get(name)}_{option}"
            if given[option] is None:
                given[option] = getattr(self, argument, None)
            setattr(variable, option, module.get(given[option]))
        self._variables.append(variable)
        return variable

    def add_loss(self, loss: Any) -> None:
        """Add to the loss that is being trained, from within ``call``.

        Parameters
        ----------
        loss : Value or list of Value
            What functions of `fastcnn.ops` gave; of an array, the sum of its numbers counts.

        Examples
        --------
        >>> import fastcnn as fc
        >>> class Small(fc.layers.Layer):
        ...     def call(self, x):
        ...         self.add_loss(0.01 * fc.ops.sum(fc.ops.square(x)))
        ...         return x
        """
        for x in loss if isinstance(loss, (list, tuple)) else [loss]:
            if active.trace is not None and not isinstance(x, KerasTensor):
                value = active.trace.value_of(x)
                active.trace.losses.append(ops.sum(value) if value.shape else value)

    @property
    def losses(self) -> list[Any]:
        """The penalties of the weights that are trained, computed now."""
        return [v.regularizer(v) for v in self.trainable_weights if v.regularizer is not None]

    @property
    def weights(self) -> list[Variable]:
        """All weights: the layer's own, those to be trained first, then those of layers inside."""
        found: dict[int, Variable] = {}
        for layer in self._walk():
            own = layer._own_variables()
            for variable in sorted(own.values(), key=lambda v: not v.trainable):
                found.setdefault(id(variable), variable)
        return list(found.values())

    variables = weights

    @property
    def trainable_weights(self) -> list[Variable]:
        """The weights that training changes."""
        kept = {
            id(v)
            for layer in self._walk(lambda layer: layer.trainable)
            for v in layer._own_variables().values()
            if v.trainable
        }
        return [v for v in self.weights if id(v) in kept]

    trainable_variables = trainable_weights

    @property
    def non_trainable_weights(self) -> list[Variable]:
        """The weights that training leaves alone."""
        trained = {id(v) for v in self.trainable_weights}
        return [v for v in self.weights if id(v) not in trained]

    non_trainable_variables = non_trainable_weights

    @property
    def trainable(self) -> bool:
        """Whether training changes the weights; setting it sets it for all layers inside."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        for layer in self._walk():
            layer._trainable = bool(value)
        note_change()  # plans of training compute gradients of what was trainable

    def get_weights(self) -> list[NDArray[Any]]:
        """Copy the values of `weights`, in their order."""
        return [v.numpy() for v in self.weights]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Replace the values of `weights`, in their order.

        Raises
        ------
        ShapeError
            There are more or fewer than the layer has, or one has another shape. Nothing has been
            replaced then.
        DTypeError
            One does not hold real numbers.
        """
        own = self.weights
        if len(weights) != len(own):
            hint = "" if own else "; the layer has none before it is built"
            raise ShapeError(f'"{self.name}": expected {len(own)} arrays, got {len(weights)}{hint}')
        for variable, value in zip(own, weights, strict=True):
            if np.shape(value) != tuple(variable.shape):
                raise ShapeError(
                    f'"{self.name}": expected shape {tuple(variable.shape)} for {variable.path}, '
                    f"got {np.shape(value)}"
                )
        for variable, value in zip(own, weights, strict=True):
            variable.assign(value)

    def count_params(self) -> int:
        """Count the numbers in all weights."""
        if not self.built:
            raise ConfigError(
                f'"{self.name}" has no weights yet: call it on data or on an Input, or build it'
            )
        return sum(v.size for v in self.weights)

    def _own_variables(self) -> dict[str, Variable]:
        """Weights by name: made by `add_weight`, or assigned as attributes."""
        own = {v.name: v for v in self._variables}
        known = {id(v) for v in own.values()}
        for key, value in vars(self).items():
            if isinstance(value, Variable) and id(value) not in known:
                own.setdefault(key, value)
        return own

    def _children(self) -> dict[str, Layer]:
        """Layers inside: those in attributes, or in lists and dictionaries in attributes."""
        children: dict[str, Layer] = {}

        def visit(path: str, value: Any) -> None:
            if isinstance(value, Layer):
                children[path] = value
            elif isinstance(value, (list, tuple)):
                for index, item in enumerate(value):
                    visit(f"{path}/{index}", item)
            elif isinstance(value, dict):
                for key, item in value.items():
                    visit(f"{path}/{key}", item)

        for key, value in vars(self).items():
            visit(key, value)
        return children

    def _walk(self, enter: Callable[[Layer], bool] = lambda _: True) -> list[Layer]:
        """List the layer and all layers inside, each once, parents first."""
        found: dict[int, Layer] = {}

        def visit(layer: Layer) -> None:
            if id(layer) not in found and enter(layer):
                found[id(layer)] = layer
                for child in layer._children().values():
                    visit(child)

        visit(self)
        return list(found.values())

    def __setattr__(self, key: str, value: Any) -> None:
        if self._traced and not key.startswith("_") and key != "trainable":
            note_change()  # plans that exist describe what the layer was
        object.__setattr__(self, key, value)

    # ---- place in a functional model -----------------------------------------------------------

    @property
    def input(self) -> Any:
        """What the layer was first called on in a functional model."""
        node = self._first_node()
        return node.args[0] if len(node.args) == 1 else node.inputs

    @property
    def output(self) -> Any:
        """What that call returned."""
        return self._first_node().outputs

    def _first_node(self) -> Node:
        if not self._nodes:
            raise ConfigError(f'layer "{self.name}" has not been called in a functional model')
        return self._nodes[0]

    # ---- configuration -------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer, without its weights.

        Of a layer of one's own these are what its ``__init__`` was given; define the method only
        when that is not enough.

        Examples
        --------
        >>> import fastcnn as fc
        >>> config = fc.layers.Conv2D(8, 3, name="conv").get_config()
        >>> config["filters"], config["kernel_size"], config["padding"], config["activation"]
        (8, (3, 3), 'valid', 'linear')
        """
        config = {"name": self.name, "trainable": self.trainable, "dtype": "float32"}
        arguments = self._arguments.get(self)
        if not self._arguments.takes_base:
            config = {}
        return {**config, **{k: serialization.serialize(v) for k, v in arguments.items()}}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Make a layer from what `get_config` returned."""
        return cls(**{k: serialization.deserialize_argument(v) for k, v in config.items()})

    @property
    def dtype(self) -> str:
        """The dtype of weights and results, ``"float32"``."""
        return "float32"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


class _Arguments:
    """What a layer's ``__init__`` was called with."""

    def __init__(self, cls: type[Layer], args: Any, kwargs: Any) -> None:
        self.init = cls.__init__
        self.args = args
        self.kwargs = kwargs

    @property
    def takes_base(self) -> bool:
        """Whether ``__init__`` passes a name on to the base."""
        parameters = inspect.signature(self.init).parameters.values()
        return any(p.kind is p.VAR_KEYWORD or p.name == "name" for p in parameters)

    def get(self, layer: Layer) -> dict[str, Any]:
        bound = inspect.signature(self.init).bind(layer, *self.args, **self.kwargs)
        bound.apply_defaults()
        # fastcnn's own layers keep each argument, brought to its normal form, as an attribute.
        normal = self.init.__module__.startswith("fastcnn.")
        found: dict[str, Any] = {}
        for key, value in list(bound.arguments.items())[1:]:
            kind = inspect.signature(self.init).parameters[key].kind
            if kind is inspect.Parameter.VAR_POSITIONAL and value:
                raise ConfigError(f"{type(layer).__name__} takes *{key}: define its get_config")
            if kind is inspect.Parameter.VAR_KEYWORD:
                found.update(value)
            elif kind is not inspect.Parameter.VAR_POSITIONAL:
                found[key] = getattr(layer, key, value) if normal else value
        for key in ("name", "trainable", "dtype"):
            found.pop(key, None)
        return found


def _marking_built(build: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(build)
    def wrapper(self: Layer, *args: Any, **kwargs: Any) -> None:
        build(self, *args, **kwargs)
        self.built = True

    return wrapper


@functools.cache
def _accepts(function: Callable[..., Any], name: str) -> bool:
    parameters = inspect.signature(function).parameters.values()
    return any(p.name == name or p.kind is p.VAR_KEYWORD for p in parameters)


def _given_input_shape(kwargs: dict[str, Any]) -> tuple[int | None, ...] | None:
    """Take out the argument by which the first layer of a Sequential may tell its input's shape."""
    shape = kwargs.pop("input_shape", None)
    size = kwargs.pop("input_dim", None)
    if shape is None and size is not None:
        shape = (size,)
    return None if shape is None else (None, *shape)


def _is_shape(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(
        n is None or isinstance(n, (int, np.integer)) for n in value
    )


def _map_shapes(function: Callable[[Any], Any], shapes: Any) -> Any:
    """Apply a function to every shape of a structure of shapes."""
    if _is_shape(shapes):
        return function(tuple(shapes))
    if isinstance(shapes, dict):
        return {key: _map_shapes(function, item) for key, item in shapes.items()}
    if isinstance(shapes, (list, tuple)):
        return type(shapes)(_map_shapes(function, item) for item in shapes)
    raise ShapeError(f"expected a shape, or a structure of shapes, got {shapes!r}")
