"""Writes networks as dlib serialises them."""

from __future__ import annotations

import math
import struct

import numpy as np


def integer(value: int) -> bytes:
    size = (abs(value).bit_length() + 7) // 8 or 1
    return bytes([size | (0x80 if value < 0 else 0)]) + abs(value).to_bytes(size, "little")


def real(value: float) -> bytes:
    mantissa, exponent = math.frexp(value)
    return integer(int(mantissa * 2**24)) + integer(exponent - 24)


def text(value: str) -> bytes:
    return integer(len(value)) + value.encode()


def tensor(array: np.ndarray) -> bytes:
    head = b"".join(map(integer, (2, array.size, *[1 if array.size else 0] * 3)))
    return head + struct.pack(f"<{array.size}f", *array.ravel())


def alias(*shape: int) -> bytes:
    return b"".join(map(integer, (1, *shape)))


NOTHING = np.zeros(0, np.float32)
FLAGS = b"110" + 3 * tensor(NOTHING)


def con(kernel: np.ndarray, bias: np.ndarray, stride: int, padding: int) -> bytes:
    """`kernel` is (filters, channels, height, width)."""
    both = np.concatenate([kernel.ravel(), bias])
    sizes = (len(kernel), *kernel.shape[2:], stride, stride, padding, padding)
    return (
        text("con_4") + tensor(both) + b"".join(map(integer, sizes))
        + alias(*kernel.shape) + alias(1, len(bias), 1, 1) + 4 * real(1.0)
    )  # fmt: skip


def affine(gamma: np.ndarray, beta: np.ndarray) -> bytes:
    both = np.concatenate([gamma, beta])
    return text("affine_") + tensor(both) + 2 * alias(1, len(gamma), 1, 1) + integer(0)


def fc(kernel: np.ndarray) -> bytes:
    sizes = integer(kernel.shape[1]) + integer(kernel.shape[0])
    return (
        text("fc_2") + sizes + tensor(kernel)
        + alias(*kernel.shape, 1, 1) + alias(0, 0, 0, 0) + integer(1) + 4 * real(0.5)
    )  # fmt: skip


def pool(kind: str, *sizes: int) -> bytes:
    return text(f"{kind}_pool_2") + b"".join(map(integer, sizes))


def relu() -> bytes:
    return text("relu_")


def add_prev() -> bytes:
    return text("add_prev_")


TAG = b""


def network(*parts: bytes, loss: str = "loss_metric_2") -> bytes:
    """`parts` in the order in which they compute; `TAG` for a tag or a skip."""
    versions = [2 if part else 1 for part in parts]
    versions[0] = 3
    head = integer(1) + text(loss) + real(0.04) + real(0.6)
    head += b"".join(map(integer, reversed(versions)))
    averages = b"".join(map(real, (122.782, 117.001, 104.298)))
    head += text("input_rgb_image_sized") + averages + integer(22) + integer(22)
    first, *others = parts
    return head + first + FLAGS + integer(1) + b"".join(part + FLAGS for part in others if part)
