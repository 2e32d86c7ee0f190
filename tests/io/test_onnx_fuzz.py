"""The ONNX reader, given damaged files, makes a model or raises one of our errors."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, strategies as st

import fastcnn as fc

pytest.importorskip("onnx", reason="reads the files")

from fastcnn.io.onnx.operators import OPERATORS
from tests.io.mutations import check, damaged, fuzzed
from tests.io.onnx_operator_models import operator_models
from tests.io.onnx_writer import small_models

MODELS = [*small_models(), *operator_models()]
FILES = [model.SerializeToString() for model in MODELS]
NUMBERS = [-(2**63), -(2**31), -9, -1, 0, 1, 2, 3, 7, 2**16, 2**31, 2**40, 2**62, 2**63 - 1]


@st.composite
def wrong(draw: st.DrawFn) -> bytes:
    """A file that is sound but says something else: other numbers, names, operators."""
    model = type(MODELS[0])()
    model.CopyFrom(draw(st.sampled_from(MODELS)))
    graph = model.graph
    for _ in range(draw(st.integers(1, 3))):
        nodes = list(graph.node)
        one = draw(st.sampled_from(nodes))
        other = draw(st.sampled_from(nodes))
        tensor = draw(st.sampled_from(list(graph.initializer)))
        kind = draw(st.integers(0, 8))
        if kind == 0 and one.attribute:
            attribute = draw(st.sampled_from(list(one.attribute)))
            attribute.i = draw(st.sampled_from(NUMBERS))
            for index in range(len(attribute.ints)):
                if draw(st.booleans()):
                    attribute.ints[index] = draw(st.sampled_from(NUMBERS))
        elif kind == 1 and one.input:
            one.input[draw(st.integers(0, len(one.input) - 1))] = draw(
                st.sampled_from([*other.output, *other.input, "", "nothing"])
            )
        elif kind == 2:
            one.op_type = draw(st.sampled_from(sorted(OPERATORS)))
        elif kind == 3 and tensor.dims:
            tensor.dims[draw(st.integers(0, len(tensor.dims) - 1))] = draw(st.sampled_from(NUMBERS))
        elif kind == 4:
            data = bytearray(tensor.raw_data)
            data[draw(st.integers(0, len(data) - 1))] = draw(st.sampled_from([0, 1, 127, 128, 255]))
            tensor.raw_data = bytes(data)
        elif kind == 5:
            tensor.name = draw(st.sampled_from([t.name for t in graph.initializer]))
        elif kind == 6:
            dims = graph.input[0].type.tensor_type.shape.dim
            dims[draw(st.integers(0, len(dims) - 1))].dim_value = draw(st.sampled_from(NUMBERS))
        elif kind == 7:
            model.opset_import[0].version = draw(st.sampled_from([1, 7, 10, 11, 13, 18, 21, 99]))
        else:
            graph.node.remove(one)
            if not graph.node:
                break
    return model.SerializeToString()


@pytest.mark.parametrize("kind", ["bytes", "content"])
def test_damaged_onnx_files(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"

    @fuzzed(60)
    @given(damaged(FILES) if kind == "bytes" else wrong())
    def run(data: bytes) -> None:
        path.write_bytes(data)
        check(lambda: fc.io.load_onnx(path))

    run()


def test_the_models_are_sound(tmp_path: Path) -> None:
    for data in FILES:
        (tmp_path / "m.onnx").write_bytes(data)
        fc.io.load_onnx(tmp_path / "m.onnx")
