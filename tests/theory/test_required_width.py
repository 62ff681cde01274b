"""The least proved width: its bound, its choice, and where constructions take over from each other."""

import math

import pytest

from theory import network, product_sum
from theory.numerics.logspace import logsumexp
from theory.required_width import STATEMENTS, required_width, ways_to_make

TINY = 5e-324


@pytest.mark.parametrize(
    ("R", "construction"), [(1, "sums"), (30, "pairs"), (100, "pairs"), (10**4, "window"), (10**18, "window")]
)
def test_who_is_least(R, construction):
    assert ways_to_make(0.01, 0.01, R=R)[0].construction == construction


def test_ways_are_those_of_the_statements():
    ways = {way.construction: way for way in ways_to_make(0.05, 1e-4, R=10)}
    assert set(ways) == set(STATEMENTS)
    assert all(way.log_miss <= math.log(1e-4) for way in ways.values())
    assert ways["window"].neurons == 2 * math.ceil(math.log(1e-4) / network.log_window_miss_prob(0.05, 10))
    assert ways["sums"].neurons == pytest.approx(product_sum.required_neurons(0.05, 1e-4, R=10).neurons, abs=1)
    assert network.pairs_log_miss_bound(0.05, 10, n=ways["pairs"].neurons // 2 - 1) > math.log(1e-4)


@pytest.mark.parametrize("domain", ["l2", "linf"])
@pytest.mark.parametrize("R", [1, 40, 5000])
def test_the_union_bound_is_at_most_delta_and_no_statement_is_narrower(R, domain):
    widths, eps, delta = (3, 6, 2), 0.2, 0.01
    answer = required_width(widths, eps, delta=delta, R=R, domain=domain)
    again = logsumexp(
        math.log(2 * out * into) + way.log_miss for into, out, way in zip(widths, widths[1:], answer.made, strict=False)
    )
    assert answer.log_failure_bound == pytest.approx(again, rel=1e-14) or again == answer.log_failure_bound
    assert answer.failure_bound <= delta
    assert answer.source_widths[::2] == widths
    for statement in ("ours", "halves", "pairs"):
        one = network.source_width(widths, eps=eps, delta=delta, R=R, statement=statement, domain=domain)
        for least, other in zip(answer.source_widths[1::2], one.source_widths[1::2], strict=True):
            assert least <= 1.02 * other + 12  # equal shares of delta against shares trimmed layer by layer


def test_layers_may_use_different_constructions():
    answer = required_width((1, 1, 400), 0.5, delta=0.01, R=60)
    assert len(answer.statements) == 2
    assert answer.failure_bound <= 0.01


@pytest.mark.parametrize("delta", [TINY, 1 - 2**-53])
@pytest.mark.parametrize("eps", [1.0, 1e-6])
@pytest.mark.parametrize("R", [1, 10**18])
def test_it_holds_where_floats_end(eps, delta, R):
    assert required_width((2, 3), eps, delta=delta, R=R).log_failure_bound <= math.log(delta)


def test_where_nothing_is_proved_the_reason_is_given():
    with pytest.raises(ValueError, match=r"eta must be larger for anything to be proved, got eta=.* with R=1"):
        required_width((2, 3), 1e-250, delta=0.1, R=1)
