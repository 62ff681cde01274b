"""Text from files never steers a terminal or a spreadsheet."""

import csv
import io
import subprocess
import sys
from pathlib import Path

import pytest

from sims.commands.output import console
from sims.plain_text import PlainStream, cell, one_line, plain
from sims.statistics.result import Result, provenance

EVIL = "\x1b]0;title\x07\x1b[2J\r\x9b31m\u202egnp\u2066\x7f\udcff"


def test_control_characters_are_escaped() -> None:
    assert plain("a\tb\n") == "a\tb\n"
    assert one_line("a\tb\n") == r"a\u0009b\u000a"
    assert plain("\x1b\x07\x9b\u202e") == r"\u001b\u0007\u009b\u202e"
    assert plain(EVIL).isprintable()
    assert plain("W\u00e9ight \u4e2d [1]") == "W\u00e9ight \u4e2d [1]"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\uff1d1", "\t=1", "-cmd|' /C calc'!A0"])
def test_no_text_in_a_table_is_a_formula(text: str) -> None:
    rows = [{"name": text, "p": -0.5, "q": -3, "shape": [-1, 2]}]
    result = Result("sims.test", {}, rows, provenance(seed=1, threads=1, seconds=0.0))
    (row,) = csv.DictReader(io.StringIO(result.to_csv()))
    assert row["name"].startswith(("'", "\\u"))
    assert one_line(text) in row["name"]
    assert (row["p"], row["q"], row["shape"]) == ("-0.5", "-3", "[-1, 2]")


def test_numbers_and_harmless_texts_stay() -> None:
    for value in (-0.5, -3, None, True, "fc.weight", "n=3"):
        assert cell(value) is value or cell(value) == value


def test_streams_and_tables_show_what_they_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.table import Table

    raw = io.StringIO()
    stream = PlainStream(raw)
    print(EVIL, file=stream)
    assert raw.getvalue().strip().isprintable()
    monkeypatch.setattr(sys, "stdout", PlainStream(shown := io.StringIO()))
    table = Table(title=EVIL)
    table.add_column(EVIL)
    table.add_row(f"[/x] [red]{EVIL} :smile:")
    console().print(table)
    console().print(EVIL, soft_wrap=True)
    assert shown.getvalue().replace("\n", "").isprintable()
    assert "[/x] [red]" in shown.getvalue()
    assert ":smile:" in shown.getvalue()


def run(*words: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", *words], capture_output=True, check=False, cwd=Path(__file__).parents[2]
    )
    return done.returncode, (done.stdout + done.stderr).decode()


def test_names_of_files_do_not_steer_the_terminal(tmp_path: Path) -> None:
    for name in ("\x1b[31mred\x07\udcff.csv", "a\nerror: b.csv"):
        code, said = run("sims.subset_sum", "--n", "1", "--trials", "10", "--csv", f"{tmp_path}/{name}")
        assert code == 0, said
        assert said.replace("\n", "").isprintable()
        assert "\nerror" not in said
    for words in (("sims.store", "info"), ("nets.approximate",), ("nets.ticket", "info")):
        code, said = run(*words, "\x1b[31m\udcff")
        assert code == 2
        assert said.count("\n") == 1
        assert said.strip().isprintable()
