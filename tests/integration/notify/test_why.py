"""Every outcome there is, once, as `why` tells it."""

from __future__ import annotations

from collections import Counter

import pytest

from sentinel.domain.notification import Notification
from sentinel.domain.notification_decision import Outcome
from sentinel.errors import NotFoundError
from sentinel.notify.channels.base import AttemptFailedError, Fate, Receipt
from tests.support.notifications import Desk, down, gone

pytestmark = pytest.mark.integration

POLICY = {
    "routes": [
        {"name": "grouped", "match": ['rule="grouped"'], "channels": ["slack"], "group_wait_seconds": 60},
        {"name": "dedup", "match": ['rule="dedup"'], "channels": ["hook"], "dedup_seconds": 600},
        {"name": "night", "match": ['rule="night"'], "channels": ["hook"], "quiet_hours": "night"},
        {"name": "limited", "match": ['rule="limited"'], "channels": ["limited"]},
        {"name": "flaky", "match": ['rule="flaky"'], "channels": ["flaky"]},
        {"name": "broken", "match": ['rule="broken"'], "channels": ["broken"]},
        {"name": "gone", "match": ['rule="gone"'], "channels": ["gone"]},
        {
            "name": "escalated",
            "match": ['rule="escalated"'],
            "channels": ["hook"],
            "escalation": "up",
            "repeat_interval_seconds": 900,
        },
        {"name": "nobody", "match": ['rule="nobody"'], "channels": []},
        {"name": "rest", "channels": ["hook"]},
    ],
    "inhibitions": [
        {
            "name": "outage",
            "source": ['rule="outage"'],
            "target": ['rule="symptom"'],
            "equal": ["entity.host"],
        }
    ],
    "quiet_hours": {"night": {"time_zone": "UTC", "windows": [{"begins": "11:00", "ends": "13:00"}]}},
    "escalations": {"up": [{"after_minutes": 10, "channels": ["pager"]}]},
}


class TestEveryOutcome:
    """One test drives each of them and finds exactly one decision for it."""

    def test_each_has_one_row(self, desk: Desk) -> None:
        for name in ("hook", "limited", "flaky", "broken", "gone"):
            desk.channel(name)
        desk.channel("slack", "slack")
        desk.channel("pager", "pagerduty")
        desk.receivers["limited"].rate_per_minute = 1
        desk.receivers["flaky"].answer = fails_once()
        desk.receivers["broken"].answer = refused
        desk.receivers["gone"].answer = gone
        desk.policy(**POLICY)
        rule = {
            name: desk.rule(name)
            for name in (
                *("plain", "grouped", "dedup", "night", "limited", "flaky", "broken", "gone", "escalated", "nobody"),
                *("outage", "symptom", "silent", "refilled"),
            )
        }
        rule["unknown"] = desk.rule("unknown", notify=["webhook:nowhere"])
        desk.silence('rule="silent"')
        plain = desk.alert(rule["plain"])
        grouped = desk.alert(rule["grouped"])
        same = [desk.alert(rule["dedup"], entities={"user_id": "u"}) for _ in range(2)]
        night = desk.alert(rule["night"])
        limited = desk.alerts(rule["limited"], 2)
        flaky, broken = desk.alert(rule["flaky"]), desk.alert(rule["broken"])
        left = desk.alert(rule["gone"])
        escalated = desk.alert(rule["escalated"])
        nobody, unknown = desk.alert(rule["nobody"]), desk.alert(rule["unknown"])
        symptom = desk.alert(rule["symptom"], entities={"host": "a"})
        other = desk.alert(rule["symptom"], entities={"host": "b"})
        desk.alert(rule["outage"], entities={"host": "a"})
        silent = desk.alert(rule["silent"])
        refilled = desk.alert(rule["refilled"], refill_id=7)
        desk.run()
        after = desk.alert(rule["gone"])
        desk.run()
        for _ in range(80):
            desk.clock.turn(minutes=1)
            desk.run()
        desk.take_up(escalated, "acknowledged")
        desk.take_up(plain, "resolved")
        desk.run()

        expected = {
            plain: {"routed": 1, "sent": 1, "resolved": 1},
            grouped: {"grouped": 1, "sent": 1},
            same[0]: {"routed": 1, "sent": 1},
            same[1]: {"deduplicated": 1},
            night: {"routed": 1, "deferred": 1, "sent": 1},
            limited[0]: {"routed": 1, "sent": 1},
            limited[1]: {"routed": 1, "rate_limited": 1, "sent": 1},
            flaky: {"routed": 1, "retried": 1, "sent": 1},
            broken: {"routed": 1, "dead_lettered": 1},
            left: {"routed": 1, "disabled": 1},
            after: {"disabled": 1},
            escalated: {
                **{"routed": 1, "escalated": 1, "acknowledged": 1},
                # At first, escalated after 10 minutes, repeated after 15, 30, 45, 60 and 75, the pager when it is over.
                **{"repeated": 5, "sent": 8},
            },
            nobody: {"unrouted": 1},
            unknown: {"unresolved": 1, "routed": 1, "sent": 1},
            symptom: {"routed": 1, "inhibited": 1},
            other: {"routed": 1, "sent": 1},
            silent: {"routed": 1, "silenced": 1},
            refilled: {"refilled": 1},
        }
        found = {alert_id: dict(Counter(desk.outcomes(alert_id))) for alert_id in expected}
        assert found == expected
        seen = {outcome for outcomes in found.values() for outcome in outcomes}
        left_out = {Outcome.REDRIVEN, Outcome.SUMMARIZED, Outcome.AMENDED, Outcome.REOPENED, Outcome.FAILED}
        assert seen == set(Outcome) - left_out
        said = {step.reason for alert_id in expected for step in desk.why(alert_id).steps}
        assert all(reason and len(reason) <= 600 for reason in said)

    def test_the_summary_is_a_sentence(self, desk: Desk) -> None:
        desk.channel("hook")
        desk.policy(defaults={"channels": ["hook"]})
        alert_id = desk.alert(desk.rule())
        assert desk.why(alert_id).summary.startswith("It waits to be decided")
        desk.route()
        assert desk.why(alert_id).summary == "On its way to hook."
        desk.receivers["hook"].answer = down
        desk.send()
        assert desk.why(alert_id).summary == "Failed so far, and is tried again (hook)."
        desk.receivers["hook"].answer = lambda _: Receipt(200)
        desk.clock.turn(seconds=6)
        desk.send()
        assert desk.why(alert_id).summary == "Sent to hook."

    def test_another_tenants_alert_is_unknown(self, desk: Desk) -> None:
        with pytest.raises(NotFoundError):
            desk.why(10**15)


def fails_once() -> object:
    """Return a receiver that is away at first."""
    failed: list[bool] = []

    def answer(notification: Notification) -> Receipt:
        if not failed:
            failed.append(True)
            return down(notification)
        return Receipt(200)

    return answer


def refused(_: Notification) -> Receipt:
    """A receiver that will never take it."""
    raise AttemptFailedError("invalid_payload", fate=Fate.DEAD, reason="invalid_payload", status=400)
