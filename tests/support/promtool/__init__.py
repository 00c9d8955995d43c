"""Prometheus' own tool, which judges rules: from the machine, or, where that is asked for, built from source by Go."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
PACKAGE = "github.com/prometheus/prometheus/cmd/promtool"
# The first build takes ten minutes of a processor, so it is made only where somebody asks for it. Go keeps what it
# compiled: later ones take seconds.
BUILD_SECONDS = 1500.0


class CannotBeHadError(Exception):
    """There is neither promtool nor what it could be built with."""


def promtool(directory: Path) -> str:
    """Return the program: what `SENTINEL_TEST_PROMTOOL` or the path names.

    `SENTINEL_TEST_PROMTOOL=build` has it built here, from a pinned version.

    Raises:
        CannotBeHadError: It is not there and cannot be built.
    """
    asked = os.environ.get("SENTINEL_TEST_PROMTOOL", "")
    found = asked if asked != "build" else ""
    found = found or shutil.which("promtool") or ""
    if found:
        return found
    if asked != "build":
        raise CannotBeHadError(
            "promtool is not on this machine; SENTINEL_TEST_PROMTOOL=build builds it, in ten minutes"
        )
    if not shutil.which("go"):
        raise CannotBeHadError("neither promtool nor go is on this machine")
    for name in ("go.mod", "go.sum"):
        shutil.copy(HERE / name, directory)
    environment = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-buildvcs=false -mod=mod", "CGO_ENABLED": "0"}
    command = ["go", "build", "-trimpath", "-ldflags=-s -w", "-o", "promtool", PACKAGE]
    try:
        subprocess.run(command, cwd=directory, env=environment, capture_output=True, check=True, timeout=BUILD_SECONDS)
    except (subprocess.SubprocessError, OSError) as error:
        said = (getattr(error, "stderr", None) or str(error).encode()).decode(errors="replace")
        raise CannotBeHadError(f"go cannot build promtool: {said[-300:]}") from error
    return str(directory / "promtool")
