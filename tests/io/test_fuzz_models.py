"""Every reader of a foreign model, given damaged files, makes one or raises an error of ours."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from fastcnn.io import (
    inspect,
    load_darknet,
    load_dlib,
    load_graphdef,
    load_tfjs,
    load_weights_file,
)
from tests.io import darknet_writer, test_dlib
from tests.io.mutations import check, damaged, fuzzed

GRAPHS = Path(__file__).parent / "graphs"


@pytest.mark.parametrize("what", ["cfg", "weights"])
def test_darknet(what: str, tmp_path: Path) -> None:
    names = ["yolov2", "yolov3-tiny", "yolov4-tiny", "alexnet"]
    files = {name: darknet_writer.write(tmp_path, name) for name in names}
    originals = {
        name: (cfg.read_bytes(), weights.read_bytes()) for name, (cfg, weights) in files.items()
    }
    cfg, weights = tmp_path / "damaged.cfg", tmp_path / "damaged.weights"

    @fuzzed(40)
    @given(st.data(), st.sampled_from(names))
    def run(data: st.DataObject, name: str) -> None:
        texts, numbers = originals[name]
        if what == "cfg":
            texts = data.draw(damaged([texts]))
        else:
            numbers = data.draw(damaged([numbers]))
        cfg.write_bytes(texts)
        weights.write_bytes(numbers)
        check(lambda: load_darknet(cfg, weights))

    run()


def test_dlib_networks(tmp_path: Path) -> None:
    path = tmp_path / "network.dat"
    original = test_dlib.small()[0]

    @fuzzed(100)
    @given(damaged([original]))
    def run(data: bytes) -> None:
        path.write_bytes(data)
        check(lambda: load_dlib(path))

    run()


@pytest.mark.parametrize("name", ["by_hand", "keras"])
def test_graphdef(name: str, tmp_path: Path) -> None:
    pytest.importorskip("google.protobuf")
    original = _without_weights((GRAPHS / f"{name}.pb").read_bytes())
    path = tmp_path / "graph.pb"

    @fuzzed(25)
    @given(damaged([original]) | _changed_graphs(original))
    def run(data: bytes) -> None:
        path.write_bytes(data)
        check(lambda: load_graphdef(path))
        check(lambda: load_weights_file(path))

    run()


@st.composite
def _changed_graphs(draw: st.DrawFn, original: bytes) -> bytes:
    """A graph that can be read, in which a few nodes are not what they were."""
    from fastcnn.io.tensorflow.messages import parse_graph

    graph = parse_graph(original)
    numbers = st.sampled_from([-(2**31), -1, 0, 1, 2, 7, 2**16, 2**31 - 1, 2**62])
    for _ in range(draw(st.integers(1, 3))):
        node = draw(st.sampled_from(list(graph.node)))
        other = draw(st.sampled_from(list(graph.node)))
        kind = draw(st.sampled_from(["op", "input", "fewer", "attr", "shape", "number", "gone"]))
        if kind == "op":
            node.op = other.op
        elif kind == "input" and node.input:
            node.input[draw(st.integers(0, len(node.input) - 1))] = other.name
        elif kind == "fewer" and node.input:
            node.input.pop()
        elif kind == "attr" and other.attr:
            name = draw(st.sampled_from(sorted(other.attr)))
            node.attr[name].CopyFrom(other.attr[name])
        elif kind == "shape" and node.attr["value"].tensor.tensor_shape.dim:
            node.attr["value"].tensor.tensor_shape.dim[0].size = draw(numbers)
        elif kind == "number":
            for value in node.attr.values():
                if value.list.i:
                    value.list.i[draw(st.integers(0, len(value.list.i) - 1))] = draw(numbers)
                elif value.HasField("tensor") and value.tensor.int_val:
                    value.tensor.int_val[0] = draw(numbers) % 2**31
        elif kind == "gone":
            graph.node.remove(node)
    data: bytes = graph.SerializeToString(deterministic=True)
    return data


def _without_weights(data: bytes) -> bytes:
    """Shrink large constants to one number, so that damage hits the structure."""
    from fastcnn.io.tensorflow.messages import parse_graph

    graph = parse_graph(data)
    for node in graph.node:
        tensor = node.attr["value"].tensor
        if node.op == "Const" and len(tensor.tensor_content) > 400:
            tensor.tensor_content = b""
            tensor.float_val.append(0.5)
    shrunk: bytes = graph.SerializeToString(deterministic=True)
    return shrunk


@pytest.mark.parametrize("name", ["tfjs_layers", "tfjs_graph"])
def test_tfjs(name: str, tmp_path: Path) -> None:
    pytest.importorskip("google.protobuf")
    folder = shutil.copytree(GRAPHS / name, tmp_path / "model")
    original = (folder / "model.json").read_bytes()
    words = [b"null", b"-1", b"1e9", b'"x"', b"[]", b"{}", b"true", b"[[]]"]

    @fuzzed(25)
    @given(st.data())
    def run(data: st.DataObject) -> None:
        text = original
        if data.draw(st.booleans()):  # still JSON, with another value somewhere
            places = [m.span(1) for m in re.finditer(rb'[:,\[] ?("[^"]*"|-?[\d.]+|true)', text)]
            start, end = data.draw(st.sampled_from(places))
            text = text[:start] + data.draw(st.sampled_from(words)) + text[end:]
        else:
            text = data.draw(damaged([text]))
        (folder / "model.json").write_bytes(text)
        check(lambda: load_tfjs(folder / "model.json"))

    run()


def test_openface(tmp_path: Path) -> None:
    path = tmp_path / "conv1_w.csv"

    @fuzzed(50)
    @given(damaged([b"0.5,-1e-3, 2\n7,nan,1e400\n"]))
    def run(data: bytes) -> None:
        path.write_bytes(data)
        check(lambda: load_weights_file(tmp_path))

    run()


def test_any_format(tmp_path: Path) -> None:
    """Whatever a file begins with, it is read or refused."""
    path = tmp_path / "model.weights"
    heads = [b"\x0a", b"\x08", b"{", b"[", b"[net]\n", b"\1\1\1\x0dloss_metric_", bytes(8), b"PK"]

    @fuzzed(60)
    @given(st.sampled_from(heads), st.binary(max_size=100))
    def run(head: bytes, tail: bytes) -> None:
        path.write_bytes(head + tail)
        check(lambda: inspect(path))

    run()
