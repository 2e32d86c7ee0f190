"""Convolution and pooling, forward and backward, in plain loops; then the same from the library.

Loops over numbers are the clearest way to say what a convolution is, and the slowest way to compute
one. The script checks that both agree, and how much faster the library is.
"""

from __future__ import annotations

import time

import numpy as np
from _data import options_of

import fastcnn as fc


def conv2d_forward(
    x: np.ndarray, w: np.ndarray, b: np.ndarray, stride: int, pad: int
) -> np.ndarray:
    """Each result is the sum of a window of the picture times the kernel, plus a bias.

    x: pictures (n, h, w, c); w: kernels (f, f, c, filters); b: (filters,).
    """
    x = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    n, height, width, _ = x.shape
    f, _, _, filters = w.shape
    out_h, out_w = (height - f) // stride + 1, (width - f) // stride + 1
    y = np.zeros((n, out_h, out_w, filters))
    for i in range(out_h):
        for j in range(out_w):
            window = x[:, i * stride : i * stride + f, j * stride : j * stride + f, :]
            for k in range(filters):
                y[:, i, j, k] = (window * w[..., k]).sum((1, 2, 3)) + b[k]
    return y


def conv2d_backward(
    dy: np.ndarray, x: np.ndarray, w: np.ndarray, stride: int, pad: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What a small change of each input changes the loss by, when dy is that of each result.

    Every result y[i, j, k] was made of one window and one kernel. So its gradient goes back to the
    window, times the kernel, and to the kernel, times the window; contributions add up.
    """
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    dx, dw = np.zeros_like(padded), np.zeros_like(w)
    f = w.shape[0]
    for i in range(dy.shape[1]):
        for j in range(dy.shape[2]):
            rows, columns = slice(i * stride, i * stride + f), slice(j * stride, j * stride + f)
            for k in range(dy.shape[3]):
                share = dy[:, i, j, k][:, None, None, None]
                dx[:, rows, columns] += share * w[..., k]
                dw[..., k] += (share * padded[:, rows, columns]).sum(0)
    inside = slice(pad, -pad or None)
    return dx[:, inside, inside], dw, dy.sum((0, 1, 2))


def max_pool_forward(x: np.ndarray, f: int, stride: int) -> np.ndarray:
    """The largest number of each window, channel by channel."""
    out_h, out_w = (x.shape[1] - f) // stride + 1, (x.shape[2] - f) // stride + 1
    y = np.zeros((x.shape[0], out_h, out_w, x.shape[3]))
    for i in range(out_h):
        for j in range(out_w):
            window = x[:, i * stride : i * stride + f, j * stride : j * stride + f]
            y[:, i, j] = window.max((1, 2))
    return y


def max_pool_backward(dy: np.ndarray, x: np.ndarray, f: int, stride: int) -> np.ndarray:
    """Only the largest number of a window had a part in the result: it gets all of the gradient."""
    dx = np.zeros_like(x)
    for n, i, j, c in np.ndindex(dy.shape):
        window = x[n, i * stride : i * stride + f, j * stride : j * stride + f, c]
        row, column = np.unravel_index(window.argmax(), window.shape)
        dx[n, i * stride + row, j * stride + column, c] += dy[n, i, j, c]
    return dx


def largest_difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    """The largest difference, over the largest number."""
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


def main() -> float:
    """Compare forward and backward passes, and return the largest difference."""
    rng = np.random.default_rng(1)
    x, w = rng.standard_normal((4, 15, 15, 3)), rng.standard_normal((3, 3, 3, 8))
    b, stride, pad = rng.standard_normal(8), 2, 1

    start = time.perf_counter()
    y = conv2d_forward(x, w, b, stride, pad)
    pooled = max_pool_forward(y, 2, 2)
    dy = max_pool_backward(np.ones_like(pooled), y, 2, 2)  # the loss is the sum of all results
    gradients = conv2d_backward(dy, x, w, stride, pad)
    loops = time.perf_counter() - start

    def loss(x, w, b):
        y = fc.ops.conv2d(x, w, b, strides=stride, padding=pad)
        return fc.ops.sum(fc.ops.max_pool2d(y, pool_size=2))

    compute = fc.value_and_grad(loss, argnums=(0, 1, 2))
    compute(x, w, b)  # the first call makes the plan
    start = time.perf_counter()
    value, found = compute(x, w, b)
    library = time.perf_counter() - start

    differences = [largest_difference(f, g) for f, g in zip(found, gradients, strict=True)]
    print(f"loss: {pooled.sum():.4f} from loops, {value:.4f} from the library")
    for name, difference in zip(("x", "w", "b"), differences, strict=True):
        print(f"gradient with respect to {name}: largest difference {difference:.1e}")
    print(f"loops: {loops * 1e3:.1f} ms; library: {library * 1e3:.3f} ms")
    return max(differences)


if __name__ == "__main__":
    options_of(__doc__).parse_args()
    main()
