"""A short run of the fuzz of the topic, always with the same records; `make fuzz` runs it for long."""

from __future__ import annotations

import pytest

from tests.fuzz.topic import TopicFuzz
from tests.support.detection import Workbench

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]


def test_every_record_is_an_event_or_a_dead_letter_in_both_modes(bench: Workbench) -> None:
    outcome = TopicFuzz(bench, seed=5).run(iter([2_500] * 2))
    assert outcome.records == outcome.events + outcome.dead == 5_000
    assert outcome.sentinels == 100
    # It is not one kind that is sent over and over.
    assert outcome.events > 1_000
    assert len(outcome.causes) >= 10
