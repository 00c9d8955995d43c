"""`sentinel reconcile` on a machine without Java of its own."""

from __future__ import annotations

import os
from pathlib import Path
from unittest.mock import MagicMock

import pytest

from sentinel.cli import reconcile
from sentinel.localstack.java import Java


def test_spark_gets_the_java_that_was_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SENTINEL_HOME", str(tmp_path))
    monkeypatch.setenv("JAVA_HOME", "/an/unsupported/java")
    seen: list[str] = []

    def build(*given: object, **named: object) -> MagicMock:
        seen.append(os.environ["JAVA_HOME"])
        return MagicMock()

    monkeypatch.setattr(reconcile, "find_java", lambda home: Java(tmp_path / "jre", 21, "wheel"))
    monkeypatch.setattr(reconcile, "build_session", build)
    monkeypatch.setattr(reconcile, "Database", MagicMock())
    monkeypatch.setattr(reconcile, "reconcile", MagicMock(return_value=MagicMock(ok=True, as_json=dict)))
    reconcile.reconcile_command(1, as_json=True)
    assert seen == [str(tmp_path / "jre")]
