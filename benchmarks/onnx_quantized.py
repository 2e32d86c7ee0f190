"""A network as an ONNX file of 8-bit integers, by ONNX Runtime's own quantisation.

Weights are symmetric with a scale for every output channel, activations asymmetric with one for a
tensor, from the range seen in the same pictures that fastcnn's model is calibrated with; QDQ form,
which OpenVINO reads too.
"""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process


class _Pictures(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, pictures: np.ndarray, batch: int) -> None:
        self._batches = iter(
            {"input": np.resize(pictures[i : i + batch], (batch, *pictures.shape[1:]))}
            for i in range(0, len(pictures), batch)
        )

    def get_next(self) -> dict[str, Any] | None:
        return next(self._batches, None)


def quantized(model: bytes, pictures: np.ndarray, batch: int) -> bytes:
    """Quantise an ONNX file whose "input" takes so many of the pictures (n, c, h, w) at once."""
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        floats, ready, codes = (Path(folder) / f"{n}.onnx" for n in ("floats", "ready", "codes"))
        floats.write_bytes(model)
        quant_pre_process(str(floats), str(ready), skip_symbolic_shape=True)
        quantize_static(
            str(ready),
            str(codes),
            _Pictures(pictures, batch),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return codes.read_bytes()
