"""Section 5 behind one call: every row by hand, unknown constants visibly unknown."""

from __future__ import annotations

import math

import pytest

from theory import bibliography, product_sum
from theory.necessary import necessary_params, widths
from theory.network import width as network_width

log = math.log

# target 16-16-16, eps = .1, delta = .01: l = 2, d = 16; expected hidden widths by hand
SQUARE = ([16, 16, 16], 0.1, 0.01)
HAND = {
    "malach": math.ceil(16**5 * 4 / 0.01 * 0.5),
    "orseau": 256 * math.ceil(0.5 * log(320)),
    "pensia": 32 * math.ceil(0.5 * log(51200)),
    "multi_prize": math.ceil(0.5 * (2 * 64 / 0.1 + 32 * log(3200))),
    "dacunha_cnn": math.ceil(8 * log(256 * 9 * 2 / 0.01)),
    "kumar": math.ceil(8 * math.log2(10)),
}


@pytest.mark.parametrize("key", HAND)
def test_rows_by_hand(key):
    row = widths.width(key, *SQUARE, C=0.5, kernel=3)
    assert row.hidden == (HAND[key], 16, HAND[key])
    assert row.depth == 4
    assert row.widest == HAND[key]
    kernel = 9 if key == "dacunha_cnn" else 1
    assert row.params == 2 * (16 * HAND[key] + HAND[key] * 16 * kernel)
    assert row.is_shape_only
    assert row.C == 0.5
    assert "R = 1" in row.note


def test_layers_of_different_widths():
    row = widths.width("pensia", [3, 5, 2], 0.1, 0.05, C=3.0)
    first, second = 6 * math.ceil(3 * log(15 * 2 / 0.05)), 10 * math.ceil(3 * log(10 * 2 / 0.05))
    assert row.hidden == (first, 5, second)
    assert row.params == 3 * first + first * 5 + 5 * second + second * 2
    row = widths.width("pensia", [3, 5], 0.01, 0.05, C=3.0)
    assert row.hidden == (6 * math.ceil(3 * log(15 / 0.01)),)


def test_depth_of_sreenivasan():
    row = widths.width("sreenivasan", *SQUARE, C=1.0)
    x = log(16 * 2 / 0.1)
    assert row.depth == math.ceil(2 * x)
    width = math.ceil(16 * x**2)
    assert row.hidden == (width,) * (row.depth - 1)
    assert row.params == 32 * width + (row.depth - 2) * width**2


def test_burkholz():
    assert widths.burkholz_constant() == pytest.approx(15 / -log(0.00404))
    assert widths.burkholz_constant("product") == pytest.approx(15 / -log(0.01))
    row = widths.width("burkholz", [4, 6, 2], 0.1, 0.05, C=2.0)
    copies = math.ceil(2 * -log(min(0.1 / (36 * 2), 0.05 / 36)))
    assert row.hidden == (4 * copies, 6 * copies)
    assert row.depth == 3
    assert row.params == 4 * 4 * copies + 24 * copies**2 + 12 * copies
    with pytest.raises(ValueError, match="law must be one of"):
        widths.burkholz_constant("normal")


def test_natale_is_the_smallest_solution():
    row = widths.width("natale", [4, 4], 0.1, 0.01, C=2.0, density=0.25)
    n = row.hidden[0] // 8
    entropy = 0.5 + 0.75 * math.log2(4 / 3)
    need = lambda n: 2 * math.log2(max(1, n / 4) / (0.1 / 16)) / entropy  # noqa: E731
    assert n >= need(n)
    assert n - 1 < need(n - 1)
    assert row.kept == 8 * n + 32 * math.ceil(n / 4)


def test_lower_bounds():
    assert widths.width("pensia_lower", [10, 10], 2**-11, 0.01).params == 999
    assert widths.width("pensia_lower", [10, 30], 2**-11, 0.01).params == 999
    row = widths.width("natale_lower", [2, 2], 1 / 32, 0.01, density=0.5, n=4)
    assert (row.params, row.hidden, row.direction) == (12, None, "necessary")
    row = widths.width("counting", [8, 9, 8], 0.01, 0.1, R=3, density=0.2)
    assert row.params == necessary_params([8, 9, 8], 0.01, delta=0.1, R=3, density=0.2)
    assert not row.is_shape_only


@pytest.mark.parametrize("statement", ["ours", "recalled", "repaired"])
def test_iterand_rows_are_those_of_network_width(statement):
    row = widths.width(f"iterand_{statement}", [6, 4, 3], 0.2, 0.1, R=500)
    answer = network_width.source_width([6, 4, 3], eps=0.2, delta=0.1, R=500, statement=statement)
    assert (6, *row.hidden, 3) == answer.source_widths
    assert row.params == round(answer.param_factor * (24 + 12))
    kept = 2 * (24 + 12) + 2 * 6 * min(4, answer.n[0]) + 2 * 4 * min(3, answer.n[1])
    assert row.kept == kept
    assert ("statement", "proved") in row.status or statement == "recalled"


def test_subset_sum_row():
    row = widths.width("subset_sum", [6, 4, 3], 0.2, 0.1, R=5)
    n = product_sum.required_n([6, 4, 3], 0.2, delta=0.1, R=5)
    assert row.hidden == (12 * n[0], 4, 8 * n[1])
    assert row.params == 6 * 12 * n[0] + 12 * n[0] * 4 + 4 * 8 * n[1] + 8 * n[1] * 3
    assert row.status == (("statement", "proved"),)
    linf = widths.width("subset_sum", [6, 4, 3], 0.2, 0.1, R=5, domain="linf")
    assert linf.widest > row.widest
    assert row.params > widths.width("counting", [6, 4, 3], 0.2, 0.1, R=5).params


@pytest.mark.parametrize("key", [key for key, entry in widths.RESULTS.items() if entry.needs])
def test_unknown_constants_stay_unknown(key):
    with pytest.raises(ValueError, match=rf"^{key}: .* leaves a constant open in .*; pass C= \(.*\) to get a number$"):
        widths.width(key, [8, 8], 0.1, 0.01, density=0.5)
    row = widths.width(key, [8, 8], 0.1, 0.01, C=1.0, density=0.5)
    assert row.is_shape_only
    assert row.params > 0
    assert widths.RESULTS[key].dashed
    assert not any(status == "proved" for _, status in row.status)


@pytest.mark.parametrize("key", [key for key, entry in widths.RESULTS.items() if not entry.needs])
def test_known_constants_cannot_be_chosen(key):
    with pytest.raises(ValueError, match=f"{key} has no constant to choose, got C=2.0"):
        widths.width(key, [8, 8], 0.01, 0.01, C=2.0, density=0.5, n=4)
    assert not widths.RESULTS[key].dashed


def test_registry_names_its_papers():
    assert set(widths.RESULTS) >= {"malach", "orseau", "pensia", "pensia_lower", "natale", "natale_lower", "kumar"}
    for entry in widths.RESULTS.values():
        assert entry.paper in bibliography.BY_KEY or entry.paper.startswith("theory/PROOFS.md")
        assert entry.status


def test_table_has_every_row_and_says_what_is_missing():
    rows = widths.table([8, 8], 0.06, 0.01, R=4)
    assert [row.result for row in rows] == list(widths.RESULTS)
    for row in rows:
        if widths.RESULTS[row.result].needs:
            assert row.params is None
            assert "pass C=" in row.note
            assert row.is_shape_only
    with_C = {row.result: row for row in widths.table([8, 8], 0.06, 0.01, R=4, C=3.0, density=0.5, n=20)}
    assert all(row.params is not None for row in with_C.values())
    assert with_C["pensia"] == widths.width("pensia", [8, 8], 0.06, 0.01, R=4, C=3.0)
    deep = {row.result: row for row in widths.table([8, 8, 8], 0.06, 0.01, R=20)}
    assert "targets x -> W x" in deep["pensia_lower"].note
    assert deep["pensia_lower"].params is None


def test_resampling_changes_our_rows_only():
    few, many = (
        {row.result: row for row in widths.table([8, 8], 0.06, 0.01, R=R, C=1.0, density=0.5, n=20)} for R in (1, 50)
    )
    for key, entry in widths.RESULTS.items():
        assert (few[key].params != many[key].params) == entry.resamples or key == "counting"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"result": "nobody"}, "result must be one of malach, .* got result='nobody'"),
        ({"C": -1.0}, "C must be a positive number, got C=-1.0"),
        ({"C": float("nan")}, "C must be a positive number, got C=nan"),
        ({"eps": 0}, r"eps must be in \(0, 1\], got eps=0"),
        ({"widths": [4]}, "widths must hold at least 2 integers"),
        ({"R": 0}, "R must be an integer >= 1, got R=0"),
        ({"kernel": 0}, "kernel must be an integer >= 1, got kernel=0"),
        ({"domain": "l1"}, "domain must be 'l2' or 'linf', got domain='l1'"),
        ({"density": 0.0}, r"density must be in \(0, 1\], got density=0"),
        ({"result": "natale"}, r"density, .* must be in \(0, 1/2\] for natale, got None"),
        ({"result": "natale_lower", "C": None}, "density = k/n and n must be given for natale_lower"),
    ],
)
def test_errors_quote_name_and_value(change, message):
    arguments = {"result": "pensia", "widths": [4, 4], "eps": 0.1, "delta": 0.1, "C": 1.0, **change}
    with pytest.raises(ValueError, match=message):
        widths.width(**arguments)
