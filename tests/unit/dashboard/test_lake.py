"""The page of the lake: tables, a query, its answer as table, chart and file."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import httpx
import pytest
from streamlit.testing.v1 import AppTest

from sentinel.client.lake import LakeAnswer
from sentinel.client.lake_csv import write_answer
from tests.unit.dashboard.conftest import (
    HOSTILE,
    NOW,
    StubApi,
    is_clean,
    labels,
    open_page,
    problem,
    ran,
    texts,
    widget,
)

SQL = "SELECT * FROM events_7"
COLUMNS = [
    {"name": "country", "type": "VARCHAR"},
    {"name": HOSTILE, "type": "DECIMAL(10,2)"},
    {"name": "country", "type": "BIGINT"},
    {"name": "at", "type": "TIMESTAMP WITH TIME ZONE"},
    {"name": "tags", "type": "VARCHAR[]"},
]
ROWS = [
    [HOSTILE, "-1.10", 2**60, "2026-01-31T08:00:00.123Z", ["=1+1", None]],
    [None, "2.50", 3, None, []],
]


def table(number: int = 7, **more: Any) -> dict[str, Any]:
    return {
        "pipeline_id": number, "pipeline_name": HOSTILE, "names": [f"events_{number}", "cards"],
        "columns": [{"name": "amount", "type": "DOUBLE"}, {"name": "tags", "type": "VARCHAR[]"}], "archived_at": NOW,
        **more,
    }  # fmt: skip


def answer(**more: Any) -> dict[str, Any]:
    return {"columns": COLUMNS, "rows": ROWS, "truncated": None, "seconds": 0.25, **more}


def care(number: int = 7, **more: Any) -> dict[str, Any]:
    return {
        "pipeline_id": number, "looked_at": NOW, "next_at": NOW, "vacuumed_at": None, "failure_count": 0,
        "file_count": 1_240, "size_bytes": 34_500_000, "is_running": False, "runs": [], **more,
    }  # fmt: skip


def care_run(**more: Any) -> dict[str, Any]:
    return {
        "id": 1, "cause": "schedule", "requested_by": "", "state": "done", "started_at": NOW, "finished_at": NOW,
        "files_before": 1_360, "files_after": 1_240, "bytes_before": 5, "bytes_after": 4, "merged_files": 121,
        "written_files": 1, "deleted_files": 0, "is_complete": True, "error": None, **more,
    }  # fmt: skip


def filled(stub: StubApi) -> StubApi:
    stub.answers |= {
        "GET /api/lake/tables": [table(), table(8, archived_at=None)],
        "POST /api/lake/query": answer(),
        "GET /api/pipelines/7/lake/care": care(),
        "GET /api/pipelines/9/lake/care": care(9),
    }
    return stub


@pytest.fixture
def api(stub: StubApi) -> StubApi:
    return filled(stub)


def run(page: AppTest, sql: str = SQL) -> AppTest:
    widget(page, "text_area", "SQL").set_value(sql)
    return ran(widget(page, "button", "Run").click().run())


def captions(page: AppTest) -> str:
    return "\n".join(each.value for each in page.caption)


class TestTables:
    def test_a_table_with_its_columns(self, api: StubApi) -> None:
        page = open_page("lake")
        assert list(page.dataframe[0].value["column"]) == ["amount", "tags"]
        assert list(page.dataframe[0].value["type"]) == ["DOUBLE", "VARCHAR[]"]
        assert "also called cards" in texts(page)
        assert is_clean(page)

    def test_one_that_is_empty_says_so(self, api: StubApi) -> None:
        page = open_page("lake")
        ran(widget(page, "selectbox", "Table").set_value(8).run())
        assert "Nothing is in it yet" in captions(page)

    def test_a_query_of_it_is_put_into_the_box(self, api: StubApi) -> None:
        page = open_page("lake")
        ran(widget(page, "button", "Query this table").click().run())
        assert widget(page, "text_area", "SQL").value.startswith("SELECT * FROM events_7\nWHERE date")
        assert api.writes() == []

    def test_further_tables(self, api: StubApi) -> None:
        link = {"Link": '</api/lake/tables?limit=50&after=8>; rel="next"'}
        pages = {"0": httpx.Response(200, json=[table()], headers=link), "8": httpx.Response(200, json=[table(9)])}
        api.answers["GET /api/lake/tables"] = lambda request: pages[request.url.params["after"]]
        page = open_page("lake")
        ran(widget(page, "button", "Further tables").click().run())
        assert widget(page, "selectbox", "Table").value == 9
        ran(widget(page, "button", "Former tables").click().run())
        assert widget(page, "selectbox", "Table").value == 7

    def test_how_many_files_there_are_and_what_care_made_of_them(self, api: StubApi) -> None:
        api.answers["GET /api/pipelines/7/lake/care"] = care(runs=[care_run()])
        assert "1,240 files, 34.5 MB; the last care merged 121 files into 1" in captions(open_page("lake"))

    def test_care_that_fails_is_a_warning_with_its_reason_as_text(self, api: StubApi) -> None:
        failed = care_run(state="failed", error=f"its store is away {HOSTILE}")
        api.answers["GET /api/pipelines/7/lake/care"] = care(failure_count=3, runs=[failed])
        page = open_page("lake")
        assert "failed 3 times in a row" in page.warning[0].value
        assert "its store is away" in texts(page)
        assert is_clean(page)

    def test_a_table_that_nobody_looked_at_says_nothing_of_it(self, api: StubApi) -> None:
        api.answers["GET /api/pipelines/7/lake/care"] = care(looked_at=None, file_count=None, size_bytes=None)
        assert "files" not in captions(open_page("lake"))

    def test_a_pipeline_that_is_gone_meanwhile_is_no_problem(self, api: StubApi) -> None:
        api.refused["GET /api/pipelines/7/lake/care"] = problem(404, "not-found", "no pipeline 7")
        page = open_page("lake")
        assert "Last written" in captions(page)
        assert not page.error

    def test_none_yet(self, api: StubApi) -> None:
        api.answers["GET /api/lake/tables"] = []
        assert "No table yet" in open_page("lake").info[0].value


class TestQuery:
    def test_it_is_asked_and_stands_in_the_address(self, api: StubApi) -> None:
        page = open_page("lake")
        widget(page, "selectbox", "Rows at most").set_value(100)
        run(page)
        assert api.writes() == [("POST", "/api/lake/query", {"sql": SQL, "limit": 100, "pipeline_id": None})]
        assert (page.query_params["sql"], page.query_params["limit"]) == (SQL, "100")

    def test_a_link_fills_the_box_and_runs_nothing(self, api: StubApi) -> None:
        page = open_page("lake", sql=SQL, limit="5000")
        assert widget(page, "text_area", "SQL").value == SQL
        assert widget(page, "selectbox", "Rows at most").value == 5_000
        assert api.writes() == []

    @pytest.mark.parametrize(("name", "value"), [("limit", "7"), ("limit", "x"), ("sql", "x" * 6_001)])
    def test_a_link_that_means_nothing(self, api: StubApi, name: str, value: str) -> None:
        page = open_page("lake", **{name: value})
        assert "means nothing" in page.warning[0].value

    def test_the_answer_keeps_what_a_browser_would_round(self, api: StubApi) -> None:
        page = run(open_page("lake"))
        shown = page.dataframe[1].value
        assert len(shown.columns) == 5
        assert list(shown["country (2)"]) == [str(2**60), "3"]
        assert list(shown.iloc[:, 1]) == ["-1.10", "2.50"]
        assert shown["at"][0].isoformat() == "2026-01-31T08:00:00.123000+00:00"
        assert list(shown["tags"]) == ['["=1+1", null]', "[]"]
        assert "2 rows in 0.25 s" in captions(page)

    def test_what_tenants_wrote_is_shown_as_text(self, api: StubApi) -> None:
        page = run(open_page("lake"), f"SELECT '{HOSTILE}'")
        assert is_clean(page)
        assert "\u202e" not in str(page.dataframe[1].value.iloc[0, 0])

    @pytest.mark.parametrize(("cut", "words"), [("rows", "raise the limit"), ("bytes", "as large as it may be")])
    def test_an_answer_that_is_cut_says_so(self, api: StubApi, cut: str, words: str) -> None:
        api.answers["POST /api/lake/query"] = answer(truncated=cut)
        assert words in run(open_page("lake")).warning[0].value

    def test_nothing_found(self, api: StubApi) -> None:
        api.answers["POST /api/lake/query"] = answer(rows=[])
        assert "found nothing" in run(open_page("lake")).info[0].value

    def test_an_error_is_marked_at_its_place(self, api: StubApi) -> None:
        detail = f'Referenced column "amuont" not found {HOSTILE}'
        errors = [{"pointer": "/sql", "detail": detail, "start": 9}]
        api.refused["POST /api/lake/query"] = problem(422, "invalid-query", detail, errors)
        page = run(open_page("lake"), "SELECT\n  amuont\nFROM events_7")
        assert page.code[0].value == "line 2:   amuont\n          ^"
        assert "amuont" in texts(page)
        assert is_clean(page)

    @pytest.mark.parametrize(
        ("status", "slug", "words"),
        [
            (429, "rate-limited", "Too many requests"),
            (404, "not-found", "does not exist"),
            (503, "unavailable", "store"),
        ],
    )
    def test_other_errors_in_words(self, api: StubApi, status: int, slug: str, words: str) -> None:
        api.refused["POST /api/lake/query"] = problem(status, slug, "the reason")
        page = run(open_page("lake"))
        assert words in page.error[0].value
        assert "the reason" in texts(page)
        assert widget(page, "text_area", "SQL").value == SQL

    def test_an_empty_box_asks_nothing(self, api: StubApi) -> None:
        page = run(open_page("lake"), "  ")
        assert "Write a query" in page.info[0].value
        assert api.writes() == []

    def test_a_key_that_only_looks_may_ask(self, looking: StubApi) -> None:
        filled(looking)
        assert len(run(open_page("lake")).dataframe) == 2

    def test_the_api_is_down(self, api: StubApi) -> None:
        api.is_down = True
        assert "does not answer" in open_page("lake").error[0].value

    def test_the_key_is_refused_meanwhile(self, api: StubApi) -> None:
        page = open_page("lake")
        api.refused["POST /api/lake/query"] = problem(401, "unauthenticated", "revoked")
        assert "API key" in labels(run(page), "text_input")


class TestPlot:
    def test_values_over_time(self, api: StubApi) -> None:
        columns = [{"name": "day", "type": "DATE"}, {"name": "n", "type": "DECIMAL(38,0)"}, COLUMNS[0]]
        rows = [
            ["2026-01-02", "5", HOSTILE],
            ["2026-01-01", "3", "x"],
            ["5877641-06-24", "9", "x"],
            ["2026-01-03", None, "x"],
        ]
        api.answers["POST /api/lake/query"] = answer(columns=columns, rows=rows)
        page = run(open_page("lake"))
        assert widget(page, "selectbox", "Along").options == ["day", "country"]
        assert widget(page, "selectbox", "Up").options == ["n"]
        ran(widget(page, "toggle", "Show as table").set_value(True).run())
        ran(widget(page, "selectbox", "A line for each").set_value(2).run())
        assert is_clean(page)

    def test_its_choices_are_in_the_link(self, api: StubApi) -> None:
        day, number = {"name": "day", "type": "DATE"}, {"name": "n", "type": "BIGINT"}
        columns = [day, number, COLUMNS[0], {**number, "name": "m"}]
        api.answers["POST /api/lake/query"] = answer(columns=columns, rows=[["2026-01-02", 5, "DE", 7]])
        page = run(open_page("lake"))
        ran(widget(page, "selectbox", "Up").set_value(3).run())
        ran(widget(page, "selectbox", "A line for each").set_value(None).run())
        shown = {name: page.query_params[name] for name in ("sql", "up", "by")}
        assert shown == {"sql": SQL, "up": "4", "by": "nothing"}
        assert "along" not in page.query_params

        page = open_page("lake", sql=SQL, limit="1000", along="3", up="4")
        ran(widget(page, "button", "Run").click().run())
        assert widget(page, "selectbox", "Along").value == 2
        assert widget(page, "selectbox", "Up").value == 3
        assert next(each for each in page.expander if each.label == "Plot").proto.expanded
        # They stay with columns of the same names; other columns are another choice.
        run(page, f"{SQL} LIMIT 1")
        assert page.query_params["along"] == "3"
        api.answers["POST /api/lake/query"] = answer(columns=columns[:2], rows=[["2026-01-02", 5]])
        run(page, "SELECT 2")
        assert not {"along", "up", "by"} & page.query_params.keys()

    @pytest.mark.parametrize("up", ["3", "99", "0", "x", HOSTILE])
    def test_a_link_that_means_nothing(self, api: StubApi, up: str) -> None:
        columns = [{"name": "day", "type": "DATE"}, {"name": "n", "type": "BIGINT"}, COLUMNS[0]]
        api.answers["POST /api/lake/query"] = answer(columns=columns, rows=[["2026-01-02", 5, "DE"]])
        page = open_page("lake", sql=SQL, up=up)
        ran(widget(page, "button", "Run").click().run())
        assert any("`up` means nothing here" in each.value for each in page.warning)
        assert widget(page, "selectbox", "Up").value == 1
        assert "up" not in page.query_params

    def test_a_bar_for_each(self, api: StubApi) -> None:
        columns = [{"name": "country", "type": "VARCHAR"}, {"name": "n", "type": "BIGINT"}]
        api.answers["POST /api/lake/query"] = answer(columns=columns, rows=[["DE", 1], ["FR", 3], [None, 1], ["DE", 4]])
        page = run(open_page("lake"))
        ran(widget(page, "toggle", "Show as table").set_value(True).run())
        shown = page.dataframe[2].value
        assert list(shown["part"]) == ["DE", "FR", "(empty)"]
        assert list(shown.iloc[:, 1]) == [5, 3, 1]

    def test_bars_below_zero_are_not_drawn(self, api: StubApi) -> None:
        columns = [{"name": "country", "type": "VARCHAR"}, {"name": "n", "type": "DOUBLE"}]
        api.answers["POST /api/lake/query"] = answer(columns=columns, rows=[["DE", -1.5], ["FR", "nan"]])
        assert "below zero" in captions(run(open_page("lake")))

    def test_an_answer_without_numbers_says_what_a_chart_needs(self, api: StubApi) -> None:
        api.answers["POST /api/lake/query"] = answer(columns=COLUMNS[:1], rows=[["DE"]])
        assert "needs a column of numbers" in captions(run(open_page("lake")))


class TestCsv:
    def test_what_a_spreadsheet_would_compute_is_text(self) -> None:
        out = io.StringIO(newline="")
        write_answer(LakeAnswer.model_validate(answer()), out)
        rows = list(csv.reader(io.StringIO(out.getvalue())))
        assert rows[0] == ["country", f"'{HOSTILE}", "country", "at", "tags"]
        assert rows[1][0] == f"'{HOSTILE}"
        # A number keeps its sign and its digits.
        assert rows[1][1:3] == ["-1.10", str(2**60)]
        assert json.loads(rows[1][4]) == ["=1+1", None]
        assert rows[2] == ["", "2.50", "3", "", "[]"]
