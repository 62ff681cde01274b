"""What --json prints is what docs/json.md says, and its examples run."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

from theory.subset_sum import SubsetSum

pytest.importorskip("torch", reason="PyTorch is not installed (extra: nets)")

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "json.md").read_text(encoding="utf-8")
SPEC = importlib.util.spec_from_file_location("json_columns", DOCS / "_ext" / "json_columns.py")
columns = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(columns)


def check(line, content):
    assert columns.in_page()[columns.called(line)] == columns.row(line, content)
    if "rows" not in content:
        return
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    schema = json.loads((DOCS / "data" / "result.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(content, schema)
    if not content["command"].startswith("nets.compare"):  # whose runs differ in what they know
        assert len({tuple(row) for row in content["rows"]}) == 1


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("json")


@pytest.mark.parametrize("line", columns.QUICK)
def test_quick_commands_print_what_the_page_says(line, folder, monkeypatch):
    monkeypatch.chdir(folder)
    check(line, columns.printed(line))


@pytest.mark.slow
@pytest.mark.parametrize("line", columns.SLOW)
def test_slow_commands_print_what_the_page_says(line, folder, monkeypatch):
    monkeypatch.chdir(folder)
    check(line, columns.printed(line))


def test_every_column_of_a_question_is_explained():
    explained = set(re.findall(r"`([\w.]+)`", PAGE.partition("### What the columns mean")[2]))
    for name, line in columns.in_page().items():
        if line.split("|")[2].strip().startswith("`strong-tickets/sims.") and name not in ("verify", "constants"):
            for column in re.findall(r"`(\w+)`", line.split("|")[4]):
                assert column in explained or column.endswith(("_clamped", "_ci_low", "_ci_high")), (name, column)


def example(name):
    return PAGE.partition(f"<!-- {name}: begin -->\n```python\n")[2].partition("```\n")[0]


def test_pandas_and_xarray_examples():
    pytest.importorskip("pandas", reason="pandas is not installed")
    names = {}
    exec(example("pandas"), names)
    frame = names["frame"]
    assert len(frame) == 30
    assert set(frame["seed"]) == {1}
    assert names["wide"].loc[3, (5, 0.1)] == frame.query("n == 3 and R == 5 and eps == 0.1")["success"].item()
    assert names["first"].loc[(5, 0.1), "required_n"] == SubsetSum(R=5, eps=0.1).required_n(0.01)
    exec(example("frames"), names)
    assert list(names["frame_of_json"]["n"]) == [1, 2]
    assert list(names["summary_of_json"]["delta"]) == [0.01]
    pytest.importorskip("xarray", reason="xarray is not installed")
    exec(example("xarray"), names)
    assert dict(names["data"].sizes) == {"R": 3, "eps": 2, "n": 5}
    value = names["gain"].sel(n=2, eps=0.1).item()
    both = frame.query("n == 2 and eps == 0.1").set_index("R")["success"]
    assert value == both[5] - both[1]
