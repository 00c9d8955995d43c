"""Where the local stack keeps its things below its home directory, and where installed packages keep theirs."""

from __future__ import annotations

import fcntl
import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sentinel.errors import ConfigurationError
from sentinel.settings import PROJECT_ROOT

DEPLOY_DIR = PROJECT_ROOT / "deploy" / "local"


@dataclass(frozen=True, slots=True)
class StackPaths:
    """The layout of a home directory (`.sentinel` in the checkout unless `SENTINEL_HOME` says otherwise)."""

    home: Path

    @property
    def run(self) -> Path:
        """Configuration and state of the supervisor; rebuilt by every `up`."""
        return self.home / "run"

    @property
    def programs(self) -> Path:
        """One supervisor section and one launch specification per program."""
        return self.run / "programs"

    @property
    def logs(self) -> Path:
        """One log per program, rotated by the supervisor."""
        return self.home / "logs"

    @property
    def data(self) -> Path:
        """One directory per server."""
        return self.home / "data"

    @property
    def stack_env(self) -> Path:
        """Ports and credentials as `SENTINEL_*` lines; what `Settings.load` reads."""
        return self.home / "stack.env"

    @property
    def state_file(self) -> Path:
        """Ports and credentials, also those that no setting names."""
        return self.home / "stack.json"

    def create(self) -> None:
        """Create the directories.

        Raises:
            ConfigurationError: The home cannot be written.
        """
        try:
            for path in (self.home, self.run, self.programs, self.logs, self.data):
                path.mkdir(parents=True, exist_ok=True)
            probe = self.run / "writable"
            probe.write_text("")
            probe.unlink()
        except OSError as error:
            raise ConfigurationError(
                f"the home of the local stack cannot be written: {error.strerror or error} ({error.filename}); "
                "set SENTINEL_HOME to a directory you own"
            ) from error


def jars_root(home: Path) -> Path:
    """Return where the jar sets lie: `SENTINEL_JARS_DIR`, else `<home>/jars`.

    A home elsewhere than in the checkout, such as a test's, shares the jars of the checkout where those are.
    """
    named = os.environ.get("SENTINEL_JARS_DIR")
    if named:
        return Path(named).expanduser().resolve()
    shared = PROJECT_ROOT / ".sentinel" / "jars"
    return shared if shared.is_dir() and not (home / "jars").is_dir() else home / "jars"


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Let one process at a time change what several checkouts or tests share; `path` is the lock's file."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def package_dir(package: str, purpose: str) -> Path:
    """Return the directory of an installed package without importing it.

    Raises:
        ConfigurationError: It is not installed.
    """
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise ConfigurationError(f"the package {package!r} ({purpose}) is not installed; run `make install`")
    return Path(next(iter(found.submodule_search_locations)))
