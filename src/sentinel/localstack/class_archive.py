"""The classes of Spark's JVM in one archive that a driver maps into memory instead of loading them one by one.

Application class data sharing of the JDK (JEP 350): made once per Java, Spark and set of jars, by a driver that goes
through what jobs do at their start. It is of speed only: a JVM to which it does not fit goes on without it.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from sentinel.localstack.jars import LOCK_FILE
from sentinel.localstack.java import Java
from sentinel.localstack.paths import exclusive
from sentinel.localstack.progress import Report
from sentinel.localstack.services import python_path
from sentinel.settings import PROJECT_ROOT, Settings

_SCRIPT = PROJECT_ROOT / "jobs" / "list_classes.py"
_SECONDS = 300


def ensure_class_archive(
    settings: Settings, java: Java, report: Report, build: Callable[[Settings, Java, Path], None] | None = None
) -> bool:
    """Have the archive of `settings.class_archive` for this Java and these jars; return whether it is there.

    A failure is reported and not tried again until something changes: everything works without the archive.

    Args:
        build: Writes the archive to the path it is given; the default runs `jobs/list_classes.py`.
    """
    archive = settings.class_archive
    note = archive.with_suffix(".made-for")
    wanted = _fingerprint(java)
    if note.exists() and note.read_text() == wanted:
        return archive.exists()
    with exclusive(archive.with_suffix(".lock")):
        if note.exists() and note.read_text() == wanted:
            return archive.exists()
        report("preparing a class archive, so that jobs start faster (once, about half a minute)")
        archive.unlink(missing_ok=True)
        made = archive.with_suffix(".new")
        made.unlink(missing_ok=True)
        try:
            (build or build_class_archive)(settings, java, made)
            made.replace(archive)
        except (OSError, subprocess.SubprocessError) as error:
            report(f"there is no class archive, jobs start as they did before: {str(error).splitlines()[0]}")
        note.write_text(wanted)
    return archive.exists()


def build_class_archive(settings: Settings, java: Java, path: Path) -> None:
    """Run a driver that writes the archive when it ends.

    Raises:
        OSError: It ended without an archive.
        subprocess.TimeoutExpired: It did not end.
    """
    with tempfile.TemporaryDirectory() as scratch:
        environment = {
            **os.environ,
            "JAVA_HOME": str(java.home),
            "PYTHONPATH": python_path(),
            "SENTINEL_HOME": scratch,
            "SENTINEL_JOB__JARS_DIR": str(settings.jars_dir),
            "SENTINEL_JOB__DRIVER_JAVA_OPTIONS": f'-Xlog:disable "-XX:ArchiveClassesAtExit={path}"',
        }
        run = subprocess.run(
            [sys.executable, str(_SCRIPT), scratch],
            env=environment,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    if not path.exists():
        lines = run.stderr.strip().splitlines() or [f"exit code {run.returncode}"]
        raise OSError(f"{_SCRIPT.name} wrote none ({lines[-1]})")


def _fingerprint(java: Java) -> str:
    """Return what an archive depends on."""
    # Options of the environment would be named in what it says.
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_OPTIONS")}
    command = [str(java.executable), "-version"]
    banner = subprocess.run(command, env=environment, capture_output=True, check=False).stderr
    digest = hashlib.sha256(banner)
    for part in (str(java.home).encode(), version("pyspark").encode(), LOCK_FILE.read_bytes(), _SCRIPT.read_bytes()):
        digest.update(part)
    return digest.hexdigest()
