"""What a lake table needs."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.domain.lake_care import (
    CarePolicy,
    DateFiles,
    TableShape,
    mergeable,
    plan_care,
    retention_properties,
    retry_after,
)

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
TODAY, YESTERDAY = date(2026, 1, 31), date(2026, 1, 30)
MIB = 1024 * 1024
POLICY = CarePolicy(min_files=10, target_bytes=128 * MIB, retention=timedelta(days=7), vacuum_every=timedelta(hours=24))
KEPT = retention_properties(POLICY.retention)


def shape(*dates: DateFiles, properties: dict[str, str] | None = None) -> TableShape:
    return TableShape(7, dates, KEPT if properties is None else properties)


def files(day: date, count: int, size: int = 1000, age: timedelta = timedelta(hours=3)) -> DateFiles:
    return DateFiles(day, (size,) * count, NOW - age)


class TestPlan:
    def test_a_date_that_is_not_over_is_merged_when_it_has_enough_files(self) -> None:
        assert plan_care(shape(files(TODAY, 9)), POLICY, NOW, NOW).is_empty
        (found,) = plan_care(shape(files(TODAY, 10)), POLICY, NOW, NOW).compactions
        assert (found.day, found.file_count, found.size_bytes) == (TODAY, 10, 10_000)

    def test_files_of_a_date_that_is_not_over_stay_smaller(self) -> None:
        plan = plan_care(shape(files(TODAY, 10), files(YESTERDAY, 2)), POLICY, NOW, NOW)
        assert [(each.day, each.target_bytes) for each in plan.compactions] == [
            (TODAY, 16 * MIB),
            (YESTERDAY, 128 * MIB),
        ]

    def test_a_date_that_is_over_is_merged_once_it_is_quiet(self) -> None:
        late = files(YESTERDAY, 3, age=timedelta(minutes=59))
        assert plan_care(shape(late), POLICY, NOW, NOW).is_empty
        (found,) = plan_care(shape(files(YESTERDAY, 3)), POLICY, NOW, NOW).compactions
        assert found.file_count == 3

    def test_late_events_without_end_do_not_keep_a_date_from_being_merged(self) -> None:
        late = files(YESTERDAY, 10, age=timedelta(0))
        assert [each.day for each in plan_care(shape(late), POLICY, NOW, NOW).compactions] == [YESTERDAY]

    def test_a_late_event_now_and_then_does_not_have_a_full_file_written_anew(self) -> None:
        def late(count: int) -> DateFiles:
            return DateFiles(YESTERDAY, (100 * MIB,) + (1000,) * count, NOW - timedelta(hours=3))

        assert plan_care(shape(late(6)), POLICY, NOW, NOW).is_empty
        (found,) = plan_care(shape(late(7)), POLICY, NOW, NOW).compactions
        assert found.file_count == 8

    def test_a_date_of_tomorrow_counts_as_one_that_is_not_over(self) -> None:
        assert plan_care(shape(files(date(2026, 2, 1), 9)), POLICY, NOW, NOW).is_empty

    def test_one_file_is_left_alone(self) -> None:
        assert plan_care(shape(files(YESTERDAY, 1)), POLICY, NOW, NOW).is_empty

    def test_a_table_without_files_needs_nothing(self) -> None:
        assert plan_care(shape(), POLICY, NOW, NOW).is_empty

    def test_properties_are_set_once(self) -> None:
        assert plan_care(shape(properties={}), POLICY, NOW, NOW).properties == {
            "delta.logRetentionDuration": "interval 168 hours",
            "delta.deletedFileRetentionDuration": "interval 168 hours",
        }
        assert plan_care(shape(), POLICY, NOW, NOW).properties == {}

    def test_a_vacuum_is_due_once_a_day(self) -> None:
        assert plan_care(shape(), POLICY, NOW, None).vacuum
        assert plan_care(shape(), POLICY, NOW, NOW - timedelta(hours=24)).vacuum
        assert not plan_care(shape(), POLICY, NOW, NOW - timedelta(hours=23)).vacuum


class TestMergeable:
    @pytest.mark.parametrize(
        ("sizes", "expected"),
        [
            ((), (0, 0)),
            ((5,), (0, 0)),
            ((5, 5), (2, 10)),
            ((100, 5), (0, 0)),
            ((60, 60), (0, 0)),
            ((60, 40, 60, 40), (4, 200)),
            ((60, 60, 30), (2, 90)),
            ((5, 500, 5), (2, 10)),
        ],
    )
    def test_files_are_packed_in_their_order(self, sizes: tuple[int, ...], expected: tuple[int, int]) -> None:
        assert mergeable(sizes, 100) == expected

    @given(st.lists(st.integers(1, 300)), st.integers(1, 200))
    def test_never_more_than_there_is_and_never_one_alone(self, sizes: list[int], target: int) -> None:
        count, total = mergeable(sizes, target)
        small = [size for size in sizes if size < target]
        assert count <= len(small)
        assert total <= sum(small)
        assert count != 1


def test_failures_are_tried_again_later_and_later() -> None:
    minutes = [retry_after(count) / timedelta(minutes=1) for count in (1, 2, 3, 7, 1000)]
    assert minutes == [1, 2, 4, 60, 60]
