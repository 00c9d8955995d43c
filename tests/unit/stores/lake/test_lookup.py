"""One event is found in the lake, by its place or its id."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from sentinel.domain.event_schema import parse_type
from sentinel.errors import InvalidError, TooBroadError
from sentinel.settings import LakeSettings
from sentinel.stores.lake import lookup
from sentinel.stores.lake.location import events_uri
from sentinel.stores.lake.lookup import row_at_place, row_of_event


def go_on() -> None:
    """Never end a search."""


@pytest.fixture
def lake(tmp_path: Path) -> LakeSettings:
    """Offsets 0 to 99 of generation 1 in two commits; offset 7 and its id came again under generation 2."""
    settings = LakeSettings(uri=tmp_path.as_uri())
    for start, end, generation in ((0, 50, 1), (50, 100, 1), (7, 8, 2)):
        numbers = range(start, end)
        rows = {
            "id": pa.array([f"e{n}" for n in numbers]),
            "n": pa.array(numbers, pa.int64()),
            "_partition": pa.array([0] * len(numbers), pa.int32()),
            "_offset": pa.array(numbers, pa.int64()),
            "_generation_id": pa.array([generation] * len(numbers), pa.int64()),
        }
        write_deltalake(events_uri(settings, "t", 1), pa.table(rows), mode="append")
    return settings


def found(table: pa.Table | None) -> tuple[str, int] | None:
    if table is None:
        return None
    (row,) = table.to_pylist()
    return row["id"], row["_generation_id"]


def by_id(
    lake: LakeSettings, event_id: str, kind: str = "string", check: Callable[[], None] = go_on
) -> pa.Table | None:
    column = "id" if kind == "string" else "n"
    return row_of_event(lake, "t", 1, event_id, column=column, kind=parse_type(kind), check=check)


def test_by_its_place(lake: LakeSettings) -> None:
    assert found(row_at_place(lake, "t", 1, (0, 60), go_on)) == ("e60", 1)
    assert found(row_at_place(lake, "t", 1, (0, 7), go_on)) == ("e7", 2), "the newest"
    assert row_at_place(lake, "t", 1, (0, 100), go_on) is None
    assert row_at_place(lake, "t", 1, (1, 0), go_on) is None


def test_by_its_id(lake: LakeSettings) -> None:
    assert found(by_id(lake, "e99")) == ("e99", 1)
    assert found(by_id(lake, "e7")) == ("e7", 2)
    assert found(by_id(lake, "42", "integer")) == ("e42", 1)
    for nobody in ("e100", "", "' OR 1=1"):
        assert by_id(lake, nobody) is None
    for nobody in ("042", "4.2", "x", "9" * 30):
        assert by_id(lake, nobody, "integer") is None


def test_another_tenant_or_pipeline_has_none(lake: LakeSettings) -> None:
    assert row_at_place(lake, "u", 1, (0, 7), go_on) is None
    assert row_at_place(lake, "t", 2, (0, 7), go_on) is None


def test_an_id_of_another_type_is_refused(lake: LakeSettings) -> None:
    with pytest.raises(InvalidError, match="name its place"):
        by_id(lake, "1", "timestamp")


def test_a_search_ends_in_time_or_when_asked_to(lake: LakeSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop() -> None:
        raise KeyError("stopped")

    with pytest.raises(KeyError):
        by_id(lake, "e7", check=stop)
    monkeypatch.setattr(lookup, "SEARCH_SECONDS", -1.0)
    with pytest.raises(TooBroadError, match="partition:offset"):
        by_id(lake, "e7")
