"""`onnx.backend.test`: every node test of the operators that CNNs use, run by its own runner.

What is declined is declined by name, with the reason, and must raise `UnsupportedError`.
"""

import importlib
import re
import unittest
import warnings
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="needs the package onnx")
import onnx.backend.test.case.node as node_cases  # noqa: E402
from onnx import TensorProto, helper  # noqa: E402
from onnx.backend.test import runner  # noqa: E402

import fastcnn.io.onnx_backend as backend  # noqa: E402
from fastcnn.errors import ConfigError, FileFormatError, UnsupportedError  # noqa: E402

# The files of onnx.backend.test.case.node, one an operator; their tests come with the operator
# itself and, where ONNX defines it by others, with those ("_expanded").
OPERATORS = """
abs acos acosh add and_ argmax argmin asin asinh atan atanh averagepool batch_normalization cast
castlike ceil celu clip concat constant constantofshape conv convinteger convtranspose cos cosh
depthtospace dequantizelinear div dropout dynamicquantizelinear elu equal erf exp expand flatten
floor gather gatherelements gelu gemm globalaveragepool globalmaxpool greater greater_or_equal
groupnormalization hardmax hardsigmoid hardswish identity instance_normalization isinf isnan
leakyrelu less less_or_equal log logsoftmax lppool lrn matmul matmulinteger max maxpool maxunpool
mean min mish mod mul neg nonmaxsuppression not_ or_ pad pow prelu qlinearconv qlinearmatmul
quantizelinear reciprocal reduce_log_sum reduce_log_sum_exp reducel1 reducel2 reducemax reducemean
reducemin reduceprod reducesum reducesumsquare relu reshape resize roialign round selu shape shrink
sigmoid sign sin sinh size slice softmax softplus softsign spacetodepth split sqrt squeeze sub sum
swish tan tanh thresholdedrelu tile topk transpose unsqueeze upsample where xor
""".split()  # noqa: SIM905

DECLINED = {
    r"test_(cast|castlike)_.*(FLOAT8|FLOAT4|INT4|INT2)": "floats of 8 and 4 bits, integers of 4",
    r"test_(quantize|dequantize)linear_(e4m3|e5m2|float4)": "floats of 8 and 4 bits",
    r"test_dequantizelinear_u?int[24]$": "integers of 4 and 2 bits as inputs",
    r"test_equal_string": "strings",
    r"test_identity_(sequence|opt)": "sequences and optional values",
    r"test_training_dropout(_default)?(_mask)?$": "the random numbers of NumPy's generator",
}


def test_every_operator_named_has_tests() -> None:
    assert len(OPERATORS) == len(set(OPERATORS)) > 120
    for name in ("conv", "resize", "nonmaxsuppression", "qlinearconv", "roialign"):
        assert name in OPERATORS


def cases_of(operator: str) -> list[Any]:
    """Give the cases of one file, which are made when it is first imported."""
    known = _cases.get(operator)
    if known is None:
        count = len(node_cases._NodeTestCases)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            importlib.import_module(f"onnx.backend.test.case.node.{operator}")
        known = _cases[operator] = node_cases._NodeTestCases[count:]
    return known


_cases: dict[str, list[Any]] = {}


@pytest.mark.parametrize("operator", OPERATORS)
def test_node_tests(operator: str, monkeypatch: pytest.MonkeyPatch) -> None:
    declined = {
        case.name: reason
        for case in cases_of(operator)
        for pattern, reason in DECLINED.items()
        if re.match(pattern, case.name)
    }
    wanted = [case for case in cases_of(operator) if case.name not in declined]
    assert wanted
    monkeypatch.setattr(runner, "load_model_tests", lambda kind: wanted if kind == "node" else [])
    suite = runner.Runner(backend.FastcnnBackend, __name__).test_suite
    result = unittest.TestResult()
    suite.run(result)
    problems = [
        f"{test}: {text.splitlines()[-1]}" for test, text in result.failures + result.errors
    ]
    assert not problems, "\n".join(problems)
    assert result.testsRun == 2 * len(wanted)  # on the CPU, and skipped on CUDA
    assert len(result.skipped) == len(wanted)
    for case in cases_of(operator):
        if case.name in declined:
            print(f"declined: {case.name}: {declined[case.name]}")
            inputs, _ = case.data_sets[0]
            with pytest.raises(UnsupportedError):
                backend.run_model(case.model, [runner._normalize_tensor(x) for x in inputs])


# ---- the interface -------------------------------------------------------------------------------


def relu_model() -> Any:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, (None, 3, 4, 4))
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, (None, 3, 4, 4))
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "relu", [x], [y])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])


def test_a_prepared_model_runs_on_arrays_and_names() -> None:
    prepared = backend.prepare(relu_model())
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 4)).astype(np.float32)
    for inputs in ([x], x, {"x": x}):
        (y,) = prepared.run(inputs)
        np.testing.assert_array_equal(y, np.maximum(x, 0))
    with pytest.raises(ConfigError, match="expected 1 inputs, got 2"):
        prepared.run([x, x])
    with pytest.raises(ConfigError, match="got none for"):
        prepared.run({"other": x})
    (y,) = backend.run_model(relu_model(), [x])
    assert y.shape == x.shape


def test_one_node_runs_alone() -> None:
    a = np.arange(6, dtype=np.float32).reshape(2, 3)
    (y,) = backend.run_node(helper.make_node("Transpose", ["a"], ["y"], perm=(1, 0)), [a])
    np.testing.assert_array_equal(y, a.T)
    node = helper.make_node("TopK", ["a", "k"], ["values", "indices"])
    values, indices = backend.run_node(node, [a, np.array([2], np.int64)], opset_version=11)
    np.testing.assert_array_equal(values, [[2, 1], [5, 4]])
    assert indices.dtype == np.int64


def test_inputs_that_decide_shapes_make_a_model_for_each_of_their_values() -> None:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, (2, 6))
    shape = helper.make_tensor_value_info("shape", TensorProto.INT64, (2,))
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, (None, None))
    graph = helper.make_graph(
        [helper.make_node("Reshape", ["x", "shape"], ["y"])], "g", [x, shape], [y]
    )
    prepared = backend.prepare(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    )
    a = np.arange(12, dtype=np.float32).reshape(2, 6)
    for wanted in [(3, 4), (4, 3), (12, 1)] * 8:
        assert prepared.run([a, np.array(wanted, np.int64)])[0].shape == wanted


def test_what_cannot_run_says_which_node() -> None:
    assert backend.supports_device("CPU") and not backend.supports_device("CUDA")
    with pytest.raises(UnsupportedError, match="expected device CPU, got CUDA"):
        backend.prepare(relu_model(), "CUDA")
    model = relu_model()
    model.graph.node[0].op_type = "Det"
    model.graph.node[0].name = "the_node"
    with pytest.raises(UnsupportedError, match=r"node 'the_node' \(Det\): this operator"):
        backend.prepare(model)
    assert not backend.is_compatible(model) and backend.is_compatible(relu_model())
    model = relu_model()
    model.graph.node[0].input[0] = "nothing"
    with pytest.raises(FileFormatError):
        backend.prepare(model)
