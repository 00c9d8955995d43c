"""docs/reliability-input.md: its commands are understood, and its tables say what is so."""

from __future__ import annotations

import re
import shlex

import pytest

from sentinel.settings import PROJECT_ROOT
from tests.fuzz import __main__ as campaign
from tests.fuzz.api import CHECKS, OFF
from tests.fuzz.report import BEGIN, END, told

GUIDE = (PROJECT_ROOT / "docs" / "reliability-input.md").read_text()
ARGUMENTS = re.findall(r'^make fuzz ARGS="([^"]*)"', GUIDE, re.MULTILINE)


@pytest.mark.parametrize("arguments", ARGUMENTS)
def test_a_command_is_understood(arguments: str) -> None:
    given = campaign.parser().parse_args(shlex.split(arguments))
    assert {part for part in given.only.split(",") if part} <= set(campaign.PARTS)


def test_there_are_some() -> None:
    assert len(ARGUMENTS) == 2


def test_every_part_and_every_check_that_is_off_is_named() -> None:
    for name in (*campaign.PARTS, *OFF):
        assert f"`{name}`" in GUIDE
    assert not set(CHECKS) & set(OFF)


def test_the_last_campaign_stands_between_its_marks() -> None:
    assert GUIDE.count(BEGIN) == GUIDE.count(END) == 1
    assert GUIDE.index(BEGIN) < GUIDE.index(END)


def test_a_result_is_told_in_words() -> None:
    found = {
        "seed": 3,
        "minutes": 2.0,
        "requests": {"requests": 1_200, "slowest_seconds": 0.5, "statuses": {"200": 1_000, "422": 200}},
        "openapi, key that may read": {
            "operations": 150, "requests": 10, "server_errors": 0, "slowest_seconds": 1.0, "statuses": {"403": 10},
        },
        "topic": {"records": 50, "sentinels": 1, "events": 30, "dead": 20},
        "judges": {"records": 9, "causes": {"event": 9}},
    }  # fmt: skip
    text = told(found)
    assert "| requests | 1,200 requests | 1,000 x 200, 200 x 422; slowest 0.5 s | 0 answers of class 5 |" in text
    assert "10 requests to 150 operations" in text
    assert "| topic | 50 records | 30 events, 20 dead letters, in each of both modes" in text
