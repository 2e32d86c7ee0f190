"""Importing the package stays quick: nothing it does not need at once is imported."""

import subprocess
import sys

import pytest

SLOW = (
    "PIL", "safetensors", "typer", "rich", "matplotlib", "torch", "onnx", "importlib.metadata",
    "platform", "email", "subprocess", "concurrent", "unittest", "fastcnn.applications",
    "fastcnn.data.hdf5", "fastcnn.data.images", "fastcnn.io", "fastcnn.utils", "fastcnn.cli",
    "fastcnn.visualize",
)  # fmt: skip


def test_slow_modules_wait_until_they_are_used():
    code = (
        "import numpy, sys; before = set(sys.modules); import fastcnn; "
        "print(*sys.modules.keys() - before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & set(SLOW)


@pytest.mark.parametrize(
    "name", ["io", "utils", "applications", "callbacks", "data", "layers", "saving", "visualize"]
)
def test_submodules_are_there_when_asked_for(name):
    code = f"import fastcnn as fc; fc.{name}; assert '{name}' in dir(fc)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_unknown_names_are_attribute_errors():
    import fastcnn as fc

    with pytest.raises(AttributeError, match="no attribute 'colour'"):
        fc.colour  # noqa: B018
