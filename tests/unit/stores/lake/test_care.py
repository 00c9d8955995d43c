"""Steps of care on a table in a directory, as deltalake does them."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from pydantic import SecretStr

from sentinel.domain.lake_care import CarePlan, Compaction
from sentinel.errors import StoreUnavailableError, TransientError
from sentinel.settings import LakeSettings
from sentinel.stores.lake.care import CareStoppedError, DeltaTableCare
from sentinel.stores.lake.location import events_uri

TENANT, PIPELINE, DAY = "acme", 1, date(2026, 1, 31)
AT = datetime(2026, 1, 31, 8, 0, 0, 123457, tzinfo=UTC)
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("amount", pa.decimal128(20, 4)),
        ("share", pa.float64()),
        ("raw", pa.binary()),
        ("at", pa.timestamp("us", tz="UTC")),
        ("tags", pa.list_(pa.string())),
        ("card", pa.struct([("brand", pa.string()), ("digits", pa.int64())])),
        ("_partition", pa.int32()),
        ("_offset", pa.int64()),
        ("date", pa.date32()),
    ]
)


def never() -> bool:
    return False


def rows(first: int, count: int, day: date = DAY) -> pa.Table:
    found: list[dict[str, Any]] = [
        {
            "id": None if number % 7 == 0 else f"e{number}\u00e4\x00\n",
            "amount": Decimal(number) / 3 if number % 5 else None,
            "share": float("nan") if number % 4 == 0 else -0.0 if number % 4 == 1 else 1e308,
            "raw": bytes([0, 255, number % 256]),
            "at": AT.replace(microsecond=number),
            "tags": [f"t{number}", None] if number % 3 else [],
            "card": {"brand": "visa", "digits": 2**60 + number} if number % 2 else None,
            "_partition": number % 4,
            "_offset": number,
            "date": day,
        }
        for number in range(first, first + count)
    ]
    for each in found:
        if each["amount"] is not None:
            each["amount"] = each["amount"].quantize(Decimal("0.0001"))
    return pa.Table.from_pylist(found, SCHEMA)


@pytest.fixture
def lake(tmp_path: Path) -> LakeSettings:
    return LakeSettings(uri=tmp_path.as_uri())


@pytest.fixture
def steps() -> Iterator[str]:
    return (f"step-{number}" for number in itertools.count(1))


@pytest.fixture
def care(lake: LakeSettings, steps: Iterator[str]) -> DeltaTableCare:
    return DeltaTableCare(lake, step_seconds=60, memory_mib=512, new_step=lambda: next(steps))


def fill(lake: LakeSettings, commits: int = 12, per_commit: int = 20, pipeline: int = PIPELINE) -> str:
    """Append as the archive does, each commit under its number."""
    uri = events_uri(lake, TENANT, pipeline)
    for number in range(commits):
        write_deltalake(
            uri,
            rows(number * per_commit, per_commit),
            mode="append",
            partition_by=["date"],
            commit_properties=CommitProperties(app_transactions=[Transaction("sentinel/acme/1", number + 1)]),
        )
    return uri


def whole(files: int = 12, day: date = DAY) -> Compaction:
    return Compaction(day, 16 * 1024 * 1024, files, 0)


def parquet_files(uri: str) -> set[str]:
    return {path.name for path in Path(uri.removeprefix("file://")).rglob("*.parquet") if "_delta_log" not in str(path)}


class TestLook:
    def test_there_is_no_table_yet(self, care: DeltaTableCare) -> None:
        assert care.look(TENANT, PIPELINE, is_stopped=never) is None

    def test_files_by_date_with_their_sizes(self, care: DeltaTableCare, lake: LakeSettings) -> None:
        uri = fill(lake, 3)
        write_deltalake(uri, rows(900, 5, date(2026, 2, 1)), mode="append", partition_by=["date"])
        found = care.look(TENANT, PIPELINE, is_stopped=never)
        assert found is not None
        assert (found.version, found.file_count, found.properties) == (3, 4, {})
        assert {each.day: len(each.sizes) for each in found.dates} == {DAY: 3, date(2026, 2, 1): 1}
        on_disk = sum(path.stat().st_size for path in Path(uri.removeprefix("file://")).rglob("date=*/*.parquet"))
        assert found.size_bytes == on_disk

    def test_a_table_that_the_archive_did_not_write_is_left_alone(
        self, care: DeltaTableCare, lake: LakeSettings
    ) -> None:
        write_deltalake(events_uri(lake, TENANT, PIPELINE), rows(0, 5))
        with pytest.raises(TransientError, match="the archive did not write it"):
            care.look(TENANT, PIPELINE, is_stopped=never)

    def test_what_nobody_thought_of_is_logged_and_not_told(
        self, care: DeltaTableCare, lake: LakeSettings, caplog: pytest.LogCaptureFixture
    ) -> None:
        fill(lake, 1)
        compaction = Compaction(DAY, "no number", 0, 0)  # type: ignore[arg-type]
        with pytest.raises(TransientError, match="compact failed; nothing of it counts"):
            care.compact(TENANT, PIPELINE, compaction, is_stopped=never)
        assert "TypeError" in caplog.text


class TestCompact:
    def test_many_files_become_one_with_the_same_rows(self, care: DeltaTableCare, lake: LakeSettings) -> None:
        uri = fill(lake)
        merged = care.compact(TENANT, PIPELINE, whole(), is_stopped=never)
        assert (merged.merged_files, merged.written_files) == (12, 1)
        table = DeltaTable(uri)
        after = table.to_pyarrow_table().select(SCHEMA.names)
        assert after.schema.equals(SCHEMA)
        # NaN and the sign of a zero count, too.
        assert repr(after.sort_by("_offset").to_pylist()) == repr(rows(0, 240).to_pylist())

    def test_rows_that_were_one_file_stay_together_in_their_order(
        self, care: DeltaTableCare, lake: LakeSettings
    ) -> None:
        uri = fill(lake)
        care.compact(TENANT, PIPELINE, whole(), is_stopped=never)
        offsets = DeltaTable(uri).to_pyarrow_table()["_offset"].to_pylist()
        files = [offsets[start : start + 20] for start in range(0, 240, 20)]
        assert sorted(files) == [list(range(start, start + 20)) for start in range(0, 240, 20)]

    def test_the_commit_says_that_no_row_is_new_and_keeps_statistics(
        self, care: DeltaTableCare, lake: LakeSettings
    ) -> None:
        uri = fill(lake)
        care.compact(TENANT, PIPELINE, whole(), is_stopped=never)
        text = (Path(uri.removeprefix("file://")) / "_delta_log" / f"{12:020}.json").read_text()
        actions = [json.loads(line) for line in text.splitlines()]
        changes = [action[kind]["dataChange"] for action in actions for kind in ("add", "remove") if kind in action]
        assert changes == [False] * 13
        (added,) = (json.loads(action["add"]["stats"]) for action in actions if "add" in action)
        assert (added["numRecords"], added["minValues"]["_offset"], added["maxValues"]["_offset"]) == (240, 0, 239)
        assert added["nullCount"]["id"] == sum(number % 7 == 0 for number in range(240))

    def test_the_numbers_of_the_archive_are_kept(self, care: DeltaTableCare, lake: LakeSettings) -> None:
        uri = fill(lake)
        care.compact(TENANT, PIPELINE, whole(), is_stopped=never)
        assert DeltaTable(uri).transaction_version("sentinel/acme/1") == 12
        assert not list((Path(uri.removeprefix("file://")) / "_delta_log").glob("*.checkpoint.parquet"))

    def test_a_second_time_changes_nothing(self, care: DeltaTableCare, lake: LakeSettings) -> None:
        uri = fill(lake)
        care.compact(TENANT, PIPELINE, whole(), is_stopped=never)
        assert care.compact(TENANT, PIPELINE, whole(), is_stopped=never).merged_files == 0
        assert DeltaTable(uri).version() == 12

    def test_other_dates_and_other_pipelines_are_left_alone(self, care: DeltaTableCare, lake: LakeSettings) -> None:
        uri, other = fill(lake, 3), fill(lake, 3, pipeline=2)
        write_deltalake(uri, rows(900, 5, date(2026, 2, 1)), mode="append", partition_by=["date"])
        write_deltalake(uri, rows(905, 5, date(2026, 2, 1)), mode="append", partition_by=["date"])
        care.compact(TENANT, PIPELINE, whole(), is_stopped=never)
        found = care.look(TENANT, PIPELINE, is_stopped=never)
        assert found is not None
        assert {each.day: len(each.sizes) for each in found.dates} == {DAY: 1, date(2026, 2, 1): 2}
        assert DeltaTable(other).version() == 2

    def test_a_column_that_came_later_is_null_before(self, care: DeltaTableCare, lake: LakeSettings) -> None:
        uri = fill(lake, 2)
        more = rows(40, 2).append_column("city", pa.array(["Bonn", None]))
        write_deltalake(uri, more, mode="append", partition_by=["date"], schema_mode="merge")
        care.compact(TENANT, PIPELINE, whole(), is_stopped=never)
        cities = DeltaTable(uri).to_pyarrow_table().sort_by("_offset")["city"].to_pylist()
        assert cities == [None] * 40 + ["Bonn", None]

    def test_a_reader_that_began_before_goes_on(self, care: DeltaTableCare, lake: LakeSettings) -> None:
        uri = fill(lake)
        before = DeltaTable(uri).to_pyarrow_dataset()
        care.compact(TENANT, PIPELINE, whole(), is_stopped=never)
        care.vacuum(TENANT, PIPELINE, retention_hours=168, dry_run=False, is_stopped=never)
        assert before.count_rows() == 240

    def test_a_table_of_a_newer_protocol_is_left_alone(self, care: DeltaTableCare, lake: LakeSettings) -> None:
        uri = fill(lake, 2)
        DeltaTable(uri).alter.set_table_properties({"delta.enableChangeDataFeed": "true"})
        with pytest.raises(TransientError, match="care leaves it alone"):
            care.compact(TENANT, PIPELINE, whole(), is_stopped=never)
        assert len(parquet_files(uri)) == 2


class TestVacuum:
    def test_nothing_younger_than_the_retention_is_deleted(self, care: DeltaTableCare, lake: LakeSettings) -> None:
        uri = fill(lake)
        care.compact(TENANT, PIPELINE, whole(), is_stopped=never)
        assert care.vacuum(TENANT, PIPELINE, retention_hours=24, dry_run=False, is_stopped=never) == 0
        assert len(parquet_files(uri)) == 13

    def test_what_no_version_refers_to_is_counted_and_deleted(self, care: DeltaTableCare, lake: LakeSettings) -> None:
        uri = fill(lake)
        care.compact(TENANT, PIPELINE, whole(), is_stopped=never)
        orphan = Path(uri.removeprefix("file://")) / f"date={DAY}" / "part-of-a-step-that-was-cut.parquet"
        orphan.write_bytes(b"half a file")
        assert care.vacuum(TENANT, PIPELINE, retention_hours=0, dry_run=True, is_stopped=never) == 13
        assert len(parquet_files(uri)) == 14
        assert care.vacuum(TENANT, PIPELINE, retention_hours=0, dry_run=False, is_stopped=never) == 13
        assert len(parquet_files(uri)) == 1
        assert DeltaTable(uri).to_pyarrow_table().num_rows == 240


class TestProperties:
    def test_they_are_set(self, care: DeltaTableCare, lake: LakeSettings) -> None:
        uri = fill(lake, 1)
        plan = CarePlan((), {"delta.logRetentionDuration": "interval 168 hours"}, vacuum=False)
        care.set_properties(TENANT, PIPELINE, plan, is_stopped=never)
        assert DeltaTable(uri).metadata().configuration == plan.properties
        assert DeltaTable(uri).to_pyarrow_table().num_rows == 20


class TestBounds:
    def test_a_step_that_takes_too_long_is_ended_and_counts_for_nothing(self, lake: LakeSettings) -> None:
        uri = fill(lake, 2)
        care = DeltaTableCare(lake, step_seconds=0.001, memory_mib=512, new_step=lambda: "s")
        with pytest.raises(TransientError, match="SENTINEL_LAKE_CARE__STEP_SECONDS"):
            care.compact(TENANT, PIPELINE, whole(), is_stopped=never)
        assert DeltaTable(uri).version() == 1

    def test_a_step_is_ended_when_its_process_stops(self, care: DeltaTableCare, lake: LakeSettings) -> None:
        uri = fill(lake, 2)
        with pytest.raises(CareStoppedError):
            care.compact(TENANT, PIPELINE, whole(), is_stopped=lambda: True)
        assert DeltaTable(uri).version() == 1

    def test_appends_at_the_same_time_lose_nothing(self, care: DeltaTableCare, lake: LakeSettings) -> None:
        uri = fill(lake)
        stopping = threading.Event()
        written = [12]

        def append() -> None:
            while not stopping.is_set():
                write_deltalake(uri, rows(written[0] * 20, 20), mode="append", partition_by=["date"])
                written[0] += 1
                time.sleep(0.01)

        thread = threading.Thread(target=append)
        thread.start()
        merged = care.compact(TENANT, PIPELINE, whole(), is_stopped=never)
        stopping.set()
        thread.join()
        assert merged.merged_files >= 12
        offsets = sorted(DeltaTable(uri).to_pyarrow_table()["_offset"].to_pylist())
        assert offsets == list(range(written[0] * 20))

    def test_a_store_that_is_away_is_told_without_its_credentials(self) -> None:
        lake = LakeSettings(endpoint="http://127.0.0.1:1", access_key="THEKEY", secret_key=SecretStr("THESECRET"))
        care = DeltaTableCare(lake, step_seconds=60, memory_mib=512, new_step=lambda: "s")
        with pytest.raises(StoreUnavailableError) as raised:
            care.look(TENANT, PIPELINE, is_stopped=never)
        assert "THESECRET" not in raised.value.message
        assert "THEKEY" not in raised.value.message
        assert "127.0.0.1" not in raised.value.message
