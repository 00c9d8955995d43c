"""Tell-tales: what would be seen if a text were run, or a file that it names were read."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

PROPERTY = "sentinel.fuzz.reached"
_IN_ACCESS, _IN_OPEN = 0x1, 0x20
_WATCHED = ("open", "os.", "subprocess.", "socket.", "exec", "compile", "import", "ctypes.", "shutil.", "urllib.")
_SECRET = "the-secret-of-the-marker"


class Watch:
    """Watches a marker file, a system property of the JVM, directories, and what Python does while it checks.

    Every tell-tale is tried out first: one that does not show what it is for is an error, not a proof.

    Raises:
        RuntimeError: A tell-tale is blind here.
    """

    def __init__(self, spark: SparkSession, directory: Path) -> None:
        self._spark = spark
        self._directory = directory
        self.marker = directory / "marker.txt"
        self.marker.write_text(_SECRET, encoding="utf-8")
        self._inotify = _watch_of(self.marker)
        self.marker.read_text(encoding="utf-8")
        if not self._touched():
            raise RuntimeError(f"reading {self.marker} is not noticed")
        spark.sql(f"SELECT reflect('java.lang.System', 'setProperty', '{PROPERTY}', 'x')").collect()
        if self._property() is None:
            raise RuntimeError(f"the property {PROPERTY} is not noticed")
        self._system().clearProperty(PROPERTY)
        self._seen: list[str] = []
        self._listening = False
        sys.addaudithook(self._hear)
        with self.listening():
            os.listdir(directory)  # noqa: PTH208 - the call itself is what is listened for
        if not self.heard():
            raise RuntimeError("what Python does is not noticed")
        self._before = self._entries()

    @property
    def bait(self) -> list[str]:
        """Fragments of rules that would set off a tell-tale."""
        path, uri = str(self.marker), self.marker.as_uri()
        written = self._directory / "written.txt"
        return [
            f"reflect('java.lang.System', 'setProperty', '{PROPERTY}', user_id)",
            f"java_method('java.lang.System', 'setProperty', '{PROPERTY}', '1')",
            f"try_reflect('java.lang.System', 'setProperty', '{PROPERTY}', '1')",
            f"`reflect`('java.lang.System', 'setProperty', '{PROPERTY}', '1')",
            f"builtin.reflect('java.lang.System', 'setProperty', '{PROPERTY}', '1')",
            f"system.builtin.reflect('java.lang.System', 'setProperty', '{PROPERTY}', '1')",
            f"IDENTIFIER('reflect')('java.lang.System', 'setProperty', '{PROPERTY}', '1')",
            f"(SELECT reflect('java.lang.System', 'setProperty', '{PROPERTY}', '1'))",
            f'EXECUTE IMMEDIATE \'SELECT reflect("java.lang.System", "setProperty", "{PROPERTY}", "1")\'',
            f"reflect('java.nio.file.Files', 'readString', '{path}')",
            f"reflect('java.lang.Runtime', 'exec', 'touch {written}')",
            f"user_id IN (SELECT value FROM text.`{path}`)",
            f"EXISTS (SELECT * FROM text.`{uri}`)",
            f"(SELECT count(*) FROM csv.`{path}`) > 0",
            f"(SELECT first(content) FROM binaryFile.`{uri}`) IS NULL",
            f"(SELECT count(*) FROM read_files('{uri}')) > 0",
            f"text.`{path}`.value = ''",
            f"IDENTIFIER('text.`{path}`') IS NULL",
            f"read_files('{path}') IS NULL",
            f"load_file('{path}') = '{_SECRET[:3]}'",
            f"__import__('os').system('touch {written}')",
            f"amount > 1; INSERT OVERWRITE DIRECTORY '{self._directory / 'out'}' USING text SELECT 'x'",
            f"${{env:HOME}} = '{path}'",
            "input_file_name() <> ''",
        ]

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Hear what Python opens, starts, connects to or compiles in this block."""
        self._listening = True
        try:
            yield
        finally:
            self._listening = False

    def heard(self) -> list[str]:
        """Return what was heard since the last call."""
        heard, self._seen = self._seen, []
        return heard

    def told(self, messages: str) -> bool:
        """Tell whether what the marker holds is in a message."""
        return _SECRET in messages

    def raised(self) -> list[str]:
        """Return which tell-tales were set off since the last call."""
        found = []
        if self._touched():
            found.append(f"{self.marker} was opened or read")
        if self._property() is not None:
            found.append(f"the property {PROPERTY} was set")
            self._system().clearProperty(PROPERTY)
        if (entries := self._entries()) != self._before:
            found.append(f"files appeared or vanished: {sorted(entries ^ self._before)[:5]}")
            self._before = entries
        return found

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._inotify)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._listening and event.startswith(_WATCHED):
            self._seen.append(f"{event} {str(arguments)[:200]}")

    def _touched(self) -> bool:
        try:
            return bool(os.read(self._inotify, 65_536))
        except BlockingIOError:
            return False

    def _system(self) -> Any:
        return self._spark._jvm.java.lang.System  # type: ignore[union-attr]

    def _property(self) -> object:
        return self._system().getProperty(PROPERTY)

    def _entries(self) -> set[str]:
        warehouse = Path(str(self._spark.conf.get("spark.sql.warehouse.dir")).removeprefix("file:"))
        return {str(entry) for place in (self._directory, warehouse) if place.is_dir() for entry in place.iterdir()}


def _watch_of(path: Path) -> int:
    library = ctypes.CDLL(None, use_errno=True)
    watch = int(library.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
    if watch < 0 or library.inotify_add_watch(watch, str(path).encode(), _IN_ACCESS | _IN_OPEN) < 0:
        raise RuntimeError(f"{path} cannot be watched: {os.strerror(ctypes.get_errno())}")
    return watch
