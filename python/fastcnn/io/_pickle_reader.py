"""A reader of pickles that can build plain data and nothing else.

A pickle is a program for a small stack machine. Python's own machine may import any module and
call any function, and even a restricted subclass of it keeps allocations an attacker chooses: a
memo index of four thousand million makes the C implementation reserve that many slots. This
module is a machine of its own, with only the instructions that files of tensors use:

- a global name is looked up in a table the caller gives; nothing is imported;
- the only things called are the `Constructor` objects of that table;
- every instruction, and every item handed to a constructor, is charged to a fixed budget, and
  the bytes read are limited too, so time and memory are bounded before anything is known of the
  content.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from fastcnn.errors import FileFormatError

# A network of a thousand tensors takes about forty thousand instructions and 100 kB.
MAX_INSTRUCTIONS = 2**20
MAX_BYTES = 2**24

_MAX_GLOBAL_LENGTH = 256
_HIGHEST_PROTOCOL = 5


@dataclass(frozen=True)
class Constructor:
    """A name that a pickle may call.

    Parameters
    ----------
    build : callable
        Takes the tuple of arguments, which it must check, and returns inert data.
    """

    build: Callable[[tuple[object, ...]], object]


def check_key(key: object) -> str | int:
    """Return `key` if it can be a key of a dictionary.

    Nothing but strings and machine integers: Python hashes nested tuples recursively (a deep one
    overflows the C stack), and unbounded integers can be chosen to collide.
    """
    if isinstance(key, str) or (isinstance(key, int) and -(2**63) <= key < 2**63):
        return key
    raise FileFormatError(
        f"expected dictionary keys that are strings or integers, got {type(key).__name__}"
    )


class PickleReader:
    """Runs one pickle.

    Parameters
    ----------
    stream : binary file
        Positioned at the pickle; left just behind it.
    names : mapping
        ``(module, name)`` to the inert value, or the `Constructor`, that stands for it.
    load_persistent : callable
        Turns a persistent id into data.
    """

    def __init__(
        self,
        stream: BinaryIO,
        names: Mapping[tuple[str, str], object],
        load_persistent: Callable[[object], object],
    ) -> None:
        self._stream = stream
        self._names = names
        self._load_persistent = load_persistent
        self._bytes_left = MAX_BYTES
        self._instructions_left = MAX_INSTRUCTIONS
        self._memo: dict[int, object] = {}
        # A mark sets the items below it aside, so that none of them can be popped by mistake.
        self._stack: list[object] = []
        self._below_marks: list[list[object]] = []

    def run(self) -> object:
        """Run to the end and return the one value left.

        Raises
        ------
        FileFormatError
            The pickle is damaged, too large, or asks for more than plain data.
        """
        while True:
            opcode = self._take(1)
            self._charge(1)
            if opcode == pickle.STOP:
                break
            action = _ACTIONS.get(opcode)
            if action is None:
                raise FileFormatError(
                    f"expected a pickle of plain data, got instruction {opcode!r}"
                )
            action(self)
        value = self._pop()
        if self._stack or self._below_marks:
            raise FileFormatError("expected one value at the end of the pickle, got several")
        return value

    # Supplies: bytes, budget, stack

    def _charge(self, amount: int) -> None:
        self._instructions_left -= amount
        if self._instructions_left < 0:
            raise FileFormatError(f"expected a pickle of at most {MAX_INSTRUCTIONS} instructions")

    def _take(self, count: int) -> bytes:
        # Checked before reading: asked for an exabyte, read() would try to allocate it first.
        if count > self._bytes_left:
            raise FileFormatError(f"expected a pickle of at most {MAX_BYTES} bytes, got more")
        self._bytes_left -= count
        data = self._stream.read(count)
        if len(data) != count:
            raise FileFormatError(f"the pickle is cut off: expected {count} bytes more")
        return data

    def _take_uint(self, count: int) -> int:
        return int.from_bytes(self._take(count), "little")

    def _take_line(self) -> str:
        line = self._stream.readline(_MAX_GLOBAL_LENGTH)
        self._bytes_left -= len(line)
        if not line.endswith(b"\n"):
            raise FileFormatError("expected a module or class name in the pickle")
        return _decode(line[:-1])

    def _pop(self) -> object:
        if not self._stack:
            raise FileFormatError("the pickle takes a value that it never made")
        return self._stack.pop()

    def _top(self) -> object:
        if not self._stack:
            raise FileFormatError("the pickle uses a value that it never made")
        return self._stack[-1]

    def _pop_to_mark(self) -> list[object]:
        if not self._below_marks:
            raise FileFormatError("the pickle ends a group that it never began")
        items = self._stack
        self._stack = self._below_marks.pop()
        return items

    def _push(self, value: object) -> None:
        self._stack.append(value)

    # Instructions, in the order of the table below

    def _protocol(self) -> None:
        protocol = self._take_uint(1)
        if protocol > _HIGHEST_PROTOCOL:
            raise FileFormatError(
                f"expected a pickle of protocol {_HIGHEST_PROTOCOL} or lower, got {protocol}"
            )

    def _frame(self) -> None:
        self._take(8)  # the length of a block to read ahead: of no use here

    def _mark(self) -> None:
        self._below_marks.append(self._stack)
        self._stack = []

    def _int32(self) -> None:
        self._push(int.from_bytes(self._take(4), "little", signed=True))

    def _long(self) -> None:
        # Ten bytes hold the magic number of torch's older format, the longest integer in use.
        length = self._take_uint(1)
        if length > 10:
            raise FileFormatError(f"expected integers of at most 10 bytes, got {length}")
        self._push(int.from_bytes(self._take(length), "little", signed=True))

    def _float(self) -> None:
        self._push(struct.unpack(">d", self._take(8))[0])

    def _text(self, length_bytes: int) -> None:
        self._push(_decode(self._take(self._take_uint(length_bytes))))

    def _append(self) -> None:
        value = self._pop()
        self._top_list().append(value)

    def _appends(self) -> None:
        items = self._pop_to_mark()
        self._top_list().extend(items)

    def _set_item(self) -> None:
        value, key = self._pop(), self._pop()
        self._top_dict()[check_key(key)] = value

    def _set_items(self) -> None:
        items = self._pop_to_mark()
        if len(items) % 2:
            raise FileFormatError("the pickle sets a dictionary key without a value")
        target = self._top_dict()
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[check_key(key)] = value

    def _top_list(self) -> list[object]:
        top = self._top()
        if not isinstance(top, list):
            raise FileFormatError(f"the pickle appends to a {type(top).__name__}, not a list")
        return top

    def _top_dict(self) -> dict[object, object]:
        top = self._top()
        if not isinstance(top, dict):
            raise FileFormatError(f"the pickle sets keys of a {type(top).__name__}, not a dict")
        return top

    def _tuple_to_mark(self) -> None:
        self._push(tuple(self._pop_to_mark()))

    def _tuple(self, length: int) -> None:
        items = [self._pop() for _ in range(length)]
        self._push(tuple(reversed(items)))

    def _global(self) -> None:
        module = self._take_line()
        self._push_name(module, self._take_line())

    def _stack_global(self) -> None:
        name, module = self._pop(), self._pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise FileFormatError("expected a module and a class name in the pickle")
        self._push_name(module, name)

    def _push_name(self, module: str, name: str) -> None:
        try:
            self._push(self._names[module, name])
        except KeyError:
            full_name = f"{module}.{name}"[:_MAX_GLOBAL_LENGTH]
            raise FileFormatError(
                f"expected tensors in plain dictionaries, got an object of {full_name!r}; "
                "objects are never built. Save the state_dict alone: "
                "torch.save(model.state_dict(), path)"
            ) from None

    def _reduce(self) -> None:
        arguments, function = self._pop(), self._pop()
        if not isinstance(function, Constructor) or not isinstance(arguments, tuple):
            raise FileFormatError("the pickle calls something that is not a function")
        # A constructor may copy what it gets, and the memo gives one long list many times over.
        self._charge(sum(len(a) for a in arguments if isinstance(a, (list, tuple, dict))))
        self._push(function.build(arguments))

    def _build(self) -> None:
        # Attributes of an OrderedDict: torch keeps layer versions in `_metadata`. Not needed.
        self._pop()
        self._top_dict()

    def _persistent(self) -> None:
        self._push(self._load_persistent(self._pop()))

    def _put(self, index_bytes: int) -> None:
        self._memo[self._take_uint(index_bytes)] = self._top()

    def _memoize(self) -> None:
        self._memo[len(self._memo)] = self._top()

    def _get(self, index_bytes: int) -> None:
        index = self._take_uint(index_bytes)
        if index not in self._memo:
            raise FileFormatError(f"the pickle refers to value {index}, which it never made")
        self._push(self._memo[index])


def _decode(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise FileFormatError(f"expected text in UTF-8 in the pickle: {error.reason}") from error


_ACTIONS: dict[bytes, Callable[[PickleReader], None]] = {
    pickle.PROTO: PickleReader._protocol,
    pickle.FRAME: PickleReader._frame,
    pickle.MARK: PickleReader._mark,
    pickle.NONE: lambda reader: reader._push(None),
    pickle.NEWTRUE: lambda reader: reader._push(True),
    pickle.NEWFALSE: lambda reader: reader._push(False),
    pickle.BININT1: lambda reader: reader._push(reader._take_uint(1)),
    pickle.BININT2: lambda reader: reader._push(reader._take_uint(2)),
    pickle.BININT: PickleReader._int32,
    pickle.LONG1: PickleReader._long,
    pickle.BINFLOAT: PickleReader._float,
    pickle.SHORT_BINSTRING: lambda reader: reader._text(1),  # str of Python 2
    pickle.BINSTRING: lambda reader: reader._text(4),
    pickle.SHORT_BINUNICODE: lambda reader: reader._text(1),
    pickle.BINUNICODE: lambda reader: reader._text(4),
    pickle.EMPTY_LIST: lambda reader: reader._push([]),
    pickle.APPEND: PickleReader._append,
    pickle.APPENDS: PickleReader._appends,
    pickle.EMPTY_DICT: lambda reader: reader._push({}),
    pickle.SETITEM: PickleReader._set_item,
    pickle.SETITEMS: PickleReader._set_items,
    pickle.EMPTY_TUPLE: lambda reader: reader._push(()),
    pickle.TUPLE1: lambda reader: reader._tuple(1),
    pickle.TUPLE2: lambda reader: reader._tuple(2),
    pickle.TUPLE3: lambda reader: reader._tuple(3),
    pickle.TUPLE: PickleReader._tuple_to_mark,
    pickle.GLOBAL: PickleReader._global,
    pickle.STACK_GLOBAL: PickleReader._stack_global,
    pickle.REDUCE: PickleReader._reduce,
    pickle.BUILD: PickleReader._build,
    pickle.BINPERSID: PickleReader._persistent,
    pickle.BINPUT: lambda reader: reader._put(1),
    pickle.LONG_BINPUT: lambda reader: reader._put(4),
    pickle.MEMOIZE: PickleReader._memoize,
    pickle.BINGET: lambda reader: reader._get(1),
    pickle.LONG_BINGET: lambda reader: reader._get(4),
}
