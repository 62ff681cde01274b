"""The lists of planted errors stay true to the tree, and the tool tells what is noticed from what is not."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.mutants import __main__ as command
from tests.mutants.mutant import ROOMS, ROOT, Mutant, load, parse
from tests.mutants.run import Outcome, plant

MUTANTS = load()


def test_lists_are_large_enough_and_name_nothing_twice() -> None:
    assert len(MUTANTS) >= 200
    assert {mutant.room for mutant in MUTANTS} == set(ROOMS)
    assert len({(mutant.path, mutant.old, mutant.new) for mutant in MUTANTS}) == len(MUTANTS)


@pytest.mark.parametrize("room", ROOMS)
def test_every_slip_has_its_place_its_tests_and_a_program(room: str) -> None:
    for mutant in load([room]):
        assert mutant.path.split("/")[0] == room
        source = (ROOT / mutant.path).read_text(encoding="utf-8")
        planted = mutant.planted(source)  # ValueError where its place is lost
        assert ast.dump(ast.parse(planted)) != ast.dump(ast.parse(source)), mutant.name
        assert mutant.tests, mutant.name
        for path in mutant.tests:
            assert (ROOT / path).is_file(), f"{mutant.name}: {path}"


PROGRAM = "def least(a, b):\n    return a if a <= b else b\n"
TESTS = "from toy import least\n\n\ndef test_least():\n    assert least(1, 2) == least(2, 1) == 1\n"
LIST = """
[[file]]
path = "toy.py"
tests = ["test_toy.py"]
slips = [
  ['a <= b', 'a > b'],
  ['a <= b', 'a < b', 'equivalent: equal numbers are one number'],
  ['return a if', 'return sum(iter(int, 1)) if'],
  ['gone', 'away'],
]
"""


def test_a_toy_is_judged_and_goes_on_from_its_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.mutants.run._LEAST_SECONDS", 1.0)
    monkeypatch.setattr("tests.mutants.run._SLACK", 3.0)
    tree = tmp_path / "tree"
    tree.mkdir()
    for name, text in (("toy.py", PROGRAM), ("test_toy.py", TESTS), ("pytest.ini", "[pytest]\nmarkers =\n slow\n")):
        (tree / name).write_text(text, encoding="utf-8")
    (tree / "conftest.py").write_text(
        "from hypothesis import settings\nsettings.register_profile('mutants')\n", encoding="utf-8"
    )
    mutants = parse(LIST, "nets")
    said: list[str] = []

    def run() -> dict[Mutant, Outcome]:
        record = command.Record(tmp_path / "record.json")
        return command.run_all(mutants, record, jobs=1, seconds=60.0, root=tree, say=said.append)

    found = run()
    assert [found[one].verdict for one in mutants] == ["killed", "survived", "timed out", "stale"]
    assert found[mutants[0]].detail == "test_toy.py::test_least"
    assert len(said) == 5  # the tests as they are, and the slips
    assert run() == found  # all from the record
    assert len(said) == 6  # a slip without a place is looked for again
    text, well = command.report(found)
    assert not well
    assert "nets          4       1          1         1           1  66.7 %" in text
    assert "stale: toy.py" in text
    assert "lives: toy.py: 'a <= b' -> 'a < b' (equivalent: equal numbers are one number)" in text
    assert (tree / "toy.py").read_text(encoding="utf-8") == PROGRAM


def test_what_is_remembered_of_a_planted_file_is_forgotten(tmp_path: Path) -> None:
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "a.py").write_text("x = 1\n", encoding="utf-8")
    for name in ("a.cpython-311.pyc", "a.f-1.py311.nbi", "ab.cpython-311.pyc"):
        (tmp_path / "__pycache__" / name).touch()
    plant(tmp_path, Mutant("nets", "a.py", "1", "2", ("test_a.py",)))
    assert (tmp_path / "a.py").read_text(encoding="utf-8") == "x = 2\n"
    assert [path.name for path in (tmp_path / "__pycache__").iterdir()] == ["ab.cpython-311.pyc"]


def test_an_explained_slip_that_is_noticed_is_reported() -> None:
    right = Mutant("nets", "a.py", "1", "2", ("test_a.py",), reason="nobody looks")
    text, well = command.report({right: Outcome("killed", "test_a", 1.0)})
    assert not well
    assert "explained, but noticed: a.py: '1' -> '2' (nobody looks)" in text
    text, well = command.report({right: Outcome("survived", "", 1.0)})
    assert "the score is below 95 %" in text
    assert not well
