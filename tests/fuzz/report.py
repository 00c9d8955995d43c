"""docs/reliability-input.md, written from the results of a campaign."""

from __future__ import annotations

import json
from pathlib import Path

BEGIN = "<!-- last campaign: written by `make fuzz` -->\n"
END = "<!-- end of the last campaign -->\n"


def write_report(results: Path) -> None:
    """Put the results into the Markdown beside them, between the marks."""
    path = results.with_suffix(".md")
    before, _, rest = path.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    path.write_text(before + BEGIN + told(json.loads(results.read_text())) + END + after)


def told(found: dict[str, object]) -> str:
    """Return the results as Markdown."""
    asked = f", {found['minutes']:g} minutes asked for" if "minutes" in found else ""
    lines = [f"\nSeed {found['seed']}{asked}.\n\n"]
    lines += ["| part | sent | what came of it | wrong |\n|---|---|---|---|\n"]
    for name, result in found.items():
        if isinstance(result, dict):
            lines.append(_row(name, result))
    return "".join([*lines, "\n"])


def _row(name: str, result: dict[str, object]) -> str:
    if name == "topic":
        came = f"{result['events']:,} events, {result['dead']:,} dead letters, in each of both modes; "
        came += f"{result['sentinels']:,} valid events between them alerted once each"
        return f"| {name} | {result['records']:,} records | {came} | 0 lost, 0 doubled, 0 stopped queries |\n"
    if name == "judges":
        causes = result["causes"]
        assert isinstance(causes, dict)
        came = ", ".join(f"{count:,} {cause}" for cause, count in causes.items())
        return f"| {name} | {result['records']:,} records | {came} | 0 disagreements |\n"
    statuses = result["statuses"]
    assert isinstance(statuses, dict)
    came = ", ".join(f"{count:,} x {status}" for status, count in statuses.items())
    came += f"; slowest {result['slowest_seconds']} s"
    to = f" to {result['operations']} operations" if "operations" in result else ""
    sent = f"{result['requests']:,} requests{to}"
    return f"| {name} | {sent} | {came} | 0 answers of class 5 |\n"
