"""What the supervisor and the launcher are told of a program."""

from __future__ import annotations

import configparser
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from sentinel.errors import InvalidError
from sentinel.localstack import launch
from sentinel.localstack.launch import end_leftovers, marked_processes
from sentinel.localstack.paths import StackPaths
from sentinel.localstack.program import Program, identity, remove_program
from sentinel.localstack.servers.base import java_properties
from sentinel.localstack.services import SERVICES

SLEEPER = "import time, sys; print('up', flush=True); time.sleep(600)"


@pytest.fixture
def paths(tmp_path: Path) -> StackPaths:
    found = StackPaths(tmp_path / "a home; with #all 100% of it")
    found.create()
    return found


class TestProgram:
    def test_its_section_holds_no_path_and_no_secret(self, paths: StackPaths) -> None:
        program = Program("thing", ("/bin/true", "--password", "hidden"), paths.home, stop_signal=signal.SIGINT)
        program.write(paths)
        text = (paths.programs / "thing.conf").read_text()
        assert str(paths.home) not in text
        assert "hidden" not in text
        section = configparser.RawConfigParser()
        section.read_string(text)
        assert section["program:thing"]["stopsignal"] == "INT"

    def test_its_specification_is_private_and_carries_the_settings_of_who_starts_it(
        self, paths: StackPaths, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SENTINEL_TENANT", "acme")
        Program("thing", ("/bin/true",), paths.home, {"A": "b"}).write(paths)
        file = paths.programs / "thing.json"
        environment = json.loads(file.read_text())["environment"]
        assert file.stat().st_mode & 0o777 == 0o600
        assert environment["SENTINEL_TENANT"] == "acme"
        assert environment["A"] == "b"
        assert environment["SENTINEL_HOME"] == str(paths.home)

    @pytest.mark.parametrize("name", ["", "Job", "a b", "../a", "a]\nuser=root"])
    def test_a_name_that_could_break_the_configuration_is_refused(self, paths: StackPaths, name: str) -> None:
        with pytest.raises(InvalidError, match="not a program name"):
            Program(name, ("/bin/true",), paths.home).write(paths)

    def test_it_can_be_removed(self, paths: StackPaths) -> None:
        Program("thing", ("/bin/true",), paths.home).write(paths)
        remove_program(paths, "thing")
        assert list(paths.programs.iterdir()) == []


class TestLaunch:
    def test_becomes_the_program_in_its_directory_and_environment(self, paths: StackPaths) -> None:
        code = "import os; print(os.getpid(), os.getcwd(), os.environ['WORD'])"
        Program("thing", (sys.executable, "-c", code), paths.home, {"WORD": "x y"}).write(paths)
        command = [sys.executable, "-I", launch.__file__, str(paths.programs / "thing.json")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            said = process.communicate(timeout=30)[0].strip()
        assert said == f"{process.pid} {paths.home} x y"

    @pytest.mark.parametrize("niceness", [0, 3])
    def test_lets_others_go_first_where_that_is_wanted(self, paths: StackPaths, niceness: int) -> None:
        Program("thing", (sys.executable, "-c", "import os; print(os.nice(0))"), paths.home, niceness=niceness).write(
            paths
        )
        command = [sys.executable, "-I", launch.__file__, str(paths.programs / "thing.json")]
        said = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout
        assert int(said) == min(19, os.nice(0) + niceness)

    def test_the_dashboard_alone_does(self) -> None:
        assert {name: service.niceness > 0 for name, service in SERVICES.items()} == {"api": False, "dashboard": True}

    def test_ends_what_is_left_of_an_earlier_run_and_nothing_else(self, paths: StackPaths) -> None:
        ours, other = identity(paths, "thing"), identity(paths, "thing-2")
        started = [
            subprocess.Popen([sys.executable, "-c", SLEEPER], env={**os.environ, **mark}, stdout=subprocess.PIPE)
            for mark in (ours, other)
        ]
        try:
            for process in started:
                assert process.stdout is not None
                process.stdout.readline()
            assert marked_processes(ours[launch.MARK]) == [started[0].pid]
            end_leftovers(ours[launch.MARK])
            assert started[0].wait(10) == -signal.SIGTERM
            assert psutil.Process(started[1].pid).status() != psutil.STATUS_ZOMBIE
        finally:
            for process in started:
                process.kill()
                process.communicate()


def test_properties_escape_what_java_would_misread() -> None:
    text = java_properties({"a": "C:\\x", "b": "ünï 😀", "c": "plain value"})
    assert text == "a=C:\\u005cx\nb=\\u00fcn\\u00ef \\ud83d\\ude00\nc=plain value\n"
