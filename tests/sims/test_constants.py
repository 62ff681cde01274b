"""Measured constants: brackets against the definition, products against naive draws, and the command as used."""

from __future__ import annotations

import csv
import json
import math
import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats

from sims import constant_forms as forms
from sims import constant_search as search
from sims import constants
from sims.coverage import EXPERIMENT as COVERAGE
from tests import naive
from tests.stats import assert_probability
from theory.coverage import Coverage
from theory.subset_sum import SubsetSum


@given(st.lists(st.integers(0, 400), min_size=1, max_size=9), st.floats(0.02, 0.5))
def test_bracket_by_its_definition(counts, delta):
    counts = sorted(counts)
    trials, sizes = 400, list(range(2, 2 + len(counts)))
    upper = [n for n, k in zip(sizes, counts, strict=True) if stats.binom.cdf(k, trials, 1 - delta) < 0.025]
    lower = [n for n, k in zip(sizes, counts, strict=True) if stats.binom.sf(k - 1, trials, 1 - delta) <= 0.025]
    found = search.from_counts(sizes, counts, trials, delta)
    if not lower:
        assert found is None
        return
    assert found.confirmed == min(lower)
    assert found.refuted == max(upper, default=1)
    assert found.n == min(n for n, k in zip(sizes, counts, strict=True) if k >= (1 - delta) * trials)
    assert found.refuted < found.n <= found.confirmed


@given(st.integers(1, 75), st.integers(5, 60), st.floats(0.05, 0.4))
@example(75, 5, 0.1)
def test_walking_finds_what_all_counts_show(start, slope, delta):
    trials = 300

    def successes(n: int) -> int:
        return min(trials, slope * n)

    sizes = range(1, 80)
    assert search.walk(successes, start, trials, delta, last=80) == search.from_counts(
        sizes, [successes(n) for n in sizes], trials, delta
    )


def test_walking_stops_at_its_limit():
    with pytest.raises(ValueError, match="no n up to 7 is confirmed with 100 trials"):
        search.walk(lambda n: 0, 3, 100, 0.1, last=7)


def test_products_are_those_of_the_draws():
    values = search.product_draws(5, 3, 4, 6)
    for t in range(4):
        for i in range(6):
            a, b = (Fraction(naive.draw(5, 0, 3 + t, 2 * i + k), 2**52) for k in (0, 1))
            assert abs(Fraction(int(values[t, i]), 2**52) - a * b) <= Fraction(1, 2**52)
    assert (search.product_draws(5, 0, 7, 2) == search.product_draws(5, 0, 7, 6)[:, :2]).all()


def test_product_counter_against_all_choices():
    sizes, trials = (1, 2, 4), 60
    count = search.product_counter(SubsetSum(R=2, eps=0.1, alpha=0.5), sizes, 9)
    values = search.product_draws(9, 0, trials, 8).astype(float) / 2**52
    expected = [
        int((naive.best_error_vectorised(values.reshape(trials, 4, 2)[:, :n], 0.5) <= 0.1).sum()) for n in sizes
    ]
    assert count(0, trials).tolist() == expected
    assert (count(0, 25) + count(25, 35)).tolist() == expected
    assert 0 < expected[0] < expected[-1] < trials


def test_product_coverage_against_all_sums():
    n, eps, trials = 7, 0.1, 80
    counter = search.product_coverage_counter(Coverage(eps=eps, low=-0.5, high=0.5), (n,), 9)
    values = search.product_draws(9, 0, trials, n).astype(float) / 2**52
    covered = 0
    for row in values:
        sums = np.array([0.0])
        for x in row:
            sums = np.concatenate([sums, sums + x])
        targets = np.linspace(-0.5, 0.5, 4001)
        ordered = np.sort(sums)
        at = np.clip(np.searchsorted(ordered, targets), 1, len(ordered) - 1)
        nearest = np.minimum(abs(targets - ordered[at - 1]), abs(targets - ordered[at]))
        covered += nearest.max() <= eps
    assert abs(int(counter(0, trials)[0]) - covered) <= 1  # the naive targets stand on a grid
    assert 0 < covered < trials


def row_of(form: str, case: forms.Case) -> dict:
    return forms.FORMS[form].row(form, case)


def case(R: int = 1, eps: float = 0.1, delta: float = 0.1, trials: int = 400) -> forms.Case:
    return forms.Case(eps, delta, R, trials, 3, 1)


@pytest.mark.parametrize("R", [1, 3])
def test_threshold_row_against_naive_counts(R):
    row = row_of("threshold", case(R=R))
    draws = np.array([[naive.draw(3, 0, t, i) for i in range(8 * R)] for t in range(400)]) / 2**52
    shares = [
        (naive.best_error_vectorised(draws.reshape(400, 8, R)[:, :n], 0.5) <= 0.1).mean()
        for n in range(1, 9 if R == 1 else 6)
    ]
    assert row["n"] == next(n for n, share in enumerate(shares, 1) if share >= 0.9)
    unit = math.log(10) / math.log(R + 1)
    assert row["C"] == pytest.approx(row["n"] / unit)
    assert row["C_low"] == pytest.approx((row["n_refuted"] + 1) / unit)
    assert row["C_high"] == pytest.approx(row["n_confirmed"] / unit)


@pytest.mark.parametrize(
    ("form", "unit"),
    [
        ("lueker", math.log(2 / 0.1)),
        ("lueker-products", math.log(2 / 0.1)),
        ("dacunha", math.log2(10)),
        ("recycling", math.log(10) / math.log(4)),
    ],
)
def test_units(form, unit):
    row = row_of(form, case())
    assert row["C"] * unit == pytest.approx(row["n"], rel=1e-12)
    assert row["n_refuted"] < row["n"] <= row["n_confirmed"]
    assert 0.5 < row["C"] < 5


@pytest.mark.parametrize(
    ("form", "eps", "half"), [("lueker", 0.1, 0.5), ("dacunha", 0.2, 1.0)], ids=["lueker", "dacunha"]
)
def test_all_targets_of_the_right_interval(form, eps, half):
    row = row_of(form, case())
    question = Coverage(eps=eps, low=-half, high=half)
    shares = [COVERAGE.counter(question, (n,), 3)(0, 400)[0] / 400 for n in range(1, 13)]
    assert row["n"] == next(n for n, share in enumerate(shares, 1) if share >= 0.9)


def test_products_need_more_values():
    assert row_of("lueker-products", case())["n"] > row_of("lueker", case())["n"]


@pytest.mark.parametrize("R", [1, 4])
def test_pick_one_contains_the_exact_number(R):
    row = row_of("pick-one", case(R=R, trials=3000))
    exact = math.log(0.1) / math.log1p(-0.05) / R
    assert row["n_refuted"] < math.ceil(exact) + 1
    assert row["n_confirmed"] + 1 > exact
    assert 0.9 < row["C"] < 1.1


def test_burkholz_estimate_is_reproduced():
    """delta_hat = .00404 for U[-1, 1] in the author's results; about .035 for products (.0355 there)."""
    trials = 20_000
    row = forms.burkholz("U", trials, 4, 1)
    misses = round(row["delta"] * trials)
    assert_probability(misses, trials, 0.00404)
    with pytest.raises(AssertionError):
        assert_probability(misses, trials, 0.0355)
    assert row["C"] == pytest.approx(15 / -math.log(row["delta"]))
    assert row["C_low"] < 2.722 < row["C_high"]
    row = forms.burkholz("U*U", trials, 4, 1)
    assert_probability(round(row["delta"] * trials), trials, 0.0355)
    assert row["C"] == pytest.approx(15 / -math.log(0.01))


SMALL = ["--form", "threshold", "lueker", "burkholz", "--eps", "0.2", "--delta", "0.2", "--R", "1", "--trials", "200"]


def test_command_prints_and_writes(capsys, tmp_path):
    path = tmp_path / "c.csv"
    assert constants.main([*SMALL, "--seed", "7", "--csv", str(path)]) == 0
    out = capsys.readouterr().out
    assert "seed 7" in out
    assert "lueker: all in [-1/2, 1/2]" in out
    with path.open() as lines:
        rows = list(csv.DictReader(lines))
    assert [row["form"] for row in rows] == ["threshold", "lueker", "burkholz", "burkholz"]


def test_json_does_not_depend_on_threads(capsys):
    found = []
    for jobs in ("1", "3"):
        assert constants.main([*SMALL, "--seed", "7", "--json", "--jobs", jobs]) == 0
        found.append(json.loads(capsys.readouterr().out))
    assert found[0]["rows"] == found[1]["rows"]
    assert found[0]["schema"] == "strong-tickets/sims.constants/1"
    assert found[0]["provenance"]["seed"] == 7


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--form", "magic"], "--form takes all or names among threshold, .* got 'magic'"),
        (["--form", "lueker", "lueker"], "--form needs at least one name and none twice"),
        (["--eps", "0.7"], r"--eps must be in \[1e-4, 0.5\], got 0.7"),
        (["--delta", "0"], r"--delta must be in \(0, 1\), got 0"),
        (["--delta", "1e-6"], "--delta 1e-06 cannot be confirmed with 2000 trials: give --trials 3688878"),
        (["--eps", "0.001"], r"--form lueker-products would take about 2\^27 sums a trial at eps=0.001"),
        (["--trials", "0"], "--trials must be an integer"),
        (["--R", "0"], "--R must be an integer"),
        (["--csv", "/nowhere/x.csv"], "--csv /nowhere/x.csv: the folder"),
    ],
)
def test_mistakes_are_one_line(argv, message, capsys):
    assert constants.main(argv) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert re.search(message, captured.err)


@pytest.mark.parametrize("form", ["threshold", "lueker", "pick-one", "recycling", "burkholz"])
def test_what_takes_too_long_is_refused(form, capsys):
    assert constants.main(["--form", form, "--trials", "1e9", "--max-time", "9s"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: this would take about ")
    assert captured.err.endswith(", more than --max-time, 9 s\n")
