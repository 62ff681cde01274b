"""Results that were counted before, kept in a folder: the same question, seed, trials and version have the same answer.

A file is named by a digest of all that the result depends on and holds that itself, so that no other question is ever
answered from it; a checksum tells a damaged one. Files are written whole or not at all, so several processes may share
a folder. What does not matter to the counts (threads, where results go) is not part of the question.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from sims.files import AnyPath, WriteError, write_text
from sims.options import Request
from sims.statistics.result import Result

FORMAT = 1
"""Of the files."""

_IGNORED = ("jobs",)
"""Options that no count depends on."""

_LIBRARIES = ("numba", "numpy", "python-flint", "scipy")


class CacheError(ValueError):
    """A folder that cannot hold results; the message is one line."""


def question_of(command: str, layout: int, request: Request[Any]) -> dict[str, Any]:
    """All that a result depends on, as JSON has it: questions, options but for threads, versions and sources."""
    options = dataclasses.asdict(request.options)
    asked = {
        "command": command,
        "layout": layout,
        "questions": [repr(one) for one in request.questions],
        "options": {name: value for name, value in options.items() if name not in _IGNORED},
        "made_by": made_by(),
    }
    found: dict[str, Any] = json.loads(json.dumps(asked, default=repr))
    return found


@cache
def made_by() -> Mapping[str, str]:
    """Versions of this package, of Python and of the libraries that count, and a digest of the sources."""
    sources, root = hashlib.sha256(), Path(__file__).resolve().parents[1]
    for path in sorted(path for part in ("sims", "theory") for path in (root / part).rglob("*")):
        if path.suffix in (".py", ".toml"):
            content = path.read_bytes()
            sources.update(f"{path.relative_to(root).as_posix()} {len(content)}\n".encode() + content)
    found = {name: _version(name) for name in ("strong-tickets", *_LIBRARIES)}
    return {**found, "python": sys.version.split()[0], "sources": sources.hexdigest()}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


class Cache:
    """A folder of results.

    Parameters
    ----------
    folder : path
        Made if it is not there.
    question : dict
        From `question_of`.

    Raises
    ------
    CacheError
        The folder cannot be made, read or written.
    """

    def __init__(self, folder: AnyPath, question: Mapping[str, Any]) -> None:
        self.question = dict(question)
        name = hashlib.sha256(_text(self.question).encode()).hexdigest()[:32]
        self.path = Path(folder) / f"{question['command']}-{name}.json"
        try:
            Path(folder).mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise CacheError(f"--cache {os.fspath(folder)}: {problem.strerror}") from None
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            raise CacheError(f"--cache {os.fspath(folder)}: not readable and writable")

    def find(self) -> tuple[Result | None, str]:
        """The result that is kept, or None; and what to say of it: "" where there is nothing."""
        try:
            kept = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None, ""
        except (OSError, ValueError) as problem:
            return None, self._damaged(getattr(problem, "strerror", None) or "no text")
        try:
            content = json.loads(kept)
            body = content["body"]
            if content["format"] != FORMAT:
                return None, self._damaged(f"format {content['format']!r}")
            if hashlib.sha256(body.encode("utf-8", "surrogatepass")).hexdigest() != content["sha256"]:
                return None, self._damaged("its checksum is another")
            held = json.loads(body)
            if held["question"] != self.question:
                return None, self._damaged("it answers another question")
            result = Result.from_dict(held["result"])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None, self._damaged("no result")
        made = f"counted in {result.provenance['seconds']:.3g} s by version {result.provenance['version']}"
        return result, f"answered from {self.path}: {made}"

    def _damaged(self, why: str) -> str:
        return f"{self.path} is damaged ({why}): counted anew, and replaced"

    def keep(self, result: Result) -> str:
        """Keep a result; returns what to say: "" if all went well. It is never lost for a folder that takes nothing."""
        parts = {name: getattr(result, name) for name in ("command", "params", "rows", "provenance", "summary")}
        whole = {"schema": result.schema, **parts, "details": result.details}
        body = _text({"question": self.question, "result": whole})
        digest = hashlib.sha256(body.encode("utf-8", "surrogatepass")).hexdigest()
        try:
            write_text(self.path, json.dumps({"format": FORMAT, "sha256": digest, "body": body}) + "\n")
        except WriteError as problem:
            return f"not kept: {problem}"
        return ""


def _text(value: Any) -> str:
    """JSON with every float as it is, NaN and infinities too."""
    return json.dumps(value, default=_number)


def _number(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"a result holds {type(value).__name__}")
