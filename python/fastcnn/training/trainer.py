"""The training face of a model: compile, fit, evaluate."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from fastcnn import _random, _tree
from fastcnn.errors import ConfigError, DTypeError, UnsupportedError
from fastcnn.layers._arguments import one_of, positive_int
from fastcnn.naming import to_snake_case
from fastcnn.plan import is_array

# What only training needs is imported when a model is compiled: to predict, nobody waits for it.
if TYPE_CHECKING:
    from fastcnn.callbacks import History
    from fastcnn.model import Model
    from fastcnn.optimizers import Optimizer
    from fastcnn.training.objective import Objective
    from fastcnn.training.steps import Reduce, Steps


# What Keras lets a model define in place of the step of each of these.
_STEP_OF = {
    "fit": "train_step",
    "train_on_batch": "train_step",
    "evaluate": "test_step",
    "test_on_batch": "test_step",
}


class Trainer:
    """What `Model` has for training."""

    _optimizer: Optimizer | None = None
    _objective: Objective | None = None
    _steps: Steps | None = None
    _compile_arguments: dict[str, Any] | None = None
    _stop_training: bool = False
    _history: History | None = None
    _initial_epoch: int = 0

    # ---- compile ---------------------------------------------------------------------------------

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: Any = "auto",
        auto_scale_loss: bool = True,
        *,
        recompute: str | None = None,
    ) -> None:
        """Say how the model is trained.

        Parameters
        ----------
        optimizer : str, Optimizer, class or dict
            See `fastcnn.optimizers.get`.
        loss : str, Loss or callable; or a list or dict of them for several outputs
            See `fastcnn.losses.get`. A callable ``loss(y_true, y_pred)`` is composed of functions
            of `fastcnn.ops` and gives one number, or one for each sample.
        loss_weights : list or dict of float, optional
            How much the loss of each of several outputs counts.
        metrics : list, or list of lists or dict of them for several outputs, optional
            See `fastcnn.metrics.get`; ``"accuracy"`` is the one that fits targets and outputs.
        weighted_metrics : as `metrics`, optional
            Those that take sample weights and class weights into account; one whose name is taken
            is called ``weighted_...``.
        run_eagerly, steps_per_execution, jit_compile, auto_scale_loss
            Accepted for Keras' sake: every step is one compiled plan.
        recompute : {None, "activations", "segments"}
            Less memory for more time, to the same bits, but at the precision "medium": there it
            may change which numbers are stored in bfloat16. ``"activations"`` keeps the results of
            convolutions and other products for the backward pass, and computes what lies between
            them once more; ``"segments"`` keeps only what passes between about sqrt(n) parts of a
            network of n layers, and computes the forward pass twice (T. Chen et al., Training Deep
            Nets with Sublinear Memory Cost, 2016). Where a step would need no less memory, as of
            small networks, nothing is computed again. `training_memory` tells what a step needs.

        Examples
        --------
        >>> import fastcnn as fc
        >>> model = fc.Sequential([fc.Input((4,)), fc.layers.Dense(3, activation="softmax")])
        >>> model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        """
        from fastcnn import optimizers

        if recompute not in (None, "activations", "segments"):
            raise ConfigError(
                f"compile: recompute: expected None, 'activations' or 'segments', got {recompute!r}"
            )
        # The seed is drawn here, so that a program that sets one trains the same way every time.
        seed = _random.next_draw()
        self._adopt(
            optimizers.get(optimizer),
            {
                "loss": loss,
                "loss_weights": loss_weights,
                "metrics": metrics,
                "weighted_metrics": weighted_metrics,
                "recompute": recompute,
            },
            seed=(seed[0] * 1_000_003 + seed[1]) % 2**63,
        )

    def _adopt(self, optimizer: Optimizer, arguments: dict[str, Any], seed: int) -> None:
        from fastcnn.training.objective import Objective
        from fastcnn.training.steps import Steps

        model = cast("Model", self)
        names = [to_snake_case(model.name)]
        if model._graph is not None:
            outputs = model._graph.outputs
            names = list(outputs) if isinstance(outputs, dict) else model._graph.output_names
        objective = Objective(
            arguments["loss"],
            arguments["loss_weights"],
            arguments["metrics"],
            arguments["weighted_metrics"],
            names,
        )
        self._compile_arguments = arguments
        self._optimizer = optimizer
        self._objective = objective
        self._steps = Steps(model, optimizer, objective, seed, arguments["recompute"])

    def _compiled_steps(self, who: str) -> Steps:
        model = cast("Model", self)
        if _STEP_OF[who] == "train_step" and model._quantization is not None:
            raise UnsupportedError(f"{who}: {model._quantization.refusal(model)}")
        if self._steps is None:
            raise ConfigError(
                f'{who}: model "{model.name}" is not compiled: call compile(...) first'
            )
        for method in (_STEP_OF[who], "compute_loss", "compute_metrics"):
            if hasattr(self, method):
                raise UnsupportedError(
                    f"{who}: {type(self).__name__} defines {method}, which is never called: a step "
                    "is one compiled plan. Write a loop of your own with fastcnn.value_and_grad, "
                    "as examples/own_training_loop.py does, or a loss or metric of your own"
                )
        return self._steps

    @property
    def compiled(self) -> bool:
        """Whether `compile` was called."""
        return self._steps is not None

    @property
    def optimizer(self) -> Any:
        """The optimizer that `compile` was given, or made."""
        return self._optimizer

    @property
    def loss(self) -> Any:
        """The loss that `compile` was given."""
        return (self._compile_arguments or {}).get("loss")

    @property
    def metrics(self) -> list[Any]:
        """The metrics, the loss first; those of `compile` exist from the first batch on."""
        return self._objective.metrics if self._objective is not None else []

    @property
    def metrics_names(self) -> list[str]:
        """The names of `metrics`."""
        return [metric.name for metric in self.metrics]

    @property
    def training_memory(self) -> int:
        """Bytes that a step of training needs besides weights and optimizer state.

        Of the last step that was made; 0 before the first.
        """
        return self._steps.peak_bytes() if self._steps is not None else 0

    def reset_metrics(self) -> None:
        """Let all metrics begin anew."""
        for metric in self.metrics:
            metric.reset_state()

    def get_metrics_result(self) -> dict[str, Any]:
        """Tell the values of all metrics by name: floats, or arrays where there are several.

        Of a metric that gives a dictionary, the names are those in it; they come last, sorted.
        """
        from fastcnn.metrics.metric import plain

        found, inner = {}, {}
        for metric in self.metrics:
            result = metric.result()
            if isinstance(result, dict):
                inner.update(result)
            else:
                found[metric.name] = plain(result)
        return found | {name: plain(inner[name]) for name in sorted(inner)}

    @property
    def stop_training(self) -> bool:
        """Whether `fit` is to stop after the batch or epoch it is at; callbacks set it."""
        return self._stop_training

    @stop_training.setter
    def stop_training(self, value: bool) -> None:
        self._stop_training = bool(value)

    @property
    def history(self) -> History | None:
        """What the last `fit` returned."""
        return self._history

    @history.setter
    def history(self, value: History) -> None:
        self._history = value

    # ---- fit -------------------------------------------------------------------------------------

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: dict[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | Iterable[int] = 1,
        *,
        reduce: Reduce | None = None,
        check_numerics: bool = False,
    ) -> History:
        """Train the model.

        Each step is one plan: forward, loss, backward, update and metrics, with the same bits for
        any number of threads.

        Parameters
        ----------
        x : array or structure of arrays, Dataset, or iterable of batches
            A batch is ``(x, y)`` or ``(x, y, sample_weight)``, a tuple or, as torch's
            ``DataLoader`` makes them, a list; arrays may be those of any library.
        y, sample_weight : array or structure of arrays, optional
            With arrays.
        batch_size : int, default 32
            Of arrays.
        epochs : int, default 1
            The number of the epoch after which to stop.
        verbose : {"auto", 0, 1, 2}
            Nothing, a progress bar, or a line an epoch.
        callbacks : list of Callback, optional
        validation_split : float, default 0.0
            The share of the arrays, taken from their end, that is kept for validation.
        validation_data : tuple or data set, optional
            ``(x, y)``, ``(x, y, sample_weight)`` or what `x` may be.
        shuffle : bool, default True
            Whether arrays are shuffled, anew before each epoch.
        class_weight : dict of int to float, optional
            How much samples of each class, by its number, count; 1 for those not named.
        initial_epoch : int, default 0
            The epoch to go on with: the data and random numbers are those it would have had.
        steps_per_epoch, validation_steps : int, optional
            The number of batches; all unless given.
        validation_batch_size : int, optional
        validation_freq : int or collection of int, default 1
            Validate every so many epochs, or after these epochs, counted from 1.
        reduce : callable, optional
            ``reduce(gradients)`` gets the gradients of each step in one float32 array before they
            are used, to sum them over machines, for example; it changes the array in place or
            returns another.
        check_numerics : bool, default False
            Stop at a loss that is NaN or infinite, with the weights of the step before, and find
            the layer where it appeared first. Keeps a copy of all weights.

        Returns
        -------
        History
            Its ``history`` holds the loss and the metrics of each epoch.

        Raises
        ------
        ConfigError
            The model is not compiled, an argument has no meaning, labels are no classes of its
            output, or there is no batch for an epoch.
        DTypeError
            An argument is of another type.
        UnsupportedError
            The model defines a ``train_step`` of its own: see `fastcnn.value_and_grad`. Or it is
            quantised: train the float model, and quantize it again.
        ShapeError
            Inputs, targets and model do not fit each other.
        NumericsError
            With `check_numerics`: the loss is not finite.

        Examples
        --------
        >>> import numpy as np, fastcnn as fc
        >>> model = fc.Sequential([fc.Input((2,)), fc.layers.Dense(1)])
        >>> model.compile(fc.optimizers.SGD(0.1), "mse")
        >>> x = np.eye(2, dtype=np.float32)
        >>> history = model.fit(x, x @ np.array([[3.0], [4.0]]), epochs=200, verbose=0)
        >>> bool(history.history["loss"][-1] < 1e-3)
        True
        """
        from fastcnn.callbacks import CallbackList
        from fastcnn.callbacks.progbar import verbosity
        from fastcnn.data._workers import ending
        from fastcnn.training.batches import as_batches, opened, split, unpack
        from fastcnn.training.numerics import Checked

        steps = self._compiled_steps("fit")
        positive_int("fit", "epochs", epochs, at_least=0)
        positive_int("fit", "initial_epoch", initial_epoch, at_least=0)
        _positive_or_none("fit", "steps_per_epoch", steps_per_epoch)
        _positive_or_none("fit", "validation_steps", validation_steps)
        _positive_or_none("fit", "validation_batch_size", validation_batch_size)
        one_of("fit", "shuffle", shuffle, (True, False))
        verbose = verbosity("fit", verbose)
        is_due = _validated_epochs(validation_freq)
        if reduce is not None and not callable(reduce):
            raise DTypeError(
                f"fit: reduce: expected a function that takes the gradients, got {reduce!r}"
            )
        self._check_class_weight("fit", class_weight)
        if validation_split and validation_data is None:
            (x, y, sample_weight), validation_data = split((x, y, sample_weight), validation_split)
        data = as_batches("fit", x, y, sample_weight, batch_size, shuffle, steps.seed)
        train = Checked(steps).train if check_numerics else steps.train
        called = CallbackList(
            callbacks,
            add_history=True,
            add_progbar=verbose != 0,
            model=self,
            verbose=verbose,
            epochs=epochs,
            steps=steps_per_epoch or _length(data),
        )
        inputs = cast("Model", self)._count_inputs()
        self._stop_training = False
        self._history = called.history
        endless: Iterator[Any] | None = None
        self._initial_epoch = initial_epoch  # a callback may know a later one
        called.on_train_begin()
        logs: dict[str, Any] = {}
        with ExitStack() as threads:
            for epoch in range(self._initial_epoch, epochs):
                self.reset_metrics()
                called.on_epoch_begin(epoch)
                if hasattr(data, "set_epoch") and endless is None:
                    data.set_epoch(epoch)
                if steps_per_epoch is None:
                    batches = opened(data, threads)
                else:
                    if endless is None:
                        endless = threads.enter_context(ending(_repeat(data)))
                    batches = islice(endless, steps_per_epoch)
                logs = {}
                for number, batch in enumerate(batches):
                    called.on_train_batch_begin(number)
                    train(unpack("fit", batch, class_weight, inputs), reduce)
                    logs = self.get_metrics_result()
                    called.on_train_batch_end(number, logs)
                    if self._stop_training:
                        break
                if not logs:
                    raise ConfigError(_no_batch(epoch, self._initial_epoch))
                if validation_data is not None and is_due(epoch + 1):
                    size = validation_batch_size or batch_size
                    validation = self._validation_batches(validation_data, size)
                    found = self._evaluate(validation, validation_steps, called)
                    logs = {**logs, **{f"val_{name}": value for name, value in found.items()}}
                called.on_epoch_end(epoch, logs)
                if self._stop_training:
                    break
        steps.optimizer.finalize_variable_values(cast("Model", self).trainable_weights)
        called.on_train_end(logs)
        assert self._history is not None
        return self._history

    def _check_class_weight(self, who: str, class_weight: Any) -> None:
        from fastcnn.training.batches import check_class_weight

        if class_weight is None:
            return
        try:
            outputs = [tensor.shape for tensor in cast("Model", self).outputs]
        except ConfigError:
            outputs = []  # a model that is not made of symbolic tensors
        check_class_weight(who, class_weight, outputs)

    def _validation_batches(self, data: Any, batch_size: int | None) -> Iterable[Any]:
        from fastcnn.training.batches import as_batches

        if isinstance(data, (tuple, list)) and data and all(_is_part(part) for part in data):
            x, y, weight = (*data, None, None)[:3]
            return as_batches("fit: validation_data", x, y, weight, batch_size)
        return as_batches("fit: validation_data", data)

    # ---- evaluate --------------------------------------------------------------------------------

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """Compute the loss and the metrics of data, in inference mode.

        Parameters
        ----------
        x, y, batch_size, verbose, sample_weight, callbacks
            As for `fit`.
        steps : int, optional
            The number of batches; all unless given.
        return_dict : bool, default False

        Returns
        -------
        float, list of float or dict
            The loss; with the metrics a list in the order of `metrics_names`, or a dictionary. What
            metrics give as dictionaries comes last, its names sorted.
        """
        from fastcnn.callbacks import CallbackList
        from fastcnn.callbacks.progbar import verbosity
        from fastcnn.training.batches import as_batches

        self._compiled_steps("evaluate")
        _positive_or_none("evaluate", "steps", steps)
        verbose = verbosity("evaluate", verbose)
        data = as_batches("evaluate", x, y, sample_weight, batch_size)
        called = CallbackList(
            callbacks,
            add_progbar=verbose != 0,
            model=self,
            verbose=verbose,
            epochs=1,
            steps=steps or _length(data),
        )
        found = self._evaluate(data, steps, called)
        if return_dict:
            return found
        values = list(found.values())
        return values[0] if len(values) == 1 else values

    def _evaluate(self, data: Iterable[Any], count: int | None, called: Any) -> dict[str, Any]:
        from fastcnn.training.batches import opened, unpack

        steps = self._compiled_steps("evaluate")
        inputs = cast("Model", self)._count_inputs()
        self.reset_metrics()
        called.on_test_begin()
        logs: dict[str, Any] = {}
        with ExitStack() as threads:
            batches = opened(data, threads)
            for number, batch in enumerate(islice(batches, count)):
                called.on_test_batch_begin(number)
                steps.test(unpack("evaluate", batch, inputs=inputs))
                logs = self.get_metrics_result()
                called.on_test_batch_end(number, logs)
        if not logs:
            raise ConfigError("evaluate: there is not one batch of data")
        called.on_test_end(logs)
        return logs

    # ---- one batch -------------------------------------------------------------------------------

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: dict[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """Make one step of training with one batch; the metrics are those of this batch.

        Returns
        -------
        float, list of float or dict
            As `evaluate`.
        """
        from fastcnn.training.batches import unpack

        steps = self._compiled_steps("train_on_batch")
        self._check_class_weight("train_on_batch", class_weight)
        self.reset_metrics()
        steps.train(unpack("train_on_batch", (x, y, sample_weight), class_weight))
        return self._results(return_dict)

    def test_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """Compute the loss and the metrics of one batch, in inference mode.

        Returns
        -------
        float, list of float or dict
            As `evaluate`.
        """
        from fastcnn.training.batches import unpack

        steps = self._compiled_steps("test_on_batch")
        self.reset_metrics()
        steps.test(unpack("test_on_batch", (x, y, sample_weight)))
        return self._results(return_dict)

    def _results(self, return_dict: bool) -> Any:
        found = self.get_metrics_result()
        if return_dict:
            return found
        values = list(found.values())
        return values[0] if len(values) == 1 else values


def _length(data: Any) -> int | None:
    try:
        return len(data)
    except TypeError:
        return None


def _repeat(data: Any) -> Iterator[Any]:
    """Go through data again and again; once, if it can be gone through only once."""
    while True:
        count = 0
        for batch in data:
            count += 1
            yield batch
        if count == 0 or isinstance(data, Iterator):
            return


def _no_batch(epoch: int, first: int) -> str:
    if epoch == first:
        return "fit: there is not one batch to train with"
    return (
        f"fit: no batch is left for epoch {epoch + 1}: the data can be gone through only once. "
        "fastcnn.data.from_generator takes a function that makes a generator for every epoch; or "
        "give steps_per_epoch, so that the batches are enough for all"
    )


def _positive_or_none(who: str, name: str, value: Any) -> None:
    if value is not None:
        positive_int(who, name, value)


def _validated_epochs(frequency: int | Iterable[int]) -> Callable[[int], bool]:
    """Whether an epoch, counted from 1, is one after which to validate."""
    if isinstance(frequency, Iterable) and not isinstance(frequency, str):
        return {positive_int("fit", "validation_freq", epoch) for epoch in frequency}.__contains__
    every = positive_int("fit", "validation_freq", frequency)
    return lambda epoch: epoch % every == 0


def _is_part(part: Any) -> bool:
    leaves = _tree.flatten(part)
    return part is None or (bool(leaves) and all(is_array(leaf) for leaf in leaves))
