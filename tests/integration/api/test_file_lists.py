"""Lists as files against the real API."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sentinel.client import Client
from sentinel.errors import InvalidError
from sentinel.files.export import documents, write
from sentinel.settings import Settings
from sentinel.stores.postgres.migrate import ensure_tenant
from tests.integration.api.test_files import PIPELINE, applied, planned, said

pytestmark = pytest.mark.integration

LISTS = """
kind: list
name: whitelist
key: user
columns:
  - {name: user, type: string}
  - {name: since, type: date}
  - {name: share, type: 'decimal(5,2)'}
rows:
  - {user: ann, since: 2024-01-31, share: 0.5}
  - {user: bob, share: '1.25', expires_at: '2999-01-01T00:00:00Z'}
---
kind: list
name: stops
key: id
columns: [{name: id, type: integer}]
rows_file: data/stops.csv
---
kind: list
name: fed_elsewhere
key: id
columns: [{name: id, type: integer}]
"""
RULE = """
kind: rule
pipeline: Card payments
name: stranger
rule_expression: user NOT IN (SELECT user FROM whitelist)
severity: info
"""


@pytest.fixture
def sentinel(base_url: str, key_of: Callable[..., str], tenant: str) -> Iterator[Client]:
    """The client of the tenant."""
    with Client(base_url, api_key=key_of(tenant)) as caller:
        yield caller


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A directory with lists, a pipeline and a rule that reads one of them."""
    directory = tmp_path / "config"
    (directory / "data").mkdir(parents=True)
    (directory / "pipeline.yaml").write_text(PIPELINE)
    (directory / "lists.yaml").write_text(LISTS)
    (directory / "rule.yaml").write_text(RULE)
    (directory / "data" / "stops.csv").write_text("id\n1\n2\n")
    return directory


def test_lists_come_before_the_rules_that_read_them_and_are_applied_once(sentinel: Client, files: Path) -> None:
    assert [change.title for change in planned(sentinel, files).changes] == [
        "list whitelist",
        "list stops",
        "list fed_elsewhere",
        "pipeline Card payments",
        "rule Card payments / stranger",
    ]
    assert applied(sentinel, files) == 5
    assert said(planned(sentinel, files)) == []
    assert {found.name: found.row_count for found in sentinel.list_lists()} == {
        "whitelist": 2,
        "stops": 2,
        "fed_elsewhere": 0,
    }


def test_rows_that_differ_are_drift_and_are_put_back(sentinel: Client, files: Path) -> None:
    applied(sentinel, files)
    sentinel.edit_list("whitelist", upsert=[{"user": "eve"}, {"user": "ann", "share": "9"}], delete=["bob"])
    sentinel.edit_list("fed_elsewhere", upsert=[{"id": 5}])
    (files / "data" / "stops.csv").write_text("id\n2\n3\n")
    assert said(planned(sentinel, files)) == [
        "change list whitelist: ['rows added', 'rows changed', 'rows removed']",
        "change list stops: ['rows added', 'rows removed']",
    ]
    assert applied(sentinel, files) == 2
    assert said(planned(sentinel, files)) == []
    assert [row.key for row in sentinel.iterate_list_rows("whitelist")] == ["ann", "bob"]
    assert [row.key for row in sentinel.iterate_list_rows("fed_elsewhere")] == ["5"]


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        ("share: 0.5", "share: half", "lists.yaml:10: list whitelist: row 0, column share"),
        ("user: bob", "user: ann", "lists.yaml:11: list whitelist: row 1, column user: 'ann' is there already"),
        ("type: date", "type: dat", "lists.yaml:5: list whitelist: unknown type 'dat'"),
        ("key: user\n", "key: usr\n", "lists.yaml:2: the key 'usr' is no column"),
        ("data/stops.csv", "data/none.csv", "lists.yaml:17: "),
        ("data/stops.csv", "../../../etc/passwd", "lists.yaml:17: '../../../etc/passwd' leads out of the directory"),
        ("rows_file: data/stops.csv", "rows_file: data/stops.csv\nrows: []", "give either rows or rows_file"),
        ("SELECT user FROM whitelist", "SELECT user FROM whitelits", "rule.yaml:5: rule Card payments / stranger"),
    ],
)
def test_mistakes_are_told_at_their_lines(
    sentinel: Client, files: Path, before: str, after: str, sentence: str
) -> None:
    for path in (files / "lists.yaml", files / "rule.yaml"):
        path.write_text(path.read_text().replace(before, after))
    with pytest.raises(InvalidError) as refused:
        planned(sentinel, files)
    assert sentence in refused.value.message
    assert sentinel.list_lists() == []


def test_a_broken_csv_file_names_its_line(sentinel: Client, files: Path) -> None:
    (files / "data" / "stops.csv").write_text("id\n1\nmany\n")
    with pytest.raises(InvalidError, match=r"lists.yaml:17: list stops: line 3, column id: 'many'"):
        planned(sentinel, files)


def test_the_shape_of_a_list_is_fixed(sentinel: Client, files: Path) -> None:
    applied(sentinel, files)
    path = files / "lists.yaml"
    path.write_text(path.read_text().replace("{name: since, type: date}", "{name: since, type: string}"))
    with pytest.raises(InvalidError, match=r"lists.yaml:5: columns of list 'whitelist' .* cannot become"):
        planned(sentinel, files)


def test_another_tenant_gets_the_same(
    sentinel: Client, base_url: str, key_of: Callable[..., str], settings: Settings, files: Path
) -> None:
    applied(sentinel, files)
    out, again = files.parent / "out", files.parent / "again"
    write(documents(sentinel), out, overwrite=False)
    assert said(planned(sentinel, out, prune=True)) == []
    other = f"t{uuid.uuid4().hex[:12]}"
    ensure_tenant(settings.postgres, other, "test")
    with Client(base_url, api_key=key_of(other)) as stranger:
        applied(stranger, out)
        write(documents(stranger), again, overwrite=False)
    assert {path.relative_to(out): path.read_bytes() for path in out.rglob("*.yaml")} == {
        path.relative_to(again): path.read_bytes() for path in again.rglob("*.yaml")
    }
