"""Channels of kind apprise."""

from __future__ import annotations

import json

import pytest

from sentinel.errors import InvalidError
from sentinel.notify.channels import apprise
from sentinel.notify.channels.apprise import AppriseChannel, AppriseOptions, unusable
from sentinel.notify.channels.base import Fate
from sentinel.notify.channels.configured import Means
from sentinel.testing.channel_contract import LOCAL, failure_of, kept, make_means, notification
from tests.support.receivers import http_receiver

# The library uses modules that Python 3.13 no longer has.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

ALLOWED = LOCAL.model_copy(update={"apprise": True})
OPTIONS = AppriseOptions()
URL = "tgram://123456789:AAF1x2y3z4AAF1x2y3z4AAF1x2y3z4AAF1/987654321/"


@pytest.fixture
def local_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take Apprise's `json://host`, which tenants may not name, so that there is a receiver to send to."""
    pytest.importorskip("apprise")
    monkeypatch.setattr(apprise, "SCHEMAS", apprise.SCHEMAS | {"json"})


@pytest.mark.usefixtures("local_schema")
class TestSend:
    """The contract of channels but for what Apprise does by itself: it says neither status nor reason."""

    def open(self, port: int, means: Means | None = None) -> AppriseChannel:
        return AppriseChannel(OPTIONS, kept(f"json://127.0.0.1:{port}/secretpath"), means or make_means(ALLOWED))

    def test_what_is_taken_gives_a_receipt_and_has_an_equal_body(self) -> None:
        with http_receiver() as receiver:
            for _ in range(2):
                self.open(receiver.port).send(notification())
            first, second = (json.loads(received.body) for received in receiver.received)
        assert first == second
        assert (first["title"], first["type"]) == ("[critical] Large payment (+1 more)", "failure")

    def test_what_is_not_taken_is_tried_again_without_a_secret_in_the_error(self) -> None:
        with http_receiver() as receiver:
            receiver.answers = [(503, {}, b"secretpath")]
            failure = failure_of(self.open(receiver.port), notification())
        assert (failure.fate, failure.reason, "secretpath" in str(failure)) == (Fate.RETRY, "apprise", False)
        assert failure_of(self.open(receiver.port), notification()).fate is Fate.RETRY

    def test_without_the_setting_nothing_is_sent(self) -> None:
        with http_receiver() as receiver:
            failure = failure_of(self.open(receiver.port, make_means(LOCAL)), notification())
            assert (failure.fate, "SENTINEL_NOTIFY__APPRISE=true" in failure.message) == (Fate.DEAD, True)
            assert receiver.received == []

    def test_a_url_that_was_taken_once_and_is_not_any_more_is_not_used(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(apprise, "SCHEMAS", frozenset())
        assert failure_of(self.open(1), notification()).fate is Fate.DEAD


class TestSecret:
    @pytest.mark.parametrize(
        "url", [URL, "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js?format=text", "pover://u@t"]
    )
    def test_services_with_hosts_of_their_own_are_taken(self, url: str) -> None:
        assert AppriseChannel.secret_problem(OPTIONS, url) is None

    @pytest.mark.parametrize(
        "url",
        ["file:///etc/passwd", "dbus://", "exec://x/y/z/w", "syslog://localhost", "json://127.0.0.1/x", "mailto://a:b@c.d",
         "gnome://x", "mqtt://127.0.0.1", "ntfy://127.0.0.1/x", "lametric://key@10.0.0.1", "nothing", "",
         f"{URL}?verify=no", f"{URL}?redirect=yes", f"{URL}?template=/etc/passwd", f"{URL}?a=1&Template=x",
         f"{URL}, file:///tmp/x", f"{URL};file:///tmp/x", f"{URL}\nfile:///x"],
    )  # fmt: skip
    def test_what_may_reach_this_machine_or_its_network_is_not(self, url: str) -> None:
        problem = AppriseChannel.secret_problem(OPTIONS, url)
        assert problem
        assert "AAF1x2y3z4" not in problem

    def test_every_schema_is_one_of_the_library(self) -> None:
        plugins = pytest.importorskip("apprise.manager_plugins").NotificationManager()
        plugins.load_modules()
        assert set(plugins.schemas()) >= apprise.SCHEMAS


def test_the_library_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apprise, "find_spec", lambda _: None)
    assert "pip install 'sentinel-detect[apprise]'" in str(unusable(ALLOWED))


def test_it_has_one_target() -> None:
    with pytest.raises(InvalidError, match="one target"):
        AppriseChannel(OPTIONS, kept(URL), make_means(ALLOWED)).with_target("x")
