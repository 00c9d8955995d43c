"""Rules for Prometheus and the dashboard for Grafana: they ask for what there is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml

from config_api.app import create_app
from sentinel.settings import PROJECT_ROOT, Settings, TelemetrySettings
from tests.support.exposed import exposed, names_in, series
from tests.support.prometheus import DASHBOARD, OPERATIONS, PROMETHEUS, alerts, dashboard_queries, recorded, rules

# Of Prometheus itself, and of any Python process.
ALSO = {"up", "process_resident_memory_bytes"}


class TestNamesIn:
    def test_an_expression_names_its_metrics(self) -> None:
        expression = 'histogram_quantile(0.95, sum by (le, a) (rate(x_bucket{l="y_total"}[5m]))) > 1e3 or on (q) z:w'
        assert names_in(expression) == {"x_bucket", "z:w"}


class TestRules:
    def test_they_ask_for_metrics_that_there_are(self) -> None:
        for rule in rules():
            assert names_in(rule["expr"]) <= series() | recorded() | ALSO, rule

    def test_every_alert_says_how_bad_it_is_and_where_to_read_on(self) -> None:
        for name, rule in alerts().items():
            assert rule["labels"]["severity"] in {"none", "warning", "critical"}
            assert rule["annotations"].keys() == {"summary", "description", "runbook"}
            assert rule["annotations"]["runbook"] == f"docs/operations.md#{name.lower()}"

    def test_the_guide_says_of_every_alert_what_to_do(self) -> None:
        told = re.findall(r"^#### (\w+)$", OPERATIONS, re.MULTILINE)
        assert sorted(told) == sorted(alerts())

    def test_something_fires_always(self) -> None:
        assert alerts()["Watchdog"]["expr"] == "vector(1)"

    def test_every_alert_has_a_test_in_which_it_fires(self) -> None:
        cases = yaml.safe_load((PROMETHEUS / "tests" / "alerts.yml").read_text())["tests"]
        fired = {test["alertname"] for case in cases for test in case["alert_rule_test"] if test["exp_alerts"]}
        silent = {test["alertname"] for case in cases for test in case["alert_rule_test"] if not test["exp_alerts"]}
        assert fired == alerts().keys()
        assert silent == alerts().keys() - {"Watchdog"}


class TestDashboard:
    def test_every_query_names_metrics_that_there_are(self) -> None:
        queries = dashboard_queries()
        assert len(queries) > 30
        for query in queries:
            assert names_in(query), query
            assert names_in(query) <= series() | recorded() | ALSO, query

    def test_it_shows_every_metric(self) -> None:
        shown: set[str] = set()
        for text in (*dashboard_queries(), *(rule["expr"] for rule in rules())):
            shown |= names_in(text)
        bare = {re.sub("_(bucket|sum|count)$", "", name) for name in shown} | shown
        assert exposed().keys() <= bare

    def test_panels_have_ids_of_their_own_and_do_not_overlap(self) -> None:
        panels = json.loads(DASHBOARD.read_text())["panels"]
        assert len({panel["id"] for panel in panels}) == len(panels)
        places: set[tuple[int, int]] = set()
        for panel in panels:
            at = panel["gridPos"]
            cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
            assert not cells & places, panel["title"]
            places |= cells

    def test_provisioning_names_files_that_there_are(self) -> None:
        folder = PROJECT_ROOT / "deploy" / "grafana" / "provisioning"
        (source,) = yaml.safe_load((folder / "datasources" / "prometheus.yml").read_text())["datasources"]
        (provider,) = yaml.safe_load((folder / "dashboards" / "sentinel.yml").read_text())["providers"]
        assert source["type"] == "prometheus"
        assert Path(provider["options"]["path"]).name == DASHBOARD.parent.name


class TestGuide:
    def test_it_names_every_metric_and_no_other(self) -> None:
        figures = OPERATIONS.split("## Figures for Prometheus")[1].split("\n## ")[0]
        rows = re.findall(r"^\| (`[^|]+`) \|", figures, re.MULTILINE)
        told = {name for row in rows for name in re.findall(r"`([a-z_]+)`", row)}
        assert told == exposed().keys()

    def test_its_paths_are_ones_that_there_are(self) -> None:
        paths = {re.sub(r"\{\w+\}", "ID", path) for path in create_app(Settings()).openapi()["paths"]}
        named = re.findall(r"`(?:GET|POST) (/[^ `]+)`", OPERATIONS)
        assert len(named) > 5
        assert set(named) <= paths

    def test_its_settings_are_ones_that_there_are(self) -> None:
        named = set(re.findall(r"SENTINEL_TELEMETRY__(\w+)", OPERATIONS))
        assert len(named) == 8
        assert {name.lower() for name in named} <= TelemetrySettings.model_fields.keys()
