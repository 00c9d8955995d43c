"""Pictures of every page: `make screenshots`. A demo of its own is run for them, and stopped afterwards.

Each page of the menu, light and dark, at 1440 and 390 pixels, as `docs/images/<page>-<scheme>-<width>.png` with 256
colours. Pages that are about one thing show the newest one. `make screenshots ARGS="--only overview lake"` takes some.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from PIL import Image
from playwright.sync_api import Browser, expect

from sentinel.client.client import Client
from sentinel.clock import utc_now
from sentinel.localstack.paths import jars_root
from sentinel.localstack.ports import free_port
from sentinel.settings import PROJECT_ROOT
from tests.support.visitor import Visitor, browser, find_chromium, menu

IMAGES = PROJECT_ROOT / "docs" / "images"
SIZES = {1440: 1000, 390: 844}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
MOST_BYTES, MOST_TOTAL_BYTES = 250_000, 6_000_000
SECONDS, RATE = 20, 200
SQL = (
    "SELECT date_trunc('second', _timestamp) AS second, count(*) AS events, round(avg(amount), 2) AS average\n"
    "FROM {table}\nGROUP BY second\nORDER BY second"
)


def main() -> None:
    """Make them all, or those of some pages."""
    names = {title: title.lower().replace(" ", "-") for title in menu()}
    parser = argparse.ArgumentParser(prog="python -m tests.browser.screenshots", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=list(names.values()), default=list(names.values()))
    wanted: list[str] = parser.parse_args().only
    titles = [title for title, name in names.items() if name in wanted]
    if find_chromium() is None:
        sys.exit("screenshots: there is no Chromium; `make chromium` installs it")
    with tempfile.TemporaryDirectory(prefix="sentinel-screenshots-") as home:
        environment, ports = _environment(Path(home))
        try:
            _sentinel(environment, "demo", "--seconds", str(SECONDS), "--rate", str(RATE))
            with Client(f"http://127.0.0.1:{ports['api']}") as api:
                paths = _fill(api)
            with browser() as opened:
                total = sum(_picture(opened, f"http://127.0.0.1:{ports['dashboard']}", paths, titles))
        finally:
            _sentinel(environment, "down")
    print(f"{total / 1e6:.1f} MB in {IMAGES.relative_to(PROJECT_ROOT)}")
    if total > MOST_TOTAL_BYTES:
        sys.exit(f"screenshots: more than {MOST_TOTAL_BYTES / 1e6:.0f} MB in all")


def _environment(home: Path) -> tuple[dict[str, str], dict[str, int]]:
    taken: set[int] = set()
    for _ in range(3):
        taken.add(free_port(frozenset(taken)))
    api, dashboard, spark = taken
    plain = {name: value for name, value in os.environ.items() if not name.startswith("SENTINEL_")}
    more = {
        "SENTINEL_HOME": str(home),
        "SENTINEL_JARS_DIR": os.environ.get("SENTINEL_JARS_DIR") or str(jars_root(PROJECT_ROOT / ".sentinel")),
        "SENTINEL_API__PORT": str(api),
        "SENTINEL_DASHBOARD__PORT": str(dashboard),
        "SENTINEL_JOB__SPARK_UI_PORT": str(spark),
    }
    return plain | more, {"api": api, "dashboard": dashboard}


def _sentinel(environment: dict[str, str], *arguments: str) -> None:
    command = [sys.executable, "-m", "sentinel.cli.app", *arguments]
    subprocess.run(command, env=environment, cwd=environment["SENTINEL_HOME"], check=True)


def _fill(api: Client) -> dict[str, str]:
    """Do what people do, so that no page is empty; return what each page is to be opened at, by its path."""
    (pipeline,) = api.list_pipelines()
    rules = api.list_rules(pipeline.id)
    first, second, *_ = api.list_alerts(limit=5).alerts
    api.change_alert(first.id, status="acknowledged", assignee="ann")
    api.change_alert(second.id, status="resolved", disposition="false_positive")
    api.add_alert_note(first.id, "The card was reported stolen this morning.")
    api.add_silence(['rule="large"'], utc_now() + timedelta(hours=4), "a load test of the shop")
    api.change_rule(
        rules[0].id, f"({rules[0].rule_expression}) AND amount > 1", rules[0].severity, rules[0].description
    )
    (table, *_) = api.list_lake_tables().tables
    return {
        "/alerts": f"/alerts?alert={first.id}",
        "/pipelines": f"/pipelines?pipeline={pipeline.id}",
        "/rules": f"/rules?pipeline={pipeline.id}&rule={rules[0].id}",
        "/dead_letters": f"/dead_letters?pipeline={pipeline.id}",
        "/detectors": "/detectors?detector=payment_failure_spike",
        "/lake": SQL.format(table=table.names[0]),
    }


def _show_answer(visitor: Visitor, sql: str) -> None:
    visitor.open("/lake")
    visitor.write("SQL", sql)
    expect(visitor.page.get_by_text("rows in")).to_be_visible()
    visitor.unfold("Plot")


def _picture(opened: Browser, url: str, paths: dict[str, str], titles: Sequence[str]) -> Sequence[int]:
    """Take the pictures of some pages and return how many bytes each has."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    special: dict[str, Callable[[Visitor, str], Any]] = {"/lake": _show_answer}
    sizes: list[int] = []
    for width, height in SIZES.items():
        for scheme in SCHEMES:
            for title in titles:
                path = menu()[title]
                context = opened.new_context(color_scheme=scheme, viewport={"width": width, "height": height})
                visitor = Visitor(context.new_page(), url)
                special.get(path, Visitor.open)(visitor, paths.get(path, path))
                visitor.page.wait_for_load_state("networkidle")
                name = f"{title.lower().replace(' ', '-')}-{scheme}-{width}.png"
                content = _small(visitor.page.screenshot(animations="disabled"))
                if len(content) > MOST_BYTES:
                    sys.exit(f"screenshots: {name} has {len(content):,} bytes; {MOST_BYTES:,} are allowed")
                (IMAGES / name).write_bytes(content)
                sizes.append(len(content))
                context.close()
                print(json.dumps({"image": name, "bytes": len(content)}), flush=True)
    return sizes


def _small(content: bytes) -> bytes:
    out = io.BytesIO()
    Image.open(io.BytesIO(content)).convert("RGB").quantize(256).save(out, "PNG", optimize=True)
    return out.getvalue()


if __name__ == "__main__":
    main()
