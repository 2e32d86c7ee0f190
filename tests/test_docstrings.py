"""The examples in docstrings run and print what they say; public functions have one."""

import doctest
import importlib
import inspect
import pkgutil

import pytest

import fastcnn
from fastcnn.errors import MissingDependencyError


def module_names() -> list[str]:
    found = pkgutil.walk_packages(fastcnn.__path__, "fastcnn.", onerror=lambda name: None)
    return sorted(m.name for m in found if not m.name.endswith(("_C", "__main__")))


@pytest.mark.parametrize("name", module_names())
def test_examples_run(name: str, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        module = importlib.import_module(name)
    except MissingDependencyError as error:
        pytest.skip(str(error))
    monkeypatch.chdir(tmp_path)  # examples that write files write them here
    result = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0


@pytest.mark.parametrize(
    "name",
    [
        f"{module.__name__}.{name}"
        for module in (
            fastcnn.constraints,
            fastcnn.losses,
            fastcnn.metrics,
            fastcnn.optimizers.schedules,
            fastcnn.regularizers,
        )
        for name in module.__all__
    ],
)
def test_what_training_is_given_has_an_example(name: str) -> None:
    module, thing = name.rsplit(".", 1)
    assert ">>>" in (inspect.getdoc(getattr(importlib.import_module(module), thing)) or "")


@pytest.mark.parametrize("name", sorted(n for n in dir(fastcnn.ops) if not n.startswith("_")))
def test_public_functions_have_a_docstring_with_an_example(name: str) -> None:
    function = getattr(fastcnn.ops, name)
    if not inspect.isfunction(function):
        pytest.skip("a module")
    text = inspect.getdoc(function) or ""
    assert "Parameters" in text
    assert "Returns" in text
    assert ">>>" in text
