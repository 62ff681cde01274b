"""Tickets changed so that nothing but their content tells, and the one line that refuses a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file

from nets import ticket
from nets.tickets.file import file_bytes


def parsed(path: Path) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Schema, metadata and tensors of a ticket file, whatever they say."""
    content = path.read_bytes()
    text = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])["__metadata__"]
    return text["schema"], json.loads(text["ticket"]), load_file(path)


def forge(path: Path, out: Path, *, tensors: Mapping[str, Any] | None = None, **changes: Any) -> Path:
    """The ticket with other fields or tensors (None: without it) and a checksum that fits."""
    schema, meta, held = parsed(path)
    whole = {name: array for name, array in {**held, **(tensors or {})}.items() if array is not None}
    out.write_bytes(file_bytes(schema, json.dumps({**meta, **changes}, sort_keys=True), whole))
    return out


def refused(argv: list[str], capsys: pytest.CaptureFixture[str], says: str) -> None:
    """The command ends with 2 and one line on stderr."""
    assert ticket.main(argv) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("error: ")
    assert says in captured.err


def found_by_verify(argv: list[str], capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Names of the numbers that differ."""
    assert ticket.main(["verify", *argv]) == 1
    captured = capsys.readouterr()
    assert captured.err == ""
    *lines, last = captured.out.splitlines()
    assert f"{len(lines)} differ" in last
    return [line.split(": recorded ")[0] for line in lines]
