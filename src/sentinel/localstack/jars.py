"""The jars that no wheel carries: fetched once with the Ivy inside PySpark, verified, offline afterwards."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import tempfile
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from sentinel.errors import ConfigurationError, StoreUnavailableError
from sentinel.localstack.paths import DEPLOY_DIR, exclusive, package_dir
from sentinel.localstack.progress import Report, Steps, counted, plain_report

LOCK_FILE = DEPLOY_DIR / "jars.lock"
SETS = ("spark", "kafka", "s3")
_MAVEN = "http://ant.apache.org/ivy/maven"
_ATTEMPTS = 3
_ARRIVED = re.compile(r"\[SUCCESSFUL \] \S+!(\S+) ")
_COMPLAINT = re.compile(r"not found|FAILED|error|exception|unresolved|timed out|refused|UnknownHost", re.IGNORECASE)
# No repository is named: Ivy's own default is Maven Central. POMs are not read, since every jar is listed. Mirrors are
# set as usual for Java, see the README.
_IVY_SETTINGS = (
    '<ivysettings><settings defaultResolver="central"/>'
    '<resolvers><ibiblio name="central" m2compatible="true" usepoms="false" useMavenMetadata="false"/></resolvers>'
    "</ivysettings>"
)


@dataclass(frozen=True, slots=True)
class Jar:
    """One line of jars.lock."""

    group: str
    artifact: str
    version: str
    classifier: str
    sha256: str
    jar_set: str

    @property
    def file_name(self) -> str:
        """Its name in the directory of its set, as Maven names it."""
        return f"{self.artifact}-{self.version}{'-' + self.classifier if self.classifier else ''}.jar"


def read_lock(path: Path = LOCK_FILE) -> list[Jar]:
    """Read jars.lock.

    Raises:
        ConfigurationError: A line is not `group:artifact:version[:classifier] sha256 set`.
    """
    jars = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = line.split()
        coordinates = fields[0].split(":")
        if len(fields) != 3 or len(coordinates) not in {3, 4} or fields[2] not in SETS or len(fields[1]) != 64:
            raise ConfigurationError(
                f"{path.name}, line {number}: expected `group:artifact:version[:classifier] sha256 set`, found {line!r}"
            )
        group, artifact, version, *classifier = coordinates
        jars.append(Jar(group, artifact, version, "".join(classifier), fields[1], fields[2]))
    return jars


def missing_jars(root: Path, sets: Sequence[str] = SETS, lock: Path = LOCK_FILE) -> list[Jar]:
    """Return the jars that are not there with the right content. A jar once verified is not read again."""
    return [jar for jar in read_lock(lock) if jar.jar_set in sets and not _is_verified(root, jar)]


def ensure_jars(
    root: Path, java: Path, sets: Sequence[str] = SETS, *, report: Report = plain_report, lock: Path = LOCK_FILE
) -> None:
    """Have every jar of these sets in `<root>/<set>`; fetch only what is missing. Safe to interrupt and repeat.

    Args:
        java: The `java` command.

    Raises:
        ConfigurationError: A jar has another content than jars.lock says; it is removed.
        StoreUnavailableError: The repository does not answer.
    """
    if not missing_jars(root, sets, lock) and not _strangers(root, sets, lock):
        return
    root.mkdir(parents=True, exist_ok=True)
    with exclusive(root / ".lock"):
        missing = missing_jars(root, sets, lock)
        for jar in [jar for jar in missing if (root / jar.jar_set / jar.file_name).exists()]:
            _verify(root / jar.jar_set / jar.file_name, jar)
            _remember(root, jar)
            missing.remove(jar)
        if missing:
            _fetch(root, java, missing, report)
        for stranger in _strangers(root, sets, lock):
            stranger.unlink(missing_ok=True)


def class_path(root: Path, jar_set: str) -> str:
    """Return the class path entry of a set, as the `java` command takes it."""
    return str(root / jar_set / "*")


def _fetch(root: Path, java: Path, missing: list[Jar], report: Report) -> None:
    staging = root / ".staging"
    with counted("fetching jars", len(missing), report) as steps:
        for attempt in range(1, _ATTEMPTS + 1):
            said = _run_ivy(root, java, missing, staging, steps)
            for jar in list(missing):
                fetched = staging / jar.file_name
                if fetched.exists():
                    _verify(fetched, jar)
                    target = root / jar.jar_set / jar.file_name
                    target.parent.mkdir(parents=True, exist_ok=True)
                    fetched.replace(target)
                    _remember(root, jar)
                    missing.remove(jar)
            if not missing:
                break
            if attempt == _ATTEMPTS:
                names = ", ".join(jar.file_name for jar in missing[:3])
                raise StoreUnavailableError(
                    "the Maven repository",
                    f"{len(missing)} jars are missing ({names}{', ...' if len(missing) > 3 else ''}): {said}. "
                    "Repeat the command: what is there is kept. Behind a proxy set JAVA_TOOL_OPTIONS="
                    "'-Dhttps.proxyHost=... -Dhttps.proxyPort=...'",
                )
    shutil.rmtree(staging, ignore_errors=True)
    shutil.rmtree(root / ".ivy", ignore_errors=True)


def _run_ivy(root: Path, java: Path, jars: list[Jar], staging: Path, steps: Steps) -> str:
    """Fetch jars into the staging directory; return the last complaint."""
    ivy = next(package_dir("pyspark", "Spark").joinpath("jars").glob("ivy-*.jar"), None)
    if ivy is None:
        raise ConfigurationError("the package pyspark carries no Ivy (jars/ivy-*.jar); run `make install` again")
    staging.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root) as scratch:
        settings, module = Path(scratch) / "settings.xml", Path(scratch) / "ivy.xml"
        settings.write_text(_IVY_SETTINGS)
        module.write_text(_ivy_module(jars))
        command = [str(java), "-Xmx256m", "-cp", str(ivy), "org.apache.ivy.Main", "-settings", str(settings)]
        command += ["-ivy", str(module), "-cache", str(root / ".ivy"), "-types", "jar"]
        command += ["-retrieve", str(staging / "[artifact]-[revision](-[classifier]).[ext]")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as ivy_process:
            said: deque[str] = deque(maxlen=200)
            for line in ivy_process.stdout or ():
                said.append(line.strip())
                arrived = _ARRIVED.search(line)
                if arrived:
                    steps.advance(arrived.group(1))
    complaints = [line for line in said if _COMPLAINT.search(line)]
    return " / ".join(complaints[-3:]) or f"Ivy ended with exit code {ivy_process.returncode}"


def _ivy_module(jars: list[Jar]) -> str:
    ElementTree.register_namespace("m", _MAVEN)
    root = ElementTree.Element("ivy-module", {"version": "2.0"})
    ElementTree.SubElement(root, "info", {"organisation": "sentinel", "module": "jars"})
    # A configuration per set, since two sets may want different versions of one artifact.
    configurations = ElementTree.SubElement(root, "configurations")
    for jar_set in sorted({jar.jar_set for jar in jars}):
        ElementTree.SubElement(configurations, "conf", {"name": jar_set})
    dependencies = ElementTree.SubElement(root, "dependencies")
    for jar in jars:
        attributes = {"org": jar.group, "name": jar.artifact, "rev": jar.version, "transitive": "false"}
        attributes["conf"] = f"{jar.jar_set}->default"
        dependency = ElementTree.SubElement(dependencies, "dependency", attributes)
        artifact = {"name": jar.artifact, "type": "jar", "ext": "jar"}
        if jar.classifier:
            artifact[f"{{{_MAVEN}}}classifier"] = jar.classifier
        ElementTree.SubElement(dependency, "artifact", artifact)
    manager = {"org": "*", "module": "*", "manager": "all"}
    ElementTree.SubElement(dependencies, "conflict", manager)
    return ElementTree.tostring(root, encoding="unicode")


def _verify(path: Path, jar: Jar) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != jar.sha256:
        path.unlink()
        raise ConfigurationError(
            f"{path.name} has the SHA-256 {found}, but jars.lock says {jar.sha256}; the file was removed. Repeat the "
            "command; if it happens again, the repository or its mirror delivers something else than was locked"
        )


def _marker(root: Path, jar: Jar) -> Path:
    return root / ".verified" / f"{jar.jar_set}-{jar.file_name}"


def _remember(root: Path, jar: Jar) -> None:
    stat = (root / jar.jar_set / jar.file_name).stat()
    marker = _marker(root, jar)
    marker.parent.mkdir(parents=True, exist_ok=True)
    marker.write_text(f"{jar.sha256} {stat.st_size} {stat.st_mtime_ns}")


def _is_verified(root: Path, jar: Jar) -> bool:
    try:
        stat = (root / jar.jar_set / jar.file_name).stat()
        return _marker(root, jar).read_text() == f"{jar.sha256} {stat.st_size} {stat.st_mtime_ns}"
    except FileNotFoundError:
        return False


def _strangers(root: Path, sets: Sequence[str], lock: Path) -> list[Path]:
    """Return jars of an older lock file; they must go, since everything in the directory is on the class path."""
    wanted = {root / jar.jar_set / jar.file_name for jar in read_lock(lock)}
    return [path for jar_set in sets for path in (root / jar_set).glob("*.jar") if path not in wanted]
