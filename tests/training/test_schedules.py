"""Learning rates that change from step to step, against their formulas."""

import json
import math

import pytest

import fastcnn as fc
from fastcnn.errors import ConfigError
from fastcnn.optimizers import schedules

STEPS = (0, 1, 7, 99, 100, 101, 250, 1000)


@pytest.mark.parametrize("step", STEPS)
def test_formulas(step):
    near = pytest.approx
    assert schedules.ExponentialDecay(0.1, 100, 0.96)(step) == near(0.1 * 0.96 ** (step / 100))
    stairs = schedules.ExponentialDecay(0.1, 100, 0.96, staircase=True)
    assert stairs(step) == near(0.1 * 0.96 ** (step // 100))
    assert schedules.InverseTimeDecay(0.1, 100, 0.5)(step) == near(0.1 / (1 + 0.5 * step / 100))
    stairs = schedules.InverseTimeDecay(0.1, 100, 0.5, staircase=True)
    assert stairs(step) == near(0.1 / (1 + 0.5 * (step // 100)))
    left = 1 - min(step, 100) / 100
    assert schedules.PolynomialDecay(0.1, 100, 0.01, 2.0)(step) == near(0.09 * left**2 + 0.01)
    end = 100 * max(1, math.ceil(step / 100))
    cycle = schedules.PolynomialDecay(0.1, 100, 0.01, cycle=True)
    assert cycle(step) == near(0.09 * (1 - step / end) + 0.01)
    wave = 0.5 * (1 + math.cos(math.pi * min(step, 100) / 100))
    assert schedules.CosineDecay(0.1, 100, 0.2)(step) == near(0.1 * (0.8 * wave + 0.2))


def test_warm_up():
    schedule = schedules.CosineDecay(0.01, 100, warmup_target=0.11, warmup_steps=50)
    assert [schedule(s) for s in (0, 25, 50, 100, 150, 10**6)] == pytest.approx(
        [0.01, 0.06, 0.11, 0.055, 0.0, 0.0]
    )
    no_steps = schedules.CosineDecay(0.01, 100, warmup_target=0.11)
    assert no_steps(0) == pytest.approx(0.11)


def test_pieces():
    schedule = schedules.PiecewiseConstantDecay([10, 20], [1.0, 0.5, 0.1])
    assert [schedule(s) for s in (0, 10, 11, 20, 21, 99)] == [1.0, 1.0, 0.5, 0.5, 0.1, 0.1]
    assert schedules.PiecewiseConstantDecay([], [0.3])(5) == 0.3


def test_restarts():
    schedule = schedules.CosineDecayRestarts(1.0, 10, t_mul=2.0, m_mul=0.5, alpha=0.1)
    # Periods start at 0, 10, 30, 70; each half as high over 0.1.
    starts = [schedule(s) for s in (0, 10, 30, 70)]
    assert starts == pytest.approx([1.0, 0.55, 0.325, 0.2125])
    assert schedule(5) == pytest.approx(0.55)
    assert schedule(69) < 0.11
    steady = schedules.CosineDecayRestarts(1.0, 10, t_mul=1.0)
    assert [steady(s) for s in (0, 5, 10, 15, 10_000_005)] == pytest.approx([1, 0.5, 1, 0.5, 0.5])


ALL = [
    schedules.ExponentialDecay(0.1, 100, 0.96, True),
    schedules.InverseTimeDecay(0.1, 100, 0.5),
    schedules.PolynomialDecay(0.1, 100, 0.01, 2.0, True, name="curve"),
    schedules.PiecewiseConstantDecay([10, 20], [1.0, 0.5, 0.1]),
    schedules.CosineDecay(0.0, 100, 0.1, warmup_target=0.2, warmup_steps=10),
    schedules.CosineDecayRestarts(0.1, 100, 1.5, 0.9, 0.1),
]


@pytest.mark.parametrize("schedule", ALL, ids=lambda s: type(s).__name__)
def test_configurations(schedule):
    config = json.loads(json.dumps(schedules.serialize(schedule)))
    again = schedules.deserialize(config)
    assert type(again) is type(schedule)
    assert again.get_config() == schedule.get_config()
    for step in STEPS:
        assert type(schedule(step)) is float
        assert again(step) == schedule(step)


def test_ones_own():
    class Halving(schedules.LearningRateSchedule):
        def __init__(self, first):
            self.first = first

        def __call__(self, step):
            return self.first * 0.5**step

    config = schedules.serialize(Halving(1.0))
    assert schedules.deserialize(config, {"Halving": Halving})(3) == 0.125
    with pytest.raises(ConfigError, match=r"unknown .* 'Halving'.*cosine_decay"):
        schedules.deserialize(config)
    with pytest.raises(TypeError, match="__call__"):
        schedules.LearningRateSchedule()(0)


def test_an_optimizer_asks_its_schedule():
    optimizer = fc.optimizers.SGD(schedules.PiecewiseConstantDecay([0], [1.0, 0.25]))
    weight = fc.Variable([0.0])
    for expected in (-1.0, -1.25):
        optimizer.apply_gradients([([1.0], weight)])
        assert weight.numpy() == [expected]
    again = fc.optimizers.deserialize(fc.optimizers.serialize(optimizer))
    assert again.learning_rate == 1.0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: schedules.ExponentialDecay(0.1, 0, 0.5), "number of steps > 0"),
        (lambda: schedules.CosineDecay("0.1", 10), "initial_learning_rate: expected a number"),
        (
            lambda: schedules.CosineDecayRestarts(0.1, 10, t_mul=0.5),
            "t_mul: .* number >= 1",
        ),
        (lambda: schedules.PiecewiseConstantDecay([1, 2], [0.1]), "one more value"),
        (lambda: schedules.PiecewiseConstantDecay([2, 1], [3, 2, 1]), "increasing"),
        (lambda: schedules.deserialize({"class_name": "CosineDecay", "config": {"x": 1}}), "x"),
        (lambda: schedules.deserialize(3), "expected the name"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ConfigError, match=message):
        make()
