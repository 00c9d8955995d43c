"""`sentinel lists` against a real API."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from sentinel.cli.lists import app
from sentinel.errors import InvalidError, NotFoundError, VersionMismatchError

pytestmark = pytest.mark.integration

NEW = ["--column", "user_id:string", "--column", "level:integer", "--key", "user_id"]


@pytest.fixture
def run(cli_of_tenant: None) -> Callable[..., Result]:
    """Runs a command; one that fails raises."""

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(app, list(arguments), catch_exceptions=False)

    return invoke


def test_a_list_from_its_first_upload_to_its_difference(run: Callable[..., Result], tmp_path: Path) -> None:
    file = tmp_path / "users.csv"
    file.write_text('user_id,level\nu1,1\n"a,b",2\n')
    assert "users version 2: 2 added" in run("upload", "users", str(file), *NEW).stdout
    assert "were these already (version 2)" in run("upload", "users", str(file)).stdout
    told = run("set", "users", "user_id=u1", "level=7", "expires_at=2999-01-01T00:00:00Z", "--comment", "up").stdout
    assert "version 3: 0 added, 1 changed, 0 removed; 2 rows" in told
    assert "1 removed" in run("delete", "users", "a,b").stdout
    assert run("rows", "users", "--version", "2").stdout == 'user_id,level,expires_at\n"a,b",2,\nu1,1,\n'
    assert run("rows", "users").stdout.splitlines() == ["user_id,level,expires_at", "u1,7,2999-01-01T00:00:00+00:00"]
    assert run("diff", "users", "2").stdout.splitlines() == [
        "- a,b: user_id=a,b, level=2",
        "~ u1: user_id=u1, level=1 -> user_id=u1, level=7 until 2999-01-01T00:00:00+00:00",
    ]
    shown = run("show", "users").stdout
    assert "users (user_id string not null, level integer), key user_id" in shown
    assert "read by no active rule" in shown
    assert shown.splitlines()[-4].split()[0] == "4"
    assert "users" in run("show").stdout
    # What `rows` writes can be uploaded again.
    file.write_text(run("rows", "users").stdout)
    assert "were these already (version 4)" in run("upload", "users", str(file)).stdout


def test_mistakes_are_told(run: Callable[..., Result], tmp_path: Path) -> None:
    file = tmp_path / "users.csv"
    file.write_text("user_id,level\nu1,many\n")
    with pytest.raises(NotFoundError, match="make it with --column"):
        run("upload", "users", str(file))
    with pytest.raises(InvalidError, match="line 2, column level: 'many'"):
        run("upload", "users", str(file), *NEW)
    file.write_text("user_id,level\nu1,1\n")
    with pytest.raises(VersionMismatchError):
        run("upload", "users", str(file), "--if-version", "9")
    for arguments in (("set", "users", "level"), ("upload", "users", str(tmp_path / "nothing.csv"))):
        with pytest.raises(InvalidError):
            run(*arguments)
    with pytest.raises(InvalidError, match="name:type"):
        run("upload", "other", str(file), "--column", "user_id", "--key", "user_id")
