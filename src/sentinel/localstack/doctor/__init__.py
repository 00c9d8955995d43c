"""`sentinel doctor`: what would keep Sentinel from working here, each finding with what to do about it."""

from __future__ import annotations

from collections.abc import Iterator

from sentinel.localstack.doctor.finding import Finding, Severity
from sentinel.localstack.doctor.lake import check_lake
from sentinel.localstack.doctor.machine import check_disk, check_java, check_memory, check_ports, check_versions
from sentinel.localstack.doctor.stores import check_kafka, check_postgres, check_redis
from sentinel.settings import Settings

CHECKS = (
    check_versions,
    check_java,
    check_disk,
    check_memory,
    check_ports,
    check_postgres,
    check_kafka,
    check_redis,
    check_lake,
)


def examine(settings: Settings) -> Iterator[Finding]:
    """Run every check; yields findings as they are made. Nothing is changed but a probe object in the lake, removed."""
    for check in CHECKS:
        yield from check(settings)


__all__ = ["CHECKS", "Finding", "Severity", "examine"]
