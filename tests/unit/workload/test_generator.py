"""Generated card transactions: the same again for a seed, of the promised shape, fraud told apart."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from itertools import islice
from statistics import median

import orjson
import pytest

from sentinel.errors import InvalidError
from sentinel.workload.fraud import FraudPattern
from sentinel.workload.generator import BLOCK, CardTransactions, Transaction, label_line

START = datetime(2026, 3, 1, 10, tzinfo=UTC)


@pytest.fixture(scope="module")
def many() -> list[Transaction]:
    return list(islice(CardTransactions(11, start=START, rate=1_000), 60_000))


class TestSeed:
    def test_the_same_seed_gives_the_same_events_and_labels(self) -> None:
        first, second = (list(islice(CardTransactions(5, start=START), 2_000)) for _ in range(2))
        assert first == second

    def test_another_seed_gives_other_events(self) -> None:
        first, second = (next(iter(CardTransactions(seed, start=START))) for seed in (5, 6))
        assert first.event["transaction_id"] != second.event["transaction_id"]
        assert first.event["user_id"] != second.event["user_id"] or first.event["amount"] != second.event["amount"]

    def test_a_block_alone_is_the_same_as_in_the_stream(self) -> None:
        whole = list(islice(CardTransactions(5, start=START), 3 * BLOCK))
        assert CardTransactions(5, start=START).block(2) == whole[2 * BLOCK :]

    def test_another_start_gives_other_ids_for_the_same_purchases(self) -> None:
        first = next(iter(CardTransactions(5, start=START))).event
        later = next(iter(CardTransactions(5, start=START + timedelta(minutes=1)))).event
        assert first["transaction_id"] != later["transaction_id"]
        assert first["user_id"] == later["user_id"]

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ({"seed": -1}, "seed -1"),
            ({"rate": 0.0}, "rate 0.0"),
            ({"customers": 0}, "0 customers"),
            ({"start": datetime(2026, 1, 1)}, "no time zone"),  # noqa: DTZ001 - the refusal is what is tested
        ],
    )
    def test_a_number_out_of_range_is_refused(self, arguments: dict[str, object], words: str) -> None:
        with pytest.raises(InvalidError, match=words):
            CardTransactions(**arguments)  # type: ignore[arg-type]


class TestEvents:
    def test_ids_are_unique(self, many: list[Transaction]) -> None:
        assert len({item.event["transaction_id"] for item in many}) == len(many)

    def test_event_times_are_the_timetable(self, many: list[Transaction]) -> None:
        times = [datetime.fromisoformat(item.event["event_time"]) for item in many[:1_001]]
        assert times[0] == START
        assert times[1] - times[0] == timedelta(milliseconds=1)
        assert times[1_000] == START + timedelta(seconds=1)

    def test_an_event_has_about_330_bytes(self, many: list[Transaction]) -> None:
        sizes = [len(orjson.dumps(item.event)) for item in many[:5_000]]
        assert 310 <= sum(sizes) / len(sizes) <= 350

    def test_customers_keep_to_habits(self, many: list[Transaction]) -> None:
        visited: dict[str, Counter[str]] = defaultdict(Counter)
        for item in many:
            if item.label is None:
                visited[item.event["user_id"]][item.event["merchant_id"]] += 1
        regulars = [merchants for merchants in visited.values() if merchants.total() >= 30]
        assert regulars
        shares = [sum(n for _, n in merchants.most_common(10)) / merchants.total() for merchants in regulars]
        assert min(shares) > 0.6

    def test_more_people_pay_by_day_than_by_night(self) -> None:
        spread = CardTransactions(3, start=START, rate=1_000 / 3_600)  # 1000 an hour
        by_user: dict[int, set[str]] = defaultdict(set)
        for item in islice(spread, 24_000):
            by_user[datetime.fromisoformat(item.event["event_time"]).hour].add(item.event["user_id"])
        assert len(by_user[13]) > 1.5 * len(by_user[3])


class TestFraud:
    def test_the_event_does_not_tell(self, many: list[Transaction]) -> None:
        keys = {tuple(item.event) for item in many}
        assert len(keys) == 1
        assert not {"label", "fraud", "is_fraud", "pattern"} & set(next(iter(keys)))

    def test_all_three_patterns_appear_and_are_rare(self, many: list[Transaction]) -> None:
        found = Counter(item.label for item in many)
        assert all(found[pattern] >= 20 for pattern in FraudPattern), found
        assert 0.003 < 1 - found[None] / len(many) < 0.03

    def test_a_large_amount_is_far_above_the_honest_ones(self, many: list[Transaction]) -> None:
        honest = [item.event["amount"] for item in many if item.label is None]
        large = [item.event["amount"] for item in many if item.label is FraudPattern.LARGE_AMOUNT]
        assert min(large) > 250
        assert median(large) > 20 * median(honest)

    def test_a_compromised_merchant_is_one_merchant_for_a_stretch(self, many: list[Transaction]) -> None:
        places = [
            (at, item.event["merchant_id"])
            for at, item in enumerate(many)
            if item.label is FraudPattern.COMPROMISED_MERCHANT
        ]
        by_merchant: dict[str, list[int]] = defaultdict(list)
        for at, merchant in places:
            by_merchant[merchant].append(at)
        assert len(by_merchant) == 3  # one campaign each 20,000 events
        assert all(max(found) - min(found) < 6_000 for found in by_merchant.values())

    def test_a_taken_over_card_pays_from_abroad_on_another_device(self, many: list[Transaction]) -> None:
        own: dict[str, str] = {}
        for item in many:
            if item.label is None:
                own.setdefault(item.event["card_id"], item.event["device_id"])
        stolen = [item.event for item in many if item.label is FraudPattern.CARD_TAKEOVER]
        assert stolen
        assert all(event["device_id"] != own.get(event["card_id"]) for event in stolen)
        assert {event["channel"] for event in stolen} == {"online"}

    def test_a_label_line_names_the_transaction_and_the_pattern(self) -> None:
        line = label_line(Transaction({"transaction_id": "t1"}, FraudPattern.CARD_TAKEOVER))
        assert line == b'{"transaction_id":"t1","pattern":"card_takeover"}\n'
