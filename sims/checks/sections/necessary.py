"""Checks of statements 5: lower bounds by counting, storage against sampling, widths of neighbouring results."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import cache, partial

from sims.checks.check import Check, Closest, Fact, asked
from sims.checks.facts import Pairs, Rng, agree, all_true, never_above
from sims.checks.sides import necessary as sides
from sims.checks.twins import packing as _packing
from sims.checks.twins import sums as _sums
from theory import necessary, product_sum, subset_sum
from theory.necessary import trade_off, widths
from theory.network import width as network_width
from theory.subset_sum import SubsetSum

_QUOTED = "quoted formula at random numbers; its truth is not tested"


def checks(seed: int) -> list[Check]:
    """Statements 5.1 to 5.5, and controls."""
    return [*_counting(), *_quoted(), *_prices(), *_controls(), *sides.checks()]


def _counting() -> Iterator[Check]:
    yield Fact("5.1", "bits of lattices of networks, counted exactly, d_i <= 2", _compare_lattices)
    yield Fact("5.1", "formula", _packing_bits)
    yield Fact("5.2", "number of networks by enumeration, and per parameter", _networks)
    yield Fact("5.2", "few elements kept: bits above a sum of binomials by at most a quarter", _compare_sparse)
    yield Fact("5.3", "least m by its definition, and width", _params)
    yield Fact("5.3", "base R+1 digits reach a share 1-delta of 2^B targets with m elements, not m-1", _compare_digits)


def _quoted() -> Iterator[Check]:
    yield Fact("5.3 (a)", f"is ours at l = R = 1, delta = 1/2; {_QUOTED}", _compare_pensia)
    yield Fact("5.3 (b)", _QUOTED, _compare_natale)


def _prices() -> Iterator[Check]:
    yield Fact("5.4", "one draw kept: every n, R up to 150 tried, exactly", _compare_one_kept)
    yield Fact("5.4", "subset sums: every R up to thrice the last that could pay", _optimum)
    yield Fact("5.4", "n(R) by exact fractions and by its parts", _compare_iso)
    yield Fact("5.5", "rows of proved results are those functions; shapes recomputed, C unknown", _compare_rows)
    one = SubsetSum(R=1, eps=0.01, alpha="uniform")
    simulation = asked("stored estimate n=15", one, (15,), 20.0, least=20_000, most=400_000)
    stored = math.exp(-15 / widths.burkholz_constant())
    where = "P(miss) behind the stored constant 2.72, n=15 eps=.01 alpha=uniform"
    yield simulation.predicted("5.5", where, min(0.01, stored), complement=True)


def _controls() -> Iterator[Check]:
    yield Fact("5.1", "formula", partial(_packing_bits, factor=2.0), control="eps in place of 2 eps")
    yield Fact("5.2", "number of networks", partial(_networks, mask=0), control="R choices: mask forgotten")
    yield Fact("5.3", "least m", partial(_params, mask=0), control="R + 1 choices taken as R")
    yield Fact("5.4", "least cost", partial(_optimum, swapped=True), control="prices exchanged")


# -- independent computations -----------------------------------------------------------------------------------------


_LATTICES = (
    ((1, 1), 1000), ((2, 1), 60), ((1, 2), 60), ((2, 2), 8), ((1, 1, 1), 1000), ((1, 2, 1), 1000), ((2, 1, 2), 60),
    ((2, 2, 2), 8), ((2, 2, 2, 2), 7),
)  # fmt: skip


@never_above()
def _compare_lattices(_: Rng) -> Pairs:
    for d, size in _LATTICES:
        bits = necessary.log2_packing(d, (1 - 1e-9) / (2 * size))  # lattice points are more than 2 eps apart
        yield bits, _packing.lattice_bits(d, size)


@agree(1e-9, "5.1")
def _packing_bits(rng: Rng, factor: float = 1.0) -> Pairs:
    for _ in range(60):
        d = tuple(int(v) for v in rng.integers(1, 60, int(rng.integers(2, 6))))
        eps = float(10 ** rng.uniform(-9, -1))
        yield necessary.log2_packing(d, eps), _packing.packing_bits(d, eps / factor)


@agree(1e-9, "5.2")
def _networks(rng: Rng, mask: int = 1) -> Pairs:
    for _ in range(50):
        m, R = int(rng.integers(1, 10**6)), int(rng.integers(1, 10**6))
        yield necessary.log2_networks(m, R), m * math.log2(R + mask)
        yield necessary.bits_per_param(R), math.log2(R + mask)
    for m, R in ((3, 1), (4, 2), (2, 5)):  # every element masked or showing one of its draws
        networks = {tuple(states) for states in itertools.product(range(1 - mask, R + 1), repeat=m)}
        yield necessary.log2_networks(m, R), math.log2(len(networks))


@never_above()
def _compare_sparse(_: Rng) -> Pairs:
    for m, R, kept in ((1000, 1, 110), (1000, 1, 10), (600, 5, 60), (600, 5, 480), (2000, 2, 1)):
        true = math.log2(_packing.sparse_networks(m, R, kept))
        yield true, necessary.log2_networks(m, R, density=kept / m)
        yield true, m * necessary.bits_per_param(R, density=kept / m)
        yield necessary.log2_networks(m, R, density=kept / m), 1.25 * true
        yield m * necessary.bits_per_param(R, density=kept / m), 1.25 * true


def _least(bits: float, delta: float, choices: float) -> float:
    return float(max(0, math.ceil((bits + math.log2(1 - delta)) / math.log2(choices) - 1e-9)))


@agree(1e-9, "5.3")
def _params(rng: Rng, mask: int = 1) -> Pairs:
    """Least m with m log2(R + mask) >= B + log2(1 - delta)."""
    for i in range(60):
        d = [int(v) for v in rng.integers(2, 60, 2 + i % 2)]
        R, eps, delta = int(rng.integers(2, 60)), float(10 ** rng.uniform(-6, -1)), float(rng.uniform(0.01, 0.9))
        true = _least(_packing.packing_bits(d, eps), delta, R + mask)
        yield necessary.necessary_params(d, eps, delta=delta, R=R), true
        if len(d) == 2:
            width = float(math.ceil(true / sum(d)))
            yield necessary.necessary_width(d[0], d[1], eps, delta=delta, R=R), width


def _compare_digits(seed: int) -> Closest:
    cases = []
    for R, bits, delta in itertools.product((1, 2, 3, 7), (6, 9, 12), (0.05, 0.5, 0.8)):
        m = necessary.necessary_params((1, 1), 2.0 ** -(bits + 1), delta=delta, R=R)
        wanted = (1 - Fraction(delta)) * 2**bits
        cases += [_packing.digit_sums(m, R) >= wanted, _packing.digit_sums(m - 1, R) < wanted]
    return all_true(cases, "m elements are enough for this law of the draws, m-1 are not")


@agree(1e-9, "5.3 a")
def _compare_pensia(rng: Rng) -> Pairs:
    for _ in range(40):
        d, eps = int(rng.integers(1, 100)), float(10 ** rng.uniform(-6, -1))
        bound = necessary.necessary_params_pensia(d, eps)
        yield bound, d * d * math.log2(1 / (2 * eps)) - 1
        ours = necessary.necessary_params((d, d), eps, delta=0.5, R=1)
        yield ours, math.ceil(bound - 1e-6)


@agree(1e-9, "5.3 b")
def _compare_natale(rng: Rng) -> Pairs:
    for _ in range(40):
        d, n, eps = int(rng.integers(1, 100)), int(rng.integers(2, 5000)), float(10 ** rng.uniform(-6, -1.3))
        k = int(rng.integers(1, n))
        entropy = -(k / n) * math.log(k / n) - (1 - k / n) * math.log1p(-k / n)
        yield necessary.necessary_params_natale(d, eps, k=k, n=n), d * d / 2 * math.log(k / eps) / entropy


@agree(1e-12)
def _compare_one_kept(_: Rng) -> Pairs:
    for alpha, eps, delta in ((0.0, 0.25, 0.05), (1.0, 0.125, 0.3)):
        miss = 1 - _sums.window(1, alpha, eps)
        for stored, drawn in ((1.0, 1.0), (0.0, 2.0), (5.0, 0.125), (0.1, 3.0)):
            best = trade_off.optimum("pick_one", eps, delta, price_value=stored, price_draw=drawn, alpha=alpha)
            yield best.cost, _packing.cheapest_draws(miss, delta, stored, drawn, 150)
            made = Fraction(stored) * best.point.n + Fraction(drawn) * best.point.draws
            yield best.cost, made


@agree(1e-12)
def _optimum(_: Rng, swapped: bool = False) -> Pairs:
    eps, delta, alpha = 0.02, 0.1, 0.5
    bases: tuple[tuple[trade_off.Basis, Callable[[int], int]], ...] = (
        ("proved", lambda R: max(1, subset_sum.required_n(eps, delta, R=R, alpha=alpha).n)),
        ("necessary", lambda R: max(1, subset_sum.necessary_n(eps, delta, R=R, alpha=alpha))),
        ("predicted", lambda R: max(1, subset_sum.predicted_n(eps, delta, R=R, alpha=alpha))),
    )
    for basis, n_of in bases:
        n_at = cache(n_of)
        for stored, drawn in ((1.0, 1.0), (0.0, 1.0), (4.0, 1.0), (10.0, 0.75)):
            price = {"price_value": drawn if swapped else stored, "price_draw": stored if swapped else drawn}
            if not price["price_draw"]:
                continue
            best = trade_off.optimum("subset_sum", eps, delta, alpha=alpha, basis=basis, **price)
            least, where = _packing.cheapest(n_at, stored, drawn, 3 * best.last_R)
            yield best.cost, least
            yield best.point.R, min(R for _, R in where)
            yield best.point.n, n_at(best.point.R)
            yield best.last_R, max(1, math.ceil((least - Fraction(stored)) / Fraction(drawn)) - 1)


@agree(1e-12)
def _compare_iso(_: Rng) -> Pairs:
    for eps, delta, alpha in ((0.02, 0.1, 0.5), (0.1, 0.3, -0.9)):
        draws = (1, 2, 5, 20)
        curve = trade_off.iso_success("pick_one", eps, delta, R=draws, alpha=alpha)
        yield True, tuple(point.R for point in curve) == draws
        for point in curve:
            miss = 1 - _sums.window(1, alpha, eps)
            n = next(n for n in range(1, 10**4) if miss ** (n * point.R) <= Fraction(delta))
            yield point.n, n
        for point in trade_off.iso_success("subset_sum", eps, delta, R=draws, alpha=alpha, basis="necessary"):
            yield point.n, max(1, subset_sum.necessary_n(eps, delta, R=point.R, alpha=alpha))
        for point in trade_off.iso_success("subset_sum", eps, delta, R=draws, alpha=alpha):
            yield point.n, subset_sum.required_n(eps, delta, R=point.R, alpha=alpha).n
            yield point.draws, point.n * point.R


@agree(1e-9)
def _compare_rows(_: Rng) -> Pairs:
    d, eps, delta, R = (6, 4), 0.2, 0.05, 7
    rows = {row.result: row for row in widths.table(d, eps, delta, R=R, C=1.0)}
    for key, counts in (
        ("iterand_ours", network_width.required_n_ours(d, eps, delta=delta, R=R)),
        ("iterand_recalled", network_width.required_n_recalled(d, eps, delta=delta, R=R)),
        ("iterand_repaired", network_width.required_n_repaired(d, eps, delta=delta, R=R)),
        ("subset_sum", product_sum.required_n(d, eps, delta=delta, R=R)),
    ):
        yield rows[key].widest or 0, 2.0 * d[0] * counts[0]
        yield rows[key].params or 0, 2.0 * d[0] * counts[0] * sum(d)
    yield rows["counting"].params or 0, necessary.necessary_params(d, eps, delta=delta, R=R)
    shapes = {
        "malach": math.ceil(6**5 / eps**2),
        "orseau": 24 * math.ceil(math.log(6 / eps)),
        "pensia": 12 * math.ceil(math.log(24 / delta)),
        "multi_prize": math.ceil(6**1.5 / eps + 6 * math.log(6 / delta)),
        "dacunha_cnn": math.ceil(6 * math.log(24 / delta)),
        "burkholz": 6 * math.ceil(math.log(24 / delta)),
        "kumar": math.ceil(6 * math.log2(1 / eps)),
    }
    yield from [(float(rows[key].widest or 0), float(hidden)) for key, hidden in shapes.items()]
    yield widths.burkholz_constant(), 15 / -math.log(0.00404)
    yield widths.burkholz_constant("product"), 15 / -math.log(0.01)
