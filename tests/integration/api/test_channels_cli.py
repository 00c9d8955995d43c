"""`sentinel channels`, and the typed client, against the API."""

from __future__ import annotations

import io
import sys
from datetime import timedelta

import pytest

from sentinel.cli.app import main
from sentinel.client import Client as ApiClient
from sentinel.errors import AddressNotAllowedError, ConflictError, InvalidError, NotFoundError

pytestmark = pytest.mark.integration

URL = "https://192.88.98.7/alerts"
TOKEN = "xoxb-123456789012-abcdefghijkl"


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str, typed: str = "") -> int:
    """Run the command and return its exit code."""
    monkeypatch.setattr(sys, "argv", ["sentinel", "channels", *arguments])
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@pytest.mark.usefixtures("cli_of_tenant")
class TestCommands:
    def test_the_life_of_a_channel(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], api: ApiClient
    ) -> None:
        assert run(monkeypatch, "add", "siem", "webhook", f"url={URL}", "--rate", "30") == 0
        secret = capsys.readouterr().out.strip()
        assert secret.startswith("whsec_")
        assert run(monkeypatch, "add", "ops", "slack", "mode=bot", "channel=#ops", "--secret", typed=f"{TOKEN}\n") == 0
        assert run(monkeypatch, "set", "ops", "channel=#other", "--rate", "0") == 0
        assert api.get_channel("ops").options["channel"] == "#other"
        assert run(monkeypatch, "rotate", "siem", "--overlap-hours", "1") == 0
        assert run(monkeypatch, "disable", "siem", "--reason", "too loud") == 0
        capsys.readouterr()
        assert run(monkeypatch, "list") == 0
        told = capsys.readouterr().out
        assert "disabled: too loud" in told
        assert "channel=#other" in told
        assert run(monkeypatch, "show", "siem") == 0
        told = capsys.readouterr().out
        assert f"secret ...{secret[-4:]}" in told
        assert secret not in told
        assert run(monkeypatch, "enable", "siem") == 0
        assert run(monkeypatch, "remove", "siem") == 0
        assert [channel.name for channel in api.list_channels()] == ["ops"]

    def test_mail_has_lists_and_numbers(self, monkeypatch: pytest.MonkeyPatch, api: ApiClient) -> None:
        options = [
            "host=192.88.98.8",
            "port=465",
            "security=tls",
            "sender=a@b.example",
            "recipients=c@d.example, e@f.example",
        ]
        assert run(monkeypatch, "add", "mail", "email", *options) == 0
        found = api.get_channel("mail").options
        assert (found["port"], found["recipients"]) == (465, ["c@d.example", "e@f.example"])

    def test_a_test_that_fails_is_an_exit_code(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], api: ApiClient
    ) -> None:
        api.create_channel("siem", "webhook", {"url": "https://nowhere.invalid/"})
        assert run(monkeypatch, "test", "siem") == 1
        told = capsys.readouterr()
        assert "siem: failed" in told.out
        assert "unresolved (retry): nowhere.invalid" in told.err

    @pytest.mark.parametrize(
        ("arguments", "complaint"),
        [
            (["add", "siem", "webhook", "nothing"], "'nothing' is not option=value"),
            (["add", "ops", "slack", "--secret"], "no secret came by standard input"),
            (["show", "other"], "there is no channel 'other'"),
        ],
    )
    def test_what_can_not_be_done_says_why(
        self,
        arguments: list[str],
        complaint: str,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        assert run(monkeypatch, *arguments) == 1
        assert complaint in capsys.readouterr().err


def test_the_typed_client_does_all_of_it(api: ApiClient) -> None:
    made = api.create_channel("siem", "webhook", {"url": URL}, rate_per_minute=5)
    assert made.new_secret is not None
    changed = api.change_channel("siem", if_version=made.version, rate_per_minute=None)
    assert changed.rate_per_minute is None
    assert len(api.rotate_channel_secret("siem", overlap=timedelta(hours=1)).secrets) == 2
    assert api.disable_channel("siem", reason="x").disabled_reason == "x"
    assert api.enable_channel("siem").status == "active"
    assert api.get_channel("siem").new_secret is None
    with pytest.raises(ConflictError):
        api.create_channel("siem", "webhook", {"url": URL})
    with pytest.raises(AddressNotAllowedError):
        api.change_channel("siem", options={"url": "https://127.0.0.1/"})
    with pytest.raises(InvalidError):
        api.create_channel("pd", "pagerduty")
    api.delete_channel("siem")
    with pytest.raises(NotFoundError):
        api.test_channel("siem")
