"""What deliveries keep of notifications."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sentinel.domain.notification import NotificationKind, NotifiedAlert
from sentinel.domain.notification_content import content_of, notification_of, origins_of
from sentinel.domain.origin import Origin
from sentinel.domain.rule import Severity
from sentinel.testing.channel_contract import NOW, notification

TRACE = f"00-{'a1' * 16}-{'b2' * 8}-01"


def kept(*alerts: NotifiedAlert) -> dict[str, Any]:
    return content_of(
        kind=NotificationKind.FIRED,
        severity=Severity.CRITICAL,
        group_key="g",
        labels={},
        alerts=alerts,
        alert_count=len(alerts),
        created_at=NOW,
    )


def alerts(*origins: Origin) -> list[NotifiedAlert]:
    told = notification(alerts=len(origins)).alerts
    return [replace(alert, origin=origin) for alert, origin in zip(told, origins, strict=True)]


class TestOrigins:
    def test_they_come_back_with_their_alerts(self) -> None:
        told = alerts(Origin("a", TRACE), Origin(), Origin("b"))
        found = notification_of(kept(*told), delivery_id="dlv_1", tenant_id="t", thread=None)
        assert list(found.alerts) == told

    def test_the_newest_comes_first_and_each_once(self) -> None:
        content = kept(*alerts(Origin("a", TRACE), Origin("b"), Origin(), Origin("a", TRACE)))
        assert origins_of(content) == [Origin("a", TRACE), Origin("b")]

    def test_what_an_earlier_version_kept_has_none(self) -> None:
        content = kept(*alerts(Origin("a", TRACE)))
        del content["origins"]
        found = notification_of(content, delivery_id="dlv_1", tenant_id="t", thread=None)
        assert [alert.origin for alert in found.alerts] == [Origin()]
        assert origins_of(content) == origins_of({}) == []

    def test_an_earlier_version_finds_the_members_of_alerts_that_it_knows(self) -> None:
        assert "origin" not in kept(*alerts(Origin("a", TRACE)))["alerts"][0]
