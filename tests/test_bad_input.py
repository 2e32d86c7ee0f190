"""What users may hand over by mistake: each gives a result or an error of the library.

Errors name what was expected and what came; the process survives everything.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

import fastcnn as fc
from fastcnn import _C, cli, layers, ops
from fastcnn.errors import ConfigError, DTypeError, FastcnnError, ShapeError, UnsupportedError
from fastcnn.ops._dispatch import apply_op

IMAGE = np.random.default_rng(0).standard_normal((2, 6, 5, 4)).astype(np.float32)
KERNEL = np.random.default_rng(1).standard_normal((3, 3, 4, 8)).astype(np.float32)
BOXES = np.array([[0, 0, 4, 4], [0, 0, 4, 5], [8, 8, 9, 9]], np.float32)


# ---- data of any kind that can be converted ------------------------------------------------------


class Interface:
    """An array of another library: NumPy's protocol and nothing else."""

    def __init__(self, array: np.ndarray) -> None:
        self.kept = array
        self.__array_interface__ = array.__array_interface__


def read_only(x: np.ndarray) -> np.ndarray:
    x = x.copy()
    x.flags.writeable = False
    return x


def strided(x: np.ndarray) -> np.ndarray:
    return np.repeat(x, 2, axis=-1)[..., ::2]


def torch_tensor(x: np.ndarray) -> Any:
    return pytest.importorskip("torch", reason="hands over torch's tensors").from_numpy(x.copy())


FORMS: dict[str, Callable[[np.ndarray], Any]] = {
    "read-only": read_only,
    "not contiguous": strided,
    "backwards": lambda x: x[::-1].copy()[::-1],
    "Fortran order": np.asfortranarray,
    "byte-swapped": lambda x: x.astype(x.dtype.newbyteorder()),
    "float64": lambda x: x.astype(np.float64),
    "long double": lambda x: x.astype(np.longdouble),
    "nested lists": lambda x: x.tolist(),
    "array interface": Interface,
    "torch": torch_tensor,
    "torch, channels first in memory": lambda x: (
        torch_tensor(x).movedim(-1, 1).contiguous().movedim(1, -1)
    ),
}
FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "conv2d": lambda x: ops.conv2d(x, KERNEL),
    "conv2d_transpose": lambda x: ops.conv2d_transpose(x, np.ones((2, 2, 3, 4))),
    "max_pool2d": ops.max_pool2d,
    "add": lambda x: ops.add(x, 1),
    "pad": lambda x: ops.pad(x, 1),
    "transpose": ops.transpose,
    "reshape": lambda x: ops.reshape(x, (-1,)),
    "concatenate": lambda x: ops.concatenate([x, x]),
    "softmax": ops.softmax,
    "resize": lambda x: ops.resize(x, 3),
    "layer": layers.BatchNormalization(),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_any_form_of_array_is_taken(form: str, function: str) -> None:
    if function == "layer" and form == "nested lists":
        pytest.skip("a list is a structure of inputs to a layer")
    run = FUNCTIONS[function]
    np.testing.assert_array_equal(run(FORMS[form](IMAGE)), run(IMAGE))


@pytest.mark.parametrize("dtype", ["float16", "int8", "uint8", "int16", "uint32", "int64", "bool"])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_any_kind_of_number_is_taken(dtype: str, function: str) -> None:
    x = (3 * np.abs(IMAGE)).astype(dtype)
    run = FUNCTIONS[function]
    np.testing.assert_array_equal(run(x), run(x.astype(np.float32)))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_bfloat16_of_ml_dtypes_is_taken(function: str) -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="NumPy has no bfloat16 of its own")
    x = IMAGE.astype(ml_dtypes.bfloat16)
    run = FUNCTIONS[function]
    np.testing.assert_array_equal(run(x), run(x.astype(np.float32)))


def test_a_tensor_of_bfloat16_is_refused_with_advice() -> None:
    torch = pytest.importorskip("torch", reason="hands over torch's tensors")
    with pytest.raises(DTypeError, match=r"BFloat16; convert it to float32 .* x\.float\(\)"):
        ops.nearest(np.ones((1, 8)), torch.ones(5, 8, dtype=torch.bfloat16))


@pytest.mark.parametrize(
    "x",
    [
        IMAGE.astype(complex),
        IMAGE.astype(object),
        IMAGE.astype(str),
        np.zeros((2, 6, 5, 4), "M8[s]"),
        np.zeros((2, 6, 5, 4), [("r", "f4")]),
        [[1, 2], [3]],
        object(),
        "cat",
        None,
        2**70,
    ],
    ids=lambda x: f"{type(x).__name__}-{getattr(x, 'dtype', '')}",
)
@pytest.mark.parametrize("function", [f for f in FUNCTIONS if f != "layer"])
def test_what_is_no_array_of_numbers_is_named(x: Any, function: str) -> None:
    if x is None and function == "add":
        x = object()
    with pytest.raises(FastcnnError, match="expected"):
        FUNCTIONS[function](x)


def test_a_tensor_that_needs_its_gradient_is_refused() -> None:
    with pytest.raises(DTypeError, match="Tensor"):
        ops.relu(torch_tensor(IMAGE).requires_grad_())


# ---- empty batches -------------------------------------------------------------------------------


@pytest.mark.parametrize("function", FUNCTIONS)
def test_an_empty_batch_gives_an_empty_result(function: str) -> None:
    run = FUNCTIONS[function]
    if function in ("transpose", "reshape", "pad"):
        whole, empty = run(IMAGE), run(IMAGE[:0])
        assert empty.ndim == whole.ndim
        return
    assert run(IMAGE[:0]).shape == (0, *run(IMAGE).shape[1:])


def test_an_empty_batch_through_a_model() -> None:
    model = fc.Sequential([layers.Conv2D(3, 3), layers.Flatten(), layers.Dense(7)])
    model(IMAGE)
    assert model.predict(IMAGE[:0]).shape == (0, 7)
    assert model(IMAGE[:0]).shape == (0, 7)


def test_no_boxes_and_no_vectors() -> None:
    assert ops.nms(np.zeros((0, 4)), np.zeros(0)).shape == (0,)
    assert ops.box_iou(np.zeros((0, 4)), BOXES).shape == (0, 3)
    assert ops.soft_nms(np.zeros((0, 4)), np.zeros(0))[0].shape == (0,)
    assert ops.cdist(np.zeros((0, 3)), np.zeros((2, 3))).shape == (0, 2)
    assert ops.matmul(np.zeros((2, 0)), np.zeros((0, 3))).tolist() == [[0.0] * 3] * 2


def test_boxes_that_are_not_numbers() -> None:
    """NaN overlaps nothing and ranks last; infinities are numbers."""
    boxes, scores = BOXES.copy(), np.array([np.nan, np.inf, -np.inf], np.float32)
    assert ops.nms(boxes, scores).tolist()[0] == 1
    boxes[1] = np.nan
    kept = ops.nms(boxes, [0.5, 0.9, 0.1]).tolist()
    assert sorted(kept) == [0, 1, 2]
    assert all(0 <= i < 3 for i in ops.soft_nms(boxes, scores)[0])


# ---- sizes ---------------------------------------------------------------------------------------

HUGE = 2**40
EMPTY = np.zeros((0, 2, 2, 1), np.float32)
DOT = np.ones((1, 2, 2, 1), np.float32)


@pytest.mark.parametrize(
    "run",
    [
        lambda: ops.pad(DOT, ((0, 0), (HUGE, 0), (0, 0), (0, 0))),
        lambda: ops.pad(DOT, ((2**63 - 1, 0),) * 4),
        lambda: ops.pad(DOT, 2**64),
        lambda: ops.resize(DOT, HUGE),
        lambda: ops.resize(DOT, (2**31 - 1, 2**31 - 1), "nearest"),
        lambda: ops.resize(EMPTY, (2**31 - 1, 2**31 - 1)),
        lambda: ops.reshape(DOT, (2**32, 2**32)),
        lambda: ops.reshape(DOT, (2**62, 4)),
        lambda: ops.reshape(EMPTY, (2**31, 0, 2**31, 2**31)),
        lambda: ops.broadcast_to(np.float32(1), (2**47,)),
        lambda: ops.broadcast_to(np.float32(1), (2**32, 2**32)),
        lambda: ops.broadcast_to(np.float32(1), (0, 2**62, 2)),
        lambda: ops.broadcast_to(np.float32(1), (2**64,)),
        lambda: ops.max_pool2d(DOT, 2, padding=2**31 - 1),
        lambda: ops.max_pool2d(DOT, 2**31 - 1),
        lambda: ops.max_pool2d(DOT, 3, dilation=2**31 - 1),
        lambda: ops.avg_pool2d(DOT, 2, padding=2**62),
        lambda: ops.adaptive_avg_pool2d(DOT, 2**31 - 1),
        lambda: ops.conv2d(DOT, np.ones((1, 1, 1, 1)), padding=2**31 - 1),
        lambda: ops.conv2d_transpose(DOT, np.ones((2, 2, 1, 1)), strides=2**31 - 1),
        lambda: ops.depth_to_space(EMPTY, 2**33),
        lambda: ops.slice(DOT, (0, 2**62, 0, 0), (1, 2**62, 1, 1)),
        lambda: ops.slice(DOT, (0, 1, 0, 0), (1, 2, 1, 1), (1, -(2**63), 1, 1)),
        lambda: ops.local_response_normalization(DOT, 2**63 - 1),
        lambda: ops.argmax(DOT, 2**64),
        lambda: ops.dense(np.ones((2**20, 0)), np.ones((0, 2**31))),
        lambda: layers.Dense(HUGE)(np.ones((1, 64))),
        lambda: layers.UpSampling2D(2**30)(DOT),
    ],
)
def test_sizes_beyond_any_memory(run: Callable[[], Any]) -> None:
    with pytest.raises((ShapeError, ConfigError, MemoryError)):
        run()


@pytest.mark.parametrize(
    ("run", "error", "text"),
    [
        (lambda: ops.max_pool2d(IMAGE, 7), ShapeError, "7 pixels.*only 6"),
        (lambda: ops.conv2d(IMAGE, KERNEL, groups=3), FastcnnError, "3"),
        (lambda: ops.conv2d(IMAGE, KERNEL[:, :, :3]), ShapeError, "3"),
        (lambda: ops.conv2d(IMAGE, KERNEL[0]), ShapeError, r"\(3, 4, 8\)"),
        (lambda: ops.conv2d(IMAGE[0], KERNEL), ShapeError, r"\(6, 5, 4\)"),
        (lambda: ops.conv2d(IMAGE, KERNEL, np.ones(7)), ShapeError, "7"),
        (lambda: ops.conv2d(IMAGE, KERNEL, activation="swoosh"), ConfigError, "swoosh"),
        (lambda: ops.conv2d(IMAGE, KERNEL, padding=((-1, 0), 0)), ConfigError, r">= 0.*\(-1, 0\)"),
        (lambda: ops.max_pool2d(IMAGE, 2, padding=0.5), ConfigError, r"an int.*0\.5"),
        (lambda: ops.nearest(np.ones((2, 3)), np.ones((4, 3)), k=5), ShapeError, "1 to 4.*5"),
        (lambda: ops.nearest(KERNEL[0, 0], KERNEL[0, 0], metric=None), ConfigError, "metric.*None"),
        (lambda: ops.cdist(KERNEL[0, 0], KERNEL[0, 0], 2), ConfigError, "metric.*2"),
        (lambda: ops.gram_matrix(IMAGE, np.nan), ConfigError, "scale.*nan"),
        (lambda: fc.set_num_threads(True), ConfigError, "1 to 4096, got True"),
        (lambda: ops.group_normalization(IMAGE, 3), ConfigError, "divisor of the 4.*3"),
        (lambda: ops.broadcast_to(IMAGE, (-1,)), ConfigError, "-1"),
        (lambda: ops.resize(IMAGE, 0), ConfigError, "got 0"),
        (lambda: ops.pad(IMAGE, -1), ConfigError, "-1"),
        (lambda: ops.nms(BOXES, np.ones(2)), ShapeError, "2"),
        (lambda: ops.nms(BOXES, np.ones(3), "half"), ConfigError, "iou_threshold.*half"),
        (lambda: ops.remove_small_boxes(np.ones(4), 1), ShapeError, r"\(n, 4\).*\(4,\)"),
        (lambda: ops.clip_boxes_to_image(BOXES, 3), ConfigError, "height, width.*3"),
        (lambda: ops.clip_boxes_to_image(BOXES, (-3, 3)), ConfigError, r">= 0.*\(-3, 3\)"),
        (lambda: ops.stack(3), ConfigError, "at least one array.*3"),
        (lambda: ops.squeeze(IMAGE, ()).shape and ops.split(IMAGE, 2, ()), ConfigError, "axis"),
        (lambda: apply_op("unary", [IMAGE]), ConfigError, "kind.*nothing"),
        (lambda: apply_op("relu", [IMAGE], slope={}), ConfigError, "slope.*{}"),
        (lambda: apply_op("conv2d", [IMAGE, KERNEL], colour=1), ConfigError, "colour"),
        (lambda: apply_op("paint", [IMAGE]), ConfigError, "paint"),
        (lambda: apply_op("softmax", [np.ones((1,) * 9)]), ShapeError, "9"),
        (lambda: layers.ELU("steep"), ConfigError, "alpha.*steep"),
        (lambda: layers.Reshape(4), ConfigError, "target_shape.*4"),
        (lambda: layers.Permute(1), ConfigError, "dims.*1"),
        (lambda: layers.Rescaling("large"), ConfigError, "scale.*large"),
        (lambda: layers.Dense(3, dtype="floaty"), UnsupportedError, "floaty"),
        (lambda: layers.LayerNormalization()(np.float32(1)), ShapeError, "last size"),
        (lambda: layers.InstanceNormalization(axis=())(IMAGE), UnsupportedError, "axis"),
        (lambda: layers.Dense(3, kernel_initializer=[[1], [2, 3]]), ConfigError, "initializer"),
    ],
)  # fmt: skip
def test_errors_name_what_was_expected(run: Any, error: Any, text: str) -> None:
    with pytest.raises(error, match=text):
        run()


def test_numbers_of_numpy_are_options_too() -> None:
    expected = ops.leaky_relu(IMAGE, 0.5)
    np.testing.assert_array_equal(ops.leaky_relu(IMAGE, np.float32(0.5)), expected)
    np.testing.assert_array_equal(ops.leaky_relu(IMAGE, np.array(0.5)), expected)
    y = ops.max_pool2d(IMAGE, np.int64(2), ceil_mode=np.bool_(True))
    np.testing.assert_array_equal(y, ops.max_pool2d(IMAGE, 2, ceil_mode=True))


def test_options_that_are_equal_but_not_the_same_share_no_plan() -> None:
    """0.0 == -0.0 and 1 == True, but a plan made for one is not the other's."""
    for value in (0.0, -0.0, 0.0):
        y = ops.pad(np.ones(1), 1, constant_values=value)
        assert np.signbit(y[0]) == np.signbit(value)
    ops.sum(IMAGE, 1, keepdims=True)
    with pytest.raises(ConfigError, match=r"keepdims.*True or False.*1"):
        ops.sum(IMAGE, 1, keepdims=1)


# ---- models, files, the command line, the environment --------------------------------------------


def test_models_name_what_they_expected(tmp_path: Path) -> None:
    model = fc.Sequential([fc.Input((6, 5, 4)), layers.Conv2D(3, 3, name="one"), layers.Flatten()])
    for x in (IMAGE[0], IMAGE[..., :3], IMAGE[:, :5], np.zeros((2, 0, 5, 4))):
        with pytest.raises(ShapeError, match=str(x.shape[-1])):
            model.predict(x)
    for x in (IMAGE.astype(complex), "cat", object()):
        with pytest.raises(FastcnnError, match="expected"):
            model.predict(x)
    with pytest.raises(ConfigError, match="batch_size"):
        model.predict(IMAGE, batch_size=0)
    with pytest.raises(ShapeError, match="expected 2 arrays, got 3"):
        model.set_weights([KERNEL] * 3)
    with pytest.raises(FastcnnError):
        model.set_weights([np.ones((3, 3, 4, 3), complex), np.ones(3)])
    for shapes in (model.input_shape, "a", (1.5, 6, 5, 4), None, 3, (2**70, 6, 5, 4)):
        with pytest.raises(ShapeError, match=f"whole numbers.* got {re.escape(repr(shapes))}"):
            model.plan(shapes)
    plan = model.plan((1, 6, 5, 4))
    for run in (plan.run, plan.profile):
        for x in (None, 3):
            with pytest.raises(ConfigError, match=f"inputs: expected .* got {x}"):
                run(x)
    with pytest.raises(FastcnnError):
        fc.load_model(tmp_path)
    with pytest.raises(FastcnnError):
        model.save(tmp_path / "no folder" / "model.fastcnn")


@pytest.mark.parametrize(
    "use",
    [
        fc.load_model, fc.TimingCache.load, fc.TimingCache().save, fc.io.load_onnx, fc.io.inspect,
        lambda path: fc.io.convert("net.onnx", path), fc.Sequential([fc.Input((4,))]).save,
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", [None, 3])
def test_what_is_no_path_is_named(use: Callable[[Any], Any], path: Any) -> None:
    with pytest.raises(DTypeError, match=f"expected a path, got {type(path).__name__}"):
        use(path)


def test_the_command_line_reports_and_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "empty.png"
    picture.write_bytes(b"")
    for arguments in (["classify", str(picture), "--model", "none"], ["classify"], ["paint"]):
        monkeypatch.setattr(sys, "argv", ["fastcnn", *arguments])
        with pytest.raises(SystemExit) as ending:
            cli.main()
        assert ending.value.code not in (0, None)
        assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("value", ["avx1024", "", "REF ", "-1"])
def test_an_unknown_instruction_set_is_an_error_not_a_crash(value: str) -> None:
    code = (
        "import numpy as np\n"
        "from fastcnn.errors import FastcnnError\n"
        "try:\n"
        "    import fastcnn as fc\n"
        "    fc.ops.relu(np.ones(3))\n"
        "except FastcnnError as error:\n"
        "    print(error)\n"
    )
    environment = {**os.environ, "FASTCNN_MAX_ISA": value}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    assert run.returncode == 0, run.stderr.decode()
    assert not value or value.encode() in run.stdout


# ---- anything ------------------------------------------------------------------------------------

# Each op's options; the fuzz gives some of them, and sometimes one that is another op's.
_WINDOW = ("strides", "dilation", "padding", "pads", "groups", "has_bias", "activation")
OPTIONS: dict[str, tuple[str, ...]] = {
    "unary": ("kind", "min", "max", "threshold", "slope"),
    "activation": ("activation", "alpha"),
    "conv2d": _WINDOW,
    "conv2d_transpose": (*_WINDOW, "output_padding"),
    "depthwise_conv2d": _WINDOW,
    "max_pool2d": ("pool_size", "ceil_mode", *_WINDOW[:4]),
    "avg_pool2d": ("pool_size", "ceil_mode", "count_include_pad", *_WINDOW[:4]),
    "adaptive_avg_pool2d": ("output_size",),
    "dense": ("activation", "alpha", "has_bias", "has_residual"),
    "matmul": ("transpose_a", "transpose_b"),
    "nms": ("iou_threshold", "score_threshold", "max_output", "kind"),
    "soft_nms": ("iou_threshold", "score_threshold", "sigma", "method", "max_output"),
    "box_iou": ("kind", "eps"),
    "cdist": ("metric",),
    "nearest": ("metric", "k"),
    "nearest_coded": ("metric", "k"),
    "gram_matrix": ("scale",),
    "group_norm": ("groups", "scale", "center", "epsilon"),
    "layer_norm": ("axis", "scale", "center", "epsilon"),
    "lrn": ("size", "alpha", "beta", "bias"),
    "pad": ("pads", "mode", "value"),
    "reshape": ("shape",),
    "broadcast_to": ("shape",),
    "resize": ("size", "interpolation", "coordinate"),
    "slice": ("begin", "size", "step"),
    "space_to_depth": ("block_size", "mode"),
    "depth_to_space": ("block_size", "mode"),
    "transpose": ("axes",),
}
_OTHERS = ("axis", "keepdims", "epsilon", "scale", "center", "colour")
_WORDS = [
    "same",
    "valid",
    "relu",
    "elu",
    "leaky_relu",
    "clip",
    "gelu",
    "bilinear",
    "nearest",
    "align_corners",
    "edge",
    "reflect",
    "symmetric",
    "constant",
    "giou",
    "ciou",
    "linear",
    "gaussian",
    "cosine",
    "manhattan",
    "DCR",
    "CRD",
    "nonsense",
]

_integers = st.integers(-3, 5)
_values = st.one_of(
    _integers,
    _integers,
    st.booleans(),
    st.sampled_from(_WORDS),
    st.lists(_integers, max_size=5).map(tuple),
    st.sampled_from([0.5, -1.0, 0.0, float("nan"), float("inf"), 1e300]),
    st.sampled_from([2**31, HUGE, 2**63, -(2**63), (2**62, 4), {}, b"x", 1j, [[1], [2, 3]], None]),
)
_dtypes = st.sampled_from(["float32"] * 5 + ["float64", "int64", "int32", "uint8", "bool"])


@st.composite
def _arrays(draw: Any, most: int = 4) -> list[np.ndarray]:
    """Arrays whose shapes often have to do with each other."""
    rank = draw(st.sampled_from([0, 1, 2, 2, 3, 4, 4, 4, 5]))
    base = draw(st.lists(st.integers(0, 5), min_size=rank, max_size=rank))
    arrays = []
    for _ in range(draw(st.integers(0, most))):
        own = st.lists(st.integers(0, 4), max_size=5)
        shape = draw(st.one_of(st.just(base), st.just(base), st.just(base[-1:]), own))
        rng = np.random.default_rng(draw(st.integers(0, 9)))
        arrays.append(rng.standard_normal(shape).astype(draw(_dtypes)))
    return arrays


fuzz = settings(
    deadline=None,
    database=None,
    derandomize=True,
    max_examples=12,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("op", _C.ops())
def test_any_op_on_anything_gives_a_result_or_an_error_of_the_library(op: str) -> None:
    names = st.sampled_from([*OPTIONS.get(op, ()), *_OTHERS])

    @fuzz
    @given(
        _arrays(), st.dictionaries(names, _values, max_size=4), st.sampled_from([None, "float32"])
    )
    def run(arrays: list[np.ndarray], attrs: dict[str, Any], dtypes: str | None) -> None:
        with contextlib.suppress(FastcnnError, MemoryError):
            apply_op(op, arrays, dtypes, **attrs)

    run()


@pytest.mark.parametrize("name", ops.__all__)
def test_any_function_on_anything_gives_a_result_or_an_error_of_the_library(name: str) -> None:
    function = getattr(ops, name)
    parameters = list(inspect.signature(function).parameters.values())
    needed = [p for p in parameters if p.default is p.empty]
    optional = [p.name for p in parameters if p.default is not p.empty]
    options = st.dictionaries(st.sampled_from(optional), _values, max_size=3)

    @fuzz
    @given(_arrays(), st.lists(_values, max_size=3), options if optional else st.just({}))
    def run(arrays: list[np.ndarray], values: list[Any], keywords: dict[str, Any]) -> None:
        given_ = iter([*arrays, *values])
        first: list[Any] = [arrays] if needed[0].name == "xs" else []
        count = len(needed) - len(first)
        arguments = first + [next(given_, 2) for _ in range(count)]
        if not set(keywords) & {p.name for p in needed}:
            with contextlib.suppress(FastcnnError, MemoryError):
                function(*arguments, **keywords)

    run()
