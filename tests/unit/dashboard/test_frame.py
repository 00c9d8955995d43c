"""What surrounds the pages: sign-in, tenant, times, and the parts that all of them use."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import session
from dashboard.components import links, times
from dashboard.components.text import compact, line, plain
from sentinel.settings import PROJECT_ROOT
from tests.unit.dashboard.conftest import ME, StubApi, open_page, problem, ran, texts, widget


def app() -> AppTest:
    return ran(AppTest.from_file(str(PROJECT_ROOT / "dashboard" / "app.py"), default_timeout=60).run())


@pytest.fixture
def api(stub: StubApi) -> StubApi:
    stub.answers["GET /api/pipelines"] = []
    return stub


class TestSignIn:
    def test_a_closed_api_is_asked_with_a_key(self, api: StubApi) -> None:
        api.is_closed = True
        page = app()
        assert not page.title
        widget(page, "text_input", "API key").set_value(" snt_right ")
        ran(widget(page, "button", "Sign in").click().run())
        assert page.title[0].value == "Overview"
        assert "Tenant: acme" in texts(page)

    def test_the_key_stays_out_of_the_address_and_of_what_is_shown(self, api: StubApi) -> None:
        api.is_closed = True
        page = app()
        widget(page, "text_input", "API key").set_value("snt_right")
        ran(widget(page, "button", "Sign in").click().run())
        assert "snt_right" not in str(page.query_params)
        assert "snt_right" not in texts(page)
        assert widget_values(page) == []

    @pytest.mark.parametrize("key", ["snt_wrong", "secret", "", "snt_a\nX-Evil: 1", "snt_ключ", "snt_" + "a" * 5000])
    def test_what_is_no_key_is_refused_in_words(self, api: StubApi, key: str) -> None:
        api.is_closed = True
        page = app()
        widget(page, "text_input", "API key").set_value(key)
        ran(widget(page, "button", "Sign in").click().run())
        assert page.error
        assert not page.title

    def test_a_key_that_may_not_read_is_refused(self, api: StubApi) -> None:
        api.is_closed = True
        api.refused["GET /api/me"] = problem(403, "forbidden", "this needs the scope 'read'")
        page = app()
        widget(page, "text_input", "API key").set_value("snt_right")
        ran(widget(page, "button", "Sign in").click().run())
        assert "may not do this" in page.error[0].value

    def test_signing_out_forgets_the_key(self, api: StubApi) -> None:
        api.is_closed = True
        page = app()
        widget(page, "text_input", "API key").set_value("snt_right")
        ran(widget(page, "button", "Sign in").click().run())
        ran(widget(page, "button", "Sign out").click().run())
        assert not page.title
        assert widget(page, "text_input", "API key").value == ""

    def test_a_key_that_was_revoked_meanwhile_is_asked_for_again(self, api: StubApi) -> None:
        page = open_page("overview")
        api.is_closed = True
        ran(page.run())
        assert widget(page, "text_input", "API key")

    def test_an_open_api_asks_for_nothing(self, api: StubApi) -> None:
        api.answers["GET /api/me"] = {**ME, "open": True, "name": "open"}
        page = app()
        assert page.title[0].value == "Overview"
        assert "Key:" not in texts(page)
        assert any("written down as “open”" in each.value for each in page.sidebar.caption)


class TestOtherMachines:
    @pytest.mark.parametrize(
        ("address", "others"),
        [(None, True), ("::", True), ("192.168.1.5", True), ("dash.example", True), ("127.0.0.1", False),
         ("::1", False), ("localhost", False)],
    )  # fmt: skip
    def test_who_reaches_it(self, monkeypatch: pytest.MonkeyPatch, address: str | None, others: bool) -> None:
        monkeypatch.setattr("streamlit.get_option", lambda _: address)
        assert session._is_reached_by_others() is others

    def test_they_are_asked_for_a_key_also_where_the_api_is_open(
        self, api: StubApi, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("dashboard.session._is_reached_by_others", lambda: True)
        page = app()
        assert not page.title
        assert api.requests == []
        widget(page, "text_input", "API key").set_value("snt_right")
        ran(widget(page, "button", "Sign in").click().run())
        assert page.title[0].value == "Overview"

    def test_a_key_in_the_settings_lets_everybody_in(self, api: StubApi, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("dashboard.session._is_reached_by_others", lambda: True)
        shared = api.client("snt_right")
        monkeypatch.setattr("dashboard.session._shared_client", lambda: (shared, True))
        assert app().title[0].value == "Overview"


class TestFrame:
    def test_a_key_that_only_looks_is_said_to(self, looking: StubApi) -> None:
        looking.answers["GET /api/pipelines"] = []
        assert any("only looks" in each.value for each in app().caption)

    def test_while_the_api_is_away_the_page_says_so(self, api: StubApi) -> None:
        api.is_down = True
        page = app()
        assert "does not answer" in page.error[0].value
        assert any("does not answer" in each.value for each in page.sidebar.caption)

    def test_who_visits_is_not_asked_at_every_step(self, api: StubApi) -> None:
        page = app()
        ran(page.run())
        assert len(api.asked("/api/me")) == 1


class TestText:
    def test_marks_that_nobody_sees_are_spelled_out(self) -> None:
        assert plain("a\u202eb\u200f\x00\x1b[1m\tc\nd") == "a\\u202eb\\u200f\\u0000\\u001b[1m\tc\nd"

    def test_emoji_and_scripts_stay(self) -> None:
        family = "\U0001f468\u200d\U0001f469\u200d\U0001f467 שלום"
        assert plain(family) == family

    def test_a_long_word_is_cut_with_its_length(self) -> None:
        assert plain("x" * 10_000, 3) == "xxx… (10,000 characters)"

    def test_one_line(self) -> None:
        assert line("a\n\n b\t c") == "a b c"
        assert line(None) == plain(None) == ""

    def test_json_in_one_line_keeps_digits(self) -> None:
        assert compact({"a": 2**70, "b": "é"}) == f'{{"a": {2**70}, "b": "é"}}'


class TestTimes:
    NOW = datetime(2026, 1, 31, 8, tzinfo=UTC)

    def test_in_the_zone_of_the_browser(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("streamlit.session_state", {times.CHOSEN: times.LOCAL_TIMES})
        monkeypatch.setattr("streamlit.context", SimpleNamespace(timezone="Europe/Vienna"))
        assert times.absolute(self.NOW) == "2026-01-31 09:00:00 CET"
        assert times.zone_name() == "Europe/Vienna"

    @pytest.mark.parametrize("name", [None, "", "../../etc/passwd", "Nowhere/Town", "\x00", "x" * 5000])
    def test_a_zone_that_there_is_not_is_utc(self, monkeypatch: pytest.MonkeyPatch, name: str | None) -> None:
        monkeypatch.setattr("streamlit.session_state", {times.CHOSEN: times.LOCAL_TIMES})
        monkeypatch.setattr("streamlit.context", SimpleNamespace(timezone=name))
        assert times.zone_name() == "UTC"

    @pytest.mark.parametrize(
        ("gap", "words"),
        [
            (timedelta(seconds=5), "2026-01-31 07:59:55 UTC (5 s ago)"),
            (-timedelta(hours=2), "2026-01-31 10:00:00 UTC (in 2 h)"),
        ],
    )
    def test_absolute_and_relative(self, gap: timedelta, words: str) -> None:
        assert times.said(self.NOW - gap, self.NOW) == words
        assert times.said(None, self.NOW) == "never"


class TestLinks:
    @pytest.mark.parametrize("text", ["0", "-1", "1.0", "٣", "9" * 5000, "9223372036854775808", " 1"])
    def test_what_is_no_id(self, text: str) -> None:
        with pytest.raises(ValueError, match=re.escape(text[:5])):
            links.number(text)

    def test_ids(self) -> None:
        assert links.number("9223372036854775807") == 2**63 - 1


def widget_values(page: AppTest) -> list[str]:
    return [each.value for each in page.text_input if each.value]
