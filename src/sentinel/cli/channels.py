"""`sentinel channels`: where notifications may go, through the API. Secrets come by standard input or a prompt."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any

import typer

from sentinel.cli.output import print_table, say
from sentinel.cli.remote import Url, open_client
from sentinel.client.channels import Channel
from sentinel.errors import InvalidError

app = typer.Typer(help="Channels: where notifications may go.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The channel.")]
Options = Annotated[
    list[str] | None, typer.Argument(help="option=value of each, e.g. url=https://... or channel=#ops.")
]
WithSecret = Annotated[
    bool, typer.Option("--secret", help="Read the secret from standard input, or ask for it on a terminal.")
]
Rate = Annotated[int | None, typer.Option(min=0, help="Deliveries in a minute at most; 0: any number.")]


@app.command("list")
def list_channels(url: Url = "") -> None:
    """List all channels."""
    with open_client(url) as client:
        channels = client.list_channels()
    rows = [[each.name, each.kind, _state(each), _rate(each), _shown(each.options)] for each in channels]
    print_table(("name", "kind", "status", "per minute", "options"), rows, frozenset({3}))


@app.command("show")
def show(name: Name, url: Url = "") -> None:
    """Show a channel with its options and its secrets' last characters."""
    with open_client(url) as client:
        channel = client.get_channel(name)
    print(f"{channel.name} ({channel.kind}): {_state(channel)}, version {channel.version}, {_rate(channel)} per minute")
    for option, value in channel.options.items():
        print(f"  {option} = {_text(value)}")
    for secret in channel.secrets:
        until = f", until {secret.expires_at:%Y-%m-%d %H:%M}" if secret.expires_at else ""
        print(f"  secret ...{secret.hint}, added {secret.added_at:%Y-%m-%d %H:%M} by {secret.added_by}{until}")


@app.command("add")
def add(  # noqa: PLR0917 - options of a command
    name: Name,
    kind: Annotated[str, typer.Argument(help="slack, webhook, email, pagerduty, teams or apprise.")],
    options: Options = None,
    secret: WithSecret = False,
    rate: Rate = None,
    url: Url = "",
) -> None:
    """Add a channel. A webhook without --secret is given one, which is printed this once."""
    wanted = _options(options or [])
    with open_client(url) as client:
        channel = client.create_channel(
            name, kind, wanted, secret=_read_secret() if secret else None, rate_per_minute=rate or None
        )
    _tell(channel, "added", is_lost=kind == "webhook" and not secret and not channel.new_secret)


@app.command("set")
def set_options(
    name: Name, options: Options = None, secret: WithSecret = False, rate: Rate = None, url: Url = ""
) -> None:
    """Change options, the secret or the rate; what is not named stays."""
    changes: dict[str, Any] = {"options": _options(options or [])}
    if secret:
        changes["secret"] = _read_secret()
    if rate is not None:
        changes["rate_per_minute"] = rate or None
    with open_client(url) as client:
        _tell(client.change_channel(name, **changes), "changed")


@app.command("rotate")
def rotate(
    name: Name,
    secret: WithSecret = False,
    overlap_hours: Annotated[
        float | None, typer.Option(min=0, help="Of a webhook: how long the earlier secrets sign, too. Default: 24.")
    ] = None,
    url: Url = "",
) -> None:
    """Give a channel another secret. For a webhook one is made, unless --secret, and printed this once."""
    overlap = None if overlap_hours is None else timedelta(hours=overlap_hours)
    with open_client(url) as client:
        channel = client.rotate_channel_secret(name, secret=_read_secret() if secret else None, overlap=overlap)
    _tell(channel, "rotated", is_lost=not secret and not channel.new_secret)


@app.command("test")
def try_channel(name: Name, url: Url = "") -> None:
    """Send a test, and tell what came of it; exit code 1 when it failed."""
    with open_client(url) as client:
        found = client.test_channel(name)
    answered = f", answer {found.status}" if found.status else ""
    print(f"{name}: {found.outcome} in {found.duration_seconds:.2f} s{answered}")
    if found.outcome != "sent":
        say(f"{found.reason} ({found.fate}): {found.detail}")
        raise typer.Exit(1)


@app.command("enable")
def enable(name: Name, url: Url = "") -> None:
    """Send through a channel again."""
    with open_client(url) as client:
        _tell(client.enable_channel(name), "enabled")


@app.command("disable")
def disable(name: Name, reason: Annotated[str, typer.Option(help="Why.")] = "", url: Url = "") -> None:
    """Send nothing through a channel until it is enabled."""
    with open_client(url) as client:
        _tell(client.disable_channel(name, reason=reason), "disabled")


@app.command("remove")
def remove(name: Name, url: Url = "") -> None:
    """Delete a channel with its secrets."""
    with open_client(url) as client:
        client.delete_channel(name)
    print(f"{name}: removed")


def _options(texts: Sequence[str]) -> dict[str, Any]:
    """Read option=value; lists with commas."""
    options: dict[str, Any] = {}
    for text in texts:
        name, found, value = text.partition("=")
        if not found:
            raise InvalidError(f"{text!r} is not option=value, such as url=https://example.com/alerts")
        options[name] = _value(name, value)
    return options


def _value(name: str, value: str) -> Any:
    if name in {"recipients", "allowed_domains"}:
        return [part.strip() for part in value.split(",") if part.strip()]
    return int(value) if name == "port" and value.isascii() and value.isdigit() and len(value) < 6 else value


def _read_secret() -> str:
    """Read a secret from where no list of processes and no history shows it."""
    secret = str(typer.prompt("secret", hide_input=True, err=True)) if sys.stdin.isatty() else sys.stdin.readline()
    if not secret.strip():
        raise InvalidError("no secret came by standard input; pipe it in: sentinel channels ... --secret < file")
    return secret.strip("\r\n")


def _tell(channel: Channel, done: str, *, is_lost: bool = False) -> None:
    if channel.new_secret:
        say(f"{channel.name}: {done}; its new secret, shown this once:")
        print(channel.new_secret)
    else:
        if is_lost:
            say("its new secret was in an answer that was lost; make another: sentinel channels rotate")
        print(f"{channel.name}: {done} (version {channel.version}, {_state(channel)})")
    for remark in channel.remarks:
        say(remark)


def _state(channel: Channel) -> str:
    return f"{channel.status}: {channel.disabled_reason}" if channel.disabled_reason else channel.status


def _rate(channel: Channel) -> str:
    return str(channel.rate_per_minute or "any number")


def _shown(options: dict[str, Any]) -> str:
    return " ".join(f"{name}={_text(value)}" for name, value in options.items() if value not in ("", []))


def _text(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
