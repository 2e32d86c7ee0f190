"""The base of the optimizers: state, learning rate, clipping, decay, averages."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fastcnn import naming, ops
from fastcnn.errors import ConfigError, ShapeError
from fastcnn.layers._arguments import number, positive_int
from fastcnn.ops._dispatch import apply_op
from fastcnn.optimizers.schedules import LearningRateSchedule, deserialize, serialize
from fastcnn.plan import PlanCache
from fastcnn.tracing import Trace, Value
from fastcnn.variable import Variable


class Optimizer:
    """Changes variables so that a loss falls.

    A subclass defines ``build`` to make its state and ``update_step`` to say, with functions of
    `fastcnn.ops`, what one variable and its state become. In `Model.fit` these are nodes of the
    plan of the whole step.

    Parameters
    ----------
    learning_rate : float or LearningRateSchedule
    weight_decay : float, optional
        The share of itself, times the learning rate, that each variable loses in a step.
    clipnorm : float, optional
        Each gradient whose Euclidean length is larger is scaled to this length.
    clipvalue : float, optional
        The numbers of each gradient are cut to -clipvalue .. clipvalue.
    global_clipnorm : float, optional
        All gradients together are scaled to this length if they are longer.
    use_ema : bool, default False
        Keep the exponential moving average of each variable, from its value after the first step
        on. `Model.fit` ends with the averages as weights, as in Keras: a second `fit`, with a file
        between or not, goes on from them and not from where the steps were. See
        `finalize_variable_values`.
    ema_momentum : float, default 0.99
    ema_overwrite_frequency : int, optional
        Every so many steps the variables take the value of their averages.
    name : str, optional

    Attributes
    ----------
    iterations : int
        The number of steps made.
    variables : list of Variable
        The state.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> w = fc.Variable(np.ones(2))
    >>> fc.optimizers.SGD(0.5).apply_gradients([(np.array([1.0, 2.0]), w)])
    >>> w.numpy()
    array([0.5, 0. ], dtype=float32)
    """

    _own: ClassVar[tuple[str, ...]] = ()  # the arguments of the subclass, for get_config

    def __init__(
        self,
        learning_rate: Any,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        name: str | None = None,
    ) -> None:
        cls = type(self).__name__
        for key, value in (
            ("weight_decay", weight_decay),
            ("clipnorm", clipnorm),
            ("clipvalue", clipvalue),
            ("global_clipnorm", global_clipnorm),
        ):
            if value is not None and number(cls, key, value) < 0:
                raise ConfigError(f"{cls}: {key}: expected a number >= 0, got {value!r}")
        if sum(x is not None for x in (clipnorm, clipvalue, global_clipnorm)) > 1:
            raise ConfigError(f"{cls}: expected one of clipnorm, clipvalue and global_clipnorm")
        if not 0 <= number(cls, "ema_momentum", ema_momentum) <= 1:
            raise ConfigError(f"{cls}: ema_momentum: expected 0 .. 1, got {ema_momentum!r}")
        if ema_overwrite_frequency is not None:
            positive_int(cls, "ema_overwrite_frequency", ema_overwrite_frequency)
        self.name = name or naming.to_snake_case(cls)
        self.weight_decay = weight_decay
        self.clipnorm = clipnorm
        self.clipvalue = clipvalue
        self.global_clipnorm = global_clipnorm
        self.use_ema = bool(use_ema)
        self.ema_momentum = ema_momentum
        self.ema_overwrite_frequency = ema_overwrite_frequency
        self.iterations = 0
        self.variables: list[Variable] = []
        self._state: dict[tuple[str, int], Variable] = {}
        self._targets: list[Variable] = []
        self._no_decay: tuple[set[int], tuple[str, ...]] = (set(), ())
        self._kept: Value | None = None  # what decay leaves of the variable whose step is described
        self._plans: PlanCache | None = None
        self.learning_rate = learning_rate

    # ---- the learning rate -----------------------------------------------------------------------

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step. A number or a schedule may be set."""
        rate = self._learning_rate
        return rate(self.iterations) if isinstance(rate, LearningRateSchedule) else rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if isinstance(value, dict):
            value = deserialize(value)
        if not isinstance(value, LearningRateSchedule):
            value = number(type(self).__name__, "learning_rate", value)
            if not value >= 0:
                raise ConfigError(
                    f"{type(self).__name__}: learning_rate: expected a number >= 0 or a schedule, "
                    f"got {value!r}"
                )
        self._learning_rate = value

    def step_size(self) -> float:
        """Tell what `update_step` gets as learning rate in the next step."""
        return self.learning_rate

    # ---- to be defined by subclasses -------------------------------------------------------------

    def build(self, variables: Sequence[Variable]) -> None:
        """Make the state for these variables."""

    def update_step(self, gradient: Value, variable: Variable, learning_rate: Value) -> None:
        """Assign to a variable and its state what they become.

        Parameters
        ----------
        gradient : Value
            Clipped already.
        variable : Variable
        learning_rate : Value
            A number, shape (): what `step_size` gives at each step.
        """
        raise TypeError(f"{type(self).__name__} defines no update_step")

    # ---- state -----------------------------------------------------------------------------------

    def add_variable_from_reference(
        self, reference: Variable, name: str, initial: Any = None
    ) -> Variable:
        """Make state of the shape of a variable: zeros, or a copy of what is given."""
        value = np.zeros(reference.shape, np.float32) if initial is None else initial
        state = Variable(value, trainable=False, name=name, path=f"{reference.path}/{name}")
        self._state[name, id(reference)] = state
        self.variables.append(state)
        return state

    def state(self, name: str, variable: Variable) -> Variable:
        """Find the state of a variable that was made under a name."""
        return self._state[name, id(variable)]

    @property
    def built(self) -> bool:
        """Whether the state exists."""
        return bool(self._targets)

    def prepare(self, variables: Sequence[Variable]) -> None:
        """Make the state for those variables that have none yet."""
        known = {id(v) for v in self._targets}
        new = [v for v in variables if id(v) not in known]
        if new:
            self._targets.extend(new)
            self.build(new)
            if self.use_ema:
                for variable in new:
                    self.add_variable_from_reference(variable, "average", variable.numpy())

    def exclude_from_weight_decay(
        self,
        var_list: Iterable[Variable] | None = None,
        var_names: Iterable[str] | None = None,
    ) -> None:
        """Leave variables out of weight decay: these, and those whose path contains such a name."""
        self._no_decay = ({id(v) for v in var_list or ()}, tuple(var_names or ()))

    def _decays(self, variable: Variable) -> bool:
        excluded, names = self._no_decay
        return (
            bool(self.weight_decay)
            and id(variable) not in excluded
            and not any(re.search(name, variable.path) for name in names)
        )

    # ---- a step ----------------------------------------------------------------------------------

    def describe(self, trace: Trace, gradients: Sequence[Value], variables: Any) -> None:
        """Add to a graph the step that these gradients lead to.

        Parameters
        ----------
        trace : Trace
        gradients : sequence of Value
        variables : sequence of Variable
        """
        self.prepare(variables)
        rate = trace.feed((), "float32", lambda: np.array(self.step_size(), np.float32))
        kept = trace.feed((), "float32", lambda: np.array(self._kept_by_decay(), np.float32))
        decays_itself = getattr(self.update_step, "decays", False)
        for gradient, variable in zip(self._clipped(gradients), variables, strict=True):
            self._kept = kept if decays_itself and self._decays(variable) else None
            if self._kept is None and self._decays(variable):
                variable.assign(variable * kept)
            self.update_step(gradient, variable, rate)
            constraint = getattr(variable, "constraint", None)
            if constraint is not None:
                variable.assign(constraint(trace.value_of(variable)))
            if self.use_ema:
                average = self.state("average", variable)
                average.assign(ops.moving_average(average, variable, self.ema_momentum))

    def _update(
        self, op: str, variable: Variable, state: Iterable[str], operands: Any, **attrs: Any
    ) -> None:
        """Assign to a variable and its state the results of one op that computes them all."""
        targets = [variable, *(self.state(name, variable) for name in state)]
        results = apply_op(op, [*targets, *operands, self._kept], **attrs)
        results = results if isinstance(results, tuple) else (results,)
        for target, result in zip(targets, results, strict=True):
            target.assign(result)

    def _kept_by_decay(self) -> float:
        return 1.0 - (self.weight_decay or 0.0) * self.learning_rate

    def _clipped(self, gradients: Sequence[Value]) -> list[Value]:
        if self.clipvalue is not None:
            limit = float(self.clipvalue)
            return [ops.clip(g, -limit, limit) for g in gradients]
        if self.clipnorm is not None:
            return [g * _shrink(ops.sum(ops.square(g)), self.clipnorm) for g in gradients]
        if self.global_clipnorm is not None:
            total: Any = 0.0
            for gradient in gradients:
                total = ops.sum(ops.square(gradient)) + total
            scale = _shrink(total, self.global_clipnorm)
            return [g * scale for g in gradients]
        return list(gradients)

    def note_step(self) -> None:
        """Count a step that was made."""
        if self.use_ema and self.iterations == 0:
            for variable in self._targets:
                self.state("average", variable).assign(variable.numpy())
        self.iterations += 1
        every = self.ema_overwrite_frequency
        if self.use_ema and every and self.iterations % every == 0:
            self.finalize_variable_values(self._targets)

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Variable]]) -> None:
        """Make a step with gradients of one's own.

        Parameters
        ----------
        grads_and_vars : iterable of (array, Variable)

        Raises
        ------
        ShapeError
            A gradient has not the shape of its variable. Nothing has changed then.
        """
        pairs = [(g, v) for g, v in grads_and_vars if g is not None]
        if not pairs:
            raise ConfigError(f"{type(self).__name__}: expected at least one gradient")
        for gradient, variable in pairs:
            if np.shape(gradient) != tuple(variable.shape):
                raise ShapeError(
                    f"{variable.path}: expected a gradient of shape {tuple(variable.shape)}, got "
                    f"{np.shape(gradient)}"
                )
        if self._plans is None:

            def describe(trace: Trace, args: Any, kwargs: Any) -> Any:
                self.describe(trace, args[0], [v.variable for v in args[1]])
                return []

            self._plans = PlanCache(describe, type(self).__name__)
        arrays = [np.asarray(g) for g, _ in pairs]
        compiled, given = self._plans.get((arrays, [_Is(v) for _, v in pairs]), {})
        compiled.run(given)
        self.note_step()

    def apply(self, grads: Iterable[Any], trainable_variables: Iterable[Variable]) -> None:
        """Make a step with gradients of one's own, given apart from their variables."""
        self.apply_gradients(zip(grads, trainable_variables, strict=True))

    def finalize_variable_values(self, var_list: Iterable[Variable]) -> None:
        """Let variables take the value of their averages, where `use_ema` keeps some."""
        if self.use_ema:
            for variable in var_list:
                variable.assign(self.state("average", variable).numpy())

    # ---- configuration ---------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal optimizer, without its state."""
        rate = self._learning_rate
        common = (
            "weight_decay",
            "clipnorm",
            "clipvalue",
            "global_clipnorm",
            "use_ema",
            "ema_momentum",
            "ema_overwrite_frequency",
            "name",
        )
        return {
            "learning_rate": serialize(rate) if isinstance(rate, LearningRateSchedule) else rate,
            **{key: getattr(self, key) for key in (*self._own, *common)},
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Make an optimizer from what `get_config` returned."""
        return cls(**config)

    def save_state(self) -> dict[str, NDArray[np.float32]]:
        """Copy the state, by the number of its variable and its own name."""
        numbers = {id(v): i for i, v in enumerate(self._targets)}
        return {f"{name}/{numbers[at]}": v.numpy() for (name, at), v in self._state.items()}

    def load_state(
        self, variables: Sequence[Variable], state: dict[str, NDArray[Any]], iterations: int
    ) -> None:
        """Continue from what `save_state` returned, for the same variables in the same order."""
        self.prepare(variables)
        expected = self.save_state()
        if expected.keys() != state.keys() or any(
            expected[key].shape != state[key].shape for key in expected
        ):
            raise ShapeError(
                f"{type(self).__name__}: the state is of another optimizer or of other variables"
            )
        numbers = {id(v): i for i, v in enumerate(self._targets)}
        for (name, at), variable in self._state.items():
            variable.assign(state[f"{name}/{numbers[at]}"])
        self.iterations = int(iterations)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} learning_rate={self._learning_rate!r}>"


class _Is:
    """A variable as an option of a plan: the same variable is the same option."""

    def __init__(self, variable: Variable) -> None:
        self.variable = variable

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Is) and other.variable is self.variable

    def __hash__(self) -> int:
        return id(self.variable)


def decaying(update_step: Callable[..., None]) -> Callable[..., None]:
    """Mark an ``update_step`` whose op takes care of weight decay."""
    update_step.decays = True  # type: ignore[attr-defined]
    return update_step


def _shrink(square: Value, limit: float) -> Value:
    """The factor that brings a length, given squared, down to a limit, and 1 if it is shorter."""
    length = ops.sqrt(square)
    factor: Value = float(limit) / ops.maximum(length, float(limit))
    return factor
