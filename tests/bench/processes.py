"""CPU seconds and memory of the processes that take part."""

from __future__ import annotations

from dataclasses import dataclass

import psutil


@dataclass(frozen=True)
class Usage:
    """CPU seconds and resident bytes by part."""

    cpu_seconds: dict[str, float]
    rss_bytes: dict[str, int]

    def since(self, before: Usage) -> dict[str, float]:
        """CPU seconds by part since an earlier reading."""
        return {part: seconds - before.cpu_seconds.get(part, 0.0) for part, seconds in self.cpu_seconds.items()}


def usage(roots: dict[str, int]) -> Usage:
    """Read the usage of process trees: part -> pid of its root. A JVM under a Python root is its own part."""
    cpu: dict[str, float] = {}
    rss: dict[str, int] = {}
    for part, pid in roots.items():
        try:
            root = psutil.Process(pid)
            processes = [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            continue
        for process in processes:
            try:
                name = f"{part} JVM" if process.name() == "java" and process.pid != pid else part
                times = process.cpu_times()
                cpu[name] = cpu.get(name, 0.0) + times.user + times.system
                rss[name] = rss.get(name, 0) + process.memory_info().rss
            except psutil.NoSuchProcess:
                continue
    return Usage(cpu, rss)
