"""Which Java is used."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from sentinel.localstack import java
from sentinel.localstack.java import find_java, java_version


def fake_java(home: Path, version: str) -> Path:
    command = home / "bin" / "java"
    command.parent.mkdir(parents=True)
    command.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2025-01-01' >&2\n")
    command.chmod(0o755)
    return command


class TestFindJava:
    def test_java_home_wins_over_path(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        fake_java(tmp_path / "seventeen", "17.0.9")
        on_path = fake_java(tmp_path / "twentyone", "21.0.1")
        monkeypatch.setenv("JAVA_HOME", str(tmp_path / "seventeen"))
        monkeypatch.setenv("PATH", str(on_path.parent), prepend=":")
        found = find_java(tmp_path)
        assert (found.version, found.origin, found.home) == (17, "JAVA_HOME", tmp_path / "seventeen")

    def test_a_version_that_does_not_suit_is_passed_over(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        fake_java(tmp_path / "old", "1.8.0_392")
        on_path = fake_java(tmp_path / "twentyone", "21.0.1")
        monkeypatch.setenv("JAVA_HOME", str(tmp_path / "old"))
        monkeypatch.setenv("PATH", str(on_path.parent), prepend=":")
        assert find_java(tmp_path).origin == "PATH"

    def test_without_any_the_runtime_of_the_wheel_is_used_behind_a_wrapper(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("JAVA_HOME", raising=False)
        monkeypatch.setattr(java.shutil, "which", lambda _name: None)
        home = tmp_path / "a home with 'quotes'"
        found = find_java(home)
        assert (found.version, found.home) == (21, home / "java")
        said = subprocess.run(
            [str(found.executable), "--add-modules=jdk.incubator.vector", "-Dx=a b", "-version"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert "21." in said.stderr


def test_what_is_not_java_has_no_version(tmp_path: Path) -> None:
    assert java_version(tmp_path / "missing") is None
    script = tmp_path / "java"
    script.write_text("#!/bin/sh\nexit 1\n")
    script.chmod(0o755)
    assert java_version(script) is None
