"""When the archive of the driver's classes is made, and how a driver is told of it."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from sentinel.localstack.class_archive import ensure_class_archive
from sentinel.localstack.java import Java
from sentinel.settings import JobSettings, Settings


class Builds:
    """Stands for the driver that writes an archive; fails with `error` if there is one."""

    def __init__(self, error: Exception | None = None) -> None:
        self.made: list[Path] = []
        self.error = error

    def __call__(self, _settings: Settings, _java: Java, path: Path) -> None:
        self.made.append(path)
        if self.error:
            raise self.error
        path.write_text("classes")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    directory = tmp_path / "jars of mine" / "spark"
    directory.mkdir(parents=True)
    return Settings(home=tmp_path, job=JobSettings(jars_dir=str(directory), driver_java_options="-Xss2m"))


def java(tmp_path: Path, banner: str) -> Java:
    executable = tmp_path / "bin" / "java"
    executable.parent.mkdir(exist_ok=True)
    executable.write_text(f"#!/bin/sh\necho '{banner}' >&2\n")
    executable.chmod(0o755)
    return Java(tmp_path, 17, "a test")


def test_it_is_made_once_and_again_for_another_java(settings: Settings, tmp_path: Path) -> None:
    builds, said = Builds(), list[str]()
    for banner in ("17.0.1", "17.0.1", "17.0.2"):
        assert ensure_class_archive(settings, java(tmp_path, banner), said.append, builds)
    assert len(builds.made) == 2
    assert len(said) == 2
    assert settings.class_archive.read_text() == "classes"


def test_a_failure_is_reported_and_not_tried_again(settings: Settings, tmp_path: Path) -> None:
    builds, said = Builds(OSError("no room\nmore")), list[str]()
    for _ in range(2):
        assert not ensure_class_archive(settings, java(tmp_path, "17"), said.append, builds)
    assert len(builds.made) == 1
    assert said[-1] == "there is no class archive, jobs start as they did before: no room"


def test_a_failure_leaves_no_archive_of_another_java(settings: Settings, tmp_path: Path) -> None:
    ensure_class_archive(settings, java(tmp_path, "17"), lambda _text: None, Builds())
    ensure_class_archive(settings, java(tmp_path, "21"), lambda _text: None, Builds(OSError("no room")))
    assert not settings.class_archive.exists()


def test_a_driver_is_told_of_it_where_it_is(settings: Settings) -> None:
    assert settings.driver_java_options == "-Xss2m"
    settings.class_archive.write_text("")
    options = shlex.split(settings.driver_java_options)
    assert options[:2] == ["-Xss2m", f"-XX:SharedArchiveFile={settings.class_archive}"]
