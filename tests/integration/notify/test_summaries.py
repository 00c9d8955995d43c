"""Summaries of a day."""

from __future__ import annotations

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest

from sentinel.catalog.audit import Auditor
from sentinel.catalog.notification_policies import NotificationPolicyCatalog
from sentinel.domain.daily_time import next_time
from sentinel.domain.notification_policy import NotificationPolicy
from sentinel.stores.postgres.audit import PostgresAudit
from sentinel.stores.postgres.notifications.policies import PostgresPolicies
from tests.support.notifications import Desk

VIENNA = ZoneInfo("Europe/Vienna")
MORNING = {"channels": ["mail"], "at": "08:00", "time_zone": "Europe/Vienna"}


def put(desk: Desk, **document: object) -> None:
    """Put a policy in force as the API does."""
    with desk.database.transaction(desk.tenant) as connection:
        catalog = NotificationPolicyCatalog(
            PostgresPolicies(connection), Auditor(PostgresAudit(connection), "test"), caller="test", now=desk.clock
        )
        catalog.replace(NotificationPolicy.model_validate(document), comment="", expected_version=None)


@pytest.mark.integration
class TestSummaries:
    """Told once a day."""

    def test_a_day_is_counted_from_the_last_one_on(self, desk: Desk) -> None:
        mail = desk.channel("mail", "email")
        put(desk, summaries={"morning": MORNING})
        large, small = desk.rule("large"), desk.rule("small")
        desk.alerts(large, 30)
        desk.alerts(small, 2, severity="critical")
        desk.run()
        assert mail.got == []
        desk.clock.now = datetime(2026, 11, 24, 6, 59, 59, tzinfo=UTC)
        desk.run()
        assert mail.got == []
        desk.clock.turn(seconds=1)
        desk.run()
        (told,) = mail.got
        assert (told.kind.value, told.alert_count, told.severity.value, len(told.alerts)) == (
            *("summary", 32, "critical"),
            20,
        )
        assert told.labels == {
            "since": "2026-11-23T12:00+00:00",
            "until": "2026-11-24T07:00+00:00",
            **{"critical": "2", "warning": "30", "info": "0"},
            "most of": "large 30, small 2",
        }
        desk.clock.turn(days=1)
        desk.run()
        assert (mail.got[1].alert_count, mail.got[1].labels["since"]) == (0, "2026-11-24T07:00+00:00")

    def test_a_worker_that_was_away_tells_once_of_all(self, desk: Desk) -> None:
        mail = desk.channel("mail", "email")
        put(desk, summaries={"morning": MORNING})
        desk.clock.turn(days=3)
        desk.run()
        desk.run()
        assert len(mail.got) == 1

    def test_one_that_is_taken_out_of_the_policy_is_told_no_more(self, desk: Desk) -> None:
        mail = desk.channel("mail", "email")
        put(desk, summaries={"morning": MORNING})
        put(desk, defaults={"channels": ["mail"]})
        desk.clock.turn(days=3)
        desk.run()
        assert mail.got == []


class TestTimes:
    """When the next one is due."""

    @pytest.mark.parametrize(
        ("after", "expected"),
        [
            # An ordinary day, before and after; the moment itself does not count.
            ("2026-01-15T06:00:00", "2026-01-15T07:00:00"),
            ("2026-01-15T07:00:00", "2026-01-16T07:00:00"),
            # The clock goes forward on 29 March, back on 25 October.
            ("2026-03-28T12:00:00", "2026-03-29T06:00:00"),
            ("2026-10-24T12:00:00", "2026-10-25T07:00:00"),
        ],
    )
    def test_it_is_the_wall_clocks_time(self, after: str, expected: str) -> None:
        found = next_time(datetime.fromisoformat(after).replace(tzinfo=UTC), VIENNA, time(8), range(7))
        assert found.replace(tzinfo=None).isoformat() == expected

    def test_a_time_that_is_skipped_is_told_an_hour_later_and_one_that_comes_twice_once(self) -> None:
        skipped = next_time(datetime(2026, 3, 28, 12, tzinfo=UTC), VIENNA, time(2, 30), range(7))
        assert skipped == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
        twice = next_time(datetime(2026, 10, 24, 12, tzinfo=UTC), VIENNA, time(2, 30), range(7))
        assert twice == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
        assert next_time(twice, VIENNA, time(2, 30), range(7)) == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)

    def test_only_on_the_days_that_are_named(self) -> None:
        friday = datetime(2026, 11, 27, 12, tzinfo=UTC)
        assert next_time(friday, VIENNA, time(8), {0}) == datetime(2026, 11, 30, 7, tzinfo=UTC)
