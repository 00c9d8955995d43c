"""`sentinel rule explain` and `test`: how a rule is named, and what is shown."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from typer.testing import CliRunner, Result

from sentinel.cli import rule_explain
from sentinel.cli.rule import app
from sentinel.client import Client
from sentinel.client.explain import Explanation
from sentinel.errors import InvalidError, NotFoundError

FOUND = Explanation.model_validate(
    {
        **dict.fromkeys(("tree", "event_id", "partition", "offset", "rule_version", "generation_id", "was_in_force")),
        **dict.fromkeys(("dead_letter", "alert_id", "event")),
        "rule_id": 7,
        "rule_expression": "amount > 5 AND rule('home')",
        "verdict": "unknown",
        "decided_by": [
            {
                "text": "country = 'DE'",
                "start": 0,
                "end": 14,
                "rule": "home",
                "verdict": "unknown",
                "values": {"country": None},
            }
        ],
        "missing": ["country"],
        "not_computable": [{"text": "CASE ... END", "start": 0, "end": 1, "why": "there is no ELSE"}],
        "source": "pasted",
        "schema_version": 1,
        "notes": [],
    }
)


class Fake:
    """The calls that the commands make, and what they were."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def __enter__(self) -> Fake:
        return self

    def __exit__(self, *_: object) -> None: ...

    def list_pipelines(self) -> list[Any]:
        return [SimpleNamespace(id=1), SimpleNamespace(id=2)]

    def list_rules(self, pipeline_id: int) -> list[Any]:
        named = {1: ["large", "home"], 2: ["large"]}[pipeline_id]
        return [SimpleNamespace(id=pipeline_id * 10 + index, name=name) for index, name in enumerate(named)]

    def get_rule(self, rule_id: int) -> Any:
        return SimpleNamespace(id=rule_id, pipeline_id=2)

    def explain(self, *given: Any) -> Explanation:
        self.calls.append(given)
        return FOUND

    def explain_event(self, *given: Any, **named: Any) -> Explanation:
        self.calls.append((*given, *named.values()))
        return FOUND


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Fake:
    made = Fake()
    monkeypatch.setattr(rule_explain, "Client", SimpleNamespace(of=lambda _: made))
    return made


@pytest.fixture
def run(fake: Fake) -> Callable[..., Result]:
    return lambda *given: CliRunner().invoke(app, [str(each) for each in given], catch_exceptions=False)


@pytest.mark.parametrize(
    ("rule", "pipeline", "ids"), [("7", None, (2, 7)), ("home", None, (1, 11)), ("large", 2, (2, 20))]
)
def test_a_rule_is_found_by_number_or_name(rule: str, pipeline: int | None, ids: tuple[int, int]) -> None:
    assert rule_explain.find_rule(cast(Client, Fake()), rule, pipeline) == ids


def test_a_name_that_two_pipelines_have_needs_one() -> None:
    with pytest.raises(InvalidError, match="the pipelines 1, 2 have a rule named large"):
        rule_explain.find_rule(cast(Client, Fake()), "large", None)
    with pytest.raises(NotFoundError, match="no rule named nobody"):
        rule_explain.find_rule(cast(Client, Fake()), "nobody", None)


def test_what_decided_is_shown(run: Callable[..., Result], fake: Fake) -> None:
    said = run("explain", "home", '{"amount": 9}').stdout
    assert said.splitlines() == [
        "unknown: amount > 5 AND rule('home')",
        "  country = 'DE' is unknown (country = null)  (in home)",
        "  missing: country",
        "  has no value: CASE ... END (there is no ELSE)",
    ]
    run("explain", "home", "0:17")
    assert fake.calls == [(1, '{"amount": 9}', 11), (1, 11, "0:17")]
