"""`sentinel doctor`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Annotated

import typer

from sentinel.cli.output import say
from sentinel.localstack.doctor import Severity, examine
from sentinel.settings import Settings

_MARKS = {Severity.OK: "ok     ", Severity.WARNING: "WARNING", Severity.ERROR: "ERROR  "}
_COLOURS = {Severity.OK: "\033[32m", Severity.WARNING: "\033[33m", Severity.ERROR: "\033[31m"}


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Check Java, disk, memory, ports, versions and the stores; exit code 1 on an error. Findings say what to do."""
    findings = []
    for finding in examine(Settings.load()):
        findings.append(finding)
        if not as_json:
            mark = _MARKS[finding.severity]
            if sys.stdout.isatty():
                mark = f"{_COLOURS[finding.severity]}{mark}\033[0m"
            print(f"{mark}  {finding.subject}: {finding.text}", flush=True)
            if finding.advice:
                print(f"         -> {finding.advice}", flush=True)
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=1))
    errors = sum(finding.severity is Severity.ERROR for finding in findings)
    if errors:
        say(f"{errors} error{'s' if errors > 1 else ''}")
        raise typer.Exit(1)
