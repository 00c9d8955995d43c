"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sentinel.localstack.paths import StackPaths
from sentinel.localstack.state import StackState
from sentinel.localstack.supervision import Supervisor
from sentinel.settings import Settings


class Severity(StrEnum):
    """ok: as it should be; warning: works, with a limit; error: will not work."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding.

    Attributes:
        advice: What to do; empty when all is well.
    """

    severity: Severity
    subject: str
    text: str
    advice: str = ""


def ok(subject: str, text: str) -> Finding:
    """Return a finding that all is well."""
    return Finding(Severity.OK, subject, text)


def warning(subject: str, text: str, advice: str) -> Finding:
    """Return a finding that limits."""
    return Finding(Severity.WARNING, subject, text, advice)


def error(subject: str, text: str, advice: str) -> Finding:
    """Return a finding that prevents."""
    return Finding(Severity.ERROR, subject, text, advice)


def stopped_server(settings: Settings, name: str, label: str) -> Finding | None:
    """Return a finding when a server of the local stack is asked for and does not run, else None."""
    paths = StackPaths(settings.home)
    if name not in StackState.load(paths).local:
        return None
    state = Supervisor(paths).states().get(name)
    if state is None or state.pid == 0:
        return warning(label, "the local server does not run", "start it with `sentinel up`")
    return None


def never_started(settings: Settings) -> bool:
    """Return whether no local stack was ever started here."""
    return not StackState.load(StackPaths(settings.home)).local
