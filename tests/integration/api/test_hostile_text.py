"""Everything that a tenant may write, hostile at once, through the real API: shown as text, exported safely."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from sentinel.client import Client as ApiClient
from sentinel.clock import utc_now
from sentinel.domain.api_key import Scope
from sentinel.settings import PROJECT_ROOT
from sentinel.stores.postgres.database import Database
from tests.integration.api.conftest import FIELDS
from tests.integration.api.findings import Findings
from tests.unit.dashboard.conftest import HOSTILE, interpreted, open_page, ran, widget

pytestmark = pytest.mark.integration

# In whatever is hostile, so that wherever it is read as more than text it is found; no page says it by itself.
MARK = "h0stile"
SCHEMA: list[dict[str, Any]] = json.loads(json.dumps(FIELDS))
LONG = "w" * 10_000
# A name may hold nothing that cannot be printed, so no mark that turns the direction.
PRINTABLE = f"{HOSTILE.replace(chr(0x202E), '')}"[:110] + MARK
TEXT = f"{HOSTILE} {MARK} </code></pre><img src=x onerror=alert(1)> :material/home: $$x$$ ```\n# h1\n``` \u2067\u200f"
EVENTS: dict[str, Any] = {
    f"=cmd|' /C calc'!A0 {MARK}": {"note": TEXT, TEXT[:60]: None, "amount": 900},
    f"<script>{MARK}</script>": {"note": LONG, "list": [None, {"=1+1": "@x"}], "amount": 1e300},
    f"{LONG}{MARK}": {"note": None, "emoji": "\U0001f468\u200d\U0001f469\u200d\U0001f467", "amount": -0.0},
    f"\t+1;=2 {MARK}": [TEXT, None, f"a;=1;{MARK}"],
    f"**{MARK}**[x](javascript:alert(1))": TEXT,
}
VIEWS = sorted(path.stem for path in (PROJECT_ROOT / "dashboard" / "views").glob("*.py") if path.stem != "__init__")


@dataclass(frozen=True)
class World:
    """A tenant who means harm."""

    pipeline_id: int
    rule_id: int
    alert_ids: tuple[int, ...]
    letter_ids: tuple[int, ...]


@pytest.fixture
def visited(monkeypatch: pytest.MonkeyPatch, base_url: str, key_of: Callable[..., str], tenant: str) -> None:
    """Pages act with a key of the tenant."""
    visitor = ApiClient(base_url, api_key=key_of(tenant, Scope.WRITE))
    monkeypatch.setattr("dashboard.session._shared_client", lambda: (visitor, True))


@pytest.fixture
def world(visited: None, api: ApiClient, database: Database, tenant: str) -> World:
    """Has everything hostile."""
    pipeline_id = api.create_pipeline(PRINTABLE, "cards", SCHEMA)
    rule = api.add_rule(pipeline_id, f"country = '{TEXT.replace(chr(39), '')[:60]}{MARK}'", "critical", TEXT)
    api.create_list(
        "users", [{"name": "user_id", "type": "string"}, {"name": "note", "type": "string"}], "user_id",
        description=TEXT, rows=[{"user_id": TEXT, "note": LONG}, {"user_id": "=1", "note": None}],
    )  # fmt: skip
    findings = Findings(database, tenant)
    known = {"id": rule.id, "pipeline_id": pipeline_id, "rule_version_id": rule_version(api, rule.id)}
    entities = {"user_id": TEXT, "card": LONG}
    at = utc_now() - timedelta(minutes=len(EVENTS))
    ids = tuple(
        findings.alert(
            {**known, "severity": "critical"}, event_id, json.dumps(event), at=at + timedelta(minutes=place),
            entities=entities,
        )
        for place, (event_id, event) in enumerate(EVENTS.items())
    )  # fmt: skip
    findings.anomaly(TEXT, at=at)
    for alert_id in ids:
        api.add_alert_note(alert_id, f"{TEXT}{LONG}"[:5000])
        api.change_alert(alert_id, assignee=PRINTABLE)
    findings.dead_letter(pipeline_id, 7, "not_json", f"{TEXT}{LONG}".encode())
    findings.dead_letter(pipeline_id, 8, "not_json", b"\x00\xff\xfe<script>")
    api.create_channel("siem", "webhook", {"url": f"https://example.com/<script>{MARK}</script>**b**"})
    api.disable_channel("siem", reason=TEXT)
    api.add_silence([f'entity.user_id="{MARK} <script>"'], datetime.now(UTC) + timedelta(hours=1), TEXT[:500])
    api.replace_notification_policy({"defaults": {"channels": ["siem"]}}, comment=TEXT[:500])
    return World(pipeline_id, rule.id, ids, tuple(each.id for each in api.dead_letters(pipeline_id)))


def rule_version(api: ApiClient, rule_id: int) -> int:
    """Return the id of a rule's only version."""
    (version,) = api.list_rule_versions(rule_id)
    found: int = version.rule_version_id
    return found


def addresses(world: World) -> list[tuple[str, dict[str, str]]]:
    """Return every page as it opens, and every part that shows what somebody wrote."""
    here = {"pipeline": str(world.pipeline_id), "rule": str(world.rule_id)}
    alerts = [
        {"alert": str(alert_id), "show": show}
        for alert_id in world.alert_ids
        for show in ("event", "same", "told", "past")
    ]
    return [
        *[(view, {}) for view in VIEWS],
        *[(view, here) for view in VIEWS],
        *[("alerts", each) for each in alerts],
        *[("rules", {**here, "show": show}) for show in ("versions", "explain")],
        *[("notifications", {"show": show}) for show in ("channels", "policy", "silences")],
        *[("dead_letters", {**here, "letter": str(letter_id)}) for letter_id in world.letter_ids],
    ]


def raw_markup(page: AppTest) -> str:
    """Return all that a browser is given as Markdown or HTML."""
    kinds = ("markdown", "html", "iframe", "link_button", "download_button", "badge", "caption")
    said = [str(each.proto) for kind in kinds for each in page.get(kind)]
    return "\n".join([interpreted(page), *said])


class TestPages:
    def test_every_page_is_intact_and_reads_none_of_it_as_more_than_text(self, world: World) -> None:
        shown = set()
        for view, address in addresses(world):
            page = open_page(view, **address)
            assert not page.error, (view, address, [each.value for each in page.error])
            markup = raw_markup(page)
            for mark in (MARK, "<script", "onerror", "javascript:", "\u202e", "\u2067", "wwwwwwwwww"):
                assert mark not in markup, (view, address, mark)
            texts = [each.value for kind in ("text", "code") for each in getattr(page, kind)]
            cells = [frame.value.to_csv() for frame in page.dataframe]
            plain = "\n".join([*texts, *cells])
            assert not {"\u202e", "\u2067", "\u200f"} & set(plain), (view, address)
            if MARK in plain:
                shown.add(view)
        # It is there to be seen, so its absence above says something.
        assert {"alerts", "overview", "rules", "dead_letters"} <= shown

    def test_a_snooze_of_hostile_labels_is_shown_as_text_and_refused_or_made_in_words(self, world: World) -> None:
        page = open_page("alerts", alert=str(world.alert_ids[0]))
        ran(widget(page, "toggle", "Snooze…").set_value(True).run())
        ran(widget(page, "button", "Snooze them").click().run())
        assert MARK not in raw_markup(page)
        ran(widget(page, "toggle", "Snooze…").set_value(True).run())
        ran(widget(page, "selectbox", "Alerts that are").set_value("all of the same rule or detector").run())
        ran(widget(page, "button", "Snooze them").click().run())
        assert not page.error

    def test_searching_for_it_finds_it_and_nothing_else(self, world: World) -> None:
        page = open_page("alerts", text="onerror=alert(1)")
        found = next(each.value for each in page.dataframe if "assignee" in each.value)
        assert 0 < len(found) < len(EVENTS)
        assert MARK not in raw_markup(page)


class TestFile:
    def test_every_cell_reads_back_and_none_is_computed(self, world: World) -> None:
        page = open_page("alerts", rule=str(world.rule_id), pipeline=str(world.pipeline_id))
        ran(widget(page, "button", "Make a CSV file").click().run())
        _, count, content = page.session_state["export-ready"]
        rows = list(csv.DictReader(io.StringIO(content.decode(), newline="")))
        assert (count, len(rows)) == (len(EVENTS), len(EVENTS))
        assert all(None not in row and None not in row.values() for row in rows)
        for row in rows:
            for cell in row.values():
                assert not cell.startswith(("\t", "\r", "\n"))
                # Where a spreadsheet splits at semicolons, a cell begins behind each of them, quoted or not.
                cells = (cell.lstrip(), *(part.lstrip(' \t\r\n"') for part in cell.split(";")[1:]))
                assert not any(each.startswith(tuple("=+-@＝＋－＠")) for each in cells), cell[:80]
        assert {row["event_id"].removeprefix("'").replace(";'", ";") for row in rows} == set(EVENTS)
        stored = {row["event_id"]: json.loads(row["transaction_data"].removeprefix("'")) for row in rows}
        assert stored[f"'=cmd|' /C calc'!A0 {MARK}"]["amount"] == 900
        assert LONG in next(row["transaction_data"] for row in rows if row["event_id"].startswith("<script>"))
