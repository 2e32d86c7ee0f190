"""Whole runs: costs fall, bits repeat, files go on; what is given wrongly is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.errors import (
    ConfigError,
    DTypeError,
    FileFormatError,
    MissingFileError,
    NumericsError,
    ShapeError,
)
from fastcnn.style import Progress
from fastcnn.style.descent import Descent
from fastcnn.style.objective import Objective
from tests.style.small import CONTENT, STYLE, batch, levels, small_network, transfer_of

pytest.importorskip("PIL.Image", reason="resizes pictures")
OPTIMIZERS = ["adam", "lbfgs"]
A, B = levels(0, 24, 32), levels(1, 30, 20)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_costs_fall(optimizer: str) -> None:
    seen: list[Progress] = []
    result = transfer_of(optimizer=optimizer, iterations=12, scales=1)(
        A, B, callback=seen.append, verbose=0
    )
    assert result.shape == (24, 32, 3) and result.dtype == np.uint8
    assert [p.iteration for p in seen] == list(range(1, 13))
    assert seen[0].costs.content == 0  # it begins with the content
    assert seen[-1].costs.total < 0.6 * seen[0].costs.total
    np.testing.assert_array_equal(seen[-1].picture(), result)


def test_a_step_is_one_plan_whose_state_is_updated_in_place() -> None:
    objective = Objective(
        small_network(), batch(0, 24, 32), [batch(1, 24, 24)], CONTENT, STYLE, 1, 1
    )
    descent = Descent(objective, batch(2, 24, 32), fc.optimizers.Adam(2.0))
    ops = [step["op"] for step in descent.plan().steps]
    assert ops.count("adam_update") == 1 and ops.count("gram_matrix") == 2
    before = descent.picture.numpy()
    first, second = descent.step(), descent.step()
    assert second.total < first.total
    assert 0 < np.abs(descent.picture.numpy() - before).max() < 10


def test_gradients_of_matrices_are_made_when_they_are_needed() -> None:
    """They are as large as the pictures; the plan keeps what the network saw, and little more."""
    of_style = dict.fromkeys(("block1_conv1", "block1_conv2", "block2_conv1"), 1.0)
    network = fc.style.feature_network(of_style, weights=None)
    objective = Objective(
        network, batch(0, 64, 64), [batch(1, 64, 64)], {"block2_conv1": 1.0}, of_style, 1, 1
    )
    plan = Descent(objective, batch(2, 64, 64), fc.optimizers.Adam(2.0)).plan()
    ops = [step["op"] for step in plan.steps]
    places = [i for i, op in enumerate(ops) if op == "matmul"]
    pooled_back = ops.index("avg_pool2d_gradient")
    assert len(places) == 3
    assert places[0] < pooled_back < places[1]  # the first layer's come last


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_same_bits_for_any_number_of_threads(optimizer: str) -> None:
    before = fc.get_num_threads()
    results = []
    try:
        for threads in (1, 2):
            fc.set_num_threads(threads)
            paint = transfer_of(optimizer=optimizer, scales=2, initial="blend", seed=3)
            results.append(paint(A, B, verbose=0))
    finally:
        fc.set_num_threads(before)
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("stop", [2, 6])
def test_an_interrupted_run_goes_on_to_the_same_bits(
    optimizer: str, stop: int, tmp_path: Path
) -> None:
    paint = transfer_of(optimizer=optimizer, scales=2, iterations=[4, 5])
    wanted = paint(A, B, verbose=0)

    def interrupt(progress: Progress) -> None:
        if progress.iteration == stop + 1:
            raise KeyboardInterrupt

    options: dict[str, Any] = {"state": tmp_path / "run.state", "state_every": 2, "verbose": 0}
    with pytest.raises(KeyboardInterrupt):
        paint(A, B, callback=interrupt, **options)
    assert options["state"].exists()
    seen: list[Progress] = []
    found = paint(A, B, callback=seen.append, **options)
    assert seen[0].iteration == stop + 1
    np.testing.assert_array_equal(found, wanted)
    assert not options["state"].exists()


def test_a_state_of_another_run_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.state"

    def interrupt(progress: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        transfer_of()(A, B, callback=interrupt, state=path, state_every=1, verbose=0)
    with pytest.raises(FileFormatError, match="other pictures or options"):
        transfer_of()(A, A, state=path, verbose=0)
    with pytest.raises(FileFormatError, match="other pictures or options"):
        transfer_of(beta=0.5)(A, B, state=path, verbose=0)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(FileFormatError):
        transfer_of()(A, B, state=path, verbose=0)
    path.write_text("no state")
    with pytest.raises(FileFormatError, match=r"run\.state"):
        transfer_of()(A, B, state=path, verbose=0)


def test_previews_and_an_early_end(tmp_path: Path) -> None:
    preview = tmp_path / "preview.png"
    rate = fc.optimizers.Adam(3.0)  # constant: what "adam" falls to depends on the iterations
    result = transfer_of(iterations=8, optimizer=rate)(
        A, B, preview=preview, preview_every=2, callback=lambda p: p.iteration == 4, verbose=0
    )
    np.testing.assert_array_equal(fc.io.load_image(preview), result)
    np.testing.assert_array_equal(
        result, transfer_of(iterations=4, optimizer=rate)(A, B, verbose=0)
    )


def test_scales_go_from_coarse_to_fine() -> None:
    sizes: list[tuple[int, int]] = []
    result = transfer_of(size=48, scales=3, iterations=[3, 2, 1])(
        A, B, callback=lambda p: sizes.append(p.size), verbose=0
    )
    assert sizes == [(9, 12)] * 3 + [(18, 24)] * 2 + [(36, 48)]
    assert result.shape == (36, 48, 3)
    assert transfer_of(size=None, iterations=1)(A, B, verbose=0).shape == A.shape


def test_where_a_picture_begins() -> None:
    begins = {}
    for initial in ("content", "style", "noise", "blend", levels(7, 24, 32)):
        # A step of nothing, so that the picture is still what it began with.
        paint = transfer_of(initial=initial, iterations=1, optimizer=fc.optimizers.SGD(0.0))
        key = initial if isinstance(initial, str) else "array"
        begins[key] = paint(A, B, verbose=0).astype(int)
    np.testing.assert_array_equal(begins["content"], A)
    np.testing.assert_array_equal(begins["array"], levels(7, 24, 32))
    assert abs(begins["noise"].mean() - 127.5) < 5 and begins["noise"].std() > 30
    between = (begins["noise"] + begins["content"]) / 2
    assert np.abs(begins["blend"] - between).max() <= 1
    assert begins["style"].shape == A.shape


def test_a_mask_keeps_a_style_to_its_part() -> None:
    mask = np.zeros((24, 32), np.uint8)
    mask[:, :12] = 255
    paint = transfer_of(iterations=8, alpha=0.0, total_variation_weight=0.0)
    result = paint(A, B, masks=[mask], verbose=0).astype(int)
    change = np.abs(result - A).mean((0, 2))
    assert change[:12].min() > 1
    assert not change[20:].any()


def test_several_styles_count_by_their_weights() -> None:
    paint = transfer_of()
    only = paint(A, B, verbose=0)
    other = levels(9, 32, 32)
    np.testing.assert_array_equal(paint(A, [B, other], style_weights=[1.0, 0.0], verbose=0), only)
    assert np.any(paint(A, [B, other], verbose=0) != only)


def test_luminance_alone_takes_part() -> None:
    to_differences = np.array([[0.595716, -0.274453, -0.321263], [0.211456, -0.522591, 0.311135]])
    content = A // 2 + 60
    result = transfer_of(preserve_colors="luminance", iterations=8)(content, B, verbose=0)
    assert np.any(result != content)
    inside = ((result > 0) & (result < 255)).all(2)
    moved = np.abs((result.astype(float) - content)[inside] @ to_differences.T)
    assert inside.mean() > 0.5 and moved.max() < 1.5


def test_styles_first_get_the_contents_colours() -> None:
    matched = fc.style.match_colors(B, A)
    np.testing.assert_array_equal(
        transfer_of(preserve_colors="histogram")(A, B, verbose=0),
        transfer_of()(A, matched, verbose=0),
    )


def test_colour_statistics() -> None:
    matched = fc.style.match_colors(levels(3, 64, 64) // 2 + 60, levels(4, 60, 60) // 2 + 50)
    like = (levels(4, 60, 60) // 2 + 50).reshape(-1, 3)
    found = matched.reshape(-1, 3)
    np.testing.assert_allclose(found.mean(0), like.mean(0), atol=2)
    np.testing.assert_allclose(np.cov(found.T), np.cov(like.T), rtol=0.1, atol=40)


def test_less_memory_gives_the_same_bits() -> None:
    results = [transfer_of(recompute=r)(A, B, verbose=0) for r in (None, "segments", "auto")]
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


@pytest.mark.parametrize(("worth", "taken"), [(2.0, "segments"), (0.0, None)])
def test_what_is_seen_is_made_again_where_that_saves_memory(
    monkeypatch: pytest.MonkeyPatch, worth: float, taken: str | None
) -> None:
    monkeypatch.setattr("fastcnn.style.descent._ENOUGH_BYTES", 0)
    monkeypatch.setattr("fastcnn.style.descent._WORTH", worth)
    objective = Objective(
        small_network(), batch(0, 24, 32), [batch(1, 24, 24)], CONTENT, STYLE, 1, 1
    )
    descent = Descent(objective, batch(2, 24, 32), fc.optimizers.Adam(2.0))
    assert descent.step().total > 0
    assert descent._recompute == taken


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"iterations": [1, 2]}, "one for each of 1 scales"),
        ({"iterations": 0}, "iterations"),
        ({"alpha": -1.0}, "alpha"),
        ({"optimizer": "sgdd"}, "optimizer"),
        ({"preserve_colors": "all"}, "preserve_colors"),
        ({"content_layers": []}, "at least one layer"),
        ({"noise_ratio": 2.0}, "noise_ratio"),
        ({"recompute": "never"}, "recompute"),
        ({"size": 0}, "size"),
    ],
)
def test_bad_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        transfer_of(**options)


def test_bad_pictures(tmp_path: Path) -> None:
    paint = transfer_of()
    with pytest.raises(DTypeError, match="content: expected a file or an array of uint8"):
        paint(A.astype(np.float32), B)
    with pytest.raises(ShapeError, match="style 1"):
        paint(A, np.zeros((0, 4, 3), np.uint8))
    with pytest.raises(ShapeError, match="style 1"):
        paint(A, np.zeros((4, 4, 7), np.uint8))
    with pytest.raises(MissingFileError):
        paint(tmp_path / "none.png", B)
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n no picture")
    with pytest.raises(FileFormatError, match=r"bad\.png"):
        paint(A, tmp_path / "bad.png")
    with pytest.raises(ConfigError, match="at least one picture"):
        paint(A, [])
    with pytest.raises(ConfigError, match="need at least 2 x 2"):
        paint(np.zeros((1, 300, 3), np.uint8), B)
    with pytest.raises(ConfigError, match="style 1 of 1 x 300"):
        paint(A, np.zeros((1, 300, 3), np.uint8))
    with pytest.raises(ConfigError, match="black everywhere"):
        paint(A, B, masks=[np.zeros((4, 4), np.uint8)])
    with pytest.raises(ConfigError, match="one for each of 1 styles"):
        paint(A, B, masks=[])
    with pytest.raises(ConfigError, match="each of 1 styles"):
        paint(A, B, style_weights=[1, 2])
    with pytest.raises(ConfigError, match="initial"):
        transfer_of(initial="nothing")(A, B)
    with pytest.raises(ConfigError, match="no option colour"):
        fc.style.transfer(A, B, colour=True)


def test_vgg_needs_pictures_it_can_look_at() -> None:
    paint = fc.style.StyleTransfer(weights=None, size=64, scales=4)
    with pytest.raises(ConfigError, match="at least 16 x 16"):
        paint(A, B)


def test_one_colour_and_grey_pictures_do_no_harm() -> None:
    grey = np.full((24, 32), 90, np.uint8)
    for preserve in (None, "luminance", "histogram"):
        for optimizer in OPTIMIZERS:
            paint = transfer_of(preserve_colors=preserve, optimizer=optimizer, iterations=2)
            assert paint(grey, grey, verbose=0).shape == (24, 32, 3)


def test_costs_that_are_no_numbers_are_told() -> None:
    with pytest.raises(NumericsError, match="smaller"):
        transfer_of(alpha=3e38, beta=3e38, initial="noise", optimizer="adam")(A, B, verbose=0)
