"""Section 5's rows where floats end, and the word each row carries: proved only where PROOFS.md proves it."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import pytest

from theory import bibliography, necessary
from theory.necessary import widths

TINY = 5e-324


@pytest.mark.parametrize(
    ("shape", "domain", "word"),
    [
        ([16, 2, 16], "l2", "proved"),
        ([16, 2, 16], "linf", "recalled"),  # a hidden layer narrower than the input: 4.5 (d), Domain
        ([16, 16, 2], "linf", "proved"),
        ([16, 17, 2], "linf", "proved"),
        ([16, 15, 16], "linf", "recalled"),
        ([16, 2], "linf", "proved"),
    ],
)
def test_the_recalled_statement_is_proved_where_the_proof_applies(shape, domain, word):
    row = widths.width("iterand_recalled", shape, 0.1, 0.01, domain=domain)
    assert row.status == (("statement for R = 1", word), ("statement for R > 1", "recalled"))
    assert ("not proved for R = 1" in row.note) == (word == "recalled")
    for key in ("iterand_repaired", "iterand_ours"):
        assert widths.width(key, shape, 0.1, 0.01, domain=domain).status == (("statement", "proved"),)


def test_no_word_is_given_to_a_constant_that_nobody_gives():
    for entry in widths.RESULTS.values():
        parts = dict(entry.status)
        assert "constant" not in parts
        if entry.needs and "read" in parts.values():
            assert bibliography.paper(entry.paper).note != "recalled, text not checked"
    assert dict(widths.RESULTS["kumar"].status)["step = eps"] == "heuristic"
    assert "read" in bibliography.paper("malach2020").note
    assert "l = 1" in widths.RESULTS["counting"].shape


EXTREME = {
    "eps": (1e-200, TINY, 1.0),
    "delta": (TINY, 1 - 2**-53),
    "C": (TINY, 1.0, 1e308),
    "density": (TINY, 1e-9, 0.5, 1.0),
    "R": (1, 10**18),
}


@pytest.mark.parametrize("shape", [[8, 8], [1, 1], [8, 2, 9, 1], [10**200, 8, 8], [10**400, 10**400]])
@pytest.mark.parametrize("domain", ["l2", "linf"])
def test_a_table_has_every_row_or_a_reason(shape, domain):
    for eps, delta, C, density, R in itertools.product(*EXTREME.values()):
        rows = widths.table(shape, eps, delta, C=C, density=density, n=30, R=R, domain=domain)
        assert [row.result for row in rows] == list(widths.RESULTS)
        for row in rows:
            assert row.params is not None or row.note
            assert "math domain" not in row.note
            assert "math range" not in row.note


def test_logs_do_not_underflow():
    first = 16 * math.ceil(math.log(64) + 744.4400719213812)  # log 2^1074
    assert widths.width("pensia", [8, 8], 0.1, TINY, C=1).hidden == (first,)
    assert widths.width("burkholz", [8, 8], 0.1, TINY, C=1).hidden == (first // 2,)
    assert widths.width("dacunha_cnn", [8, 8], 0.1, TINY, C=1).hidden == (
        math.ceil(8 * (math.log(64 * 2.0**1000) + math.log(2) * 74)),
    )
    exact = math.ceil(Fraction(1e308) * 64**5 / Fraction(1e-3) ** 2)
    assert widths.width("malach", [64, 64], 1e-3, 0.01, C=1e308).hidden == (exact,)


@pytest.mark.parametrize(
    ("C", "density"), [(1.0, 1e-9), (1e9, 0.5), (1e300, 0.5), (2.0, 0.25), (1e-3, 0.1), (40.0, 0.01)]
)
def test_natale_is_the_least_n(C, density):
    n = widths.width("natale", [8, 8], 0.1, 0.01, C=C, density=density).hidden[0] // 16
    entropy = -(density * math.log(density) + (1 - density) * math.log1p(-density)) / math.log(2)

    def need(n):
        return C * math.log2(max(1.0, density * n) * 640) / entropy

    assert n * (1 + 1e-12) >= need(n)
    assert n == 1 or (n - 1) * (1 - 1e-12) < need(n - 1)


@pytest.mark.parametrize(
    ("key", "change", "message"),
    [
        ("pensia", {"C": 10**400}, r"^C must be below 1.8e308, got C >= 2\^1328$"),
        ("pensia", {"C": True}, "^C must be a positive number, got C=True"),
        ("pensia", {"C": 1e308}, "^C, widths, eps and delta must give a size below 1.8e308"),
        ("natale", {"C": 1e308, "density": 0.5}, "^C, widths, eps and delta must give a size below 1.8e308"),
        ("multi_prize", {"eps": 1e-308}, "must give a size below 1.8e308"),
        ("sreenivasan", {"C": 1e9}, "^C must give at most 1000000 layers, got C=1000000000.0"),
    ],
)
def test_too_large_is_refused_by_name(key, change, message):
    arguments = {"eps": 0.1, "delta": 0.1, "C": 100.0, **change}
    with pytest.raises(ValueError, match=message):
        widths.width(key, [8, 8], **arguments)


@pytest.mark.parametrize("R", [2**53, 2**54 + 1, 10**18])
def test_bits_of_more_draws_than_a_float_holds(R):
    """R + 1 and R are the same float: every density of 1 is above R/(R+1) all the same."""
    assert necessary.bits_per_param(R) == pytest.approx(math.log2(R), rel=1e-11)
    expected = math.ceil((100 * 10 - 1) / math.log2(R))
    assert necessary.necessary_params([10, 10], 2**-11, delta=0.5, R=R) == expected
    assert widths.width("counting", [10, 10], 2**-11, 0.5, R=R).params == expected
    assert necessary.bits_per_param(R, density=1 - 2**-53) <= necessary.bits_per_param(R) * (1 + 1e-12)
