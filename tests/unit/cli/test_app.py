"""The `sentinel` command: every verb is there, explains itself, and fails in one line."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from sentinel.cli import app
from sentinel.cli.app import VERBS, main
from sentinel.errors import SentinelError
from sentinel.settings import PROJECT_ROOT

MAKEFILE = (PROJECT_ROOT / "Makefile").read_text()
VERB_LINES = dict(re.findall(r"^([a-z-]+):.*## (.+)$", MAKEFILE, re.MULTILINE))


def sentinel(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run the command line in this process and return its exit code."""
    monkeypatch.setattr(sys, "argv", ["sentinel", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("SENTINEL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SENTINEL_HOME", str(tmp_path))
    return tmp_path


class TestVerbs:
    @pytest.mark.parametrize("verb", VERBS)
    def test_each_explains_itself(
        self, verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert sentinel(monkeypatch, verb, "--help") == 0
        assert f"sentinel {verb}" in capsys.readouterr().out

    def test_help_lists_each_with_one_line(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert sentinel(monkeypatch, "--help") == 0
        lines = capsys.readouterr().out.splitlines()
        for verb, (_, _, line) in VERBS.items():
            assert any(text.split() == [verb, *line.split()] for text in lines)

    def test_an_unknown_verb_is_named(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert sentinel(monkeypatch, "fly") == 2
        assert "No such command 'fly'" in capsys.readouterr().err

    def test_light_verbs_load_no_driver(self) -> None:
        code = "import sentinel.cli.stack, sentinel.cli.logs, sys; print([m for m in sys.modules if '.' not in m])"
        loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        for heavy in ("psycopg", "sqlalchemy", "boto3", "confluent_kafka", "redis", "pyspark", "rich"):
            assert f"'{heavy}'" not in loaded


class TestErrors:
    def test_an_error_raised_on_purpose_is_one_line_and_exit_code_1(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def fail(**_: object) -> None:
            raise SentinelError("the moon is full; wait a week")

        monkeypatch.setattr(app, "app", fail)
        assert sentinel(monkeypatch) == 1
        assert capsys.readouterr().err == "error: the moon is full; wait a week\n"

    @pytest.mark.parametrize(
        ("arguments", "complaint"),
        [
            (["submit"], "name the pipelines, or give --all"),
            (["submit", "1", "--all"], "name the pipelines, or give --all"),
            (["submit", "0"], "0 is not the id of a pipeline"),
            (["stop", "7"], "'job-7' does not run; what runs: nothing"),
            (["restart", "kafka"], "there is no program 'kafka'"),
            (["logs", "kafka"], "there is no log of 'kafka'"),
        ],
    )
    def test_what_cannot_be_done_says_why(
        self,
        arguments: list[str],
        complaint: str,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        assert sentinel(monkeypatch, *arguments) == 1
        said = capsys.readouterr().err
        assert said.startswith(f"error: {complaint}")
        assert said.count("\n") == 1


class TestClean:
    def test_asks_first_and_deletes_nothing_without_a_yes(
        self, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (home / "data").mkdir()
        monkeypatch.setattr(typer, "confirm", lambda _text, abort: (_ for _ in ()).throw(typer.Abort()))
        assert sentinel(monkeypatch, "clean") == 1
        assert (home / "data").is_dir()

    def test_deletes_data_and_keeps_jars(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("data/postgres", "logs", "checkpoints/1", "jars/spark", "run"):
            (home / name).mkdir(parents=True)
        (home / "stack.env").write_text("")
        assert sentinel(monkeypatch, "clean", "--yes") == 0
        assert sorted(path.name for path in home.iterdir()) == ["jars"]

    def test_checkpoints_alone(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("data/postgres", "checkpoints/1"):
            (home / name).mkdir(parents=True)
        assert sentinel(monkeypatch, "clean-checkpoints") == 0
        assert sorted(path.name for path in home.iterdir()) == ["data"]


class TestLogs:
    def write(self, home: Path, name: str, lines: int) -> None:
        (home / "logs").mkdir(exist_ok=True)
        (home / "logs" / f"{name}.log").write_text("".join(f"{name} {number}\n" for number in range(lines)))

    def test_shows_the_last_lines_of_one(
        self, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.write(home, "kafka", 100)
        self.write(home, "redis", 100)
        assert sentinel(monkeypatch, "logs", "kafka", "-n", "2") == 0
        assert capsys.readouterr().out == "kafka 98\nkafka 99\n"

    def test_names_each_program_when_there_are_several(
        self, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.write(home, "kafka", 3)
        self.write(home, "redis", 3)
        assert sentinel(monkeypatch, "logs", "-n", "1") == 0
        assert capsys.readouterr().out == "kafka | kafka 2\nredis | redis 2\n"

    def test_follows_across_a_rotation(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        from sentinel.cli.logs import LogTail

        self.write(home, "kafka", 1)
        path = home / "logs" / "kafka.log"
        tail = LogTail(path, "")
        tail.print_last(10)
        with path.open("a") as file:
            file.write("before\n")
        path.rename(path.with_suffix(".log.1"))
        path.write_text("after\n")
        tail.print_new()
        assert capsys.readouterr().out == "kafka 0\nbefore\nafter\n"


class TestMakefile:
    def test_help_needs_no_installation_and_lists_every_verb(self) -> None:
        # When make itself runs the tests, it hands its own flags down: they would announce directories.
        clean = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
        asked = subprocess.run(
            ["make", "help"], cwd=PROJECT_ROOT, env=clean, capture_output=True, text=True, check=True
        )
        said = asked.stdout
        assert {line.split()[1] for line in said.splitlines()} == set(VERB_LINES)
        assert len(VERB_LINES) >= 20

    @pytest.mark.parametrize(
        ("target", "verb"), re.findall(r"^([a-z-]+): .*\n\t@\$\(SENTINEL\) ([a-z-]+)", MAKEFILE, re.MULTILINE)
    )
    def test_its_verbs_are_verbs_of_the_command(self, target: str, verb: str) -> None:
        assert verb in VERBS
        assert target == {"doctor": "env-check"}.get(verb, verb)

    def test_it_knows_every_phony_verb(self) -> None:
        phony = re.search(r"^\.PHONY: ((?:.*\\\n)*.*)$", MAKEFILE, re.MULTILINE)
        assert phony is not None
        assert set(phony.group(1).replace("\\\n", " ").split()) == set(VERB_LINES)
