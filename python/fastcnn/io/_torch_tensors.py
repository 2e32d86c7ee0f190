"""What a torch pickle describes: storages, and tensors as views of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastcnn.errors import FileFormatError
from fastcnn.io._pickle_reader import Constructor, check_key

Array = NDArray[np.generic]

# Bounds on what a description may ask for; real networks stay far below them.
MAX_TENSORS = 2**16
MAX_NAME_LENGTH = 512
_MAX_DEPTH = 8
_MAX_VISITS = 2**20
_MAX_AXES = 32  # NumPy 1's limit
_MAX_ELEMENTS = 2**48  # also of an empty tensor, whose other axes NumPy multiplies

# Dictionaries in which training scripts wrap a state_dict beside epochs and optimiser state.
_WRAPPERS = ("state_dict", "model_state_dict", "model", "net")


@dataclass(frozen=True)
class StorageType:
    """The element type of a storage: `stored` in the file, `loaded` in memory."""

    stored: np.dtype[np.generic]
    loaded: np.dtype[np.generic]

    def decode(self, raw: Array) -> Array:
        """Turn elements read from a file, of type `stored`, into type `loaded`."""
        if self is BFLOAT16:  # the upper half of a float32
            bits = raw.astype(np.uint32)
            bits <<= 16
            return bits.view(np.float32)
        if self is BOOL:  # a byte other than 0 and 1 would be no valid NumPy bool
            return np.asarray(raw != 0)
        return raw.astype(self.loaded, copy=False)


def _storage_type(stored: str, loaded: str | None = None) -> StorageType:
    # torch writes little-endian files unless an archive says otherwise.
    return StorageType(np.dtype(stored).newbyteorder("<"), np.dtype(loaded or stored))


BFLOAT16 = _storage_type("u2", "f4")
BOOL = _storage_type("u1", "?")


@dataclass(frozen=True)
class StorageRef:
    """A run of elements that lies elsewhere in the file."""

    key: str
    type: StorageType
    numel: int

    @property
    def stored_bytes(self) -> int:
        """Size in the file."""
        return self.numel * self.type.stored.itemsize


@dataclass(frozen=True)
class TensorRef:
    """A strided view of a storage; checked to lie inside it."""

    storage: StorageRef
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def loaded_bytes(self) -> int:
        """Size of the array that comes of it."""
        return math.prod(self.shape) * self.storage.type.loaded.itemsize

    def view(self, elements: Array) -> Array:
        """Return the tensor as a view of its storage's `elements`."""
        if 0 in self.shape:
            return np.empty(self.shape, elements.dtype)
        itemsize = elements.dtype.itemsize
        return np.lib.stride_tricks.as_strided(
            elements[self.offset :], self.shape, [stride * itemsize for stride in self.strides]
        )


def _check_ints(value: object, what: str) -> tuple[int, ...]:
    if (
        not isinstance(value, tuple)
        or len(value) > _MAX_AXES
        or not all(type(item) is int and item >= 0 for item in value)
    ):
        raise FileFormatError(f"expected a tensor's {what} as a tuple of integers of 0 or more")
    return value


def _build_tensor(arguments: tuple[object, ...]) -> TensorRef:
    # storage, offset, shape, strides; newer writers add requires_grad, hooks and metadata
    if not 4 <= len(arguments) <= 7:
        raise FileFormatError(f"expected a tensor of 4 to 7 fields, got {len(arguments)}")
    storage, offset = arguments[:2]
    shape = _check_ints(arguments[2], "shape")
    strides = _check_ints(arguments[3], "strides")
    if not isinstance(storage, StorageRef) or len(shape) != len(strides):
        raise FileFormatError("expected a tensor with a storage and one stride for each axis")
    if type(offset) is not int or offset < 0:
        raise FileFormatError("expected a tensor's offset to be an integer of 0 or more")
    if math.prod(max(size, 1) for size in shape) > _MAX_ELEMENTS:
        raise FileFormatError(f"expected a tensor of a possible size, got shape {shape}")
    if 0 not in shape:
        last = offset + sum((size - 1) * step for size, step in zip(shape, strides, strict=True))
        # Axes of stride 0 would make a huge array of a small file, hence the second test.
        if last >= storage.numel or math.prod(shape) > storage.numel:
            raise FileFormatError(
                f"expected a tensor inside its storage of {storage.numel} elements, got shape "
                f"{shape}, strides {strides}, offset {offset}"
            )
    return TensorRef(storage, offset, shape, strides)


def _build_parameter(arguments: tuple[object, ...]) -> TensorRef:
    if not arguments or not isinstance(arguments[0], TensorRef):
        raise FileFormatError("expected a parameter made from a tensor")
    return arguments[0]


def _build_ordered_dict(arguments: tuple[object, ...]) -> dict[str | int, object]:
    # Python 3 writes an empty dictionary and fills it; Python 2 wrote a list of pairs.
    pairs = arguments[0] if arguments else []
    if len(arguments) > 1 or not isinstance(pairs, list):
        raise FileFormatError("expected an OrderedDict made from a list of pairs")
    result: dict[str | int, object] = {}
    for pair in pairs:
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise FileFormatError("expected an OrderedDict made from pairs")
        result[check_key(pair[0])] = pair[1]
    return result


# Every name that a file of tensors may use, and the inert thing of ours that stands for it.
NAMES: dict[tuple[str, str], object] = {
    ("collections", "OrderedDict"): Constructor(_build_ordered_dict),
    ("torch._utils", "_rebuild_tensor"): Constructor(_build_tensor),
    ("torch._utils", "_rebuild_tensor_v2"): Constructor(_build_tensor),
    ("torch._utils", "_rebuild_parameter"): Constructor(_build_parameter),
    ("torch", "DoubleStorage"): _storage_type("f8"),
    ("torch", "FloatStorage"): _storage_type("f4"),
    ("torch", "HalfStorage"): _storage_type("f2"),
    ("torch", "BFloat16Storage"): BFLOAT16,
    ("torch", "LongStorage"): _storage_type("i8"),
    ("torch", "IntStorage"): _storage_type("i4"),
    ("torch", "ShortStorage"): _storage_type("i2"),
    ("torch", "CharStorage"): _storage_type("i1"),
    ("torch", "ByteStorage"): _storage_type("u1"),
    ("torch", "BoolStorage"): BOOL,
}


class StorageTable:
    """Collects the storages that a pickle names, by key."""

    def __init__(self) -> None:
        self.by_key: dict[str, StorageRef] = {}

    def load_persistent(self, identifier: object) -> StorageRef:
        """Take torch's ``("storage", type, key, location, numel[, view])``."""
        if not isinstance(identifier, tuple) or len(identifier) not in (5, 6):
            raise FileFormatError("expected a persistent id that describes a storage")
        kind, storage_type, key, _, numel = identifier[:5]
        if (
            kind != "storage"
            or not isinstance(storage_type, StorageType)
            or not isinstance(key, str)
            or len(key) > MAX_NAME_LENGTH
            or type(numel) is not int
            or not 0 <= numel <= _MAX_ELEMENTS
        ):
            raise FileFormatError("expected a persistent id that describes a storage")
        if identifier[5:] not in ((), (None,)):
            raise FileFormatError("expected a whole storage, got a view of one (torch before 0.4)")
        storage = StorageRef(key, storage_type, numel)
        if self.by_key.setdefault(key, storage) != storage:
            raise FileFormatError(f"storage {key!r} is described twice, differently")
        return storage


def find_tensors(value: object) -> dict[str, TensorRef]:
    """Return the named tensors of an unpickled value, in the file's order.

    A wrapper such as ``{"state_dict": ..., "epoch": 3}`` is opened. Dictionaries inside
    dictionaries give names joined with dots. Values that are no tensors are left out.
    """
    for _ in range(_MAX_DEPTH):
        if not isinstance(value, dict):
            kind = "tensor" if isinstance(value, TensorRef) else type(value).__name__
            raise FileFormatError(f"expected a dictionary of named tensors, got a {kind}")
        wrapped = [value[name] for name in _WRAPPERS if isinstance(value.get(name), dict)]
        if len(wrapped) != 1 or any(isinstance(item, TensorRef) for item in value.values()):
            break
        value = wrapped[0]
    collector = _Collector()
    collector.collect(value, prefix="", depth=1)
    if not collector.tensors:
        raise FileFormatError("expected named tensors, found none")
    return collector.tensors


class _Collector:
    """Walks nested dictionaries. A pickle may make them refer to each other, even in a ring."""

    def __init__(self) -> None:
        self.tensors: dict[str, TensorRef] = {}
        self._visits_left = _MAX_VISITS

    def collect(self, value: object, prefix: str, depth: int) -> None:
        if not isinstance(value, dict):
            return
        if depth > _MAX_DEPTH:
            raise FileFormatError(f"expected dictionaries nested at most {_MAX_DEPTH} deep")
        self._visits_left -= len(value)
        if self._visits_left < 0:
            raise FileFormatError(f"expected dictionaries of at most {_MAX_VISITS} items in all")
        for key, item in value.items():
            if not isinstance(key, str) or not isinstance(item, (dict, TensorRef)):
                continue
            if len(prefix) + len(key) > MAX_NAME_LENGTH:
                raise FileFormatError(f"expected names of at most {MAX_NAME_LENGTH} characters")
            if isinstance(item, dict):
                self.collect(item, f"{prefix}{key}.", depth + 1)
            else:
                self._add(prefix + key, item)

    def _add(self, name: str, tensor: TensorRef) -> None:
        if name in self.tensors:
            raise FileFormatError(f"expected different names, got {name!r} twice")
        if len(self.tensors) == MAX_TENSORS:
            raise FileFormatError(f"expected at most {MAX_TENSORS} tensors")
        self.tensors[name] = tensor
