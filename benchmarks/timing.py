"""Timing in bursts that take turns, so that whatever else the machine does meets everyone alike."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

CLOCKS = {"wall": time.perf_counter_ns, "cpu": time.process_time_ns}


def burst(call: Callable[[], object], seconds: float, clock: str = "wall") -> list[int]:
    """Call once to warm up, then until `seconds` have passed; nanoseconds of each call.

    The clock "cpu" counts the processor time of all threads: on a busy machine the only one that
    tells anything, and only right for one thread.
    """
    now = CLOCKS[clock]
    call()
    times: list[int] = []
    end = time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        start = now()
        call()
        times.append(now() - start)
    return times


@dataclass(frozen=True)
class Summary:
    """Of all calls: the fastest and the median in milliseconds, and their number."""

    min_ms: float
    median_ms: float
    calls: int

    @classmethod
    def of(cls, nanoseconds: list[int]) -> Summary:
        """Summarize the times of calls."""
        return cls(min(nanoseconds) / 1e6, statistics.median(nanoseconds) / 1e6, len(nanoseconds))


def take_turns(
    bursts: Mapping[str, Callable[[], list[int]]],
    seconds: float,
    between: Callable[[], object] = lambda: None,
) -> dict[str, Summary]:
    """Run everyone's burst in turn, in an order that rotates, until `seconds` have passed.

    `between` runs once a round: it measures the machine's peaks.
    """
    times: dict[str, list[int]] = {name: [] for name in bursts}
    order = list(bursts)
    end = time.perf_counter() + seconds
    rounds = 0
    while rounds < 2 or time.perf_counter() < end:
        between()
        for name in order:
            times[name] += bursts[name]()
        order.append(order.pop(0))
        rounds += 1
    return {name: Summary.of(found) for name, found in times.items()}


def pick_cpus(count: int) -> list[int]:
    """`count` of the CPUs this process may use, of different cores as long as there are any."""
    allowed = sorted(os.sched_getaffinity(0))
    if count > len(allowed):
        raise SystemExit(f"{count} threads asked for, but only {len(allowed)} CPUs are usable")

    def core(cpu: int) -> str:
        path = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
        return path.read_text() if path.exists() else str(cpu)

    firsts = {core(cpu): cpu for cpu in reversed(allowed)}
    apart = sorted(firsts.values())
    return (apart + [cpu for cpu in allowed if cpu not in apart])[:count]
