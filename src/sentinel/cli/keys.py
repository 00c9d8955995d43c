"""`sentinel keys`: make, list and revoke API keys, straight on the database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Annotated

import typer

from sentinel.cli.output import print_table
from sentinel.clock import utc_now
from sentinel.domain.api_key import ApiKey, Scope
from sentinel.errors import InvalidError
from sentinel.settings import Settings
from sentinel.wiring import Backend, Unit

app = typer.Typer(help="API keys of a tenant.", no_args_is_help=True)

Tenant = Annotated[str, typer.Option(help="The tenant. Default: SENTINEL_TENANT.")]


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="What the key is for; shown in the list.")],
    scope: Annotated[list[str] | None, typer.Option(help="ingest, read, write or admin. May be repeated.")] = None,
    expires_days: Annotated[int | None, typer.Option(min=1, max=3650, help="Unusable after so many days.")] = None,
    tenant: Tenant = "",
) -> None:
    """Make a key and print it once. It is stored as a hash only."""
    try:
        scopes = [Scope(item) for item in scope or ["read"]]
    except ValueError as error:
        raise InvalidError(f"{error}; scopes are ingest, read, write and admin") from error
    expires_at = utc_now() + timedelta(days=expires_days) if expires_days else None
    with _unit(tenant) as unit:
        key, secret = unit.keys.create(name, scopes, expires_at=expires_at)
    typer.echo(f"key {key.id} ({', '.join(sorted(key.scopes))}); shown this once, keep it:", err=True)
    typer.echo(secret)


@app.command("list")
def list_keys(tenant: Tenant = "") -> None:
    """Show all keys of a tenant, newest first."""
    with _unit(tenant) as unit:
        keys = unit.keys.list()
    print_table(
        ("id", "name", "begins with", "scopes", "created", "last used", "state"),
        [
            (
                str(key.id),
                key.name,
                key.prefix,
                ", ".join(sorted(key.scopes)),
                _shown(key.created_at),
                _shown(key.last_used_at),
                _state(key),
            )
            for key in keys
        ],
    )


@app.command("revoke")
def revoke(
    key_id: Annotated[int, typer.Argument(min=1, help="As `sentinel keys list` shows it.")], tenant: Tenant = ""
) -> None:
    """Make a key unusable from now on."""
    with _unit(tenant) as unit:
        key = unit.keys.revoke(key_id)
    typer.echo(f"key {key.id} ({key.name}) is revoked")


@contextmanager
def _unit(tenant: str) -> Iterator[Unit]:
    settings = Settings.load()
    backend = Backend(settings)
    backend.open()
    try:
        with backend.unit(tenant or settings.tenant, "cli") as unit:
            yield unit
    finally:
        backend.close()


def _state(key: ApiKey) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "usable" if key.usable_at(utc_now()) else "expired"


def _shown(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else "never"
