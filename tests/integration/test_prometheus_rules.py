"""Prometheus' own tool takes rules, configuration and the dashboard's queries, and alerts fire when they should."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.support.prometheus import OPERATIONS, PROMETHEUS, RULES, dashboard_queries
from tests.support.promtool import BUILD_SECONDS, CannotBeHadError, promtool

pytestmark = [pytest.mark.integration, pytest.mark.timeout(BUILD_SECONDS + 60)]


@pytest.fixture(scope="module")
def tool(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Prometheus' own tool."""
    try:
        return promtool(tmp_path_factory.mktemp("promtool"))
    except CannotBeHadError as error:
        pytest.skip(str(error))


class TestPromtool:
    def test_it_takes_the_rules_and_the_configuration(self, tool: str) -> None:
        subprocess.run([tool, "check", "rules", *map(str, RULES)], check=True, capture_output=True)
        config = PROMETHEUS / "prometheus.yml"
        subprocess.run([tool, "check", "config", "--syntax-only", str(config)], check=True, capture_output=True)

    def test_alerts_fire_when_they_should_and_only_then(self, tool: str) -> None:
        done = subprocess.run(
            [tool, "test", "rules", str(PROMETHEUS / "tests" / "alerts.yml")],
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def test_it_takes_every_query_of_the_dashboard(self, tool: str, tmp_path: Path) -> None:
        queries = [query.replace("$pipeline", ".*") for query in dashboard_queries()]
        records = [{"record": f"query_{number}", "expr": query} for number, query in enumerate(queries)]
        path = tmp_path / "queries.yml"
        path.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": records}]}))
        done = subprocess.run([tool, "check", "rules", str(path)], check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    def test_it_takes_the_example_of_what_is_scraped(self, tool: str, tmp_path: Path) -> None:
        (example,) = re.findall(r"^```yaml\n(.*?)^```$", OPERATIONS, re.MULTILINE | re.DOTALL)
        path = tmp_path / "prometheus.yml"
        path.write_text(example)
        subprocess.run([tool, "check", "config", "--syntax-only", str(path)], check=True, capture_output=True)
