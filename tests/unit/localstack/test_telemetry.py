"""Where supervised programs tell of themselves."""

from __future__ import annotations

from pathlib import Path

from sentinel.localstack.telemetry import listener_for
from sentinel.localstack.worker import worker_program
from sentinel.settings import Settings, TelemetrySettings


class TestListener:
    def test_each_program_gets_a_free_port_on_the_loopback_interface(self) -> None:
        found = listener_for(Settings(), "job")
        host, port = found.address.split(":")
        assert host == "127.0.0.1"
        assert found.environment == {"SENTINEL_TELEMETRY__HOST": host, "SENTINEL_TELEMETRY__JOB_PORT": port}

    def test_a_port_that_is_named_is_taken(self) -> None:
        named = Settings(telemetry=TelemetrySettings(host="10.0.0.5", worker_port=9101))
        assert listener_for(named, "worker").address == "10.0.0.5:9101"
        assert listener_for(named, "rule_worker").address.startswith("127.0.0.1:")

    def test_the_program_carries_it(self, tmp_path: Path) -> None:
        program = worker_program(Settings(home=tmp_path))
        assert program.telemetry.endswith(f":{program.environment['SENTINEL_TELEMETRY__WORKER_PORT']}")
        assert program.address == ""
