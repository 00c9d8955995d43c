"""The guide to the dashboard: its pages are those of the menu, and its links show what they say."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlsplit

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.components.alerts import export as alert_export
from sentinel.settings import PROJECT_ROOT
from tests.unit.dashboard import list_data, page_data, rule_data
from tests.unit.dashboard.alert_data import alert, answer_alerts
from tests.unit.dashboard.conftest import StubApi, open_page, stub
from tests.unit.dashboard.test_dead_letters import counts, letters
from tests.unit.dashboard.test_detectors import filled as with_detectors
from tests.unit.dashboard.test_lake import filled as with_lake
from tests.unit.dashboard.test_pipelines import filled as with_pipelines
from tests.unit.dashboard.test_system import filled as with_system

__all__ = ["stub"]

GUIDE = (PROJECT_ROOT / "docs" / "dashboard.md").read_text()
LINKS = re.findall(r"^\| `(/\w+\?[^`]+)` \|", GUIDE, re.MULTILINE)
PAGES = re.findall(r"^\| ([\w ]+) \| `/(\w*)` \|", GUIDE, re.MULTILINE)


@pytest.fixture
def api(stub: StubApi) -> StubApi:
    answer_alerts(stub, [alert(3)])
    page_data.fill(stub)
    with_system(stub)
    with_pipelines(stub)
    rule_data.fill(stub)
    stub.answers["GET /api/rules/11/rollout"] = {**rule_data.ROLLOUT, "guard_rail": None}
    list_data.fill(stub)
    with_detectors(stub)
    with_lake(stub)
    stub.answers["GET /api/pipelines/7/dead-letters"] = letters
    stub.answers["GET /api/pipelines/7/dead-letters/counts"] = counts()
    return stub


def test_the_pages_are_those_of_the_menu() -> None:
    source = (PROJECT_ROOT / "dashboard" / "navigation.py").read_text()
    menu = re.findall(r'"(\w+)\.py", title="([\w ]+)"', source)
    assert [(title, "" if view == "overview" else view) for view, title in menu] == PAGES


def test_the_size_of_the_file_is_the_one_that_holds() -> None:
    assert f"the newest {alert_export.MAX_ROWS:,} alerts" in GUIDE


@pytest.mark.parametrize("link", LINKS)
def test_a_link_shows_something_and_leaves_nothing_out(api: StubApi, link: str) -> None:
    address = urlsplit(link)
    wanted = dict(parse_qsl(address.query))
    page: AppTest = open_page(address.path.removeprefix("/"), **wanted)
    assert not page.error
    assert not page.warning
    assert wanted.items() <= dict(page.query_params).items()
