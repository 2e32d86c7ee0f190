"""Models and functions on a device: the same results as the CPU's, and the ways in and out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fastcnn as fc
from fastcnn import _C, cuda
from fastcnn.errors import ConfigError, DTypeError, ShapeError
from fastcnn.style.descent import Descent
from fastcnn.style.objective import Objective
from tests.style.small import CONTENT, STYLE, batch, small_network as small_style_network

on_device = pytest.mark.skipif(
    not _C.has_devices(),
    reason="needs a GPU, or FASTCNN_CUDA_BACKEND=folder of `python -m tests.cuda.build folder`",
)
on_two_devices = pytest.mark.skipif(
    not _C.has_devices() or _C.device_count() < 2, reason="needs two GPUs"
)
without_device = pytest.mark.skipif(_C.has_devices(), reason="there is a device")


def small_network(seed: int = 0) -> fc.Model:
    fc.set_random_seed(seed)
    layers = fc.layers
    return fc.Sequential(
        [
            fc.Input((12, 12, 3)),
            layers.Conv2D(8, 3, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.MaxPooling2D(),
            layers.Conv2D(8, 3, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dropout(0.25),
            layers.Dense(4),
        ]
    )


def pictures(n: int = 4) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((n, 12, 12, 3)).astype(np.float32)


def compiled(model: fc.Model) -> fc.Model:
    model.compile(
        optimizer=fc.optimizers.SGD(0.05, momentum=0.9),
        loss=fc.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:x", "CUDA", "", None, 0])
def test_unknown_devices_are_refused(name: Any) -> None:
    with pytest.raises(ConfigError, match="expected 'cpu', 'cuda' or 'cuda:N'"):
        fc.set_device(name)


@without_device
def test_without_a_device_everything_says_why() -> None:
    assert not cuda.is_available()
    assert cuda.device_count() == 0
    for ask in (lambda: fc.set_device("cuda"), lambda: small_network().to("cuda:0")):
        with pytest.raises(ConfigError, match=r"cuda: (this fastcnn was built without|no device)"):
            ask()
    assert fc.get_device() == "cpu"


@on_device
def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigError, match="there is no 'cuda:99'"):
        fc.set_device("cuda:99")


@on_device
def test_devices_tell_what_they_are() -> None:
    assert cuda.device_count() >= 1
    assert cuda.get_device_name()
    assert cuda.get_device_capability() >= (7, 5)
    free, total = cuda.mem_get_info()
    assert 0 < free <= total
    cuda.synchronize()


@on_device
def test_set_device_is_for_the_process_or_a_block() -> None:
    x = pictures(1)
    with fc.set_device("cuda"):
        assert fc.get_device() == "cuda:0"
        y = fc.ops.max_pool2d(x, 2)
    assert fc.get_device() == "cpu"
    np.testing.assert_array_equal(y, fc.ops.max_pool2d(x, 2))


@on_device
def test_a_model_gives_what_it_gives_on_the_cpu() -> None:
    model, x = small_network(), pictures()
    expected = model.predict(x, verbose=0)
    for _ in range(3):  # asked for one by one, recorded, asked for as a whole
        actual = model.to("cuda").predict(x, verbose=0)
        np.testing.assert_allclose(actual, expected, atol=2e-6 * np.abs(expected).max())
    kernels = [step["kernel"] for step in model.plan(x.shape).steps]
    assert all(kernel.endswith("_cuda") for kernel in kernels), kernels
    assert model.to("cpu").device == "cpu"
    np.testing.assert_array_equal(model.predict(x, verbose=0), expected)


@on_device
def test_resnet50_predicts_what_it_predicts_on_the_cpu() -> None:
    fc.set_random_seed(0)
    model = fc.applications.ResNet50(weights=None, input_shape=(32, 32, 3), classes=10)
    x = np.random.default_rng(1).standard_normal((1, 32, 32, 3)).astype(np.float32)
    expected = model.predict(x, verbose=0)
    actual = model.to("cuda").predict(x, verbose=0)
    np.testing.assert_allclose(actual, expected, atol=1e-5 * np.abs(expected).max())


@on_device
def test_training_takes_the_steps_of_the_cpu() -> None:
    x, y = pictures(8), np.arange(8) % 4
    histories, weights = [], []
    for device in ("cpu", "cuda"):
        model = compiled(small_network().to(device))
        history = model.fit(x, y, batch_size=4, epochs=3, shuffle=False, verbose=0)
        histories.append(history.history["loss"])
        weights.append(model.get_weights())
    np.testing.assert_allclose(histories[1], histories[0], rtol=1e-4)
    for a, b in zip(*weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)


@on_device
def test_training_repeats_its_bits_and_goes_on_on_the_cpu() -> None:
    x, y = pictures(8), np.arange(8) % 4
    runs = []
    for _ in range(2):
        model = compiled(small_network().to("cuda"))
        model.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0)
        runs.append([w.copy() for w in model.get_weights()])
    for a, b in zip(*runs, strict=True):
        np.testing.assert_array_equal(a, b)
    on_gpu = model.predict(x, verbose=0)
    np.testing.assert_allclose(model.to("cpu").predict(x, verbose=0), on_gpu, atol=1e-5)
    before = model.evaluate(x, y, verbose=0)[0]
    model.fit(x, y, batch_size=8, epochs=3, verbose=0)
    assert model.evaluate(x, y, verbose=0)[0] != before
    assert np.isfinite(model.to("cuda").predict(x, verbose=0)).all()


@on_device
def test_style_is_transferred_as_on_the_cpu() -> None:
    costs = []
    for device in ("cpu", "cuda"):
        objective = Objective(
            small_style_network(), batch(0, 24, 32), [batch(1, 24, 24)], CONTENT, STYLE, 1, 1
        )
        with fc.set_device(device):
            descent = Descent(objective, batch(2, 24, 32), fc.optimizers.Adam(2.0))
            costs.append([descent.step().total for _ in range(4)])
    np.testing.assert_allclose(costs[1], costs[0], rtol=1e-4)


@on_device
def test_arrays_on_the_device_are_computed_there() -> None:
    x = pictures(2)
    on_gpu = cuda.asarray(x)
    np.testing.assert_array_equal(on_gpu.numpy(), x)
    y = fc.ops.max_pool2d(on_gpu, 2)
    assert isinstance(y, cuda.DeviceArray)
    np.testing.assert_array_equal(y.numpy(), fc.ops.max_pool2d(x, 2))
    model = small_network()
    expected = model(x)
    for _ in range(3):
        result = model(on_gpu)
        assert isinstance(result, cuda.DeviceArray)
        np.testing.assert_allclose(result.numpy(), expected, atol=1e-5)


@on_device
def test_arrays_of_the_host_may_meet_those_of_the_device() -> None:
    a, b = pictures(1), pictures(2)[1:]
    np.testing.assert_array_equal(fc.ops.add(cuda.asarray(a), b).numpy(), a + b)


class Foreign:
    """What another library's array shows of itself."""

    def __init__(self, array: cuda.DeviceArray, **changes: Any) -> None:
        self._array = array
        self.__cuda_array_interface__ = {**array.__cuda_array_interface__, **changes}


class ForeignWithDevice(Foreign):
    """The same of a library that tells the GPU, too, as CuPy and PyTorch do."""

    @property
    def shape(self) -> tuple[int, ...]:
        return self._array.shape

    def __dlpack_device__(self) -> tuple[int, int]:
        return 2, self._array.index


@on_two_devices
@pytest.mark.parametrize("chosen", ["cpu", "cuda:0", "cuda:1"])
@pytest.mark.parametrize("kind", [lambda x: x, ForeignWithDevice], ids=["ours", "foreign"])
def test_arrays_on_a_second_device_are_computed_there(chosen: str, kind: Any) -> None:
    x, model = pictures(1), small_network()
    expected = model(x)
    on_second = kind(cuda.asarray(x, 1))
    with fc.set_device(chosen):
        y = fc.ops.add(on_second, x)  # the host's array follows
        assert y.index == 1
        np.testing.assert_array_equal(y.numpy(), x + x)
        y = model(on_second)
        assert y.index == 1
        np.testing.assert_allclose(y.numpy(), expected, atol=1e-5)


@on_two_devices
def test_arrays_that_do_not_tell_their_device_are_where_plans_run() -> None:
    x = pictures(1)
    array = Foreign(cuda.asarray(x, 1))
    with fc.set_device("cuda:1"):
        y = fc.ops.square(array)
    assert y.index == 1
    np.testing.assert_array_equal(y.numpy(), x * x)


@on_two_devices
def test_arrays_of_two_devices_do_not_meet() -> None:
    first, second = (cuda.asarray(pictures(1), index) for index in (0, 1))
    with pytest.raises(ConfigError, match="one GPU, got some on cuda:0 and cuda:1"):
        fc.ops.add(first, second)


@on_device
def test_arrays_of_other_libraries_are_taken_as_they_are() -> None:
    x = pictures(1)
    ours = cuda.asarray(x)
    y = fc.ops.max_pool2d(Foreign(ours, stream=1), 2)
    np.testing.assert_array_equal(y.numpy(), fc.ops.max_pool2d(x, 2))
    y = fc.ops.max_pool2d(Foreign(ours, strides=(1728, 144, 12, 4)), 2)
    np.testing.assert_array_equal(y.numpy(), fc.ops.max_pool2d(x, 2))
    with pytest.raises(ShapeError, match="C-contiguous"):
        fc.ops.max_pool2d(Foreign(ours, strides=(4, 48, 4, 1)), 2)
    with pytest.raises(DTypeError, match="expected float32"):
        fc.ops.max_pool2d(Foreign(ours, typestr="<i4"), 2)


@on_device
def test_plans_tell_their_device_and_refuse_the_other_kind_of_array() -> None:
    graph = _C.Graph()
    x = graph.input((1, 4, 4, 2))
    graph.set_outputs(graph.add("max_pool2d", [x], {"pool_size": 2}))
    plan = _C.compile(graph, device="cuda")
    assert plan.device == "cuda:0"
    on_cpu = _C.compile(graph)
    picture, result = (
        cuda.asarray(np.zeros((1, 4, 4, 2), np.float32)),
        cuda.DeviceArray((1, 2, 2, 2)),
    )
    operands = [[(a._memory.address, a.shape, "float32")] for a in (picture, result)]
    with pytest.raises(ConfigError, match="runs on the CPU"):
        on_cpu.run_on_device(*operands)


@on_device
def test_the_same_op_in_the_same_random_state_drops_the_same() -> None:
    masks = []
    for device in ("cpu", "cuda"):
        fc.set_random_seed(3)
        model = fc.Sequential([fc.Input((50,)), fc.layers.Dropout(0.5)]).to(device)
        masks.append(np.asarray(model(np.ones((8, 50), np.float32), training=True)))
    np.testing.assert_array_equal(masks[0], masks[1])


@on_device
def test_several_threads_run_one_model() -> None:
    from concurrent.futures import ThreadPoolExecutor

    model, x = small_network().to("cuda"), pictures()
    expected = model(x)
    with ThreadPoolExecutor(3) as pool:
        for y in pool.map(lambda _: model(x), range(6)):
            np.testing.assert_array_equal(y, expected)


@on_device
@pytest.mark.parametrize("begin", [1, 2, 4])
def test_arrays_may_begin_at_any_element(begin: int) -> None:
    # Kernels read groups of four elements at once only where they are aligned.
    x = np.random.default_rng(0).standard_normal(47).astype(np.float32)
    ours = cuda.asarray(x)
    pointer, read_only = ours.__cuda_array_interface__["data"]
    part = Foreign(ours, data=(pointer + 4 * begin, read_only), shape=(40,))
    kept = x[begin : begin + 40]
    np.testing.assert_array_equal(fc.ops.square(part).numpy(), kept * kept)
    np.testing.assert_array_equal(fc.ops.add(part, cuda.asarray(x[:40])).numpy(), kept + x[:40])
    np.testing.assert_array_equal(fc.ops.cast(part, "int32").numpy(), kept.astype(np.int32))
