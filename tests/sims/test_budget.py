"""What a budget of bits buys, against hand calculations and the laws of one candidate."""

import json
import math
from fractions import Fraction

import mpmath
import pytest

from sims import budget
from theory import bits
from theory.bits import DrawCode, choice


def asked(capsys, *words):
    assert budget.main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_one_candidate_by_hand(capsys):
    found = asked(capsys, "--bits", "6", "--alpha", "0.5", "--eps", "0.1", "--delta", "0.05")
    row = found["rows"][0]
    assert (row["n"], row["R"], row["draws"], row["bits"]) == (1, 63, 63, 6.0)
    exact = 1 - 0.05 ** (1 / 63)  # (1-eps)^63 = 0.05
    assert row["eps_least"] < exact <= row["eps_enough"] < 1.02 * exact
    assert row["success_lower"] == pytest.approx(1 - 0.9**63, rel=1e-12)
    assert (row["enough_n"], row["enough_R"]) == (1, math.ceil(math.log(0.05) / math.log(0.9)))
    assert 6 * Fraction(2) >= row["bits"]
    assert found["summary"][0]["necessary_bits"] == pytest.approx(math.log2(1 + 0.95 / 0.1), rel=1e-9)
    assert "proved" in found["details"]["status"]["eps_enough"]
    assert "heuristic" in found["details"]["status"]["eps_predicted"]


@pytest.mark.parametrize("alpha", [0.5, -0.03, "uniform"])
def test_every_number_is_that_of_the_theory(capsys, alpha):
    found = asked(capsys, "--bits", "6.5", "--alpha", str(alpha), "--eps", "0.02", "--delta", "0.1")
    choices = [row for row in found["rows"] if row["way"] == "choice"]
    assert choices[-1]["n"] == 6
    for row in choices:
        n, R, aim = row["n"], row["R"], Fraction(9, 10)
        assert (R + 1) ** n <= 2**6.5 < (R + 2) ** n
        at = {"alpha": alpha}
        assert row["success_lower"] == choice.success(n, R, eps=0.02, **at)
        assert row["success_upper"] == choice.success(n, R, eps=0.02, basis="necessary", **at)
        assert choice.success(n, R, eps=row["eps_enough"], **at) >= aim
        assert choice.success(n, R, eps=row["eps_least"], basis="necessary", **at) < aim
        assert row["eps_least"] <= row["eps_predicted"] <= row["eps_enough"]
        assert row["success_lower"] <= row["success_prediction"] <= row["success_upper"]
        if row["enough_n"] is not None:
            assert choice.success(row["enough_n"], row["enough_R"], eps=0.02, **at) >= aim
            assert row["enough_n"] <= n
            assert row["enough_R"] <= R
    best = choice.best_under_budget(6.5, eps=0.02, alpha=alpha)
    assert max(row["success_lower"] for row in choices) == best.success


def test_codes_of_uniform_weights(capsys):
    found = asked(capsys, "--bits", "8.085", "--eps", "0.01")
    codes = {row["d"]: row for row in found["rows"] if row["way"] == "code"}
    for d, row in codes.items():
        mean = ((1 + mpmath.mpf(0.01) * (2 * mpmath.log(2) - 1)) / mpmath.mpf(0.01)) ** d  # 8.3
        assert row["draws"] == pytest.approx(float(mean), rel=1e-12)
        entropy = mean * (-(1 / mean) * mpmath.log(1 / mean, 2) - (1 - 1 / mean) * mpmath.log(1 - 1 / mean, 2))
        assert row["bits"] <= float(entropy) / d * (1 + 1e-9)  # 8.2 (c); (d) may be less
        assert row["success_lower"] == 1.0  # 8.085 bits do for 0.01, says 8.2
        assert bits.index_bits_bound(DrawCode(eps=row["eps_enough"], d=d)) <= 8.085 * d
        assert row["eps_least"] <= 2**-8.085
    assert sorted(codes) == [1, 2, 3, 4]
    less = asked(capsys, "--bits", "8", "--eps", "0.01")["rows"]
    assert [row["success_lower"] for row in less if row["way"] == "code"] == [None, 1.0, 1.0, 1.0]


def test_a_network_shares_bits_and_failure(capsys):
    found = asked(capsys, "--bits", "96", "--widths", "2", "3", "2", "--delta", "0.12")
    entry = found["summary"][0]
    assert (entry["bits"], entry["delta"]) == (8.0, pytest.approx(0.01, rel=1e-15))
    eta = entry["best_eps"]
    assert entry["network_eps"] == pytest.approx((1 + eta * math.sqrt(6)) ** 2 - 1, rel=1e-9)
    assert asked(capsys, "--bits", "96", "--weights", "12", "--delta", "0.12")["rows"] == found["rows"]
    one = next(row for row in found["rows"] if row["way"] == "code" and row["d"] == 4)
    assert 3 * 4 * one["bits"] + 1 <= 96  # three blocks, and the bit of 8.2 (e)


def test_few_draws(capsys):
    rows = asked(capsys, "--bits", "10", "--draws", "20")["rows"]
    assert {row["way"] for row in rows} == {"choice"}  # a code looks at as many as it takes
    assert max(row["draws"] for row in rows) == 20
    assert rows[0]["R"] == 20


def test_one_answer_for_people(capsys, tmp_path):
    assert budget.main(["--bits", "5", "--eps", "0.1", "--csv", str(tmp_path / "rows.csv")]) == 0
    printed = capsys.readouterr().out
    assert "Proved: " in printed
    assert "Heuristic: " in printed
    assert (tmp_path / "rows.csv").read_text().startswith("way,alpha,n,R,d,bits,draws,")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "--bits is needed"),
        (["--bits", "0.5"], "--bits must be in [1, 59] for a weight, got 0.5"),
        (["--bits", "60"], "got 60"),
        (["--bits", "nan"], "bits must be in [1, 59], got bits=nan"),
        (["--bits", "8", "--weights", "10"], "which is 0.8 for each of 10 weights"),
        (["--bits", "8", "--alpha", "0"], "--alpha must be in [-1, 1] and not 0"),
        (["--bits", "8", "--eps", "2"], "eps must be in (0, 1], got eps=2.0"),
        (["--bits", "8", "--delta", "1e-20"], "delta must be at least 1e-13 for a weight, got delta=1e-20"),
        (["--bits", "8", "--draws", "0"], "--draws must be an integer in [1,"),
        (["--bits", "8", "--widths", "3"], "widths must hold at least 2 integers"),
        (["--bits", "8", "--widths", "3", "3", "--weights", "9"], "leave one out"),
        (["--bits", "8", "--csv", "missing/rows.csv"], "the folder 'missing' does not exist"),
    ],
)
def test_mistakes_are_one_line(words, message, capsys):
    assert budget.main(words) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 1
    assert message in said.err
