"""Writes safetensors files by hand, so that tests can put anything into them."""

from __future__ import annotations

import json
import struct


def safetensors_file(header: object, data: bytes) -> bytes:
    """The length of the header, the header in JSON, the bytes of the tensors."""
    encoded = json.dumps(header).encode()
    return struct.pack("<Q", len(encoded)) + encoded + data


def entry(dtype: str, shape: list[int], begin: int, end: int) -> dict[str, object]:
    """What a header says of one tensor."""
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}
