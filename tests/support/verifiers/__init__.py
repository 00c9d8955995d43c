"""The official verifiers of Standard Webhooks in other languages, fetched by pinned version and checksum."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).parent
FETCH_SECONDS = 240

_JS_MAIN = """
import { readFileSync } from "node:fs";
import { received } from "./receiver.mjs";
const headers = JSON.parse(readFileSync("headers.json", "utf8"));
try {
  received(process.env.SECRET, headers, readFileSync("body", "utf8"));
} catch (error) {
  console.error(String(error));
  process.exit(3);
}
"""
_GO_MAIN = """
package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
)

func main() {
	body, _ := os.ReadFile("body")
	raw, _ := os.ReadFile("headers.json")
	plain := map[string]string{}
	if json.Unmarshal(raw, &plain) != nil {
		os.Exit(4)
	}
	headers := http.Header{}
	for name, value := range plain {
		headers.Set(name, value)
	}
	if err := received(os.Getenv("SECRET"), headers, body); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
}
"""


class CannotBeHadError(Exception):
    """The verifier is not on this machine and cannot be fetched."""


def prepare_js(directory: Path, receiver: str) -> list[str]:
    """Lay out the verifier of JavaScript and return the command that runs it.

    Raises:
        CannotBeHadError: Node or its package is not there.
    """
    if not (shutil.which("node") and shutil.which("npm")):
        raise CannotBeHadError("node and npm are not on this machine")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / "js" / name, directory)
    (directory / "receiver.mjs").write_text(receiver)
    (directory / "main.mjs").write_text(_JS_MAIN)
    _fetch(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], directory)
    return ["node", "main.mjs"]


def prepare_go(directory: Path, receiver: str) -> list[str]:
    """Build the verifier of Go and return the command that runs it.

    Raises:
        CannotBeHadError: Go or its module is not there.
    """
    if not shutil.which("go"):
        raise CannotBeHadError("go is not on this machine")
    for name in ("go.mod", "go.sum"):
        shutil.copy(HERE / "go" / name, directory)
    (directory / "receiver.go").write_text(receiver)
    (directory / "main.go").write_text(_GO_MAIN)
    _fetch(["go", "mod", "download"], directory)
    subprocess.run(["go", "build", "-o", "receiver", "."], cwd=directory, env=_environment(), check=True)
    return [str(directory / "receiver")]


def verify(
    command: list[str], directory: Path, *, secret: str, headers: Mapping[str, str], body: bytes
) -> tuple[bool, str]:
    """Return whether a delivery is verified, and what was said.

    Raises:
        RuntimeError: The verifier itself failed.
    """
    (directory / "headers.json").write_text(json.dumps(dict(headers)))
    (directory / "body").write_bytes(body)
    done = subprocess.run(
        command, cwd=directory, env={**_environment(), "SECRET": secret}, capture_output=True, text=True, check=False
    )
    if done.returncode not in {0, 3}:
        raise RuntimeError(done.stderr)
    return done.returncode == 0, done.stderr


def _environment() -> dict[str, str]:
    return {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-buildvcs=false", "CGO_ENABLED": "0"}


def _fetch(command: list[str], directory: Path) -> None:
    try:
        subprocess.run(
            command, cwd=directory, env=_environment(), capture_output=True, check=True, timeout=FETCH_SECONDS
        )
    except (subprocess.SubprocessError, OSError) as error:
        said = getattr(error, "stderr", None) or str(error).encode()
        raise CannotBeHadError(f"{command[0]} cannot fetch the verifier: {said.decode()[-300:]}") from error
