"""Optional packages, and what importing fastcnn.io costs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import fastcnn.io
from fastcnn._optional import import_optional
from fastcnn.errors import FastcnnError, MissingDependencyError


def test_a_missing_package_names_its_extra() -> None:
    with pytest.raises(MissingDependencyError, match=r'pip install "fastcnn\[images\]"') as info:
        import_optional("no_such_package.part", extra="images")
    assert isinstance(info.value, ImportError) and info.value.name == "no_such_package"
    assert str(info.value).startswith("no_such_package is not installed")  # a part cannot be


def test_a_missing_package_is_called_as_pip_calls_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(MissingDependencyError, match=r"^Pillow is not installed"):
        import_optional("PIL.Image", extra="images")


def test_a_package_broken_inside_is_not_called_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_package.py").write_text("import no_such_dependency\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModuleNotFoundError, match="no_such_dependency") as info:
        import_optional("broken_package", extra="images")
    assert not isinstance(info.value, FastcnnError)


def test_functions_ask_for_their_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(8) + b"{")
    for module in ("PIL.Image", "safetensors", "safetensors.numpy"):
        monkeypatch.setitem(sys.modules, module, None)
    calls: dict[str, list[Callable[[], object]]] = {
        "images": [
            lambda: fastcnn.io.load_image(path),
            lambda: fastcnn.io.save_image(path, np.zeros((2, 2), np.uint8)),
            lambda: fastcnn.io.resize_image(np.zeros((2, 2), np.uint8), (1, 1)),
        ],
        "io": [
            lambda: fastcnn.io.load_weights_file(path),
            lambda: fastcnn.io.save_safetensors(path, {}),
        ],
    }
    for extra, functions in calls.items():
        for function in functions:
            with pytest.raises(MissingDependencyError, match=rf"fastcnn\[{extra}\]"):
                function()


def test_importing_loads_no_extra() -> None:
    code = (
        "import sys, fastcnn.io; assert 'load_image' in dir(fastcnn.io);"
        "fastcnn.io.load_image, fastcnn.io.load_safetensors;"
        "assert not {'PIL', 'safetensors', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_public_name_resolves() -> None:
    for name in fastcnn.io.__all__:
        assert callable(getattr(fastcnn.io, name))
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = fastcnn.io.no_such_name
