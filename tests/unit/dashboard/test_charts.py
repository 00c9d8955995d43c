"""Charts: units, zones, zero, colours, gaps, and the table below each."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.components import chart_specs
from dashboard.components.palette import DASHES, MAX_SERIES, OUTLINE, SERIES_COLORS, SEVERITY_COLORS, SHAPES, colors_of
from tests.unit.dashboard.conftest import HOSTILE, is_clean, labels, ran, widget

LIGHT, DARK = "#FFFFFF", "#0E1117"


def lines_page(names: list[str], is_local: bool) -> None:
    from datetime import UTC, datetime, timedelta

    import streamlit as st

    from dashboard.components.charts import Point, show_lines

    st.session_state["times"] = "local" if is_local else "UTC"
    start = datetime(2026, 1, 31, 8, tzinfo=UTC)
    values = [1.5, None, 3.0]
    points = [
        Point(start + timedelta(minutes=place), value, name) for name in names for place, value in enumerate(values)
    ]
    show_lines("Throughput", "events/s", points, key="rate")


def bars_page(points: list[tuple[int, float, str]]) -> None:
    from datetime import UTC, datetime, timedelta

    from dashboard.components.charts import Point, show_bars

    start = datetime(2026, 1, 31, tzinfo=UTC)
    given = [Point(start + timedelta(hours=hour), value, series) for hour, value, series in points]
    show_bars("Alerts per hour", "alerts", given, width=timedelta(hours=1), key="velocity")


def shares_page(shares: dict[str, float]) -> None:
    from dashboard.components.charts import show_shares

    show_shares("Severities", "alerts", shares, key="shares")


def shown(page: Callable[..., None], *given: Any) -> AppTest:
    return ran(AppTest.from_function(page, args=given, default_timeout=60).run())


def chart(page: AppTest) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(page.get("vega_lite_chart")[0].proto.spec)
    return found


def parts(page: AppTest) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = chart(page)["layer"]
    return found


class TestLines:
    def test_the_unit_is_in_the_title_and_beside_each_value(self) -> None:
        page = shown(lines_page, ["a"], False)
        assert page.markdown[0].value == "**Throughput**, events/s"
        assert parts(page)[2]["encoding"]["tooltip"][2]["title"] == "events/s"

    def test_counts_begin_at_zero(self) -> None:
        assert parts(shown(lines_page, ["a"], False))[0]["encoding"]["y"]["scale"]["zero"] is True

    def test_times_are_utc_unless_local_ones_are_chosen(self) -> None:
        axis = parts(shown(lines_page, ["a"], False))[0]["encoding"]["x"]
        assert (axis["title"], axis["scale"]["type"]) == ("time (UTC)", "utc")

    def test_the_zone_of_the_visitor(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("dashboard.components.charts.zone_name", lambda: "Europe/Berlin")
        axis = parts(shown(lines_page, ["a"], True))[0]["encoding"]["x"]
        assert (axis["title"], axis["scale"]["type"]) == ("time (Europe/Berlin)", "time")

    def test_series_differ_in_colour_dash_and_mark(self) -> None:
        line, marks, _ = parts(shown(lines_page, ["a", "b", "c"], False))
        for encoding, name in ((line, "color"), (line, "strokeDash"), (marks, "shape")):
            values = [str(value) for value in encoding["encoding"][name]["scale"]["range"]]
            assert len(set(values)) == 3
        assert marks["encoding"]["color"]["legend"]["orient"] == "top"

    def test_one_series_needs_no_legend(self) -> None:
        assert parts(shown(lines_page, ["a"], False))[0]["encoding"]["color"]["legend"] is None

    def test_too_many_series_are_left_out_and_that_is_said(self) -> None:
        page = shown(lines_page, [f"p{number}" for number in range(MAX_SERIES + 3)], False)
        assert "3 more are left out." in [each.value for each in page.caption]

    def test_the_table(self) -> None:
        page = shown(lines_page, ["a", "b"], False)
        assert not page.dataframe
        ran(widget(page, "toggle", "Show as table").set_value(True).run())
        table = page.dataframe[0].value
        assert list(table.columns) == ["time", "a, events/s", "b, events/s"]
        assert list(table["a, events/s"].dropna()) == [3.0, 1.5]

    def test_names_of_tenants_are_text(self) -> None:
        page = shown(lines_page, [HOSTILE], False)
        assert is_clean(page)
        domain = parts(page)[0]["encoding"]["color"]["scale"]["domain"]
        assert domain[0].startswith("=1+1 **bold** <script>")

    def test_marks_that_nobody_sees_are_spelled_out(self) -> None:
        page = shown(lines_page, ["\u202egnp"], False)
        assert parts(page)[0]["encoding"]["color"]["scale"]["domain"] == ["\\u202egnp"]

    def test_names_that_look_alike_stay_two_series(self) -> None:
        page = shown(lines_page, ["a  b", "a b"], False)
        assert parts(page)[0]["encoding"]["color"]["scale"]["domain"] == ["a b", "a b #2"]

    def test_nothing_is_said_in_words(self) -> None:
        page = shown(lines_page, [], False)
        assert "Nothing in this time." in page.caption[0].value
        assert not page.get("vega_lite_chart")
        assert "Show as table" not in labels(page, "toggle")


class TestBars:
    def test_severities_have_their_colours_and_order(self) -> None:
        page = shown(bars_page, [(0, 3, "critical"), (0, 2, "info"), (1, 0, "critical"), (1, 5, "info")])
        encoding = parts(page)[0]["encoding"]
        assert encoding["color"]["scale"] == {
            "domain": ["critical", "info"],
            "range": [SEVERITY_COLORS["critical"], SEVERITY_COLORS["info"]],
        }
        assert encoding["y"]["scale"]["zero"] is True

    def test_a_bar_is_as_wide_as_its_span(self) -> None:
        assert parts(shown(bars_page, [(0, 3, "")]))[0]["transform"] == [
            {"calculate": "datum.at + 3600000", "as": "until"}
        ]

    def test_zeros_are_a_chart_and_no_empty_state(self) -> None:
        page = shown(bars_page, [(0, 0, "info")])
        # Of zeros alone Vega would make an axis from zero to zero, labelled NaN.
        assert parts(page)[0]["encoding"]["y"]["scale"] == {"domain": [0, 1]}

    def test_what_is_counted_has_whole_numbers_along_its_axis(self) -> None:
        axis = parts(shown(bars_page, [(0, 2, "info")]))[0]["encoding"]["y"]["axis"]
        assert axis["tickMinStep"] == 1


class TestSharedSpecifications:
    def test_one_is_made_once_and_given_to_each_by_itself(self) -> None:
        chart_specs._bars.cache_clear()
        first = chart_specs.bars(["a"], "alerts", "UTC", width_seconds=60, is_flat=False)
        first["layer"].clear()
        again = chart_specs.bars(["a"], "alerts", "UTC", width_seconds=60, is_flat=False)
        assert again["layer"]
        assert chart_specs._bars.cache_info().misses == 1

    def test_what_is_drawn_is_the_data_and_no_row_of_nothing(self) -> None:
        page = shown(shares_page, {"critical": 1, "warning": 3})
        proto = page.get("vega_lite_chart")[0].proto
        assert not proto.datasets
        assert not [layer for layer in parts(page) if "data" in layer]
        assert pa.ipc.open_stream(proto.data.data).read_all()["part"].to_pylist() == ["critical", "warning"]

    def test_the_longest_bar_leaves_room_for_its_words(self) -> None:
        for most in (10, 30):
            for layer in chart_specs.shares(["a", "b"], "alerts", most)["layer"]:
                assert layer["encoding"]["x"]["scale"]["domain"][1] > most


class TestShares:
    def test_the_table_has_values_and_shares(self) -> None:
        page = shown(shares_page, {"critical": 1, "warning": 3})
        ran(widget(page, "toggle", "Show as table").set_value(True).run())
        assert page.dataframe[0].value.to_dict("list") == {
            "part": ["critical", "warning"], "alerts": [1.0, 3.0], "share": ["25.0%", "75.0%"],
        }  # fmt: skip

    def test_nothing_to_divide(self) -> None:
        assert "Nothing" in shown(shares_page, {"critical": 0}).caption[0].value


class TestPalette:
    def test_severities_keep_their_colours_whatever_is_shown_with_them(self) -> None:
        assert colors_of(["info"]) == [SEVERITY_COLORS["info"]]
        assert colors_of(["info", "other"]) == list(SERIES_COLORS[:2])

    def test_severities_are_told_apart_in_grey(self) -> None:
        for one, other in itertools.combinations(SEVERITY_COLORS.values(), 2):
            assert contrast(one, other) > 1.4

    @pytest.mark.parametrize("page", [LIGHT, DARK])
    def test_outlines_are_seen_on_light_and_dark(self, page: str) -> None:
        assert contrast(OUTLINE, page) > 3

    def test_a_dash_and_a_mark_for_each_series(self) -> None:
        assert len(set(DASHES)) == len(set(SHAPES)) == len(set(SERIES_COLORS)) == MAX_SERIES


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of WCAG 2.2, https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def luminance(color: str) -> float:
    parts = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
