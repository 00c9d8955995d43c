"""`sentinel keys` on a real database."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from sentinel.cli.keys import app
from sentinel.errors import InvalidError, NotFoundError, UnauthenticatedError
from sentinel.settings import Settings
from sentinel.wiring import Backend

pytestmark = pytest.mark.integration


@pytest.fixture
def runner(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """Runs commands against the test's servers."""
    monkeypatch.setattr(Settings, "load", classmethod(lambda cls, home=None: settings))
    return CliRunner()


@pytest.fixture
def backend(settings: Settings) -> Backend:
    """The stores."""
    opened = Backend(settings)
    opened.open()
    return opened


def test_a_key_works_until_it_is_revoked(runner: CliRunner, backend: Backend, tenant: str) -> None:
    made = runner.invoke(app, ["create", "ci", "--scope", "write", "--tenant", tenant])
    assert made.exit_code == 0
    secret = made.stdout.strip()
    assert secret.startswith("snt_")
    key = backend.authenticate(secret)
    assert (key.tenant_id, key.name, key.scopes) == (tenant, "ci", {"write"})

    listed = runner.invoke(app, ["list", "--tenant", tenant]).stdout
    assert "ci" in listed
    assert "usable" in listed
    assert secret not in listed

    assert runner.invoke(app, ["revoke", str(key.id), "--tenant", tenant]).exit_code == 0
    assert "revoked" in runner.invoke(app, ["list", "--tenant", tenant]).stdout
    with pytest.raises(UnauthenticatedError, match="revoked"):
        backend.authenticate(secret)
    backend.close()


def test_an_expired_key_is_refused(runner: CliRunner, backend: Backend, tenant: str, settings: Settings) -> None:
    secret = runner.invoke(app, ["create", "ci", "--expires-days", "1", "--tenant", tenant]).stdout.strip()
    assert backend.authenticate(secret).expires_at is not None
    import psycopg

    with psycopg.connect(settings.postgres.conninfo("owner")) as connection:
        connection.execute("SELECT set_config('app.tenant_id', %s, true)", (tenant,))
        connection.execute("UPDATE sentinel.api_keys SET expires_at = now() - interval '1 second'")
    with pytest.raises(UnauthenticatedError, match="expired"):
        backend.authenticate(secret)
    backend.close()


def test_the_hash_alone_is_stored(runner: CliRunner, tenant: str, settings: Settings) -> None:
    import psycopg

    secret = runner.invoke(app, ["create", "ci", "--tenant", tenant]).stdout.strip()
    with psycopg.connect(settings.postgres.conninfo("owner")) as connection:
        connection.execute("SELECT set_config('app.tenant_id', %s, true)", (tenant,))
        rows = connection.execute("SELECT to_jsonb(k)::text FROM sentinel.api_keys k").fetchall()
    assert rows
    assert secret not in rows[0][0]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["create", "x", "--scope", "root"], InvalidError),
        (["create", "x", "--tenant", "nobody"], NotFoundError),
        (["revoke", "999999"], NotFoundError),
    ],
)
def test_mistakes_are_errors_of_ours(runner: CliRunner, arguments: list[str], error: type[Exception]) -> None:
    assert isinstance(runner.invoke(app, arguments).exception, error)
