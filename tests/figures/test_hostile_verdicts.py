"""Verdict files that anybody may have written: one line with the file's name."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from figures import verdicts


def in_row(**changes: Any) -> Callable[[Any], None]:
    return lambda found: found["rows"][0].update(changes)


def in_part(part: str, **changes: Any) -> Callable[[Any], None]:
    return lambda found: found[part].update(changes)


WRONG: dict[str, Callable[[Any], None]] = {
    "trials in words": in_row(trials="many"),
    "a fraction of trials": in_row(trials=1.5),
    "negative trials": in_row(trials=-1),
    "more trials than a run has": in_row(trials=10**400),
    "more successes than trials": in_row(trials=3, successes=4),
    "successes of nothing": in_row(trials=None, successes=0),
    "a power in words": in_row(power="high"),
    "a power beyond 1": in_row(power=1.5),
    "a power that is no float": in_row(power=10**400),
    "a power that is no number": in_row(power=float("nan")),
    "a factor that is no float": in_row(off_factor=10**400),
    "a factor below 1": in_row(off_factor=0.5),
    "an unknown claim": in_row(claim="99.9"),
    "an unknown status": in_row(status="great"),
    "an unknown verdict": in_row(verdict="great"),
    "a number for a verdict": in_row(verdict=3),
    "a list for a claim": in_row(claim=["1.1"]),
    "failed in words": in_row(failed="no"),
    "seconds in words": in_part("provenance", seconds="long"),
    "seconds that are no float": in_part("provenance", seconds=10**400),
    "negative seconds": in_part("provenance", seconds=-1.0),
    "a version that is a number": in_part("provenance", version=3),
    "a negative seed": in_part("params", seed=-1),
    "a budget in words": in_part("params", budget="60"),
    "a budget that is no float": in_part("params", budget=10**400),
    "rows of text": lambda found: found.update(rows=["x"]),
    "no rows": lambda found: found.pop("rows"),
    "a claim summed up twice": lambda found: found["summary"].append(found["summary"][0]),
    "a summary of an unknown claim": lambda found: found["summary"].append({"claim": "99.9", "verdict": "refuted"}),
    "another schema": lambda found: found.update(schema=["x"]),
}


def refused(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"^verdicts-of-mine\.json: ") as problem:
        verdicts.load(path)
    assert len(str(problem.value)) < 300
    assert "\n" not in str(problem.value)


@pytest.mark.parametrize("what", WRONG)
def test_what_no_verification_writes_is_one_line(what: str, tmp_path: Path) -> None:
    found = copy.deepcopy(verdicts.load())
    WRONG[what](found)
    refused(tmp_path / "verdicts-of-mine.json", json.dumps(found))


@pytest.mark.parametrize("text", ["", "[]", "3", "null", "NaN", "[" * 10**5, '{"schema": ' + "9" * 5000 + "}"])
def test_what_is_no_object_is_one_line(text: str, tmp_path: Path) -> None:
    refused(tmp_path / "verdicts-of-mine.json", text)


def test_one_name_twice_is_refused(tmp_path: Path) -> None:
    whole = json.dumps(verdicts.load())
    refused(tmp_path / "verdicts-of-mine.json", f'{whole[:-1]}, "rows": []}}')


def test_files_that_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "verdicts-of-mine.json"
    monkeypatch.setattr(verdicts, "_MOST", 1000)
    refused(path, json.dumps(["x"] * 1000))
    path.unlink()
    path.mkdir()
    with pytest.raises(ValueError, match=r"^verdicts-of-mine\.json: cannot be read"):
        verdicts.load(path)
