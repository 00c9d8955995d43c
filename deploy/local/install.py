"""Install Sentinel into .venv: what `make` runs before every verb. Needs Python 3.11 or later and nothing else.

1. A virtual environment. 2. uv, by pip, with hashes. 3. Everything in requirements/lock.txt, by uv, with hashes.
4. The project itself, editable. Done again only when one of these files changes; safe to interrupt and repeat.

Written for old Pythons, too, so that they can be told what is wrong.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
MARKER = VENV / ".installed"
INPUTS = ("requirements/bootstrap.txt", "requirements/lock.txt", "requirements/runtime.in", "pyproject.toml")
OLDEST, NEWEST = (3, 11), (3, 13)


def main():
    """Install what is missing."""
    wanted = fingerprint()
    if MARKER.exists() and MARKER.read_text() == wanted:
        return
    python = suitable_python()
    if python != sys.executable:
        os.execv(python, [python, *sys.argv])  # noqa: S606
    say("installing into .venv (once; about a minute)")
    make_venv()
    environment = package_environment()
    run("installing uv", [*venv_python(), "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                          "--require-hashes", "-r", "requirements/bootstrap.txt"], environment)  # fmt: skip
    uv = [str(VENV / "bin" / "uv"), "pip"]
    target = ["--python", str(VENV / "bin" / "python")]
    run("installing packages", [*uv, "sync", *target, "--require-hashes", "requirements/lock.txt"], environment)
    run("installing Sentinel", [*uv, "install", *target, "--quiet", "--no-deps", "--no-build-isolation", "-e", "."],
        environment)  # fmt: skip
    shutil.rmtree(str(VENV / ".cache"), ignore_errors=True)
    MARKER.write_text(wanted)
    say("installed; `make help` lists what there is to do")


def fingerprint():
    """Return what an installation depends on: its inputs, and where it is (scripts hold their path)."""
    digest = hashlib.sha256(str(VENV).encode())
    for name in INPUTS:
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def suitable_python():
    """Return this Python if its version suits, else another one on PATH; exit with a sentence if there is none."""
    if OLDEST <= sys.version_info[:2] <= NEWEST:
        return sys.executable
    for minor in range(NEWEST[1], OLDEST[1] - 1, -1):
        found = shutil.which(f"python3.{minor}")
        if found:
            return found
    stop(
        f"Sentinel needs Python 3.11, 3.12 or 3.13; this is {sys.version.split()[0]} ({sys.executable}). "
        "Install one of them, or name it: make PYTHON=/path/to/python3.12"
    )
    return None


def make_venv():
    """Have an empty or usable virtual environment; a broken one or one of another Python is replaced."""
    try:
        import ensurepip  # noqa: F401, PLC0415
        import venv  # noqa: F401, PLC0415
    except ImportError as error:
        stop(
            f"this Python ({sys.executable}) lacks the module {error.name}, which Debian and Ubuntu ship apart: "
            f"install the package python3-venv (or python3.{sys.version_info[1]}-venv), or use another Python: "
            "make PYTHON=/path/to/python3"
        )
    MARKER.unlink(missing_ok=True)
    configuration = VENV / "pyvenv.cfg"
    usable = configuration.exists() and works([*venv_python(), "-m", "pip", "--version"]) and right_place()
    if not usable:
        run("creating .venv", [sys.executable, "-m", "venv", "--clear", str(VENV)], dict(os.environ))


def right_place():
    """Return whether the environment was made here, not copied or moved."""
    pip = VENV / "bin" / "pip"
    return pip.exists() and str(VENV) in pip.read_text(errors="replace")


def venv_python():
    """Return the command of the environment's Python."""
    return [str(VENV / "bin" / "python")]


def package_environment():
    """Return the environment for pip and uv: uv is told of pip's index, and works with a home it cannot write."""
    environment = dict(os.environ)
    if "PIP_INDEX_URL" in environment and "UV_DEFAULT_INDEX" not in environment and "UV_INDEX_URL" not in environment:
        environment["UV_DEFAULT_INDEX"] = environment["PIP_INDEX_URL"]
    cache = Path(environment.get("UV_CACHE_DIR") or environment.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    if not writable(cache):
        environment["UV_CACHE_DIR"] = str(VENV / ".cache")
        environment["PIP_NO_CACHE_DIR"] = "1"
    return environment


def writable(path):
    """Return whether files can be made in a directory, or in the nearest one above it that exists."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return os.access(str(path), os.W_OK)


def works(command):
    """Return whether a command ends with 0."""
    try:
        return (
            subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0
        )
    except OSError:
        return False


def run(what, command, environment):
    """Run a step; exit with a sentence when it fails."""
    say(what)
    code = subprocess.run(command, cwd=str(ROOT), env=environment, check=False).returncode
    if code != 0:
        stop(f"{what} failed (exit code {code}, see above); repeat the command, what is there is kept")


def say(text):
    """Print a line of progress."""
    sys.stderr.write(f"install: {text}\n")
    sys.stderr.flush()


def stop(text):
    """End with an error."""
    sys.stderr.write(f"error: {text}\n")
    sys.exit(1)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        stop("interrupted; repeat the command to go on")
