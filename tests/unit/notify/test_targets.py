"""Targets as rules name them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from sentinel.domain.channel import ChannelKind, ChannelStatus, NotificationChannel
from sentinel.notify.reach.targets import Resolved, Unresolved, resolve_target

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MAIL = {"host": "smtp.example.com", "sender": "s@example.com"}


def channel(name: str, kind: str, status: str = "active", **options: Any) -> NotificationChannel:
    return NotificationChannel(
        id=hash(name) % 1000,
        name=name,
        kind=ChannelKind(kind),
        options=options,
        status=ChannelStatus(status),
        disabled_reason="",
        rate_per_minute=None,
        version=1,
        created_by="",
        created_at=NOW,
        updated_at=NOW,
    )


BOT = channel("ops", "slack", mode="bot", channel="#ops")
HOOK = channel("sales", "slack", mode="webhook", channel="#sales")
SIEM = channel("siem", "webhook", url="https://example.com")
EMAIL = channel("mail", "email", **MAIL, recipients=["ops@example.com"], allowed_domains=["team.example"])
PAGER = channel("oncall", "pagerduty")
ALL = [BOT, HOOK, SIEM, EMAIL, PAGER, channel("room", "teams"), channel("tg", "apprise")]


def found(text: str, channels: list[NotificationChannel]) -> tuple[str, str | None]:
    """Return name and override of the channel that is meant, or the reason why there is none."""
    result = resolve_target(text, channels)
    return (result.channel.name, result.override) if isinstance(result, Resolved) else (result.reason, "unresolved")


class TestByName:
    @pytest.mark.parametrize(
        ("text", "name"),
        [
            ("webhook:siem", "siem"),
            ("slack:sales", "sales"),
            ("email:mail", "mail"),
            ("pagerduty:oncall", "oncall"),
            ("teams:room", "room"),
            ("apprise:tg", "tg"),
            (" Webhook : siem ", "siem"),
        ],
    )
    def test_kind_and_name(self, text: str, name: str) -> None:
        assert found(text, ALL) == (name, None)

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("slack:siem", "write webhook:siem"),
            ("webhook:other", "there is no channel 'other' of kind webhook"),
            ("slack:big-orders", "written with #"),
            ("pigeon:x", "kinds are slack, webhook"),
            ("siem", "before a colon"),
            ("", "before a colon"),
            ("webhook:", "not the name of a channel"),
            ("pagerduty:#x", "not the name of a channel"),
            ("webhook:" + "x" * 500, "not the name of a channel"),
        ],
    )
    def test_what_means_none_says_why(self, text: str, reason: str) -> None:
        result = resolve_target(text, ALL)
        assert isinstance(result, Unresolved)
        assert reason in result.reason
        assert len(result.reason) < 400

    def test_a_disabled_one_is_still_the_one_that_is_meant(self) -> None:
        assert found("webhook:siem", [channel("siem", "webhook", "disabled")]) == ("siem", None)


class TestSlack:
    def test_the_only_bot_posts_to_any_channel_of_slack(self) -> None:
        assert found("slack:#big-orders", ALL) == ("ops", "#big-orders")

    def test_what_is_set_up_for_a_channel_is_taken_for_it(self) -> None:
        assert found("slack:#sales", ALL) == ("sales", None)
        assert found("slack:#ops", ALL) == ("ops", None)

    def test_an_incoming_webhook_goes_nowhere_else(self) -> None:
        assert "mode bot" in found("slack:#other", [HOOK])[0]
        assert "add one of mode bot" in found("slack:#other", [])[0]

    def test_of_several_bots_the_one_named_slack_is_meant(self) -> None:
        other = channel("other", "slack", mode="bot", channel="#x")
        assert "several" in found("slack:#y", [BOT, other])[0]
        named = channel("slack", "slack", mode="bot", channel="#z")
        assert found("slack:#y", [BOT, named]) == ("slack", "#y")

    def test_a_disabled_bot_does_not_make_it_doubtful(self) -> None:
        assert found("slack:#y", [BOT, channel("old", "slack", "disabled", mode="bot", channel="#x")]) == ("ops", "#y")
        assert found("slack:#x", [channel("a", "slack", "disabled", channel="#x"),
                                  channel("b", "slack", channel="#x")]) == ("b", None)  # fmt: skip

    def test_what_is_no_channel_of_slack_is_said(self) -> None:
        assert "neither" in found("slack:#a b", ALL)[0]


class TestEmail:
    def test_a_listed_recipient_or_one_in_an_allowed_domain(self) -> None:
        assert found("email:ops@example.com", ALL) == ("mail", "ops@example.com")
        assert found("email:anyone@Team.Example", ALL) == ("mail", "anyone@Team.Example")

    def test_nobody_else(self) -> None:
        assert "allowed_domains" in found("email:boss@example.com", ALL)[0]
        assert "allowed_domains" in found("email:x@sub.team.example", ALL)[0]
        assert "neither" in found("email:a@b\r\nBcc: c@d", ALL)[0]
        assert "add one" in found("email:a@b.example", [BOT])[0]

    def test_of_several_the_one_named_email_is_meant(self) -> None:
        other = channel("other", "email", **MAIL, recipients=["ops@example.com"])
        assert "several" in found("email:ops@example.com", [EMAIL, other])[0]
        named = channel("email", "email", **MAIL, recipients=["ops@example.com"])
        assert found("email:ops@example.com", [EMAIL, named]) == ("email", "ops@example.com")
