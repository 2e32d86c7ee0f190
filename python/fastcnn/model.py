"""Models: layers joined to a whole that predicts, prints, saves and loads."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastcnn import _tree, config, naming, serialization
from fastcnn.errors import ConfigError, ShapeError
from fastcnn.functional import FunctionalGraph, from_config
from fastcnn.layers.layer import Layer, _map_shapes
from fastcnn.ops._dispatch import as_array
from fastcnn.plan import Plan, ShapeOf, is_array
from fastcnn.symbolic import KerasTensor, shapes_only
from fastcnn.tracing import Trace
from fastcnn.training.trainer import Trainer

if TYPE_CHECKING:
    from typing_extensions import Self

    from fastcnn.detection.heads import Head
    from fastcnn.quantization import Quantization, QuantizationReport

StrPath = str | os.PathLike[str]


class Model(Trainer, Layer):
    """Layers joined to a whole; a layer itself, so models can be parts of models.

    Made of symbolic tensors, ``Model(inputs, outputs)``, or by subclassing: make layers in
    ``__init__`` and call them in ``call``.

    Parameters
    ----------
    inputs, outputs : KerasTensor, or list, tuple or dict of them
        What `fastcnn.Input` returned, and what layers called on it returned.
    name : str, optional
    trainable : bool, default True
    precision : {"highest", "high", "medium"}, optional
        The float32 precision of this model's plans; what `fastcnn.set_float32_precision` says at
        the call unless given. A model inside another is computed at the outer one's.

    Attributes
    ----------
    class_names : list of str or None
        What the outputs of a classifier stand for; set it, and `save` keeps it.
    heads : list of fastcnn.detection.Head or None
        What the outputs of a detector stand for, one description an output. `save` keeps it.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> x = fc.Input((8, 8, 3))
    >>> model = fc.Model(x, fc.layers.MaxPooling2D()(x))
    >>> model.predict(np.zeros((5, 8, 8, 3))).shape
    (5, 4, 4, 3)
    """

    class_names: list[str] | None = None
    heads: list[Head] | None = None

    def __init__(
        self,
        inputs: Any = None,
        outputs: Any = None,
        name: str | None = None,
        trainable: bool = True,
        precision: str | None = None,
        **kwargs: Any,
    ) -> None:
        if (inputs is None) != (outputs is None):
            raise ConfigError("Model: expected both inputs and outputs, or neither")
        if name is None and type(self) is Model:
            name = naming.auto_name("functional")
        super().__init__(name=name, trainable=trainable, **kwargs)
        self.precision = precision
        self.device: str | None = None
        self._graph: FunctionalGraph | None = None
        self._quantization: Quantization | None = None
        if inputs is not None:
            self._graph = FunctionalGraph(inputs, outputs, self.name)
            self.built = True

    # ---- structure -----------------------------------------------------------------------------

    @property
    def precision(self) -> str | None:
        """The float32 precision of its plans; None: what is set at the call."""
        return self._precision

    @precision.setter
    def precision(self, value: str | None) -> None:
        self._precision = None if value is None else config.check_precision(value)

    def to(self, device: str | None) -> Self:
        """Move the model: its plans are made for that device, and its weights follow them.

        Parameters
        ----------
        device : str or None
            ``"cpu"``, ``"cuda"`` or ``"cuda:1"``; None: what `fastcnn.set_device` says at the call.
            Kept as the attribute `device`; it is no part of a saved model.

        Returns
        -------
        The model itself.

        Raises
        ------
        ConfigError
            For any other name, and where there is no such GPU.

        Examples
        --------
        >>> import fastcnn as fc
        >>> model = fc.Sequential([fc.Input((8,)), fc.layers.Dense(2)]).to("cpu")
        >>> model.device
        'cpu'
        """
        self.device = None if device is None else config.check_device(device)
        return self

    @property
    def layers(self) -> list[Layer]:
        """The layers, inputs included, in an order in which they can be computed."""
        if self._graph is not None:
            return list(self._graph.layers)
        return list({id(layer): layer for layer in self._children().values()}.values())

    @property
    def inputs(self) -> list[KerasTensor]:
        """The symbolic inputs of a functional model."""
        return _tree.flatten(self._functional().inputs)

    @property
    def outputs(self) -> list[KerasTensor]:
        """The symbolic outputs of a functional model."""
        return _tree.flatten(self._functional().outputs)

    @property
    def input(self) -> Any:
        """The symbolic input of a functional model, or the structure of them."""
        return self._functional().inputs

    @property
    def output(self) -> Any:
        """The symbolic output of a functional model, or the structure of them."""
        return self._functional().outputs

    @property
    def input_shape(self) -> Any:
        """The shape of the input; of several, the structure of shapes."""
        return _shapes(self.input)

    @property
    def output_shape(self) -> Any:
        """The shape of the output; of several, the structure of shapes."""
        return _shapes(self.output)

    def _count_inputs(self) -> int:
        """Count the inputs; one, unless the model was made of symbolic tensors."""
        return 1 if self._graph is None else len(self.inputs)

    def _functional(self) -> FunctionalGraph:
        if self._graph is None:
            raise ConfigError(
                f'model "{self.name}" has no symbolic tensors: it was not made of any'
            )
        return self._graph

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """Find a layer by its name, or by its place in `layers`.

        Raises
        ------
        ConfigError
            There is none, or not exactly one of `name` and `index` is given.
        """
        layers = self.layers
        if (name is None) == (index is None):
            raise ConfigError("get_layer: expected either a name or an index")
        if index is not None:
            if not -len(layers) <= index < len(layers):
                raise ConfigError(f'model "{self.name}" has {len(layers)} layers, no index {index}')
            return layers[index]
        for layer in layers:
            if layer.name == name:
                return layer
        known = ", ".join(layer.name for layer in layers)
        raise ConfigError(f'model "{self.name}" has no layer {name!r}; it has {known}')

    def _children(self) -> dict[str, Layer]:
        if self._graph is None:
            return super()._children()
        return keyed_layers(self._graph.layers)

    @property
    def _root_scope(self) -> str:
        return ""

    # ---- computing -----------------------------------------------------------------------------

    def call(self, inputs: Any) -> Any:
        """Apply the model."""
        return self._functional().run(inputs)

    def build(self, input_shape: Any) -> None:
        """Make the weights of all layers, knowing the shape of the input (or their structure)."""
        with shapes_only():
            self(_map_shapes(KerasTensor, input_shape))

    def _ensure_built(self, args: Any, kwargs: Any) -> None:
        if not self.built and type(self).build is Model.build:
            self.built = True  # its layers are built as they are called
        super()._ensure_built(args, kwargs)

    def plan(self, *input_shapes: Any) -> Plan:
        """Show how the model is computed for given shapes of its inputs.

        Parameters
        ----------
        *input_shapes : tuple of int
            With the batch, one for each input. Without any: the functional model's own, batch 1.

        Raises
        ------
        ShapeError
            They are no shapes of whole numbers, or do not fit the model.

        Examples
        --------
        >>> import fastcnn as fc
        >>> model = fc.Sequential([fc.Input((32, 32, 3)), fc.layers.MaxPooling2D()])
        >>> print(model.plan().steps[0]["op"])
        max_pool2d
        """
        if not input_shapes:
            own = [x.shape for x in self.inputs]
            if any(None in shape[1:] for shape in own):
                raise ShapeError(
                    f'model "{self.name}": expected the shapes to plan for, its inputs are {own}'
                )
            input_shapes = tuple((shape[0] or 1, *shape[1:]) for shape in own)
        given = [ShapeOf.given(f'model "{self.name}": plan', shape) for shape in input_shapes]
        compiled, _ = self._compile((given if len(given) > 1 else given[0],), {})
        return Plan(compiled.plan)

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
    ) -> Any:
        """Compute the outputs for any number of inputs, a batch at a time.

        Parameters
        ----------
        x : array, or list or dict of arrays, or iterable of batches
            Any library's arrays; the first axis is the batch. Of batches of ``(x, y)``, tuples or
            lists, the first item is taken.
        batch_size : int, default 32
            How many are computed at once.
        verbose
            Accepted for Keras' sake; nothing is printed.
        steps : int, optional
            The number of batches to take; all unless given.

        Returns
        -------
        array, or structure of arrays
            As the model's outputs.

        Raises
        ------
        ConfigError
            There are no inputs, or not those the model has by name.
        ShapeError
            The inputs do not fit the model, or differ in their number.
        """
        if x is None:
            raise ConfigError("predict: expected data, got x=None")
        if not is_array(x) and not isinstance(x, (list, tuple, dict)) and hasattr(x, "__iter__"):
            return self._predict_batches(iter(x), steps)
        size = 32 if batch_size is None else batch_size
        if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < 1:
            raise ConfigError(f"predict: expected a batch_size >= 1, got {batch_size!r}")
        arrays = _tree.map_structure(lambda a: as_array(a, None), x)
        counts = {a.shape[0] if a.ndim else -1 for a in _tree.flatten(arrays)}
        if len(counts) != 1 or -1 in counts:
            raise ShapeError(
                "predict: expected inputs with one first axis, the batch, got shapes "
                f"{[a.shape for a in _tree.flatten(arrays)]}"
            )
        (count,) = counts
        if steps is not None:
            count = min(count, steps * size)
        if count == 0:
            return self._empty(arrays)
        if count <= size:
            return self(_tree.map_structure(lambda a: a[:count], arrays))
        structure: Any = None
        results: list[NDArray[Any]] = []
        for start in range(0, count, size):
            stop = min(start + size, count)
            batch = _tree.map_structure(lambda a: a[start:stop], arrays)  # noqa: B023
            compiled, given = self._compile((batch,), {})
            if start == 0:
                structure = compiled.structure
                results = _room(compiled.plan.output_types, size, count, self.name)
            compiled.run(given, [r[start:stop] for r in results])
        return _tree.pack(structure, results)

    def predict_on_batch(self, x: Any) -> Any:
        """Compute the outputs for one batch."""
        return self(x)

    def _trace(self, args: Any, kwargs: Any) -> tuple[Trace, Any]:
        return self._plan_cache().trace(args, kwargs)

    def _predict_batches(self, batches: Iterator[Any], steps: int | None) -> Any:
        from fastcnn.training.batches import parts_of

        results: list[Any] = []
        inputs = self._count_inputs()
        for batch in islice(batches, steps):
            results.append(self(parts_of(batch, inputs)[0]))
        if not results:
            raise ShapeError("predict: expected at least one batch")
        parts = zip(*map(_tree.flatten, results), strict=True)
        return _tree.pack(results[0], [np.concatenate(part) for part in parts])

    def _empty(self, arrays: Any) -> Any:
        with shapes_only():
            outputs = self(_tree.map_structure(lambda a: KerasTensor((None, *a.shape[1:])), arrays))
        return _tree.map_structure(
            lambda x: np.zeros([n or 0 for n in x.shape], np.float32), outputs
        )

    # ---- showing -------------------------------------------------------------------------------

    def summary(self, print_fn: Callable[[str], Any] | None = None, **kwargs: Any) -> None:
        """Print a table of the layers: type, shape of the result, number of parameters.

        After the model has run, the table also tells which kernel each layer got, and at which
        precision.

        Parameters
        ----------
        print_fn : callable, optional
            What to do with the text; ``print`` unless given.
        **kwargs
            ``expand_nested`` and ``show_trainable`` as in Keras.
        """
        from fastcnn.summary import summarize

        (print_fn or print)(summarize(self, **kwargs))

    def _repr_html_(self) -> str:
        from fastcnn.summary import summarize_html

        return summarize_html(self)

    def quantization_report(self) -> QuantizationReport:
        """Tell how near the model is to the float model it was quantised from.

        Raises
        ------
        ConfigError
            `fastcnn.quantize` did not make it.
        """
        if self._quantization is None:
            raise ConfigError(f'model "{self.name}" is not quantised')
        return self._quantization.report

    # ---- saving --------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """Return what makes an equal model, without its weights."""
        if type(self).__init__ is not Model.__init__ or self._graph is None:
            return super().get_config()
        return {
            "name": self.name,
            "trainable": self.trainable,
            "precision": self.precision,
            **self._graph.get_config(),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Make a model from what `get_config` returned."""
        if "nodes" not in config:
            return super().from_config(config)
        inputs, outputs = from_config(config)
        return cls(
            inputs, outputs, config["name"], config["trainable"], precision=config["precision"]
        )

    def to_json(self) -> str:
        """Write what `fastcnn.saving.model_from_json` makes an equal model from."""
        return serialization.to_json(serialization.serialize_layer(self))

    def save(
        self, filepath: StrPath, overwrite: bool = True, include_optimizer: bool = True
    ) -> None:
        """Write configuration and weights to one file that `fastcnn.load_model` reads.

        Parameters
        ----------
        filepath : str or os.PathLike
            ``"name.fastcnn"`` by custom. It is a safetensors file whose metadata holds the
            configuration.
        overwrite : bool, default True
            Whether a file of that name is replaced.
        include_optimizer : bool, default True
            Also write what the model was compiled with and how far it was trained: training goes
            on from the file to the same bits.
        """
        from fastcnn.saving import save_model

        save_model(self, filepath, overwrite, include_optimizer)

    def save_weights(self, filepath: StrPath, overwrite: bool = True) -> None:
        """Write the weights to a safetensors file."""
        from fastcnn.saving import save_weights

        save_weights(self, filepath, overwrite)

    def load_weights(
        self, filepath: StrPath, skip_mismatch: bool = False, by_name: bool = False
    ) -> None:
        """Read weights that `save_weights` or `save` wrote, or Keras.

        Parameters
        ----------
        filepath : str or os.PathLike
            A safetensors file, or Keras' ``.weights.h5``, ``.h5`` or ``.keras``.
        skip_mismatch : bool, default False
            Leave weights alone which the file lacks or has in another shape, instead of refusing.
        by_name : bool, default False
            Of a file of Keras: give weights to those layers alone that the file has too.
        """
        from fastcnn.saving import load_weights

        load_weights(self, filepath, skip_mismatch, by_name)

    def export(self, filepath: StrPath, format: str = "onnx", **kwargs: Any) -> None:
        """Write the model as other runtimes read it; see `fastcnn.io.export_onnx`.

        Parameters
        ----------
        filepath : str or os.PathLike
        format : {"onnx"}
        **kwargs
            ``opset`` and ``data_format``.
        """
        if format != "onnx":
            raise ConfigError(f'expected format "onnx", got {format!r}')
        from fastcnn.io.onnx_export import export_onnx

        export_onnx(self, filepath, **kwargs)

    def __reduce__(self) -> Any:
        """Let models be copied and sent to other processes."""
        from fastcnn.saving import describe, own_classes, restore

        return restore, (own_classes(self), describe(self), self.get_weights())


def keyed_layers(layers: list[Layer]) -> dict[str, Layer]:
    """Give each layer a name that does not depend on what else the process has made.

    A name that was numbered automatically becomes the number of the layer among those of its class.
    """
    keyed: dict[str, Layer] = {}
    counts: dict[str, int] = {}
    for layer in layers:
        prefix = naming.to_snake_case(type(layer).__name__)
        key = layer.name
        if re.fullmatch(rf"{re.escape(prefix)}(_\d+)?", key):
            number = counts.get(prefix, 0)
            counts[prefix] = number + 1
            key = f"{prefix}_{number}" if number else prefix
        while key in keyed:
            key += "_"
        keyed[key] = layer
    return keyed


def _shapes(tensors: Any) -> Any:
    flat = _tree.flatten(tensors)
    if len(flat) == 1:
        return flat[0].shape  # as in Keras, also when it is the only one of a list
    return _tree.map_structure(lambda x: x.shape, tensors)


def _room(types: Any, batch: int, count: int, name: str) -> list[NDArray[Any]]:
    """Make the arrays that the results of all batches go to."""
    for shape, _ in types:
        if not shape or shape[0] != batch:
            raise ShapeError(
                f'model "{name}": expected outputs whose first axis is the batch, to join those of '
                f"several batches, got shape {tuple(shape)}; give predict a larger batch_size"
            )
    return [np.empty((count, *shape[1:]), dtype) for shape, dtype in types]
