"""An environment for each peer that needs packages of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from sentinel.settings import PROJECT_ROOT

_REQUIREMENTS = Path(__file__).parent / "requirements"
_HOME = PROJECT_ROOT / ".sentinel" / "peers"


def python_of(peer: str) -> str:
    """Return the Python that runs a peer; its environment is made when it is missing or its requirements changed."""
    wanted = _REQUIREMENTS / f"{peer}.txt"
    if not wanted.exists():
        return sys.executable
    home = _HOME / peer
    python, made_from = home / "bin" / "python", home / "requirements.txt"
    if not made_from.exists() or made_from.read_text() != wanted.read_text():
        uv = str(Path(sys.executable).parent / "uv")
        subprocess.run([uv, "venv", "-q", "--clear", "--python", sys.executable, str(home)], check=True)
        subprocess.run([uv, "pip", "install", "-q", "--python", str(python), "-r", str(wanted)], check=True)
        made_from.write_text(wanted.read_text())
    return str(python)
