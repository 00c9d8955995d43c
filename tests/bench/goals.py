"""`python -m tests.bench.goals [--write]`: what was measured, beside what is asked of it and what is hoped for.

Reads what the other benchmarks and the fault campaign wrote to docs/*.json; measures nothing itself.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sentinel.settings import PROJECT_ROOT

DOCS = PROJECT_ROOT / "docs"
SOURCES = ("performance", "peers", "curves", "stores", "lake-care", "soak-20000", "reliability")

Figures = tuple[float, ...]
Found = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Goal:
    """One figure, or several of one kind.

    Attributes:
        gate: What each of them must reach.
        goal: What each of them should reach.
        read: Takes the figures from the results; raises KeyError, ValueError or StopIteration where they are missing.
        command: What measures them.
        more_is_better: Else less is.
    """

    what: str
    gate: Figures
    goal: Figures
    read: Callable[[Found], Figures]
    command: str
    more_is_better: bool = False

    def verdict(self, figures: Figures) -> str:
        """Return which of both is reached, by all figures."""

        def reached(wanted: Figures) -> bool:
            pairs = zip(figures, wanted, strict=True)
            return all((figure >= want if self.more_is_better else figure <= want) for figure, want in pairs)

        return "goal" if reached(self.goal) else "gate" if reached(self.gate) else "missed"


def _latency(mode: str) -> Callable[[Found], Figures]:
    def read(found: Found) -> Figures:
        runs = [x for x in found["performance"]["latencies"] if (x["mode"], x["rate"]) == (mode, 5000)]
        one = max(runs, key=lambda run: run["after_seconds"])
        return one["p50"], one["p95"], one["p99"]

    return read


def _soak(found: Found) -> Figures:
    return tuple(found["soak-20000"]["latency_ms"][:3])


def _drain(found: Found, rules: int) -> dict[str, Any]:
    drains: list[dict[str, Any]] = found["performance"]["drains"]
    return next(x for x in drains if (x["mode"], x["rules"]) == ("realtime", rules))


def _drained(found: Found) -> Figures:
    return (_drain(found, 100)["events_per_second"],)


def _share_of_bare(found: Found) -> Figures:
    bare = statistics.mean(run["events_per_second"] for run in found["performance"]["bare_spark"])
    return (_drained(found)[0] / bare,)


def _against_usual(found: Found) -> Figures:
    def median(name: str) -> float:
        return statistics.median(run["events_per_second"] for run in found["peers"]["runs"] if run["name"] == name)

    return (median("sentinel") / median("usual_spark"),)


def _rules(found: Found) -> Figures:
    many, one = (sum(_drain(found, count)["cpu_microseconds_per_event"].values()) for count in (1000, 1))
    return (many / one,)


def _pipelines(found: Found) -> Figures:
    cost = {
        point["at"]: sum(point["cpu_microseconds"].values())
        for point in found["curves"]["points"]
        if point["curve"] == "pipelines, one driver"
    }
    return (cost["10 pipelines"] / cost["1 pipelines"],)


def _change(found: Found) -> Figures:
    changes = [x for x in found["performance"]["changes"] if x["what"] == "a rule"]
    return statistics.median(x["seconds"] for x in changes), max(x["worst_ms"] for x in changes) / 1000


def _kill(found: Found) -> Figures:
    return (
        max(
            run["silence_seconds"]
            for run in found["reliability"]["runs"]
            if run["green"] and run["mode"] == "realtime" and run["case"].startswith("kill: ") and run["deaths"] == 1
        ),
    )


def _lake(found: Found) -> Figures:
    lake = found["lake-care"]
    return (lake["after"]["bytes"] / lake["raw_bytes"],)


def _scores(found: Found) -> Figures:
    scores = found["stores"]["scores"]
    return scores["in_redis"]["p99"], scores["over_http"]["p99"]


def _alerts(found: Found) -> Figures:
    return (found["stores"]["alerts"]["median_seconds"],)


BENCH = "make bench"
GOALS = (
    Goal("event to committed alert, p50/p95/p99 at 5,000/s, 100 rules, in the fourth minute, ms",
         (35, 60, 120), (20, 30, 40), _latency("realtime"), BENCH),
    Goal("the same at 20,000/s over 30 minutes, 5 rule changes, the archive beside it, ms",
         (50, 120, 400), (25, 40, 100), _soak,
         "python -m tests.bench.soak --rate 20000 --minutes 30 --rule-changes 5 --schema-changes 0"
         " --write docs/soak-20000.json"),
    Goal("backlog drained, full triple write, 100 rules, events/s", (60_000,), (150_000,), _drained, BENCH, True),
    Goal("the same as a share of bare Spark", (0.7,), (1.2,), _share_of_bare, BENCH, True),
    Goal("against Spark as usually written, 100 rules, times", (6,), (15,), _against_usual,
         "python -m tests.bench.peers", True),
    Goal("CPU per event of a backlog, 1000 rules against 1", (2.0,), (1.3,), _rules, BENCH),
    Goal("CPU, ten pipelines against one at equal total rate", (1.5,), (1.2,), _pipelines,
         "python -m tests.bench.curves --write"),
    Goal("new rule in force under load, the median; latest alert meanwhile, s",
         (2.0, 0.2), (0.5, 0.05), _change, BENCH),
    Goal("`kill -9` of the driver, longest time without alerts in the runs of reliability.md, s",
         (20,), (8,), _kill, "make chaos"),
    Goal("micro-batch mode, p50/p95/p99 at 5,000/s, 100 rules, in the fourth minute, ms",
         (600, 1000, 1500), (250, 480, 820), _latency("microbatch"), BENCH),
    Goal("lake bytes per byte of JSON, after its care", (0.30,), (0.15,), _lake, "python -m tests.bench.lake --write"),
    Goal("score look-up, p99 in Redis / over HTTP, ms", (1, 10), (0.5, 5), _scores,
         "python -m tests.bench.stores --write"),
    Goal("20,000 alerts at once to PostgreSQL, s", (2,), (0.5,), _alerts, "python -m tests.bench.stores --write"),
)  # fmt: skip


def markdown(found: Found) -> str:
    """Return the table."""
    lines = [
        "# Goals",
        "",
        "Written by `python -m tests.bench.goals --write` from what each command wrote last. All on one machine of two",
        "cores with broker, PostgreSQL, Redis, S3 server and load generator on them.",
        "",
        "| figure | measured | gate | goal | reached | command |",
        "|---|---|---|---|---|---|",
    ]
    for each in GOALS:
        try:
            figures = each.read(found)
        except (KeyError, ValueError, StopIteration):
            measured, verdict = "-", "not measured"
        else:
            measured, verdict = _written(figures), each.verdict(figures)
        lines.append(
            f"| {each.what} | {measured} | {_written(each.gate)} | {_written(each.goal)} | {verdict} "
            f"| `{each.command}` |"
        )
    return "\n".join(lines) + "\n"


def _written(figures: Figures) -> str:
    return " / ".join(f"{value:,.0f}" if value >= 100 else f"{value:.3g}" for value in figures)


def main() -> None:
    """Print the table and perhaps write it."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.goals", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write docs/goals.md")
    options = parser.parse_args()
    paths = {name: DOCS / f"{name}.json" for name in SOURCES}
    text = markdown({name: json.loads(path.read_text()) for name, path in paths.items() if path.exists()})
    print(text)
    if options.write:
        (DOCS / "goals.md").write_text(text)


if __name__ == "__main__":
    main()
