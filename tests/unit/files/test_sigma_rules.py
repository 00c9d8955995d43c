"""Imported Sigma rules are found again by their names."""

from __future__ import annotations

import re
import uuid

import pytest

from sentinel.client import models
from sentinel.clock import utc_now
from sentinel.domain.rule import Severity
from sentinel.files.sigma_rules import compare, name_of
from sentinel.sigma.convert import ConvertedRule

ID = uuid.UUID("37b437cf-3fc5-4c8e-9c94-1d7c9aff842b")


def converted(title: str = "Allow RDP", condition: str = "a = 1") -> ConvertedRule:
    return ConvertedRule(ID, title, condition, Severity.INFO, "text", "f:1")


def existing(name: str, condition: str = "a = 1") -> models.Rule:
    return models.Rule(
        id=1,
        pipeline_id=1,
        rule_expression=condition,
        severity="info",
        description="text",
        is_active=True,
        version=1,
        row_version=1,
        created_at=utc_now(),
        updated_at=utc_now(),
        name=name,
        state="active",
    )


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Allow RDP Remote", "allow_rdp_remote_1d7c9aff842b"),
        ("7zip – use", "sigma_7zip_use_1d7c9aff842b"),
        ("Ünïcode", "n_code_1d7c9aff842b"),
        ("日本", "sigma_1d7c9aff842b"),
        ("x" * 100, "x" * 51 + "_1d7c9aff842b"),
        ("1" * 100, "sigma_" + "1" * 45 + "_1d7c9aff842b"),
    ],
)
def test_names_are_names_of_rules(title: str, name: str) -> None:
    assert name_of(ID, title) == name
    assert re.fullmatch("[a-z][a-z0-9_]{0,63}", name)


def test_a_rule_is_added_once_and_changed_where_it_differs() -> None:
    (new,) = compare([converted()], [existing("other")])
    assert new.action == "add"
    (same,) = compare([converted()], [existing("allow_rdp_1d7c9aff842b")])
    assert same.action == "keep"
    (changed,) = compare([converted(condition="a = 2")], [existing("allow_rdp_1d7c9aff842b")])
    assert (changed.action, changed.fields) == ("change", ("rule_expression",))
    (renamed,) = compare([converted(title="Another title")], [existing("allow_rdp_1d7c9aff842b")])
    assert (renamed.action, renamed.fields, renamed.name) == ("change", ("name",), "another_title_1d7c9aff842b")
