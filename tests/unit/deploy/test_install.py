"""The installer: what it refuses, and when it has nothing to do."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from sentinel.settings import PROJECT_ROOT

SCRIPT = PROJECT_ROOT / "deploy" / "local" / "install.py"


@pytest.fixture
def install(tmp_path: Path) -> ModuleType:
    """The script, in a checkout of its own that holds only its inputs."""
    checkout = tmp_path / "a checkout"
    target = checkout / "deploy" / "local" / "install.py"
    target.parent.mkdir(parents=True)
    shutil.copy(SCRIPT, target)
    (checkout / "requirements").mkdir()
    for name in ("requirements/bootstrap.txt", "requirements/lock.txt", "requirements/runtime.in", "pyproject.toml"):
        (checkout / name).write_text(name)
    spec = importlib.util.spec_from_file_location("install", target)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def mark_installed(install: ModuleType) -> None:
    install.VENV.mkdir()
    install.MARKER.write_text(install.fingerprint())


class TestNothingToDo:
    def test_an_installation_of_these_inputs_is_left_alone(
        self, install: ModuleType, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        mark_installed(install)
        monkeypatch.setattr(install, "run", lambda *_: pytest.fail("installed again"))
        install.main()

    @pytest.mark.parametrize("name", ["requirements/lock.txt", "requirements/bootstrap.txt", "pyproject.toml"])
    def test_a_changed_input_installs_again(
        self, install: ModuleType, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        mark_installed(install)
        (install.ROOT / name).write_text("changed")
        ran: list[str] = []
        monkeypatch.setattr(install, "run", lambda what, *_: ran.append(what))
        install.main()
        assert ran == ["creating .venv", "installing uv", "installing packages", "installing Sentinel"]
        assert install.MARKER.read_text() == install.fingerprint()

    def test_a_moved_checkout_installs_again(self, install: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
        before = install.fingerprint()
        monkeypatch.setattr(install, "VENV", install.ROOT / "elsewhere" / ".venv")
        assert install.fingerprint() != before

    def test_what_fails_is_not_taken_for_installed(self, install: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
        mark_installed(install)
        (install.ROOT / "pyproject.toml").write_text("changed")
        monkeypatch.setattr(install, "run", lambda what, *_: install.stop(f"{what} failed"))
        with pytest.raises(SystemExit):
            install.main()
        assert not install.MARKER.exists()


class TestRefusals:
    def test_a_python_that_is_too_old_is_told_what_to_do(
        self, install: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(install, "OLDEST", (99, 0))
        monkeypatch.setattr(install.shutil, "which", lambda _name: None)
        with pytest.raises(SystemExit):
            install.suitable_python()
        said = capsys.readouterr().err
        assert said.startswith("error: Sentinel needs Python 3.11, 3.12 or 3.13; this is ")
        assert "make PYTHON=/path/to/python3.12" in said

    def test_another_python_on_path_is_taken_instead(
        self, install: ModuleType, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(install.sys, "version_info", (3, 9, 1))
        monkeypatch.setattr(install.shutil, "which", lambda name: f"/opt/{name}" if name == "python3.12" else None)
        assert install.suitable_python() == "/opt/python3.12"

    @pytest.mark.parametrize("module", ["ensurepip", "venv"])
    def test_a_python_without_venv_names_the_package_to_install(
        self, install: ModuleType, module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(SystemExit):
            install.make_venv()
        said = capsys.readouterr().err
        assert f"lacks the module {module}" in said
        assert "python3-venv" in said


def test_a_home_that_cannot_be_written_gets_its_cache_elsewhere(
    install: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("UV_CACHE_DIR", raising=False)
    monkeypatch.setattr(install, "writable", lambda _path: False)
    environment = install.package_environment()
    assert environment["UV_CACHE_DIR"] == str(install.VENV / ".cache")
    assert environment["PIP_NO_CACHE_DIR"] == "1"


def test_uv_is_told_of_the_index_that_pip_uses(install: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_INDEX_URL", "https://packages.example.org/simple")
    assert install.package_environment()["UV_DEFAULT_INDEX"] == "https://packages.example.org/simple"


def test_the_script_is_readable_for_old_pythons() -> None:
    """It must get as far as telling them; Python 3.6 knows what is used here."""
    code = "import ast, sys; ast.parse(open(sys.argv[1]).read(), feature_version=(3, 6))"
    subprocess.run([sys.executable, "-c", code, str(SCRIPT)], check=True)
