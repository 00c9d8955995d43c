"""The loop of the worker that runs detectors, on real PostgreSQL."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from sentinel.batch.detectors import DETECTORS, builtins
from sentinel.batch.loop import DetectorLoop
from sentinel.settings import Settings
from sentinel.stores.postgres.database import Database
from sentinel.stores.postgres.migrate import ensure_tenant
from tests.integration.test_detector_runs import Unexpected
from tests.support.detectors import NOON, DetectorBench

pytestmark = pytest.mark.integration

MINUTE = timedelta(minutes=1)


@pytest.fixture
def desk(settings: Settings, database: Database, tenant: str) -> DetectorBench:
    return DetectorBench(settings, database, tenant)


class TestLoop:
    def test_every_tenant_has_the_builtins_and_a_source_of_stripe_switches_them_on(self, desk: DetectorBench) -> None:
        desk.now = NOON
        loop = loop_of(desk, desk.runner, builtins())
        loop.pass_once(threading.Event())
        names = {row["name"]: row["mode"] for row in desk.rows("SELECT name, mode FROM sentinel.detectors")}
        assert names == {
            "amount_spike": "off",
            "missing_heartbeat": "off",
            "payment_failure_spike": "auto",
            "subscription_churn_spike": "auto",
            "webhook_integrity": "auto",
        }
        assert desk.rows("SELECT 1 FROM sentinel.detector_runs") == []
        desk.source("sales", "github")
        desk.now = NOON + 5 * MINUTE
        loop.pass_once(threading.Event())
        assert ran(desk) == {"webhook_integrity": 1}
        desk.source()
        desk.now = NOON + 10 * MINUTE
        loop.pass_once(threading.Event())
        assert ran(desk) == {"webhook_integrity": 2, "payment_failure_spike": 1, "subscription_churn_spike": 1}
        assert loop.pass_once(threading.Event()) == 0

    def test_a_tenant_whose_detectors_are_slow_lets_the_others_have_their_turn(self, desk: DetectorBench) -> None:
        for number in range(5):
            desk.detector("payment_failure_spike", f"n{number}")
        clock = itertools.count(0, 20)
        loop = loop_of(desk, desk.runner, [], monotonic=lambda: float(next(clock)))
        assert loop.pass_once(threading.Event()) == 1
        assert loop.pass_once(threading.Event()) == 1
        assert sum(ran(desk).values()) == 2

    def test_a_tenant_of_today_gets_them_too(self, desk: DetectorBench, settings: Settings) -> None:
        loop = loop_of(desk, desk.runner, builtins())
        loop.pass_once(threading.Event())
        later = f"{desk.tenant}-b"
        ensure_tenant(settings.postgres, later, "later")
        loop.pass_once(threading.Event())
        with desk.database.transaction(later) as connection:
            assert len(connection.execute("SELECT 1 FROM sentinel.detectors").fetchall()) == 5

    def test_one_detector_does_not_hurt_the_others(self, desk: DetectorBench) -> None:
        source = desk.source()
        desk.payments(source, NOON - 25 * MINUTE, failed=15, succeeded=15)
        for name, kind in (("a_broken", "unexpected"), ("b_good", "payment_failure_spike"), ("c_gone", "no_such_kind")):
            desk.detector(kind, name)
        desk.now = NOON + 5 * MINUTE
        runner = desk.runner_with({**DETECTORS, "unexpected": Unexpected()})
        loop = loop_of(desk, runner, [])
        assert loop.pass_once(threading.Event()) >= 3
        states = desk.rows(
            "SELECT d.name, r.state, r.fired_count FROM sentinel.detector_runs r "
            "JOIN sentinel.detectors d ON d.id = r.detector_id ORDER BY d.name"
        )
        assert [(row["name"], row["state"], row["fired_count"]) for row in states] == [
            ("a_broken", "failed", 0),
            ("b_good", "done", 1),
            ("c_gone", "failed", 0),
        ]

    def test_a_tenant_that_fails_does_not_keep_the_others_from_their_turn(self, desk: DetectorBench) -> None:
        source, detector = desk.source(), desk.detector("payment_failure_spike")
        desk.payments(source, NOON - 25 * MINUTE, failed=15, succeeded=15)
        desk.now = NOON + 5 * MINUTE
        loop = DetectorLoop(
            WithBrokenTenant(desk),
            desk.runner,
            builtins(),
            now=lambda: desk.now,
            monotonic=time.monotonic,
            poll_seconds=1,
        )
        assert loop.pass_once(threading.Event()) >= 1
        assert len(desk.anomalies()) == 1
        assert detector

    def test_a_time_zone_that_is_gone_does_not_stop_a_detector(self, desk: DetectorBench) -> None:
        detector = desk.detector("amount_spike")
        desk.one(
            'UPDATE sentinel.detectors SET schedule = \'{"cron": "0 6 * * *", "time_zone": "Old/Zone"}\' RETURNING id'
        )
        desk.done(detector, NOON)
        assert desk.one("SELECT next_run_at FROM sentinel.detectors")["next_run_at"] == NOON + 60 * MINUTE

    def test_it_ends_when_it_is_asked_to(self, desk: DetectorBench) -> None:
        stopping = threading.Event()
        thread = threading.Thread(target=loop_of(desk, desk.runner, []).run, args=(stopping,))
        thread.start()
        stopping.set()
        thread.join(20)
        assert not thread.is_alive()


def loop_of(
    desk: DetectorBench, runner: Any, wanted: Sequence[Any], *, monotonic: Any = time.monotonic
) -> DetectorLoop:
    """Return a loop that sees the tenant of the test only, and its present."""
    return DetectorLoop(OneTenant(desk), runner, wanted, now=lambda: desk.now, monotonic=monotonic, poll_seconds=0.05)


class OneTenant:
    """The work of one tenant: the database is shared with other tests, whose present is another."""

    def __init__(self, desk: DetectorBench) -> None:
        self._desk = desk

    def __getattr__(self, name: str) -> Any:
        return getattr(self._desk.work, name)

    def tenants(self) -> Sequence[str]:
        found = self._desk.work.tenants()
        assert self._desk.tenant in found
        return [tenant for tenant in found if tenant.startswith(self._desk.tenant)]

    def unread_tenants(self) -> Sequence[str]:
        return [tenant for tenant in self._desk.work.unread_tenants() if tenant == self._desk.tenant]

    def due(self, now: datetime) -> Sequence[tuple[str, int]]:
        return [place for place in self._desk.work.due(now) if place[0] == self._desk.tenant]


class WithBrokenTenant(OneTenant):
    """Besides, a tenant of which everything fails: it is deleted while the loop looks at it."""

    def tenants(self) -> Sequence[str]:
        return ["gone", *super().tenants()]

    def unread_tenants(self) -> Sequence[str]:
        return ["gone", *super().unread_tenants()]

    def read_events(self, tenant_id: str) -> int:
        if tenant_id == "gone":
            raise ValueError("secret")
        return self._desk.work.read_events(tenant_id)

    def due(self, now: datetime) -> Sequence[tuple[str, int]]:
        return [("gone", 2**62), *super().due(now)]


def ran(desk: DetectorBench) -> Mapping[str, int]:
    """Return detector -> number of its runs."""
    rows = desk.rows(
        "SELECT d.name, count(*) AS n FROM sentinel.detector_runs r JOIN sentinel.detectors d ON d.id = r.detector_id "
        "GROUP BY d.name"
    )
    return {row["name"]: row["n"] for row in rows}
