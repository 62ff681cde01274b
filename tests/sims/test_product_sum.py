"""The command ``sims.product_sum``: every trial against a slow twin, and the proved band of 4.7 against the counts."""

import json
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sims.product_sum as command
from sims.run import run
from tests import naive
from tests.stats import assert_at_least, assert_at_most, power_against
from theory.product_sum import ProductSum, required_neurons

COLUMNS = (
    "n R eps alpha trials successes success ci_low ci_high "
    "lower_bound upper_bound prediction prediction_clamped verdict"
)


def twin(n: int, R: int, eps: float, alpha: float | str, seed: int, trial: int) -> bool:
    """One trial from the definition: slow generator, all choices, products rounded to the grid by fractions."""
    options = []
    for i in range(n):
        b = max((naive.draw(seed, 2, trial, i * R + r) for r in range(R)), key=abs)
        if b < 0:
            continue
        values = [0]
        for r in range(R):
            exact = Fraction(naive.draw(seed, 0, trial, i * R + r) * abs(b), 2**52)
            size = int(abs(exact) + Fraction(1, 2))  # halves away from zero
            values.append(size if exact > 0 else -size)
        options.append(values)
    target = naive.draw(seed, 1, trial, 0) if alpha == "uniform" else Fraction(alpha) * 2**52
    return any(abs(sum(choice) - target) <= Fraction(eps) * 2**52 for choice in product(*options))


@settings(max_examples=30)
@given(
    n=st.integers(1, 7),
    R=st.integers(1, 3),
    eps=st.sampled_from([0.3, 0.1, 0.02]),
    alpha=st.sampled_from([0.5, -0.9, 0.0, "uniform"]),
    first=st.integers(0, 2**40),
)
def test_every_trial_equals_the_slow_twin(n: int, R: int, eps: float, alpha: float | str, first: int) -> None:
    n = min(n, 7 if R == 1 else 5)
    sizes = sorted({1, n})
    count = command.EXPERIMENT.counter(ProductSum(R=R, eps=eps, alpha=alpha), sizes, seed=5)
    expected = [[twin(size, R, eps, alpha, 5, first + t) for size in sizes] for t in range(4)]
    assert [count(first + t, 1).tolist() for t in range(4)] == expected
    assert count(first, 4).tolist() == [sum(column) for column in zip(*expected, strict=True)]


@given(st.integers(-(2**52), 2**52), st.integers(0, 2**52))
def test_products_are_rounded_to_the_nearest_step(a: int, b: int) -> None:
    exact = Fraction(abs(a) * b, 2**52)
    found = command._rounded_product(np.array([a]), np.array([b]))[0]
    assert found == (-1 if a < 0 else 1) * ((exact + Fraction(1, 2)) // 1)  # halves away from 0


def test_a_search_begun_too_small_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials with more usable neurons than the first solver holds are searched again."""
    question, sizes = ProductSum(eps=0.001, alpha=0.7), range(1, 25)
    whole = command.EXPERIMENT.counter(question, sizes, 3)(0, 300)
    monkeypatch.setattr(command, "_search_size", lambda n, eps, R: 2)
    again = command.EXPERIMENT.counter(question, sizes, 3)(0, 300)
    assert again.tolist() == whole.tolist()
    assert 0 < whole[-1] < 300


def test_rows_and_summary(capsys: pytest.CaptureFixture) -> None:
    assert command.main(["--R", "1", "2", "--eps", "0.1", "--trials", "4000", "--seed", "3", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert " ".join(content["rows"][0]) == COLUMNS
    assert "refuted" not in {row["verdict"] for row in content["rows"]}
    for entry in content["summary"]:
        assert entry["necessary_n"] < entry["required_n"]
        assert entry["first_n"] is None or entry["necessary_n"] <= entry["first_n"]


def test_what_4_7_asks_for_is_enough_and_much_fewer_are_not() -> None:
    """The proved n at delta = 1/5 succeeds, with a control: a tenth of it does not."""
    eps, delta, trials = 0.2, 0.2, 4000
    n = required_neurons(eps, delta, R=1).neurons
    few = max(1, n // 30)
    rows = run(ProductSum(eps=eps, alpha=0.9), n=[few, n], trials=trials, seed=7).rows
    assert_at_least(rows[1]["successes"], trials, 1 - delta)
    with pytest.raises(AssertionError):
        assert_at_least(rows[0]["successes"], trials, 1 - delta)


@pytest.mark.parametrize("alpha", [0.5, 0.9, "uniform"])
def test_the_first_moment_bounds_the_counts(alpha: float | str) -> None:
    trials = 100_000
    rows = run(ProductSum(eps=0.05, R=2, alpha=alpha), n=range(1, 5), trials=trials, seed=11).rows
    for row in rows:
        assert_at_most(row["successes"], trials, row["upper_bound"])
    bound = rows[1]["upper_bound"]
    assert power_against(bound / 1.5, bound, trials) > 0.99  # a bound that is 1.5 times too small would be noticed
    with pytest.raises(AssertionError):
        assert_at_most(rows[0]["successes"], trials, rows[0]["success"] / 1.5)


def test_one_clear_line_and_exit_2(capsys: pytest.CaptureFixture) -> None:
    for argv, message in (
        (["--eps", "0"], "eps must be in (0, 1]"),
        (["--R", "1e9", "--n", "1"], "n=1 with R=1000000000 takes 1e+09 draws"),
        (["--alpha", "2"], "alpha must be in [-1, 1]"),
    ):
        assert command.main(argv) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
