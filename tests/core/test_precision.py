"""The precision level: of the process, of a block, of a model."""

import threading
from collections.abc import Iterator

import pytest

import fastcnn as fc
from fastcnn.errors import ConfigError


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    yield
    fc.set_float32_precision("highest")


def in_another_thread() -> str:
    seen: list[str] = []
    thread = threading.Thread(target=lambda: seen.append(fc.get_float32_precision()))
    thread.start()
    thread.join()
    return seen[0]


def test_a_call_sets_the_level_of_all_threads() -> None:
    fc.set_float32_precision("medium")
    assert fc.get_float32_precision() == "medium"
    assert in_another_thread() == "medium"


def test_a_block_sets_its_own_level_and_gives_it_back() -> None:
    with fc.set_float32_precision("high"):
        assert fc.get_float32_precision() == "high"
        assert in_another_thread() == "highest"
        with fc.set_float32_precision("medium"):
            assert fc.get_float32_precision() == "medium"
        assert fc.get_float32_precision() == "high"
    assert fc.get_float32_precision() == "highest"


def test_an_unknown_level_is_refused_and_changes_nothing() -> None:
    with pytest.raises(ConfigError, match=r"expected one of .* got 'exact'"):
        fc.set_float32_precision("exact")
    assert fc.get_float32_precision() == "highest"
