"""CPU time of whole process trees, read from the kernel's clocks."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import psutil


@dataclass(frozen=True)
class Reading:
    """CPU seconds of each part so far, and the wall clock."""

    seconds: Mapping[str, float]
    at: float

    def since(self, before: Reading) -> Spent:
        """Return what was spent between two readings."""
        parts = {name: self.seconds[name] - before.seconds[name] for name in self.seconds}
        return Spent(parts, self.at - before.at)


@dataclass(frozen=True)
class Spent:
    """CPU seconds of each part within `wall` seconds."""

    parts: Mapping[str, float]
    wall: float

    @property
    def total(self) -> float:
        """CPU seconds of all parts together."""
        return sum(self.parts.values())

    def per(self, count: int) -> dict[str, float]:
        """Return CPU milliseconds of each part, and of all, per unit of work."""
        each = {name: round(seconds * 1000 / count, 4) for name, seconds in self.parts.items()}
        return {"total": round(self.total * 1000 / count, 4)} | each


def read(parts: Mapping[str, int]) -> Reading:
    """Read the clocks of these process trees (name → pid)."""
    return Reading({name: tree_seconds(pid) for name, pid in parts.items()}, time.monotonic())


def tree_seconds(pid: int) -> float:
    """CPU seconds of a process, its living descendants, and those it has waited for."""
    root = psutil.Process(pid)
    own = root.cpu_times()
    total = own.user + own.system + own.children_user + own.children_system
    for child in root.children(recursive=True):
        times = child.cpu_times()
        total += times.user + times.system + times.children_user + times.children_system
    return total


def resident_mb(parts: Mapping[str, int]) -> dict[str, float]:
    """Resident memory of each process, in MB."""
    return {n: round(psutil.Process(p).memory_info().rss / 1e6, 1) for n, p in parts.items()}
