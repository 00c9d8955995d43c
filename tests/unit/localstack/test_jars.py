"""jars.lock and what is done with it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from sentinel.errors import ConfigurationError
from sentinel.localstack import jars
from sentinel.localstack.jars import LOCK_FILE, SETS, class_path, ensure_jars, missing_jars, read_lock

CONTENT = b"a jar"
SHA = hashlib.sha256(CONTENT).hexdigest()
NO_JAVA = Path("/nonexistent/java")


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "jars.lock"
    path.write_text(f"# a comment\n\norg.example:thing:1.0 {SHA} kafka\norg.example:fat:2.0:all {SHA} s3\n")
    return path


class TestReadLock:
    def test_reads_coordinates_checksum_and_set(self, lock: Path) -> None:
        thing, fat = read_lock(lock)
        assert (thing.group, thing.artifact, thing.version, thing.jar_set) == ("org.example", "thing", "1.0", "kafka")
        assert thing.file_name == "thing-1.0.jar"
        assert fat.file_name == "fat-2.0-all.jar"

    @pytest.mark.parametrize("line", ["org.example:thing", f"a:b:c {SHA} moon", "a:b:c abc kafka", f"a:b {SHA} s3"])
    def test_names_the_line_that_it_cannot_read(self, tmp_path: Path, line: str) -> None:
        path = tmp_path / "jars.lock"
        path.write_text(f"# comment\n{line}\n")
        with pytest.raises(ConfigurationError, match=r"jars\.lock, line 2"):
            read_lock(path)

    def test_the_lock_of_the_project_is_complete_and_pins_what_belongs_together(self) -> None:
        locked = read_lock(LOCK_FILE)
        versions = {(jar.artifact, jar.jar_set): jar.version for jar in locked}
        assert {jar.jar_set for jar in locked} == set(SETS)
        assert len({(jar.jar_set, jar.file_name) for jar in locked}) == len(locked)
        assert versions["spark-sql-kafka-0-10_2.13", "spark"] == "4.2.0"
        assert versions["spark-token-provider-kafka-0-10_2.13", "spark"] == "4.0.0"
        assert versions["delta-spark_4.2_2.13", "spark"] == versions["delta-storage", "spark"]
        assert versions["kafka_2.13", "kafka"] == versions["kafka-clients", "kafka"]


class TestEnsureJars:
    def put(self, root: Path, name: str, content: bytes = CONTENT) -> Path:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def test_takes_what_is_there_once_it_is_verified(self, tmp_path: Path, lock: Path) -> None:
        root = tmp_path / "jars"
        self.put(root, "kafka/thing-1.0.jar")
        assert missing_jars(root, ("kafka",), lock)
        ensure_jars(root, NO_JAVA, ("kafka",), lock=lock)
        assert missing_jars(root, ("kafka",), lock) == []

    def test_does_not_read_a_verified_jar_again(
        self, tmp_path: Path, lock: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        root = tmp_path / "jars"
        self.put(root, "kafka/thing-1.0.jar")
        ensure_jars(root, NO_JAVA, ("kafka",), lock=lock)
        monkeypatch.setattr(jars, "_verify", lambda *_: pytest.fail("read again"))
        ensure_jars(root, NO_JAVA, ("kafka",), lock=lock)

    def test_removes_a_jar_with_another_content_and_says_so(self, tmp_path: Path, lock: Path) -> None:
        root = tmp_path / "jars"
        damaged = self.put(root, "kafka/thing-1.0.jar", b"damaged")
        with pytest.raises(ConfigurationError, match=rf"thing-1\.0\.jar has the SHA-256 .*says {SHA}.*removed"):
            ensure_jars(root, NO_JAVA, ("kafka",), lock=lock)
        assert not damaged.exists()

    def test_notices_a_verified_jar_that_was_changed(self, tmp_path: Path, lock: Path) -> None:
        root = tmp_path / "jars"
        path = self.put(root, "kafka/thing-1.0.jar")
        ensure_jars(root, NO_JAVA, ("kafka",), lock=lock)
        path.write_bytes(CONTENT + b"!")
        assert [jar.file_name for jar in missing_jars(root, ("kafka",), lock)] == ["thing-1.0.jar"]

    def test_fetches_only_what_is_missing_and_removes_what_an_older_lock_left(
        self, tmp_path: Path, lock: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        root = tmp_path / "jars"
        self.put(root, "kafka/thing-1.0.jar")
        self.put(root, "kafka/thing-0.9.jar")
        asked: list[str] = []

        def fetch(_root: Path, _java: Path, wanted: list[jars.Jar], staging: Path, _steps: object) -> str:
            asked.extend(jar.file_name for jar in wanted)
            for jar in wanted:
                self.put(staging, jar.file_name)
            return ""

        monkeypatch.setattr(jars, "_run_ivy", fetch)
        ensure_jars(root, NO_JAVA, ("kafka", "s3"), report=lambda _text: None, lock=lock)
        assert asked == ["fat-2.0-all.jar"]
        assert sorted(path.name for path in root.glob("[ks]*/*.jar")) == ["fat-2.0-all.jar", "thing-1.0.jar"]

    def test_removes_strangers_even_when_nothing_is_missing(self, tmp_path: Path, lock: Path) -> None:
        root = tmp_path / "jars"
        self.put(root, "kafka/thing-1.0.jar")
        ensure_jars(root, NO_JAVA, ("kafka",), lock=lock)
        stranger = self.put(root, "kafka/thing-0.9.jar")
        ensure_jars(root, NO_JAVA, ("kafka",), lock=lock)
        assert not stranger.exists()

    def test_keeps_what_arrived_when_the_repository_fails(
        self, tmp_path: Path, lock: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        root = tmp_path / "jars"

        def fetch(_root: Path, _java: Path, _wanted: list[jars.Jar], staging: Path, _steps: object) -> str:
            self.put(staging, "thing-1.0.jar")
            return "connection refused"

        monkeypatch.setattr(jars, "_run_ivy", fetch)
        with pytest.raises(jars.StoreUnavailableError, match=r"1 jars are missing \(fat.*\): connection refused"):
            ensure_jars(root, NO_JAVA, ("kafka", "s3"), report=lambda _text: None, lock=lock)
        assert [jar.file_name for jar in missing_jars(root, ("kafka", "s3"), lock)] == ["fat-2.0-all.jar"]


def test_a_class_path_names_the_directory_of_the_set(tmp_path: Path) -> None:
    assert class_path(tmp_path, "spark") == f"{tmp_path}/spark/*"
