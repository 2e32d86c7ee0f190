"""Optimizers, step by step, against loops in float64 and against torch."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fastcnn as fc
from fastcnn import optimizers
from fastcnn.errors import ConfigError, ShapeError

STEPS = 12
SHAPES = ((4, 5), (33,), ())
Arrays = list[np.ndarray]


def weights_and_gradients(scale: float = 1.0) -> tuple[Arrays, list[Arrays]]:
    rng = np.random.default_rng(0)
    weights = [rng.standard_normal(s).astype(np.float32) for s in SHAPES]
    return weights, [
        [(scale * rng.standard_normal(s)).astype(np.float32) for s in SHAPES] for _ in range(STEPS)
    ]


def train(optimizer: Any, weights: Arrays, gradients: list[Arrays]) -> list[fc.Variable]:
    variables = [fc.Variable(w, name=f"weight_{i}") for i, w in enumerate(weights)]
    for step in gradients:
        optimizer.apply_gradients(zip(step, variables, strict=True))
    assert optimizer.iterations == len(gradients)
    return variables


# ---- each optimizer in float64: update(state, w, g, t) gives the new weight ----------------------


def sgd(rate: float, momentum: float = 0.0, nesterov: bool = False) -> Callable[..., Any]:
    def update(state: dict[str, Any], w: Any, g: Any, t: int) -> Any:
        velocity = momentum * state.get("m", 0.0) - rate * g
        state["m"] = velocity
        return w + (momentum * velocity - rate * g if nesterov else velocity)

    return update


def rmsprop(
    rate: float,
    rho: float = 0.9,
    momentum: float = 0.0,
    epsilon: float = 1e-7,
    centered: bool = False,
) -> Callable[..., Any]:
    def update(state: dict[str, Any], w: Any, g: Any, t: int) -> Any:
        state["v"] = rho * state.get("v", 0.0) + (1 - rho) * g**2
        spread = state["v"]
        if centered:
            state["g"] = rho * state.get("g", 0.0) + (1 - rho) * g
            spread = spread - state["g"] ** 2
        state["m"] = momentum * state.get("m", 0.0) + rate * g / np.sqrt(spread + epsilon)
        return w - state["m"]

    return update


def adam(
    rate: float,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-7,
    amsgrad: bool = False,
) -> Callable[..., Any]:
    def update(state: dict[str, Any], w: Any, g: Any, t: int) -> Any:
        state["m"] = beta_1 * state.get("m", 0.0) + (1 - beta_1) * g
        state["v"] = beta_2 * state.get("v", 0.0) + (1 - beta_2) * g**2
        state["largest"] = np.maximum(state.get("largest", 0.0), state["v"])
        spread = state["largest"] if amsgrad else state["v"]
        corrected = rate * np.sqrt(1 - beta_2**t) / (1 - beta_1**t)
        return w - corrected * state["m"] / (np.sqrt(spread) + epsilon)

    return update


CASES = [
    (optimizers.SGD, sgd, {}),
    (optimizers.SGD, sgd, {"momentum": 0.9}),
    (optimizers.SGD, sgd, {"momentum": 0.8, "nesterov": True}),
    (optimizers.RMSprop, rmsprop, {}),
    (optimizers.RMSprop, rmsprop, {"rho": 0.7, "momentum": 0.9}),
    (optimizers.RMSprop, rmsprop, {"centered": True, "epsilon": 1e-3}),
    (optimizers.RMSprop, rmsprop, {"centered": True, "momentum": 0.5, "epsilon": 1e-3}),
    (optimizers.Adam, adam, {}),
    (optimizers.Adam, adam, {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 0.1}),
    (optimizers.Adam, adam, {"amsgrad": True, "beta_2": 0.6}),
]


def name_of(value: Any) -> str:
    if isinstance(value, dict):
        return ",".join(f"{k}={v}" for k, v in value.items()) or "defaults"
    return str(value.__name__)


def expected_weights(
    update: Callable[..., Any],
    weights: Arrays,
    gradients: list[Arrays],
    kept: float | Callable[[int], float] = 1.0,
) -> Arrays:
    found = [w.astype(np.float64) for w in weights]
    states: list[dict[str, Any]] = [{} for _ in weights]
    for t, step in enumerate(gradients, start=1):
        for i, g in enumerate(step):
            decayed = found[i] * (kept(i) if callable(kept) else kept)
            found[i] = update(states[i], decayed, g.astype(np.float64), t)
    return found


def assert_close(variables: list[fc.Variable], expected: Arrays) -> None:
    for variable, value in zip(variables, expected, strict=True):
        np.testing.assert_allclose(variable.numpy(), value, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize(("cls", "formula", "options"), CASES, ids=name_of)
@pytest.mark.parametrize("decay", [None, 0.1])
def test_steps_follow_the_formulas(
    cls: Any, formula: Any, options: dict[str, Any], decay: float | None
) -> None:
    weights, gradients = weights_and_gradients()
    variables = train(cls(0.03, weight_decay=decay, **options), weights, gradients)
    kept = 1 - 0.03 * (decay or 0)
    assert_close(
        variables, expected_weights(formula(0.03, **options), weights, gradients, kept=kept)
    )


@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.9, False), (0.9, True)])
def test_sgd_is_torchs(momentum: float, nesterov: bool) -> None:
    torch = pytest.importorskip("torch")
    weights, gradients = weights_and_gradients()
    variables = train(optimizers.SGD(0.1, momentum, nesterov), weights, gradients)
    parameters = [torch.tensor(w, requires_grad=True) for w in weights]
    peer = torch.optim.SGD(parameters, 0.1, momentum, nesterov=nesterov)
    for step in gradients:
        for parameter, g in zip(parameters, step, strict=True):
            parameter.grad = torch.tensor(g)
        peer.step()
    assert_close(variables, [p.detach().numpy() for p in parameters])


def test_adamw_decays_by_0_004() -> None:
    weights, gradients = weights_and_gradients()
    variables = train(optimizers.AdamW(0.5), weights, gradients)
    assert_close(variables, expected_weights(adam(0.5), weights, gradients, kept=1 - 0.5 * 0.004))


def test_some_variables_do_not_decay() -> None:
    weights, gradients = weights_and_gradients()
    optimizer = optimizers.SGD(0.1, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_names=["weight_1"])
    variables = train(optimizer, weights, gradients)
    kept = lambda i: 1.0 if i == 1 else 1 - 0.5 * 0.1  # noqa: E731
    assert_close(variables, expected_weights(sgd(0.1), weights, gradients, kept))


def test_decay_of_an_optimizer_with_a_step_of_its_own() -> None:
    class Halving(optimizers.SGD):
        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            super().update_step(gradient * 0.5, variable, learning_rate)

    weights, gradients = weights_and_gradients()
    variables = train(Halving(0.2, weight_decay=0.5), weights, gradients)
    assert_close(variables, expected_weights(sgd(0.1), weights, gradients, kept=0.9))


# ---- clipping ------------------------------------------------------------------------------------


def shrunk(arrays: Arrays, limit: float) -> Arrays:
    length = np.sqrt(sum(float((a.astype(np.float64) ** 2).sum()) for a in arrays))
    return [a * min(1.0, limit / length) for a in arrays]


@pytest.mark.parametrize("scale", [0.01, 1.0])
@pytest.mark.parametrize(
    ("option", "clip"),
    [
        ("clipvalue", lambda step: [np.clip(g, -0.5, 0.5) for g in step]),
        ("clipnorm", lambda step: [shrunk([g], 0.5)[0] for g in step]),
        ("global_clipnorm", lambda step: shrunk(step, 0.5)),
    ],
)
def test_clipping(option: str, clip: Any, scale: float) -> None:
    weights, gradients = weights_and_gradients(scale)
    variables = train(optimizers.SGD(0.1, 0.9, **{option: 0.5}), weights, gradients)
    clipped = [clip(step) for step in gradients]
    assert_close(variables, expected_weights(sgd(0.1, 0.9), weights, clipped))


def test_gradients_of_zero_can_be_clipped() -> None:
    variable = fc.Variable(np.ones(3))
    optimizers.SGD(0.1, clipnorm=1.0).apply_gradients([(np.zeros(3), variable)])
    np.testing.assert_array_equal(variable.numpy(), 1)


# ---- averages of the weights ---------------------------------------------------------------------


def test_averages_of_the_weights() -> None:
    weights, gradients = weights_and_gradients()
    optimizer = optimizers.Adam(0.05, use_ema=True, ema_momentum=0.8)
    variables = train(optimizer, weights, gradients)
    averages = expected_weights(adam(0.05), weights, gradients[:1])  # the first is no mean
    for count in range(2, STEPS + 1):
        now = expected_weights(adam(0.05), weights, gradients[:count])
        averages = [0.8 * a + 0.2 * w for a, w in zip(averages, now, strict=True)]
    assert_close(variables, now)
    optimizer.finalize_variable_values(variables)
    assert_close(variables, averages)


def test_averages_overwrite_the_weights_every_so_often() -> None:
    optimizer = optimizers.SGD(1.0, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=2)
    variable = fc.Variable(np.zeros(1))
    seen = []
    for _ in range(3):
        optimizer.apply_gradients([(np.full(1, -1.0), variable)])
        seen.append(float(variable.numpy()[0]))
    # weights 1, 2 with averages 1, 1.5; then 1.5 + 1
    assert seen == [1.0, 1.5, 2.5]


# ---- learning rates ------------------------------------------------------------------------------


def test_schedules_and_other_rates_need_no_other_plan() -> None:
    weights, gradients = weights_and_gradients()
    schedule = optimizers.schedules.ExponentialDecay(0.5, 3, 0.5)
    optimizer = optimizers.SGD(schedule)
    variables = train(optimizer, weights, gradients)
    found = [w.astype(np.float64) for w in weights]
    for t, step in enumerate(gradients):
        found = [w - 0.5 * 0.5 ** (t / 3) * g for w, g in zip(found, step, strict=True)]
    assert_close(variables, found)
    assert optimizer.learning_rate == pytest.approx(0.5 * 0.5 ** (STEPS / 3))
    optimizer.learning_rate = 0.0
    optimizer.apply_gradients(zip(gradients[0], variables, strict=True))
    assert_close(variables, found)


# ---- configuration and state ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "optimizer",
    [
        optimizers.SGD(0.3, 0.5, True, weight_decay=0.1, clipnorm=2.0, name="mine"),
        optimizers.RMSprop(0.3, 0.8, 0.1, 1e-3, True, use_ema=True, ema_momentum=0.7),
        optimizers.Adam(optimizers.schedules.CosineDecay(0.1, 100), 0.8, 0.9, 1e-4, True),
        optimizers.AdamW(0.3, 0.2, global_clipnorm=1.0, ema_overwrite_frequency=3),
    ],
    ids=lambda o: type(o).__name__,
)
def test_configuration_comes_back(optimizer: Any) -> None:
    config = json.loads(json.dumps(optimizers.serialize(optimizer)))
    again = optimizers.get(config)
    assert type(again) is type(optimizer)
    assert again.get_config() == optimizer.get_config()


@pytest.mark.parametrize(
    "make",
    [
        lambda: optimizers.SGD(0.1, 0.9),
        lambda: optimizers.RMSprop(0.1, momentum=0.5, centered=True),
        lambda: optimizers.Adam(0.1, amsgrad=True, use_ema=True),
    ],
)
def test_training_goes_on_from_saved_state_to_the_same_bits(make: Any) -> None:
    weights, gradients = weights_and_gradients()
    straight = train(make(), weights, gradients)
    first = make()
    half = train(first, weights, gradients[:5])
    variables = [fc.Variable(v.numpy()) for v in half]
    second = make()
    second.load_state(variables, first.save_state(), first.iterations)
    for step in gradients[5:]:
        second.apply_gradients(zip(step, variables, strict=True))
    assert second.iterations == STEPS
    for a, b in zip(straight, variables, strict=True):
        assert a.numpy().tobytes() == b.numpy().tobytes()


def test_state_of_another_optimizer_is_refused() -> None:
    weights, gradients = weights_and_gradients()
    other = optimizers.Adam()
    variables = train(other, weights, gradients[:1])
    with pytest.raises(ShapeError, match="of another optimizer"):
        optimizers.SGD(0.1, 0.9).load_state(variables, other.save_state(), 1)


def test_state_is_updated_in_place() -> None:
    optimizer = optimizers.Adam(0.1, weight_decay=0.1, use_ema=True)
    variable = fc.Variable(np.ones((64, 64), np.float32))
    gradient = np.ones((64, 64), np.float32)
    optimizer.apply_gradients([(gradient, variable)])
    assert len(optimizer.variables) == 3
    plan = optimizer._plans.latest()
    assert plan.arena_bytes == 0
    assert [step["op"] for step in plan.steps()] == ["adam_update", "moving_average"]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: optimizers.SGD(momentum=1.5),
        lambda: optimizers.RMSprop(rho=-0.1),
        lambda: optimizers.Adam(beta_1=1.0),
        lambda: optimizers.Adam(epsilon=-1),
        lambda: optimizers.RMSprop(epsilon=-1e-7),
        lambda: optimizers.SGD(use_ema=True, ema_overwrite_frequency=0),
        lambda: optimizers.SGD(clipnorm=1.0, clipvalue=1.0),
        lambda: optimizers.SGD(weight_decay=-1.0),
        lambda: optimizers.SGD(learning_rate=-1.0),
        lambda: optimizers.SGD(use_ema=True, ema_momentum=2.0),
        lambda: optimizers.get("adagrad_of_ours"),
    ],
)
def test_wrong_options_are_refused(wrong: Any) -> None:
    with pytest.raises(ConfigError):
        wrong()


def test_a_gradient_of_another_shape_changes_nothing() -> None:
    variable = fc.Variable(np.ones(3))
    with pytest.raises(ShapeError, match=r"expected a gradient of shape \(3,\)"):
        optimizers.SGD(0.1).apply_gradients([(np.ones(4), variable)])
    np.testing.assert_array_equal(variable.numpy(), 1)
