"""Where the supervised programs tell of themselves: each on a port of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sentinel.localstack.ports import LOOPBACK, free_port
from sentinel.settings import Settings


@dataclass(frozen=True, slots=True)
class Listener:
    """Where a program listens for `/metrics`, `/healthz` and `/readyz`.

    Attributes:
        address: `host:port`.
        environment: What makes it do so.
    """

    address: str
    environment: dict[str, str]


def listener_for(settings: Settings, process: Literal["worker", "rule_worker", "job"]) -> Listener:
    """Choose where a program listens: on the port that the settings name, else on one that is free.

    Two jobs cannot share a port that is named: the second one says so in its log, and works.
    """
    telemetry = settings.telemetry
    named = {"worker": telemetry.worker_port, "rule_worker": telemetry.rule_worker_port, "job": telemetry.job_port}
    host, port = (telemetry.host, named[process]) if named[process] else (LOOPBACK, free_port())
    setting = f"SENTINEL_TELEMETRY__{process.upper()}_PORT"
    return Listener(f"{host}:{port}", {"SENTINEL_TELEMETRY__HOST": host, setting: str(port)})
