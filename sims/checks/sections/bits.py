"""Checks of statements 8: how many bits a ticket needs."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from sims.checks.check import Check, Closest, Fact, Simulation, asked, events
from sims.checks.facts import Pairs, Rng, agree, generator, measured, never_above
from sims.checks.sides import bits as sides
from sims.checks.twins import covers as _twins
from sims.draws import boxes
from sims.solver.philox import first_in_box, uniforms
from theory import bits as theory
from theory.bits import DrawCode, Histogram, Laws
from theory.bits.choice import success
from theory.subset_sum import SubsetSum

EXCEPTION = 24.0
COUNTED = (
    (DrawCode(eps=0.05), (3, 5)),
    (DrawCode(eps=0.2, d=2), (4, 6)),
    (DrawCode(eps=0.5, d=4), (4, 6)),
    (DrawCode(eps=0.4, d=3, alpha=0.9), (4, 7)),
)
"""Questions whose law of the index is simulated, with their bits."""

CUT = ((DrawCode(eps=0.05), 32), (DrawCode(eps=0.3, d=2), 8), (DrawCode(eps=0.4, d=3), 16))
"""Questions and R whose means of the index are."""

_COIN = 7
"""Stream of the tosses that make a mean a probability."""


def checks(seed: int) -> list[Check]:
    """Statements 8.1 to 8.6 and their controls."""
    return [*_laws(), *_means(), *_formulas(), *_choices(), *_controls(), *sides.checks()]


def _counts(one: DrawCode, sizes: tuple[int, ...]) -> Simulation:
    return asked(f"draw code {one} n={sizes}", one, sizes, 2.0, least=100_000, most=1_000_000)


def _laws() -> Iterator[Check]:
    for one, sizes in COUNTED:
        simulation = _counts(one, sizes)
        for i, n in enumerate(sizes):
            low, high = one.success_lower(n), one.success_upper(n)
            where = f"P(hit), 2^{n} draws, d={one.d} eps={one.eps:g} alpha={one.alpha}"
            yield simulation.point("band", "8.4", where, low - 2.0**-30, high + 2.0**-30, i)


def _cut(one: DrawCode, R: int) -> Simulation:
    """Events whose probabilities are means: of log2 min(K, R), of min(K, R), and of the bits that a block costs."""
    hit, most = theory.hit_share(R, one), _most(one, R)
    toss = -math.log2(1.0 - hit)

    def event(seed: int, first: int, trials: int) -> np.ndarray:
        centres, widths = boxes(one.alpha, one.eps, one.d, seed, first, trials)
        lows, highs = (centres - widths[:, None]) // 2, (centres + widths[:, None]) // 2
        index = first_in_box(seed, first, lows, highs, R) + 1
        looked, missed = np.minimum(index, R), index > R
        spent = np.where(missed, R * toss + EXCEPTION, -math.log2(hit) + (looked - 1) * toss)
        coin = 0.5 * (1.0 + uniforms(seed, first, trials, 1, stream=_COIN)[:, 0])
        return coin < np.array([np.log2(looked) / math.log2(R), looked / R, spent / most])

    return events(f"cut draw code {one} R={R}", event, 1.0, 200_000, 2_000_000)


def _most(one: DrawCode, R: int) -> float:
    """The most that a block can cost."""
    hit = theory.hit_share(R, one)
    return -math.log2(hit) - R * math.log2(1.0 - hit) + EXCEPTION


def _means() -> Iterator[Check]:
    for one, R in CUT:
        simulation, at = _cut(one, R), f"R={R} d={one.d} eps={one.eps:g}"
        low, high = (end / math.log2(R) for end in theory.mean_log2_index_capped(R, one))
        yield simulation.point("band", "8.4", f"E log2 min(K, R) / log2 R, {at}", low, min(1.0, high), 0)
        low, high = (end / R for end in theory.mean_draws(R, one))
        yield simulation.point("band", "8.4", f"E min(K, R) / R, {at}", low, high, 1)
        bound = theory.capped_bits_bound(R, one, exception_bits=EXCEPTION) / _most(one, R)
        yield simulation.upper("8.4", f"E bits / most bits, {at}, exceptions of {EXCEPTION:g} bits", bound, 2)
    long = (DrawCode(eps=0.05), 2**11)
    low, high = (end / 11 for end in theory.mean_log2_index(long[0]))
    yield _cut(*long).point("band", "8.2", "E log2 K / 11, d=1 eps=.05", low, high, 0)


def _formulas() -> Iterator[Check]:
    yield Fact("8.1", "entropies of the first draw near, given the draws: none below the limit", _covers)
    yield Fact("8.1", "codewords side by side reach just their share", _grids)
    yield Fact("8.2", "entropy and mean logarithm of the index by its law", _entropies)
    yield Fact("8.2", "bits of the law of coin tosses by adding up", _tosses)
    yield Fact("8.3", "E log2(1/p) and the divergence by quadrature", _mismatches)


def _sums(n: int, R: int, eps: float, alpha: float) -> Simulation:
    one = SubsetSum(R=R, eps=eps, alpha=alpha)
    return asked(f"sums {one} n={n}", one, (n,), 1.0, least=100_000, most=1_000_000)


def _ranks(n: int, eps: float) -> Simulation:
    """Whether the first good sum is among the first t; and an event of probability E log2 T / (n + 1), T cut."""

    def event(seed: int, first: int, trials: int) -> np.ndarray:
        numbers = uniforms(seed, first, trials, n + 2)
        place = _twins.places(numbers[:, :n], numbers[:, n], eps)
        coin = 0.5 * (1.0 + numbers[:, n + 1])
        return np.array([place <= 5, coin < np.log2(place) / (n + 1)])

    return events(f"ranks n={n} eps={eps}", event, 4.0, 50_000, 400_000)


def _choices() -> Iterator[Check]:
    for n, R, eps in ((2, 4, 0.02), (3, 3, 0.01), (1, 20, 0.03)):
        most = (R + 1) ** n - 1
        where = f"P(success), n={n} R={R} eps={eps:g} alpha=.5, {math.log2(most + 1):.3g} bits"
        yield _sums(n, R, eps, 0.5).upper("8.5", where, min(1.0, most * eps))
    best = theory.best_under_budget(5.0, eps=0.04, alpha=0.5)
    where = f"P(success), the best for 5 bits, n={best.n} R={best.R} eps=.04 alpha=.5"
    yield _sums(best.n, best.R, 0.04, 0.5).lower("8.5", where, best.success)
    yield _ranks(8, 0.05).upper("8.5", "P(T <= 5), n=8 eps=.05, uniform target", 5 * 0.05)
    yield _ranks(8, 0.05).lower("8.5", "E log2 T / 9, n=8 eps=.05, uniform target", theory.rank_log2_lower(0.05) / 9, 1)
    yield Fact("8.5", "the best for a budget among all pairs", _budgets)
    yield Fact("8.5 (p)", "bits of the rank against simulated ranks in bins, within 10 %", _rank_bits)
    cheap = theory.cheapest_choice(0.05, 0.3, alpha=0.5, price_draw=0.5)
    where = f"P(failure) at the cheapest n={cheap.n} R={cheap.R}, eps=.05 delta=.3 alpha=.5"
    yield _sums(cheap.n, cheap.R, 0.05, 0.5).upper("8.6", where, 0.3, complement=True)
    yield Fact("8.6", "no choice below log2(1 + (1-delta)/eps) bits, one candidate near it", _cheapest)


def _controls() -> Iterator[Check]:
    one, (n, _) = COUNTED[1]
    simulation = _counts(*COUNTED[1])
    where = f"P(hit), 2^{n} draws, d=2 eps=.2"
    p = 1.0 - (1.0 - one.eps**2) ** 2**n
    yield simulation.exact("8.4", where, p, control="the edges forgotten")
    yield simulation.exact("8.4", where, one.success_prediction(n - 1), control="half the draws")
    cut, R = CUT[0]
    bound = theory.capped_bits_bound(R, cut, exception_bits=0.0) / _most(cut, R)
    yield _cut(cut, R).upper("8.4", "E bits / most bits, d=1 eps=.05", bound, 2, control="exceptions forgotten")
    low, high = (end / 11 for end in theory.mean_log2_inverse_hit(cut))
    long = _cut(cut, 2**11)
    yield long.point("band", "8.2", "E log2 K / 11", low, high, 0, control="Euler's constant forgotten")
    yield Fact("8.1", "entropies of quantisers", _quantisers, control="the limit of half the error")
    yield Fact("8.3", "the divergence by quadrature", _unsmoothed, control="the window forgotten")
    yield _sums(1, 20, 0.03, 0.5).upper("8.5", "P(success), n=1 R=20 eps=.03", 10 * 0.03, control="half the sums")
    rank = -math.log2(0.05) / 9
    yield _ranks(8, 0.05).lower("8.5", "E log2 T / 9, n=8 eps=.05", rank, 1, control="log2(e) forgotten")
    few = _sums(1, 7, 0.05, 0.5)
    yield few.upper("8.6", "P(failure), n=1 R=7 eps=.05", 0.3, complement=True, control="three bits are enough")


# -- independent computations -----------------------------------------------------------------------------------------


@never_above("8.1", slack=1e-12)
def _covers(rng: Rng) -> Pairs:
    for eps in (0.4, 0.2, 0.1):
        for _ in range(4):
            shares = _twins.first_hit_shares(rng.uniform(-1, 1, int(20 / eps)).tolist(), eps)
            if sum(shares) > 1 - 1e-9:
                yield theory.necessary_bits(DrawCode(eps=eps)), _twins.entropy(shares)
    law = Histogram((-1.0, 0.0, 1.0), (1.0, 3.0))
    for eps in (0.25, 0.375, 0.75):  # a quantiser
        ends = [*np.arange(-1.0, 1.0, 2 * eps).tolist(), 1.0]
        cells = np.diff(np.interp(ends, [-1.0, 0.0, 1.0], [0.0, 0.25, 1.0])).tolist()
        yield theory.necessary_bits(Laws(target=law, source=theory.UNIFORM, eps=eps)), _twins.entropy(cells)


@never_above()
def _quantisers(_: Rng) -> Pairs:
    for k in (2, 3, 5):
        eps = 2.0**-k
        centres = np.arange(-1 + eps, 1, 2 * eps)
        yield (
            theory.necessary_bits(DrawCode(eps=eps / 2)),
            _twins.entropy(_twins.first_hit_shares(centres.tolist(), eps)),
        )


@agree(1e-12)
def _grids(_: Rng) -> Pairs:
    for count in (2, 5, 11):
        eps = 1 / 16
        centres = (-1 + eps) + 2 * eps * np.arange(count)
        reached = sum(_twins.first_hit_shares(centres.tolist(), eps))
        yield theory.necessary_log2_codewords(eps, 1 - reached, d=1), math.log2(count)


@never_above(slack=1e-5)
def _entropies(_: Rng) -> Pairs:
    for eps, d, last in ((0.3, 1, 150), (0.1, 1, 500), (0.5, 2, 200)):
        weights, p = _twins.averages(eps, d, 600 if d == 1 else 60)
        law, one = _twins.index_law(weights, p, last), DrawCode(eps=eps, d=d)
        exact, logs = _twins.entropy(law), math.fsum(q * math.log2(k) for k, q in enumerate(law, 1))
        yield theory.index_bits_lower(one), exact
        yield exact, theory.index_bits_bound(one)
        yield theory.mean_log2_index(one)[0], logs
        yield logs, theory.mean_log2_index(one)[1]


@agree(1e-4)
def _tosses(_: Rng) -> Pairs:
    for eps, d, last in ((0.3, 1, 150), (0.1, 1, 500), (0.5, 2, 200)):
        weights, p = _twins.averages(eps, d, 600 if d == 1 else 60)
        hit = 1.0 / float(weights @ (1.0 / p))
        law = _twins.index_law(weights, p, last)
        spent = math.fsum(q * theory.geometric_bits(k, hit) for k, q in enumerate(law, 1))
        yield theory.index_bits_bound(DrawCode(eps=eps, d=d)), spent


def _smoothed(rng: Rng, window: bool) -> Pairs:
    points = (np.arange(200_000) + 0.5) / 100_000 - 1.0
    for eps in (0.05, 0.2, 0.4):
        shares = rng.uniform(0.2, 1.0, 2)
        inner = float(rng.uniform(-0.5, 0.5))
        source = Histogram((-1.0, inner, 1.0), tuple(shares))
        mass = [0.0, float(shares[0] / shares.sum()), 1.0]
        half = eps if window else 1e-4
        ends = (np.interp(points + side * half, [-1.0, inner, 1.0], mass) for side in (1, -1))
        density = (next(ends) - next(ends)) / (2 * half)
        laws = Laws(target=theory.UNIFORM, source=source, eps=eps)
        yield theory.mismatch_bits(laws)[1], float(np.mean(-np.log2(2 * density)))
        yield theory.mean_log2_inverse_hit(laws)[0], float(np.mean(-np.log2(2 * eps * density)))


@agree(1e-4, "8.3")
def _mismatches(rng: Rng) -> Pairs:
    yield from _smoothed(rng, True)


@agree(1e-4, "8.3 control")
def _unsmoothed(rng: Rng) -> Pairs:
    yield from _smoothed(rng, False)


@agree(1e-12)
def _budgets(_: Rng) -> Pairs:
    for twice in (6, 9):
        best = theory.best_under_budget(twice / 2, eps=0.05, alpha=0.5, basis="necessary")
        pairs = [(n, R) for n in range(1, 5) for R in range(1, 23) if (R + 1) ** (2 * n) <= 2**twice]
        yield best.success, max(success(n, R, eps=0.05, alpha=0.5, basis="necessary") for n, R in pairs)


def _rank_bits(seed: int) -> Closest:
    errors, rng = [], generator(seed, "8.5 (p)")
    for n, eps in ((8, 0.1), (10, 0.05)):
        trials, found = 4000, []
        for _ in range(4):
            found.append(_twins.places(rng.uniform(-1, 1, (1000, n)), rng.uniform(-1, 1, 1000), eps))
        edges = sorted({*range(1, 25), *(round(1.4**k) for k in range(10, 3 * n) if 1.4**k < 2**n), 2**n + 1, 2**n + 2})
        counts, _ = np.histogram(np.concatenate(found), bins=edges)
        shares, widths = counts / trials, np.diff(edges)
        binned = -math.fsum(s * math.log2(s / w) for s, w in zip(shares, widths, strict=True) if s)
        errors.append(abs(theory.rank_bits_prediction(n, 1, eps=eps, alpha="uniform") / binned - 1))
    return measured(errors, 0.1)


@never_above(slack=1e-12)
def _cheapest(_: Rng) -> Pairs:
    for eps, delta, price in ((0.1, 0.2, 0.0), (0.02, 0.05, 0.0), (0.1, 0.3, 0.5)):
        found = theory.cheapest_choice(eps, delta, alpha=0.5, price_draw=price)
        yield math.log2(1 + (1 - delta) / eps), found.bits
        alone = math.log2(2 + math.log(1 / delta) / eps)
        yield found.bits + price * found.n * found.R, alone + price * 2**alone
