"""The list of kinds."""

from __future__ import annotations

import pytest

from sentinel.domain.channel import ChannelKind
from sentinel.domain.notification import NotificationKind
from sentinel.notify.channels.configured import Redactor
from sentinel.notify.channels.kinds import CHANNELS, tells


def test_every_kind_is_there_and_names_itself() -> None:
    assert set(CHANNELS) == set(ChannelKind)
    for kind, channel in CHANNELS.items():
        assert channel.kind is kind
        assert channel.options_type.model_fields["type"].default == kind.value


@pytest.mark.parametrize("kind", list(ChannelKind))
def test_who_tells_what(kind: ChannelKind) -> None:
    assert tells(kind, NotificationKind.FIRED)
    assert tells(kind, NotificationKind.TEST)
    assert tells(kind, NotificationKind.ACKNOWLEDGED) is (kind is ChannelKind.PAGERDUTY)
    assert tells(kind, NotificationKind.RESOLVED) is (kind is not ChannelKind.APPRISE)
    assert tells(kind, NotificationKind.SUMMARY) is (kind is not ChannelKind.PAGERDUTY)


class TestRedactor:
    def test_a_url_is_taken_out_whole_and_in_parts(self) -> None:
        redactor = Redactor(["https://hooks.example/services/T0001/secretpart?sig=a%2Fb%2Fcdefgh&v=1"])
        for told in ("secretpart", "a/b/cdefgh", "a%2Fb%2Fcdefgh", "/services/T0001/secretpart"):
            assert redactor.clean(f"no {told}!").startswith("no ***")

    def test_a_short_secret_is_one_too(self) -> None:
        assert Redactor(["abc"]).clean("no user with abc") == "no user with ***"

    def test_a_text_becomes_one_short_printable_line(self) -> None:
        cleaned = Redactor([]).clean("a\r\nb\x1b[31m\x00\u202ec\ud800" + "x" * 1000)
        assert cleaned.isprintable()
        assert len(cleaned) <= 300
