"""The notebooks run, and what their text says of the numbers is so."""

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pytest

NOTEBOOKS = Path(__file__).parent.parent.parent / "docs" / "notebooks"


def executed(name: str) -> tuple[dict[str, Any], str]:
    """Names that the cells of a notebook define, and what they print."""
    text = (NOTEBOOKS / f"{name}.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        for number, cell in enumerate(re.findall(r"^```\{code-cell\}[^\n]*\n(.*?)^```$", text, re.M | re.S), 1):
            exec(compile(cell, f"{name}, cell {number}", "exec"), names)
    return names, printed.getvalue()


def test_subset_sum() -> None:
    names, printed = executed("subset_sum")
    assert "n >= 4 is necessary, n = 6 suffices (both proved); n = 4 is predicted" in printed
    assert names["first"] == names["predicted"] == 4
    assert [row["successes"] for row in names["result"].rows] == [4921, 24937, 77231, 99661, 99995, 99999]
    assert all(row["verdict"] == "consistent" for row in names["result"].rows)
    needs = list(names["needs"].values())
    assert needs == sorted(needs, reverse=True)
    assert needs[0] > needs[-1]


def test_hide_a_network() -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed (extra: nets)")
    names, printed = executed("hide_a_network")
    assert "56 of 56 weights are within 0.01" in printed
    assert names["problems"] == []
    assert names["confirmed"]
    assert 0 < names["certificate"].lower <= names["certificate"].upper < 0.2
    assert names["difference"] <= names["certificate"].upper
    assert names["file"].stat().st_size == names["size"]


def test_find_a_ticket() -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed (extra: nets)")
    names, _ = executed("find_a_ticket")
    assert names["accuracy"] > 88  # a tenth would be guessed
    assert {name: int(mask.sum()) for name, mask in names["masks"].items()} == {"0": 4096, "2": 640}
    assert names["unchanged"]


def test_own_model() -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed (extra: nets)")
    names, _ = executed("own_model")
    assert names["accuracy"](names["model"]) > 88  # a tenth would be guessed
    assert names["same"]
    assert names["difference"] < 1e-3
    assert names["file"].stat().st_size == names["cost"]["bytes"] < names["cost"]["weights"]
    kept = {name: int((names["plain"][int(name)].weight != 0).sum()) for name in names["search"].layers}
    assert kept == {"0": 144, "3": 4608, "7": 1440}
    assert [type(names["short"][i]).__name__ for i in (1, 4)] == ["Identity", "Identity"]
