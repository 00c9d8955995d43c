"""The guide to notifications: its commands run as they are printed, and its verifiers accept what is sent."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import WebhookVerificationError

from config_api.app import create_app
from sentinel.clock import utc_now
from sentinel.domain.channel import ChannelKind
from sentinel.domain.notification import NotificationKind
from sentinel.notify.channels.kinds import CHANNELS
from sentinel.notify.channels.webhook import WebhookChannel, WebhookOptions, payload
from sentinel.settings import PROJECT_ROOT, Settings
from sentinel.testing.channel_contract import LOCAL, kept, make_means, notification
from sentinel.testing.http import serve
from tests.docs.test_stripe_guide import decoded
from tests.support.receivers import Received, http_receiver
from tests.support.verifiers import CannotBeHadError, prepare_go, prepare_js, verify

GUIDE = (PROJECT_ROOT / "docs" / "notifications.md").read_text()
COMMANDS = dict(re.findall(r"^```sh (\w+)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL))
VERIFIERS = dict(re.findall(r"^```(\w+) verify\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL))
OLD, NEW = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="
WRONG = "whsec_AgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4fICE="


def test_every_kind_option_and_member_is_named() -> None:
    named = set(re.findall(r"`([\w.]+)`", GUIDE))
    assert {kind.value for kind in ChannelKind} <= named
    options = {name for channel in CHANNELS.values() for name in channel.options_type.model_fields}
    assert options - {"type", "mode"} <= named
    assert set(payload(notification())) | set(payload(notification())["details"]) <= named
    assert {kind.value for kind in NotificationKind} - {"acknowledged"} <= named


@pytest.mark.integration
@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not there")
def test_the_commands_run(settings: Settings, tenant: str) -> None:
    notify = settings.notify.model_copy(update={"allowed_networks": "127.0.0.0/8", "apprise": True})
    assert tuple(COMMANDS) == ("add", "test", "rotate", "kinds", "change")
    answers: dict[str, list[Any]] = {}
    with (
        http_receiver() as receiver,
        serve(create_app(settings.model_copy(update={"tenant": tenant, "notify": notify}))) as url,
    ):
        for name, text in COMMANDS.items():
            command = text.replace("localhost:8000", url).replace("http://127.0.0.1:9000", receiver.url)
            done = subprocess.run(["sh", "-ec", command], capture_output=True, text=True, check=True)
            answers[name] = decoded(done.stdout)
        secret, received = answers["add"][0]["new_secret"], receiver.received[0]
        assert python_receiver()(secret, received.headers, received.body)["alert_type"] == "test"
    told = re.search(r"^```json\n(.*?)```", GUIDE, re.MULTILINE | re.DOTALL)
    assert told is not None
    assert {**answers["test"][0], "duration_seconds": 0.004} == json.loads(told[1])
    assert len(answers["rotate"][0]["secrets"]) == 2
    assert [answer["kind"] for answer in answers["kinds"]] == [
        "slack",
        "slack",
        "email",
        "pagerduty",
        "teams",
        "apprise",
    ]
    changed, disabled, enabled, listed, audited = answers["change"]
    assert (changed["rate_per_minute"], disabled["status"], enabled["status"]) == (120, "disabled", "active")
    assert len(listed) == 7
    assert {entry["action"] for entry in audited} >= {"channel.add", "channel.test", "channel.disable"}


def python_receiver() -> Callable[..., Any]:
    """Return the guide's receiver in Python."""
    names: dict[str, Any] = {}
    exec(VERIFIERS["python"], names)  # noqa: S102 - a text of ours
    found: Callable[..., Any] = names["received"]
    return found


@pytest.fixture(scope="module")
def delivered() -> Received:
    """A delivery that was signed with two secrets, as it came."""
    with http_receiver() as receiver:
        channel = WebhookChannel(WebhookOptions(url=receiver.url), kept(NEW, OLD), make_means(LOCAL, now=utc_now()))
        channel.send(notification(text='Gr\u00f6\u00dfe \U0001f600 <script> \\ " \x00'))
        return receiver.received[0]


class TestVerifiers:
    """The guide's receivers take a delivery by each of its secrets, and nothing else."""

    def test_python(self, delivered: Received) -> None:
        received = python_receiver()
        for secret in (OLD, NEW):
            assert received(secret, delivered.headers, delivered.body)["alert_id"] == 2
        for secret, body in ((WRONG, delivered.body), (OLD, delivered.body + b" ")):
            with pytest.raises(WebhookVerificationError):
                received(secret, delivered.headers, body)

    @pytest.mark.parametrize(("language", "prepare"), [("js", prepare_js), ("go", prepare_go)])
    def test_other_languages(
        self, language: str, prepare: Callable[[Path, str], list[str]], delivered: Received, tmp_path: Path
    ) -> None:
        try:
            command = prepare(tmp_path, VERIFIERS[language])
        except CannotBeHadError as error:
            pytest.skip(str(error))
        headers = {name: value for name, value in delivered.headers.items() if name.startswith("webhook-")}
        for secret in (OLD, NEW):
            assert verify(command, tmp_path, secret=secret, headers=headers, body=delivered.body) == (True, "")
        for secret, body in ((WRONG, delivered.body), (OLD, delivered.body + b" ")):
            is_verified, said = verify(command, tmp_path, secret=secret, headers=headers, body=body)
            assert not is_verified
            assert "matching signature" in said
