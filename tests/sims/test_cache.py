"""Results that are kept: the same answer for the same question, none for another, and damage is seen."""

import importlib
import json
import os
import subprocess
import sys

import pytest

from sims import cache, subset_sum
from sims.registry import EXPERIMENTS
from sims.sweep import command

WORDS = ["--R", "2", "--eps", "0.1", "--n", "1:3", "--trials", "200", "--seed", "7"]


def ran(capsys, *words, main=subset_sum.main, code=0):
    assert main(list(words)) == code
    said = capsys.readouterr()
    return said.out, said.err


def only_file(folder):
    (path,) = folder.iterdir()
    return path


@pytest.fixture
def no_work(monkeypatch):
    """Whoever counts anyway is seen."""

    def never(*args, **kwargs):
        raise AssertionError("counted")

    return lambda: monkeypatch.setattr(subset_sum.EXPERIMENT.__class__, "simulate", never)


def test_the_same_question_is_not_counted_again(capsys, tmp_path, no_work):
    plain, _ = ran(capsys, *WORDS)
    first, said = ran(capsys, *WORDS, "--cache", str(tmp_path / "new" / "c"))
    assert (first, said) == (plain, "")
    first_json = json.loads(only_file(tmp_path / "new" / "c").read_text())
    no_work()
    again, said = ran(capsys, *WORDS, "--cache", str(tmp_path / "new" / "c"))
    assert again == plain
    assert said.startswith("cache: answered from ")
    assert said.count("\n") == 1
    assert json.loads(only_file(tmp_path / "new" / "c").read_text()) == first_json
    again, said = ran(capsys, *WORDS, "--jobs", "1", "--quiet", "--cache", str(tmp_path / "new" / "c"))
    assert (again, said) == ("", "")


NAMES = sorted(module.rpartition(".")[2] for module in EXPERIMENTS.values() if module.startswith("sims."))


@pytest.mark.parametrize("name", [*NAMES, "tail"])
def test_every_question_is_given_back_to_the_last_digit(name, capsys, tmp_path):
    main = importlib.import_module(f"sims.{name}").main
    words = ["--trials", "128" if name == "tail" else "40", "--n", "1:3", "--seed", "3", "--cache", str(tmp_path)]
    words += ["--size", "1"] if name == "fixed_size" else []
    first, _ = ran(capsys, *words, "--json", "--csv", str(tmp_path.parent / f"{name}.csv"), main=main)
    table = (tmp_path.parent / f"{name}.csv").read_text()
    second, said = ran(capsys, *words, "--json", "--csv", str(tmp_path.parent / f"{name}.csv"), main=main)
    assert said.startswith("cache: answered from ")
    assert second == first
    assert (tmp_path.parent / f"{name}.csv").read_text() == table


@pytest.mark.parametrize(
    "other",
    [
        ["--seed", "8"],
        ["--trials", "201"],
        ["--eps", "0.1000000001"],
        ["--R", "3"],
        ["--n", "1:2"],
        ["--alpha", "0.25"],
        ["--delta", "0.02"],
        ["--first-trial", "1"],
        ["--until", "0.5"],
        ["--model", "vector"],
    ],
)
def test_another_question_is_counted(other, capsys, tmp_path):
    ran(capsys, *WORDS, "--cache", str(tmp_path))
    if other[0] in WORDS:
        at = WORDS.index(other[0])
        words = [*WORDS[:at], *other, *WORDS[at + 2 :]]
    else:
        words = [*WORDS, *other]
    plain, _ = ran(capsys, *words)
    out, said = ran(capsys, *words, "--cache", str(tmp_path))
    assert (out, said) == (plain, "")
    assert len(list(tmp_path.iterdir())) == 2


def test_another_version_or_source_is_another_question(capsys, tmp_path, monkeypatch):
    ran(capsys, *WORDS, "--cache", str(tmp_path))
    made = cache.made_by()
    assert len(made["sources"]) == 64
    for name in ("strong-tickets", "numba", "sources"):
        monkeypatch.setattr(cache, "made_by", lambda name=name: {**made, name: "another"})
        assert ran(capsys, *WORDS, "--cache", str(tmp_path))[1] == ""
    assert len(list(tmp_path.iterdir())) == 4


def change(path, edit):
    path.write_text(edit(path.read_text()))


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: text.replace(r"\"successes\": ", r"\"successes\": 1", 1),
        lambda text: text.replace(r"\"seed\": 7", r"\"seed\": 8", 1),
        lambda text: "[]",
        lambda text: "null",
        lambda text: '{"format": 1, "sha256": "x", "body": 3}',
        lambda text: text.replace('"format": 1', '"format": 2'),
        lambda text: "[" * 100_000,
    ],
)
def test_a_damaged_file_is_said_and_replaced(damage, capsys, tmp_path):
    plain, _ = ran(capsys, *WORDS, "--cache", str(tmp_path))
    path = only_file(tmp_path)
    whole = json.loads(path.read_text())["body"]
    change(path, damage)
    out, said = ran(capsys, *WORDS, "--cache", str(tmp_path))
    assert out == plain
    assert "is damaged (" in said
    assert said.count("\n") == 1
    assert json.loads(json.loads(path.read_text())["body"])["result"]["rows"] == json.loads(whole)["result"]["rows"]
    assert "answered from" in ran(capsys, *WORDS, "--cache", str(tmp_path))[1]


def test_a_file_of_another_question_under_this_name_is_not_served(capsys, tmp_path):
    ran(capsys, *WORDS, "--cache", str(tmp_path))
    mine = only_file(tmp_path)
    ran(capsys, *[*WORDS[:-1], "8"], "--cache", str(tmp_path))
    (other,) = set(tmp_path.iterdir()) - {mine}
    other.replace(mine)
    assert "it answers another question" in ran(capsys, *WORDS, "--cache", str(tmp_path))[1]


def test_bytes_that_are_no_text(capsys, tmp_path):
    ran(capsys, *WORDS, "--cache", str(tmp_path))
    only_file(tmp_path).write_bytes(b"\xff\xfe\x00")
    assert "is damaged" in ran(capsys, *WORDS, "--cache", str(tmp_path))[1]


def test_mistakes_are_one_line(capsys, tmp_path):
    (tmp_path / "file").write_text("")
    for words, message in (
        ([*WORDS[:-2], "--cache", str(tmp_path)], "--cache needs --seed"),
        ([*WORDS, "--cache", str(tmp_path / "file")], f"--cache {tmp_path / 'file'}: "),
        ([*WORDS, "--cache", str(tmp_path / "file" / "in")], "Not a directory"),
        ([*WORDS, "--cache", ""], "--cache "),
    ):
        out, said = ran(capsys, *words, code=2)
        assert out == ""
        assert message in said
        assert said.count("\n") == 1


def test_a_folder_that_takes_nothing_loses_no_result(capsys, tmp_path, monkeypatch):
    plain, _ = ran(capsys, *WORDS)

    def full(path, text):
        raise cache.WriteError(path, OSError(28, "No space left on device"))

    monkeypatch.setattr(cache, "write_text", full)
    out, said = ran(capsys, *WORDS, "--cache", str(tmp_path))
    assert out == plain
    assert "not kept: " in said
    assert "No space left" in said


def test_sweeps_have_stores(capsys, tmp_path):
    words = ["subset_sum", "--store", str(tmp_path / "s"), "--cache", str(tmp_path)]
    assert "--cache is for single questions" in ran(capsys, *words, main=command.main, code=2)[1]


def test_processes_share_a_folder(tmp_path):
    command = [sys.executable, "-m", "sims.subset_sum", *WORDS, "--json", "--cache", str(tmp_path)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(3)]
    found = [process.communicate(timeout=120) for process in running]
    rows = [json.loads(out)["rows"] for out, _ in found]
    assert rows[0] == rows[1] == rows[2]
    assert [name for name in os.listdir(tmp_path) if name.startswith(".")] == []
    assert len(os.listdir(tmp_path)) == 1
