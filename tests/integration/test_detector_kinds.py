"""Built-in detectors over stored events, each held against a calculation of its own."""

from __future__ import annotations

import collections
import json
import random
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from sentinel.domain.detector import MAX_SAMPLES
from sentinel.settings import Settings
from sentinel.stores.postgres.database import Database
from tests.support.detectors import NOON, DetectorBench

pytestmark = pytest.mark.integration

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
HALF = 30 * MINUTE


@pytest.fixture
def desk(settings: Settings, database: Database, tenant: str) -> DetectorBench:
    return DetectorBench(settings, database, tenant)


def refuse(desk: DetectorBench, source: int, slot: datetime, reason: str, count: int) -> None:
    """Count refused deliveries, as the inbox does."""
    desk.one(
        "INSERT INTO sentinel.webhook_attempt_slots (tenant_id, source_id, slot, reason, attempt_count) "
        "VALUES (%s, %s, %s, %s, %s) RETURNING slot",
        (desk.tenant, source, slot, reason, count),
    )


class TestFacts:
    def test_every_published_body_of_stripe_is_read_as_it_is(self, desk: DetectorBench, shared_data: Path) -> None:
        lines = (shared_data / "stripe_events" / "events.jsonl").read_text().splitlines()
        events = [json.loads(line)["event"] for line in lines]
        source = desk.source()
        for number, event in enumerate(events):
            body = {**event, "id": f"evt_{number}"}
            desk.event(source, str(event["type"]), NOON, received=NOON + MINUTE, raw=json.dumps(body).encode())
        while desk.work.read_events(desk.tenant):
            pass
        facts = desk.rows("SELECT * FROM sentinel.webhook_facts ORDER BY event_id")
        assert len(facts) == len(events) == 88
        assert desk.rows("SELECT 1 FROM sentinel.webhook_unread") == []
        for fact, event in zip(facts, events, strict=True):
            thing = event["data"]["object"]
            assert fact["event_type"] == event["type"]
            assert (fact["object_type"], fact["object_id"]) == (thing.get("object"), thing.get("id"))
            if event["type"].startswith(("charge.", "payment_intent.")) and "amount" in thing:
                assert (fact["amount"], fact["currency"]) == (thing["amount"], thing["currency"])
        kept = desk.work.read_events(desk.tenant), desk.rows("SELECT count(*) AS n FROM sentinel.webhook_facts")
        assert kept == (0, [{"n": 88}])


class TestWebhookIntegrity:
    def test_refused_deliveries_are_counted_per_source_and_window(self, desk: DetectorBench) -> None:
        live, test, quiet = desk.source("live"), desk.source("test"), desk.source("quiet", "github")
        detector = desk.detector("webhook_integrity", low=5, medium=10, high=20)
        refuse(desk, live, NOON - 15 * MINUTE, "bad_signature", 6)
        refuse(desk, live, NOON - 5 * MINUTE, "too_old", 5)
        refuse(desk, live, NOON, "bad_signature", 100)
        refuse(desk, test, NOON - 10 * MINUTE, "malformed_header", 5)
        refuse(desk, test, NOON - 10 * MINUTE, "disabled", 500)
        refuse(desk, quiet, NOON - 10 * MINUTE, "bad_signature", 4)
        desk.done(detector, NOON + 5 * MINUTE)
        found = {row["subject"]: row for row in desk.anomalies()}
        assert set(found) == {f"webhook_source:{live}", f"webhook_source:{test}"}
        first = found[f"webhook_source:{live}"]
        assert (first["values"]["value"], first["severity"]) == (11, "warning")
        assert first["values"]["counts"] == {"bad_signature": 6, "too_old": 5}
        assert (found[f"webhook_source:{test}"]["values"]["value"], first["entities"]) == (
            5,
            {"webhook_source": "live"},
        )

    def test_samples_are_those_of_the_window_and_few(self, desk: DetectorBench) -> None:
        source, detector = desk.source(), desk.detector("webhook_integrity")
        for second in range(40):
            for at in (NOON - 10 * MINUTE, NOON - 40 * MINUTE):
                desk.one(
                    "INSERT INTO sentinel.webhook_attempts (tenant_id, source_id, reason, received_at, caller_address, "
                    "body_bytes, body_hash) VALUES (%s, %s, 'bad_signature', %s, '', 0, '') RETURNING id",
                    (desk.tenant, source, at + timedelta(seconds=second)),
                )
        refuse(desk, source, NOON - 10 * MINUTE, "bad_signature", 40)
        desk.done(detector, NOON + 5 * MINUTE)
        (anomaly,) = desk.anomalies()
        inside = {
            str(row["id"])
            for row in desk.rows(
                "SELECT id FROM sentinel.webhook_attempts WHERE received_at >= %s", (NOON - 15 * MINUTE,)
            )
        }
        assert len(anomaly["values"]["sample_ids"]) == MAX_SAMPLES
        assert set(anomaly["values"]["sample_ids"]) <= inside


class TestPaymentFailureSpike:
    def test_it_is_what_an_independent_calculation_says(self, desk: DetectorBench) -> None:
        """Two weeks of random payments, of which some are told of by charge and intent, some twice."""
        chance = random.Random(7)
        live, test = desk.source("live"), desk.source("test")
        start = NOON - 9 * DAY
        told: dict[int, list[tuple[datetime, str, bool]]] = {live: [], test: []}
        for number in range(2_500):
            source = live if chance.random() < 0.8 else test
            at = start + timedelta(seconds=chance.randrange(int(9 * DAY / timedelta(seconds=1))))
            is_bad_time = at >= NOON - 3 * HOUR
            is_failed = chance.random() < (0.5 if is_bad_time else 0.08)
            if is_bad_time or chance.random() < 0.8:
                self._tell(desk, source, number, at, is_failed=is_failed, chance=chance)
                told[source].append((at, f"pi_{number}", is_failed))
        for extra in range(240):
            at = NOON - timedelta(seconds=chance.randrange(3 * 3600) + 1)
            is_failed = chance.random() < 0.4
            self._tell(desk, live, 10_000 + extra, at, is_failed=is_failed, chance=chance)
            told[live].append((at, f"pi_{10_000 + extra}", is_failed))
        detector = desk.detector("payment_failure_spike", min_payments=10, min_failed=3, late_hours=0)
        desk.done(detector, NOON - 3 * HOUR + 2 * MINUTE)
        desk.done(detector, NOON + 2 * MINUTE)
        expected = {
            (start, f"webhook_source:{source}"): outcome
            for source, payments in told.items()
            for start in (NOON - back * HALF for back in range(1, 7))
            if (outcome := self._expected(payments, start)) is not None
        }
        found = {
            (row["window_start"], row["subject"]): (
                *(row["values"][name] for name in ("level", "failed", "total", "baseline_failed", "baseline_total")),
            )
            for row in desk.anomalies()
            if row["window_start"] >= NOON - 3 * HOUR
        }
        assert len(expected) >= 4
        assert found == expected

    @staticmethod
    def _tell(
        desk: DetectorBench, source: int, number: int, at: datetime, *, is_failed: bool, chance: random.Random
    ) -> None:
        ending = "failed" if is_failed else "succeeded"
        intent = {"object": "payment_intent", "id": f"pi_{number}", "amount": 5, "currency": "eur"}
        charge = {"object": "charge", "id": f"ch_{number}", "payment_intent": f"pi_{number}", "amount": 5}
        which = chance.random()
        if which < 0.7:
            desk.event(source, f"payment_intent.{'payment_failed' if is_failed else 'succeeded'}", at, intent)
        if which > 0.4:
            desk.event(source, f"charge.{ending}", at, charge)
        if which > 0.95:
            desk.event(source, f"charge.{ending}", at, charge)

    @staticmethod
    def _expected(payments: list[tuple[datetime, str, bool]], start: datetime) -> tuple[Any, ...] | None:
        inside = [failed for at, _, failed in payments if start <= at < start + HALF]
        before = [failed for at, _, failed in payments if start - 7 * DAY <= at < start]
        if len(inside) < 10 or sum(inside) < 3:
            return None
        usual = Fraction(sum(before), len(before)) if len(before) >= 100 else Fraction(1, 10)
        ratio = Fraction(sum(inside), len(inside)) / max(usual, Fraction(2, 100))
        levels = [level for level, least in (("low", 2), ("medium", 3), ("high", 5)) if ratio >= least]
        return (levels[-1], sum(inside), len(inside), sum(before), len(before)) if levels else None

    def test_a_small_window_says_nothing(self, desk: DetectorBench) -> None:
        source, detector = desk.source(), desk.detector("payment_failure_spike")
        desk.payments(source, NOON - 25 * MINUTE, failed=19, succeeded=0)
        desk.payments(source, NOON - 55 * MINUTE, failed=4, succeeded=30)
        desk.done(detector, NOON + 5 * MINUTE)
        assert desk.anomalies() == []

    def test_evidence_says_everything(self, desk: DetectorBench) -> None:
        source, detector = desk.source(), desk.detector("payment_failure_spike", low=1.5)
        desk.payments(source, NOON - 3 * DAY, failed=10, succeeded=190)
        failed = desk.payments(source, NOON - 25 * MINUTE, failed=25, succeeded=25)
        desk.done(detector, NOON + 5 * MINUTE)
        (anomaly,) = desk.anomalies()
        values = anomaly["values"]
        assert values["window"] == {"start": "2026-03-02T11:30:00Z", "end": "2026-03-02T12:00:00Z"}
        assert (values["value"], values["baseline"], values["level"]) == (0.5, 0.05, "high")
        assert values["sample_ids"] == failed[:MAX_SAMPLES]
        assert (values["query_version"], values["parameters"]["low"], values["parameters"]["high"]) == (1, "1.5", "5")
        assert anomaly["transaction_data"] == {
            name: values[name] for name in ("detector", "subject", "level", "value", "baseline", "window")
        }
        assert anomaly["event_id"] == f"payment_failure_spike/2026-03-02T11:30:00Z/webhook_source:{source}"


class TestAmountSpike:
    def test_the_mean_is_exact_and_of_one_customer_and_currency(self, desk: DetectorBench) -> None:
        source = desk.source()
        detector = desk.detector("amount_spike", min_earlier=3)

        def pay(customer: str, currency: str, amount: int, at: datetime, kind: str = "charge") -> str:
            thing = {
                "object": kind,
                "amount": amount,
                "currency": currency,
                "customer": customer,
                "id": f"x{at}{amount}",
            }
            return desk.event(source, f"{kind}.succeeded", at, thing)

        for day in (1, 2, 29):
            # A mean of 333.33...: three times that is 1000, exactly at the threshold.
            pay("cus_exact", "eur", {1: 333, 2: 333, 29: 334}[day], NOON - day * DAY)
            pay("cus_below", "eur", {1: 333, 2: 334, 29: 334}[day], NOON - day * DAY)
            # Yen have no smaller unit: the same integers, and never one mean with euros.
            pay("cus_two", "jpy", 100, NOON - day * DAY)
            pay("cus_two", "EUR", 100_000, NOON - day * DAY)
        pay("cus_exact", "eur", 1_000_000, NOON - 31 * DAY)
        at = NOON - 20 * MINUTE
        exact = pay("cus_exact", "eur", 1000, at)
        pay("cus_below", "eur", 1000, at)
        largest = pay("cus_two", "jpy", 1_001, at)
        pay("cus_two", "eur", 200_000, at)
        pay("cus_new", "eur", 9_000_000, at)
        desk.done(detector, NOON + 5 * MINUTE)
        found = {row["subject"]: row["values"] for row in desk.anomalies()}
        assert set(found) == {"cus_exact/eur", "cus_two/jpy"}
        first, second = found["cus_exact/eur"], found["cus_two/jpy"]
        assert (first["level"], first["value"], first["baseline"], first["sample_ids"]) == (
            "low",
            1000,
            "333.33",
            [exact],
        )
        assert (second["level"], second["value"], second["sample_ids"]) == ("high", 1001, [largest])
        assert (second["earlier_sum"], second["earlier_count"], second["currency"]) == (300, 3, "jpy")

    def test_one_payment_told_of_twice_is_one(self, desk: DetectorBench) -> None:
        live, copy = desk.source("live"), desk.source("copy")
        detector = desk.detector("amount_spike", min_earlier=2)
        for number, at in enumerate((NOON - 2 * DAY, NOON - DAY, NOON - 20 * MINUTE)):
            amount = 5000 if number == 2 else 1000
            paid = {"amount": amount, "currency": "eur", "customer": "cus_1"}
            intent = {"object": "payment_intent", "id": f"pi_{number}", **paid}
            charge = {**intent, "object": "charge", "id": f"ch_{number}", "payment_intent": f"pi_{number}"}
            for source in (live, copy):
                desk.event(source, "payment_intent.succeeded", at, intent)
                desk.event(source, "charge.succeeded", at, charge)
        desk.done(detector, NOON + 5 * MINUTE)
        (anomaly,) = desk.anomalies()
        values = anomaly["values"]
        assert (values["earlier_count"], values["earlier_sum"], values["payment_count"]) == (2, 2000, 1)

    def test_sums_beyond_64_bits_are_exact(self, desk: DetectorBench) -> None:
        source, detector = desk.source(), desk.detector("amount_spike", min_earlier=5)
        most = 2**63 - 1
        for number in range(6):
            at = NOON - (number * DAY if number else 20 * MINUTE)
            desk.payments(source, at, failed=0, succeeded=1, amount=most if number else 1)
        thing = {"object": "charge", "id": "ch", "amount": most, "currency": "eur", "customer": "cus_1"}
        desk.event(source, "charge.succeeded", NOON - 10 * MINUTE, thing)
        desk.one(
            "UPDATE sentinel.detectors SET parameters = '{\"low\": 1.0000001}' WHERE id = %s RETURNING id", (detector,)
        )
        desk.done(detector, NOON + 5 * MINUTE)
        assert desk.anomalies() == []
        assert Decimal(5 * most) > 2**63


class TestSubscriptionChurnSpike:
    def test_it_is_held_against_the_mean_of_the_days_before(self, desk: DetectorBench) -> None:
        source = desk.source()
        detector = desk.detector("subscription_churn_spike")
        midnight = NOON.replace(hour=0)
        per_day = {1: 2, 2: 0, 3: 4, 4: 2}
        ended: collections.Counter[int] = collections.Counter()

        def end(at: datetime, name: str) -> None:
            desk.event(source, "customer.subscription.deleted", at, {"object": "subscription", "id": name})

        # The source's first event is four days and an hour before the window.
        desk.event(source, "customer.created", midnight - 5 * DAY - HOUR, {"object": "customer", "id": "c"})
        for day, count in per_day.items():
            for number in range(count):
                end(midnight - day * DAY - DAY + number * HOUR, f"sub_{day}_{number}")
                ended[day] += 1
        for number in range(6):
            end(midnight - DAY + number * HOUR, f"sub_new_{number}")
            end(midnight - DAY + number * HOUR, f"sub_new_{number}")
        desk.done(detector, midnight + 5 * MINUTE)
        (anomaly,) = desk.anomalies()
        values = anomaly["values"]
        assert (anomaly["window_start"], values["value"], values["level"]) == (midnight - DAY, 6, "medium")
        # Eight in five windows, the first of which had one hour of events.
        assert (values["baseline_count"], values["baseline_windows"], values["baseline"]) == (
            sum(ended.values()),
            5,
            1.6,
        )

    def test_without_a_history_a_mean_is_assumed(self, desk: DetectorBench) -> None:
        source, detector = desk.source(), desk.detector("subscription_churn_spike", assumed_mean=2)
        for number in range(10):
            thing = {"object": "subscription", "id": f"sub_{number}"}
            desk.event(source, "customer.subscription.deleted", NOON - 13 * HOUR, thing)
        desk.done(detector, NOON)
        (anomaly,) = desk.anomalies()
        assert (anomaly["values"]["level"], anomaly["values"]["baseline_is_assumed"]) == ("high", True)


class TestMissingHeartbeat:
    def beat(self, desk: DetectorBench, source: int, start: datetime, count: int) -> None:
        for number in range(count):
            desk.event(source, "ping", start + timedelta(seconds=number))

    def test_a_silence_is_told_once_where_something_was_to_be_expected(self, desk: DetectorBench) -> None:
        busy, quiet, off = desk.source("busy", "github"), desk.source("quiet", "github"), desk.source("off", "github")
        desk.one("UPDATE sentinel.webhook_sources SET status = 'disabled' WHERE id = %s RETURNING id", (off,))
        detector = desk.detector("missing_heartbeat", baseline_days=3)
        for day in (1, 2, 3):
            for window in range(1, 5):
                for source, count in ((busy, 12), (quiet, 3), (off, 12)):
                    self.beat(desk, source, NOON - day * DAY - window * HALF, count + day % 2)
        self.beat(desk, busy, NOON - 4 * HALF, 12)
        self.beat(desk, off, NOON - 4 * HALF, 12)
        desk.done(detector, NOON - 3 * HALF + 5 * MINUTE)
        desk.done(detector, NOON + 5 * MINUTE)
        (anomaly,) = desk.anomalies()
        assert (anomaly["window_start"], anomaly["subject"]) == (NOON - 3 * HALF, f"webhook_source:{busy}")
        assert (anomaly["values"]["value"], anomaly["values"]["baseline"], anomaly["severity"]) == (0, 13, "info")

    def test_a_silence_that_begins_at_night_is_told_in_the_morning(self, desk: DetectorBench) -> None:
        source, detector = desk.source("day", "github"), desk.detector("missing_heartbeat", baseline_days=3)
        for day in (1, 2, 3):
            self.beat(desk, source, NOON - day * DAY - HALF, 12)
        desk.done(detector, NOON - 2 * HOUR)
        desk.done(detector, NOON + 5 * MINUTE)
        assert [row["window_start"] for row in desk.anomalies()] == [NOON - HALF]

    def test_a_pipeline_is_heard_by_what_its_archive_takes(self, desk: DetectorBench) -> None:
        pipeline = desk.one(
            "INSERT INTO sentinel.pipelines (tenant_id, name, kafka_topic, schema_version) "
            "VALUES (%s, 'cards', 'cards', 1) RETURNING id",
            (desk.tenant,),
        )["id"]
        generation = desk.one(
            "INSERT INTO sentinel.generations (tenant_id, pipeline_id, mode, schema_version, rule_set_version, "
            "lease_epoch, reason, state) VALUES (%s, %s, 'realtime', 1, 0, 1, 'test', 'active') RETURNING id",
            (desk.tenant, pipeline),
        )["id"]
        times = [NOON - day * DAY - HALF + MINUTE for day in (1, 2, 3)] + [NOON - 2 * HALF + MINUTE]
        for number, at in enumerate(times):
            desk.one(
                "INSERT INTO sentinel.archive_commits (pipeline_id, tenant_id, seq, generation_id, ranges, state, "
                "event_count, dead_count, committed_at) VALUES (%s, %s, %s, %s, '{}', 'committed', 99, 1, %s) "
                "RETURNING seq",
                (pipeline, desk.tenant, number, generation, at),
            )
        detector = desk.detector("missing_heartbeat", baseline_days=3)
        desk.done(detector, NOON - HALF + 5 * MINUTE)
        desk.done(detector, NOON + 5 * MINUTE)
        (anomaly,) = desk.anomalies()
        assert (anomaly["subject"], anomaly["severity"]) == (f"pipeline:{pipeline}", "critical")
        assert anomaly["entities"] == {"pipeline": "cards"}
