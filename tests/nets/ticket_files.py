"""Tickets changed so that nothing but their content tells, and the one line that refuses a file."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from nets import ticket
from nets.tickets import TicketError, read_ticket, rebuild
from nets.tickets.file import file_bytes


def parsed(path: Path) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Schema, metadata and tensors of a ticket file, whatever they say."""
    content = path.read_bytes()
    text = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])["__metadata__"]
    return text["schema"], json.loads(text["ticket"]), load_file(path)


def bound_naively(values: str, text: str, tensors: Mapping[str, Any]) -> str:
    """The digest of a ticket from that of its kept values, its other fields as JSON, and its tensors."""
    rest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        array = np.asarray(tensors[name])
        kind = {"b": "b1", "V": "u2"}.get(array.dtype.kind, f"{array.dtype.kind}{array.dtype.itemsize}")
        sides = ", ".join(str(side) for side in array.shape)
        rest.update(b"\0" + f"{name} {kind} [{sides}]".encode() + b"\0" + array.tobytes())
    return hashlib.sha256(values.encode() + rest.hexdigest().encode()).hexdigest()


def forge(
    path: Path, out: Path, *, tensors: Mapping[str, Any] | None = None, digest: bool = False, **changes: Any
) -> Path:
    """The ticket with other fields or tensors (None: without it) and a checksum, or also a digest, that fits."""
    schema, meta, held = parsed(path)
    whole = {name: array for name, array in {**held, **(tensors or {})}.items() if array is not None}
    content = {**meta, **changes}
    out.write_bytes(file_bytes(schema, json.dumps(content, sort_keys=True), whole))
    if digest:
        with contextlib.suppress(TicketError):
            content["values_sha256"] = rebuild(read_ticket(out)).values_sha256
            out.write_bytes(file_bytes(schema, json.dumps(content, sort_keys=True), whole))
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
