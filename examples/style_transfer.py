"""Paint a photo in the style of a painting: Gatys, Ecker and Bethge, 2016.

Nothing is learnt about paintings: the network stays what it is, and what is trained is the picture.
Two costs say what it shall be. The content cost asks that deep features are where they are in the
photo; the style cost, that features occur together as often as in the painting, wherever that is.

The script computes both costs by hand, beside the library's, and then paints the Louvre as Monet
would, and with scikit-learn a Chinese temple as Munch would.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from _data import folder, make_folder, options_of

import fastcnn as fc


def content_cost_by_hand(a_c: np.ndarray, a_g: np.ndarray) -> float:
    """How far the activations of the generated picture, a_g, are from the content's, a_c."""
    _, height, width, channels = a_c.shape
    return float(((a_c - a_g) ** 2).sum() / (4 * height * width * channels))


def gram_by_hand(a: np.ndarray) -> np.ndarray:
    """Which channels are active together: products of all pairs, summed over the pixels.

    The sum forgets where: that is why it says something about the style, and nothing about the
    content.
    """
    _, height, width, channels = a.shape
    unrolled = a.reshape(height * width, channels).T  # (channels, pixels)
    return unrolled @ unrolled.T


def style_cost_by_hand(a_s: np.ndarray, a_g: np.ndarray) -> float:
    """How far the Gram matrices are from each other, for one layer."""
    _, height, width, channels = a_s.shape
    difference = gram_by_hand(a_s) - gram_by_hand(a_g)
    return float((difference**2).sum() / (4 * channels**2 * (height * width) ** 2))


def compare_costs() -> float:
    """Compute costs of random activations in both ways; return the largest relative difference."""
    rng = np.random.default_rng(1)
    a, g = rng.standard_normal((2, 1, 12, 16, 8))
    pairs = {
        "content": (content_cost_by_hand(a, g), fc.style.content_cost(a, g)),
        "style": (
            style_cost_by_hand(a, g),
            # The library's matrix is an average, so that pictures of different sizes compare.
            fc.style.layer_style_cost(fc.style.style_matrix(a), fc.style.style_matrix(g)),
        ),
    }
    differences = []
    for name, (ours, library) in pairs.items():
        differences.append(abs(float(library) - ours) / ours)
        print(f"{name} cost: {ours:.6f} by hand, {float(library):.6f} from the library")
    return max(differences)


def paint(content: Path | np.ndarray, style: Path, to: Path, **options: object) -> float:
    """Paint one picture, and return the share of the style cost that is gone."""
    costs = []
    picture = fc.style.transfer(
        content, style, callback=lambda step: costs.append(step.costs.style), **options
    )
    fc.io.save_image(to, picture)
    print(f"{to}: {picture.shape[1]} x {picture.shape[0]}, style cost {costs[-1]:.4f}")
    return 1 - costs[-1] / costs[0]


def main(data: str | None = None, to: str = ".", size: int = 512, iterations: int = 100) -> float:
    """Compare the costs and paint; return the least share of the style cost that is gone."""
    difference = compare_costs()
    assert difference < 1e-4, difference
    pictures, target = folder("style", data), make_folder(to)
    shares = [
        paint(
            pictures / "louvre.jpg", pictures / "monet_800600.jpg", target / "louvre_monet.png",
            size=size, iterations=iterations,
        )
    ]  # fmt: skip
    try:
        from sklearn.datasets import load_sample_image
    except ImportError:
        print("scikit-learn, which has the picture of a temple, is not installed")
    else:
        temple = load_sample_image("china.jpg")
        shares.append(
            paint(
                temple, pictures / "scream.jpg", target / "china_scream.png",
                size=size, iterations=iterations,
            )
        )  # fmt: skip
    return min(shares)


if __name__ == "__main__":
    parser = options_of(__doc__)
    parser.add_argument("--data", help="where louvre.jpg, monet_800600.jpg and scream.jpg are")
    parser.add_argument("--to", default=".", help="where the pictures are written")
    parser.add_argument("--size", type=int, default=512, help="the longer side")
    parser.add_argument("--iterations", type=int, default=100, help="at each of two scales")
    options = parser.parse_args()
    main(options.data, options.to, options.size, options.iterations)
