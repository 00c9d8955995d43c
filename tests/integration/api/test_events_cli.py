"""`sentinel events`, against a real API."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
from httpx import Client
from typer.testing import CliRunner, Result

from sentinel.cli.events import app
from sentinel.errors import InvalidError, NotFoundError
from sentinel.settings import Settings
from tests.integration.api.test_events import make_pipeline, values


@pytest.fixture
def run(cli_of_tenant: None) -> Callable[..., Result]:
    """Runs a command; one that fails raises."""

    def invoke(*arguments: object, stdin: bytes = b"") -> Result:
        return CliRunner().invoke(app, [str(each) for each in arguments], input=stdin, catch_exceptions=False)

    return invoke


def test_a_file_is_sent_in_batches_and_rejected_lines_are_named(
    run: Callable[..., Result], client: Client, settings: Settings, tmp_path: Path
) -> None:
    pipeline_id, topic = make_pipeline(client, "shop")
    lines = [b'{"transaction_id":"t%d","user_id":"u","amount":%d}' % (n, n) for n in range(25)]
    lines[3], lines[7], lines[12] = b"", b'{"transaction_id": 5', b'{"transaction_id":"t12","user_id":"u","amount":"x"}'
    file = tmp_path / "events.jsonl.gz"
    file.write_bytes(gzip.compress(b"\n".join(lines)))
    done = run("send", file, "--pipeline", "shop", "--batch", 10)
    assert done.exit_code == 1
    assert done.stdout == "22 accepted, 0 sent before, 2 rejected\n"
    assert "line 8 is rejected: it is cut off" in done.stderr
    assert "line 13 is rejected: /amount" in done.stderr
    assert sorted(values(settings, topic)) == sorted(line for n, line in enumerate(lines) if n not in {3, 7, 12})
    again = run("send", "--pipeline", pipeline_id, stdin=lines[0] + b"\r\n\r\n")
    assert (again.exit_code, again.stdout) == (0, "0 accepted, 1 sent before, 0 rejected\n")


def test_routes_are_kept(run: Callable[..., Result], client: Client) -> None:
    pipeline_id, _ = make_pipeline(client)
    assert run("route", "order/*", pipeline_id).stdout == f"order/* goes to pipeline {pipeline_id}\n"
    assert "order/*" in run("routes").stdout
    run("unroute", "order/*")
    with pytest.raises(NotFoundError):
        run("unroute", "order/*")


def test_what_cannot_be_read_is_told(run: Callable[..., Result], tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match="cannot be read"):
        run("send", tmp_path / "none.jsonl")
    with pytest.raises(NotFoundError, match="there is no pipeline 'none'"):
        run("send", "--pipeline", "none", stdin=b"{}")
