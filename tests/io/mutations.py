"""Damages files in the ways that disks, networks and attackers do."""

from __future__ import annotations

from hypothesis import strategies as st


@st.composite
def damaged(draw: st.DrawFn, originals: list[bytes]) -> bytes:
    """One of `originals`, cut off, with bytes changed, or with a piece removed or repeated."""
    data = bytearray(draw(st.sampled_from(originals)))
    for _ in range(draw(st.integers(1, 4))):
        if not data:
            break
        # The head and the tail hold the structure: aim there half of the time.
        at = draw(
            st.one_of(
                st.integers(0, len(data) - 1),
                st.integers(0, min(256, len(data) - 1)),
                st.integers(max(0, len(data) - 256), len(data) - 1),
            )
        )
        kind = draw(st.sampled_from(["change", "change", "extreme", "cut", "remove", "repeat"]))
        length = draw(st.integers(1, 16))
        if kind == "change":
            data[at] = draw(st.integers(0, 255))
        elif kind == "extreme":
            data[at : at + length] = draw(st.sampled_from([b"\0", b"\xff", b"\x7f"])) * length
        elif kind == "cut":
            del data[at:]
        elif kind == "remove":
            del data[at : at + length]
        else:
            data[at:at] = data[at : at + length]
    return bytes(data)
