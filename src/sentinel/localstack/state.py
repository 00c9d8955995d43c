"""Ports and credentials of one local stack: chosen once, kept in `<home>/stack.json`, published in `stack.env`."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path

from sentinel.errors import ConfigurationError
from sentinel.localstack.paths import StackPaths

_SECRETS = ("postgres_superuser", "postgres_owner", "postgres_app", "redis", "s3_access", "s3_secret")

# Since the environment wins over stack.env, a secret named there is what the server gets.
_NAMED_SECRETS = {
    "SENTINEL_POSTGRES__OWNER_PASSWORD": "postgres_owner",
    "SENTINEL_POSTGRES__APP_PASSWORD": "postgres_app",
    "SENTINEL_REDIS__PASSWORD": "redis",
}


@dataclass(slots=True)
class StackState:
    """What the stack decided and must remember.

    Attributes:
        ports: Server (or server and purpose) -> port on the loopback interface.
        secrets: Name -> generated secret.
        local: Servers that this stack runs itself.
    """

    ports: dict[str, int] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    local: list[str] = field(default_factory=list)

    @classmethod
    def load(cls, paths: StackPaths) -> StackState:
        """Read the state; missing secrets are generated.

        Raises:
            ConfigurationError: The file is damaged.
        """
        state = cls()
        if paths.state_file.exists():
            try:
                state = cls(**json.loads(paths.state_file.read_text()))
            except (ValueError, TypeError) as error:
                raise ConfigurationError(
                    f"{paths.state_file} is damaged ({error}); it holds the passwords of the local servers. "
                    "Restore it, or run `sentinel clean` to start with empty ones"
                ) from error
        for name in _SECRETS:
            state.secrets.setdefault(name, secrets.token_hex(16))
        for setting, name in _NAMED_SECRETS.items():
            if os.environ.get(setting):
                state.secrets[name] = os.environ[setting]
        return state

    def save(self, paths: StackPaths, extra: dict[str, str] | None = None) -> None:
        """Write both files, each readable by its owner only."""
        write_private(paths.state_file, json.dumps(asdict(self), indent=1))
        lines = [f"{name}={value}" for name, value in sorted({**self.environment(), **(extra or {})}.items())]
        heading = "# Written by `sentinel up`. The environment wins over this file; do not edit it.\n"
        write_private(paths.stack_env, heading + "\n".join(lines) + "\n")

    def environment(self) -> dict[str, str]:
        """Return the settings that lead to the servers of this stack."""
        found: dict[str, str] = {}
        if "postgres" in self.local:
            found |= {
                "SENTINEL_POSTGRES__HOST": "127.0.0.1",
                "SENTINEL_POSTGRES__PORT": str(self.ports["postgres"]),
                "SENTINEL_POSTGRES__OWNER_PASSWORD": self.secrets["postgres_owner"],
                "SENTINEL_POSTGRES__APP_PASSWORD": self.secrets["postgres_app"],
            }
        if "redis" in self.local:
            found |= {
                "SENTINEL_REDIS__HOST": "127.0.0.1",
                "SENTINEL_REDIS__PORT": str(self.ports["redis"]),
                "SENTINEL_REDIS__PASSWORD": self.secrets["redis"],
            }
        if "kafka" in self.local:
            found["SENTINEL_KAFKA__BOOTSTRAP_SERVERS"] = f"127.0.0.1:{self.ports['kafka']}"
        if "s3" in self.local:
            found |= {
                "SENTINEL_LAKE__ENDPOINT": f"http://127.0.0.1:{self.ports['s3']}",
                "SENTINEL_LAKE__ACCESS_KEY": self.secrets["s3_access"],
                "SENTINEL_LAKE__SECRET_KEY": self.secrets["s3_secret"],
            }
        return found


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step; only its owner may read it."""
    temporary = path.with_name(path.name + ".new")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    temporary.replace(path)
