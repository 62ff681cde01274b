"""The command ``sims.coverage``: trials against a slow twin, invariance, verdicts, planted wrong bounds, bad input."""

import itertools
import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import sims.coverage as command
from sims.coverage import CoverageCounter, ValueSets
from tests import naive
from tests.stats import assert_at_least, assert_at_most, assert_probability
from theory.coverage import Coverage

COLUMNS = (
    "n R eps low high method bits trials successes success ci_low ci_high lower_bound upper_bound prediction "
    "prediction_clamped gap_q10 gap_q50 gap_q90 verdict"
)


def run(capsys: pytest.CaptureFixture, *argv: str, code: int = 0) -> dict:
    assert command.main([*argv, "--json"]) == code
    captured = capsys.readouterr()
    assert captured.err == ""
    return json.loads(captured.out)


def counts(content: dict) -> list[int]:
    return [row["successes"] for row in content["rows"]]


def twin(n: int, R: int, low: float, high: float, seed: int, trial: int, bits: int = 52) -> Fraction:
    """The largest gap of one trial from the definitions: slow generator, all sums, rational arithmetic."""
    sums = {Fraction(0)}
    for i in range(n):
        row = [Fraction(naive.draw(seed, 0, trial, i * R + r) // 2 ** (52 - bits), 2**bits) for r in range(R)]
        sums |= {s + value for s in sums for value in row}
    order = sorted(sums)
    middles = [(a + b) / 2 for a, b in itertools.pairwise(order)]
    points = [Fraction(low), Fraction(high), *(z for z in middles if low <= z <= high)]
    return 2 * max(min(abs(s - z) for s in order) for z in points)


@pytest.mark.parametrize("bits", [None, 6])
@pytest.mark.parametrize(("n", "R"), [(1, 1), (5, 1), (7, 1), (3, 2), (3, 3)])
def test_every_trial_equals_the_slow_twin(n: int, R: int, bits: int | None) -> None:
    first, eps = 2**33 + 5, (0.02, 0.1, 0.3, 1.0)
    counter = CoverageCounter(ValueSets(n, R, -0.45, 0.6, bits, eps, first + 6), seed=9)
    gaps = [twin(n, R, -0.45, 0.6, 9, first + t, bits or 52) for t in range(6)]
    expected = [[gap <= 2 * Fraction(value) for value in eps] for gap in gaps]
    assert [counter(first + t, 1).tolist() for t in range(6)] == expected
    counter.records = {}
    assert counter(first, 6).tolist() == np.sum(expected, axis=0).tolist()
    assert np.frombuffer(b"".join(counter.recorded())) == pytest.approx([float(gap) for gap in gaps], rel=1e-15, abs=0)
    assert command._quantiles(counter.recorded())["gap_q50"] == pytest.approx(float(sorted(gaps)[2]), rel=1e-15, abs=0)


def test_gaps_are_kept_of_the_first_trials_only() -> None:
    counter = CoverageCounter(ValueSets(3, 1, -0.5, 0.5, None, (0.1,), 5), seed=9)
    counter(0, 3)
    counter(3, 4)
    counter(7, 2)
    kept = np.frombuffer(b"".join(counter.recorded()))
    assert kept == pytest.approx([float(twin(3, 1, -0.5, 0.5, 9, t)) for t in range(5)], rel=1e-15, abs=0)


def test_rows_and_summary(capsys: pytest.CaptureFixture) -> None:
    content = run(capsys, "--R", "2", "5", "--eps", "0.05", "0.02", "--trials", "500", "--seed", "3")
    assert content["schema"] == "strong-tickets/sims.coverage/1"
    assert all(list(row) == COLUMNS.split() for row in content["rows"])
    assert content["params"]["interval"] == [-0.5, 0.5]
    assert "alpha" not in content["params"]
    for row in content["rows"]:
        assert row["success"] == row["successes"] / row["trials"]
        assert row["ci_low"] <= row["success"] <= row["ci_high"]
        assert row["lower_bound"] <= row["upper_bound"]
        assert row["gap_q10"] <= row["gap_q50"] <= row["gap_q90"]
        assert (row["success"] >= 0.5) == (row["gap_q50"] <= 2 * row["eps"])
        assert row["verdict"] != "refuted"
    assert [(entry["R"], entry["eps"]) for entry in content["summary"]] == [(2, 0.05), (2, 0.02), (5, 0.05), (5, 0.02)]
    for entry in content["summary"]:
        mine = [row for row in content["rows"] if (row["R"], row["eps"]) == (entry["R"], entry["eps"])]
        assert [row["n"] for row in mine] == list(range(1, len(mine) + 1))
        assert mine[-3]["prediction"] >= 0.95
        assert max(row["prediction"] for row in mine[:-3]) < 0.95
        assert entry["necessary_n"] <= entry["first_n"] <= entry["required_n"]


def test_counts_do_not_depend_on_how_the_work_is_cut(
    capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = ["--R", "1", "2", "--eps", "0.05", "0.1", "--n", "4:6", "--seed", "8", "--interval", "-0.25", "0.75"]
    whole = counts(run(capsys, *base, "--trials", "301", "--jobs", "1"))
    assert counts(run(capsys, *base, "--trials", "301", "--jobs", "3")) == whole
    parts = [
        counts(run(capsys, *base, "--first-trial", first, "--trials", trials))
        for first, trials in (("0", "234"), ("234", "1"), ("235", "66"))
    ]
    assert [sum(part) for part in zip(*parts, strict=True)] == whole
    monkeypatch.setattr(command, "_PIECE_VALUES", 60)
    content = run(capsys, *base, "--trials", "301", "--jobs", "2")
    assert counts(content) == whole
    assert counts(run(capsys, *base[:-5], "9", *base[-3:], "--trials", "301")) != whole
    bitmap = [*base, "--trials", "301", "--method", "bitmap", "--bits", "9"]
    assert counts(run(capsys, *bitmap, "--jobs", "1")) == counts(run(capsys, *bitmap, "--jobs", "2"))


def test_monotone_in_n_and_eps(capsys: pytest.CaptureFixture) -> None:
    """The draws of variable i are the same for every n at R = 1, so that each count can only grow."""
    rows = run(capsys, "--n", "2:11", "--eps", "0.2", "0.1", "0.05", "--trials", "300", "--seed", "5")["rows"]
    table = np.array([row["successes"] for row in rows]).reshape(3, 10)
    assert (np.diff(table, axis=1) >= 0).all()
    assert (np.diff(table, axis=0) <= 0).all()
    assert table[0, 0] < table[0, -1]


def test_grid_values_are_sandwiched_by_the_exact_ones() -> None:
    """The bitmap's values are the exact ones rounded down by less than a step: gaps move by less than 2 n steps."""
    n, bits = 9, 8
    exact = CoverageCounter(ValueSets(n, 1, -0.5, 0.5, None, (0.1,), 300), seed=2)
    grid = CoverageCounter(ValueSets(n, 1, -0.5, 0.5, bits, (0.1,), 300), seed=2)
    fine, coarse = (np.frombuffer(counter.chunk(0, 300, lambda _: None)[1]) for counter in (exact, grid))
    assert len(fine) == 300
    assert (abs(fine - coarse) < 2 * n * 2.0**-bits).all()
    assert (fine != coarse).all()


def test_bounds_allow_for_the_rounding_of_grid_values(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, float] = {}
    for name in ("success_lower", "success_upper", "success_prediction"):
        monkeypatch.setattr(Coverage, name, lambda self, n, name=name: seen.update({name: self.eps}) or 0.5)
    command._bounds(ValueSets(5, 1, -0.5, 0.5, 6, (0.125,), 0), 0.125)
    shift = 5 / 64
    assert seen == {
        "success_lower": 0.125 - shift,
        "success_upper": 0.125 + shift,
        "success_prediction": 0.125,
    }
    command._bounds(ValueSets(5, 1, -0.5, 0.5, None, (0.125,), 0), 0.125)
    assert set(seen.values()) == {0.125}


def test_against_floating_point_simulation(capsys: pytest.CaptureFixture) -> None:
    """An independent sampler: NumPy's generator, all sums sorted, in float64."""
    trials = 4000
    for n, R in ((9, 1), (5, 2)):
        x = np.random.default_rng(n).uniform(-1, 1, (trials, n, R))
        sums = np.zeros((trials, 1))
        for i in range(n):
            sums = np.concatenate([sums, *(sums + x[:, i, r, None] for r in range(R))], axis=1)
        sums.sort(axis=1)
        z = np.linspace(-0.5, 0.5, 2001)
        worst = np.zeros(trials)
        for t in range(trials):
            at = np.clip(np.searchsorted(sums[t], z), 1, sums.shape[1] - 1)
            worst[t] = np.minimum(abs(sums[t, at] - z), abs(sums[t, at - 1] - z)).max()
        for row in run(
            capsys, "--n", str(n), "--R", str(R), "--eps", "0.02", "0.05", "--trials", "8000", "--seed", "1"
        )["rows"]:
            # the check points are .0005 apart: the true worst distance is at most .00025 larger
            assert_at_most(row["successes"], 8000, float((worst <= row["eps"]).mean()) + 0.045)
            assert_at_least(row["successes"], 8000, float((worst <= row["eps"] - 0.00025).mean()) - 0.045)


def test_an_exact_probability(capsys: pytest.CaptureFixture) -> None:
    """n = 1, [0, 0.5], eps = 0.25: the sums 0 and x cover it exactly when 1/4 <= x <= 1/2: probability 1/8."""
    argv = ["--n", "1", "--eps", "0.25", "--interval", "0", "0.5", "--trials", "2e4", "--seed", "6"]
    (row,) = run(capsys, *argv)["rows"]
    assert_probability(row["successes"], 20000, 0.125)


@pytest.mark.parametrize("sequential", [False, True])
@pytest.mark.parametrize(
    ("name", "planted"),
    [("success_lower", lambda p: min(1.0, p + 0.3)), ("success_upper", lambda p: 0.5 * p)],
)
def test_a_planted_wrong_bound_is_refuted(
    capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch, name: str, planted: object, sequential: bool
) -> None:
    honest = getattr(Coverage, name)
    argv = ["--eps", "0.1", "--n", "3:12:3", "--trials", "2000", "--seed", "4", "--check"]
    argv += ["--until", "0.0005"] if sequential else []
    assert "refuted" not in {row["verdict"] for row in run(capsys, *argv)["rows"]}
    monkeypatch.setattr(Coverage, name, lambda self, n: planted(honest(self, n)))
    assert "refuted" in {row["verdict"] for row in run(capsys, *argv, code=1)["rows"]}


def test_table_for_people(capsys: pytest.CaptureFixture, tmp_path: Path) -> None:
    csv, picture = str(tmp_path / "rows.csv"), str(tmp_path / "picture.png")
    argv = ["--R", "5", "--trials", "50", "--seed", "12", "--csv", csv, "--plot", picture]
    assert command.main(argv) == 0
    out = capsys.readouterr().out
    assert "seed 12" in out
    assert "is necessary (proved)" in out
    assert "suffices (proved)" in out
    assert "from -0.5 to 0.5" in out
    assert all(len(line.rstrip()) <= 100 for line in out.splitlines() if line.startswith(("│", "┃", "┏")))
    first = Path(picture).read_bytes()
    assert first.startswith(b"\x89PNG")
    assert len(Path(csv).read_text().splitlines()) == 8
    assert command.main([*argv, "--quiet"]) == 0
    assert capsys.readouterr().out == ""
    assert Path(picture).read_bytes() == first


BAD = [
    (["--eps", "0"], "eps must be in (0, 1], got eps=0"),
    (["--interval", "0.5", "-0.5"], "low must be at most high, got low=0.5, high=-0.5"),
    (["--interval", "-2", "0"], "low must be in [-1, 1]"),
    (["--interval", "nan", "0"], "low must be in [-1, 1]"),
    (["--interval", "a", "0"], "--interval takes a number, got 'a'"),
    (["--interval", "0"], "--interval"),
    (["--n", "0"], "n must be an integer in [1,"),
    (["--n", "40", "--method", "exact"], "n=40 with R=1 has 2^40 sums"),
    (["--n", "5", "--method", "exact", "--bits", "3"], "bits belongs to the bitmap"),
    (["--n", "5", "--bits", "27"], "bits must be an integer in [1, 26], got 27"),
    (["--eps", "1e-8", "--n", "40"], "eps 1e-08 needs a bitmap finer than 2^-26"),
    (["--n", "1000000", "--bits", "26"], "n=1000000 with R=1 needs"),
    (["--method", "magic"], "--method"),
    (["--alpha", "0.5"], "--alpha"),
    (["--trials", "0"], "trials must be"),
    (["--plot", "a.gif"], "--plot takes a .png"),
    (["--csv", "missing/rows.csv"], "the folder 'missing' does not exist"),
]


@pytest.mark.parametrize(("argv", "message"), BAD, ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_one_clear_line_and_exit_2(argv: list[str], message: str, refused: Callable) -> None:
    refused(command.main, argv, message)
