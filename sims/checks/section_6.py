"""Checks of statements 6: recycling, every multiset of at most n of n values."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from sims.checks import multisets as _multisets
from sims.checks.check import Check, Closest, Fact, Point, Simulation, equal, generator, measured, own_seed, single
from sims.checks.multisets import multisets
from sims.commands.table import Cell
from sims.solver.philox import TARGETS, uniforms
from sims.subset_sum import subset_sum_counter
from theory import recycling as theory
from theory import subset_sum


def _recycled(n: int, eps: float, alpha: float) -> Simulation:
    """Success; every value on the wrong side."""

    def event(seed: int, first: int, trials: int) -> np.ndarray:
        values = uniforms(seed, first, trials, n)
        hit = (np.abs(values @ multisets(n).T - alpha) <= eps).any(axis=1)
        towards = np.sign(alpha) * values
        size = abs(alpha)
        return np.array([hit, (towards < (size - eps) / n).all(axis=1) | (towards > size + eps).all(axis=1)])

    return Simulation(f"multisets n={n} eps={eps} alpha={alpha}", single(event), _cost(n), 50_000, 1_000_000)


def _averaged(n: int, eps: float) -> Simulation:
    def event(seed: int, first: int, trials: int) -> np.ndarray:
        targets = uniforms(seed, first, trials, 1, stream=TARGETS)
        sums = uniforms(seed, first, trials, n) @ multisets(n).T
        return np.asarray((np.abs(sums - targets) <= eps).any(axis=1))

    return Simulation(f"multisets n={n} eps={eps} uniform", single(event), _cost(n), 50_000, 1_000_000)


def _cost(n: int) -> float:
    return 0.01 * n * math.comb(2 * n, n)


def checks(seed: int) -> list[Check]:
    """Statements 6.1 to 6.4 and controls."""
    return [*_curves(), *_required(), *_formulas(), *_worth(), *_controls()]


def _curves() -> Iterator[Check]:
    for n, eps, alpha in ((1, 0.1, 0.5), (2, 0.05, 0.5), (3, 0.02, -0.7), (4, 0.01, 0.5)):
        simulation = _recycled(n, eps, alpha)
        at = f"n={n} eps={eps:g} alpha={alpha:g}"
        where = f"P(success), {at}"
        upper = theory.success_prob_upper(n, eps=eps, alpha=alpha)
        if upper < 1.0:
            yield Point("6.1", where, "upper", 0.0, upper, simulation)
        never = theory.certain_failure(n, eps=eps, alpha=alpha)
        yield Point("6.1", f"P(failure) >= certain failure, {at}", "lower", never, 1.0, simulation, 0, True)
        if n in (2, 3):
            yield Point("6.1", f"P(all on the wrong side), {at}", "exact", never, never, simulation, 1)
        pairs = theory.success_prob_pairs(n, eps=eps, alpha=alpha)
        yield Point("6.2", f"{where}, by pairs", "lower", pairs, 1.0, simulation)
        lower = theory.success_prob_lower(n, eps=eps, alpha=alpha)
        yield Point("6.2", where, "lower", lower, 1.0, simulation)
        bound = theory.failure_prob_bound(n, eps=eps, alpha=alpha)
        yield Point("6.2", f"P(failure), {at}", "upper", 0.0, bound, simulation, 0, True)
        predicted = theory.success_prediction(n, eps=eps, alpha=alpha)
        yield Point("6.3", where, "prediction", 0.0, predicted, simulation)
    for n, eps in ((2, 0.05), (4, 0.3)):
        simulation = _averaged(n, eps)
        where = f"n={n} eps={eps:g} alpha=uniform"
        upper = theory.success_prob_upper(n, eps=eps, alpha="uniform")
        yield Point("6.1", f"P(success), {where}", "upper", 0.0, upper, simulation)
        never = theory.certain_failure(n, eps=eps, alpha="uniform")
        yield Point("6.1", f"P(failure) >= certain failure, {where}", "lower", never, 1.0, simulation, 0, True)
        lower = theory.success_prob_lower(n, eps=eps, alpha="uniform")
        yield Point("6.2", f"P(success), {where}", "lower", lower, 1.0, simulation)
        predicted = theory.success_prediction(n, eps=eps, alpha="uniform")
        yield Point("6.3", f"P(success), {where}", "prediction", 0.0, predicted, simulation)


def _required() -> Iterator[Check]:
    for eps, delta, alpha in ((0.02, 0.5, 0.5), (0.3, 0.2, 0.9), (0.2, 0.3, -0.5)):
        n = theory.required_n(eps, delta, alpha=alpha)
        where = f"P(failure) at required_n={n}, eps={eps:g} delta={delta:g} alpha={alpha:g}"
        yield Point("6.2", where, "upper", 0.0, delta, _recycled(min(n, 6), eps, alpha), 0, True)
        few = theory.necessary_n(eps, delta, alpha=alpha) - 1
        where = f"P(success) at n={few}, below necessary_n, eps={eps:g} delta={delta:g} alpha={alpha:g}"
        yield Point("6.1", where, "upper", 0.0, 1.0 - delta, _recycled(max(1, few), eps, alpha))


def _formulas() -> Iterator[Check]:
    yield Fact("6.1", "number of multisets; expected sums one by one, n <= 4; necessary n", _compare_counts)
    yield Fact("6.1", "certain failure by its two events; over a uniform target by quadrature", _compare_certain)
    yield Fact("6.1", "expected_R by Newton's method on exact terms", _compare_expected_R)
    yield Fact("6.2", "pairs one by one, n <= 3", _compare_pairs)
    yield Fact("6.2", "best of pairs, subsets and blocks; required_n is the least n", _compare_blocks)
    yield Fact("6.3", "predicted_n is where the predicted failure falls to delta", _compare_predicted)


def _worth() -> Iterator[Check]:
    yield Fact("6.4", "count_R and gain_left by definition; R comes back from its own probabilities", _compare_worth)
    yield Fact("6.4", "R = 2 from simulated success, within a tenth: by 2.4, and between R = 1 and 3", _measure_worth)


def _controls() -> Iterator[Check]:
    where = "P(success), n=3 eps=.02 alpha=-.7"
    upper = theory.success_prob_upper(3, eps=0.02, alpha=-0.7)
    simulation = _recycled(3, 0.02, -0.7)
    yield Point("6.1", where, "upper", 0.0, upper / 2, simulation, control="constant halved")
    yield Fact("6.1", "certain failure", lambda seed: _certain(seed, 1), control="2^-n taken as 2^-(n-1)")
    never = 2 * theory.certain_failure(4, eps=0.3, alpha="uniform")
    where = "P(failure), n=4 eps=.3 alpha=uniform"
    averaged = _averaged(4, 0.3)
    yield Point("6.1", where, "lower", never, 1.0, averaged, 0, True, control="certain failure doubled")
    wrong = theory.success_prob_lower(6, eps=0.02, alpha=-0.7)
    where = "P(success), n=3 eps=.02 alpha=-.7"
    yield Point("6.2", where, "lower", wrong, 1.0, simulation, control="n = 6's bound claimed of n = 3")
    half = theory.required_n(0.02, 0.5, alpha=0.5) // 2
    where = f"P(failure), n={half} eps=.02 delta=.5 alpha=.5"
    yield Point("6.2", where, "upper", 0.0, 0.5, _recycled(half, 0.02, 0.5), 0, True, control="half of required_n")


# -- independent computations -----------------------------------------------------------------------------------------


def _compare_counts(seed: int) -> Closest:
    rng = generator(seed, "6.1")
    pairs = [(float(theory.multiset_count(n)), float(len(multisets(n)))) for n in range(1, 6)]
    for i in range(24):
        eps, alpha, n = float(10 ** rng.uniform(-4, -1.5)), float(rng.uniform(0.1, 1)), i % 4 + 1
        total = float(_multisets.expected_good(n, alpha, eps))
        bound = min(total, 1 - float(_multisets.wrong_side(n, alpha, eps)))
        pairs.append((theory.success_prob_upper(n, eps=eps, alpha=alpha), min(1.0, bound)))
        delta = float(rng.uniform(0.05, 0.9))
        n = theory.necessary_n(eps, delta, alpha=alpha)
        fits = theory.success_prob_upper(n, eps=eps, alpha=alpha) >= 1 - delta
        before = n == 0 or theory.success_prob_upper(n - 1, eps=eps, alpha=alpha) < 1 - delta
        pairs.append((1.0, 1.0 if fits and before else 0.0))
    return equal(pairs, 1e-9)


def _certain(seed: int, off: int) -> Closest:
    rng = generator(seed, "6.1 certain")
    pairs = []
    for _ in range(40):
        n, eps = int(rng.integers(1, 60)), float(10 ** rng.uniform(-3, -0.4))
        alpha = float(rng.uniform(eps, 1))
        true = float(_multisets.wrong_side(n, alpha, eps))
        pairs.append((2**off * theory.certain_failure(n, eps=eps, alpha=alpha), true))
        found = theory.certain_failure(n, eps=eps, alpha="uniform")
        pairs.append((found, _multisets.wrong_side_uniform(n, eps)))
    return equal(pairs, 1e-9)


def _compare_certain(seed: int) -> Closest:
    return _certain(seed, 0)


def _compare_expected_R(seed: int) -> Closest:
    rng = generator(seed, "6.1 expected R")
    pairs = []
    for n in (1, 2, 3, 4):
        for _ in range(4):
            eps, alpha = float(10 ** rng.uniform(-4, -1.5)), float(rng.uniform(0.1, 1))
            pairs.append((theory.expected_R(n, eps=eps, alpha=alpha), _multisets.choice_R(n, alpha, eps)))
    return equal(pairs, 1e-7)


def _compare_pairs(seed: int) -> Closest:
    rng = generator(seed, "6.2")
    pairs = []
    for n in (1, 2, 3):
        for _ in range(4):
            eps, alpha = float(10 ** rng.uniform(-3, -1)), float(rng.uniform(0.2, 1))
            bound = float(_multisets.pairs_bound(n, alpha, eps))
            pairs.append((theory.success_prob_pairs(n, eps=eps, alpha=alpha), bound))
    return equal(pairs, 1e-9)


def _compare_blocks(seed: int) -> Closest:
    pairs = []
    for eps, alpha in ((0.02, 0.5), (0.2, 0.9)):
        best = [1.0]
        for n in range(1, 21):
            here = [best[-1], subset_sum.failure_prob_bound(n, 1, eps=eps, alpha=alpha)]
            if n <= 8:
                here.append(1 - theory.success_prob_pairs(n, eps=eps, alpha=alpha))
            best.append(min(here + [best[m] * best[n - m] for m in range(1, n)]))
            pairs.append((theory.failure_prob_bound(n, eps=eps, alpha=alpha), best[n]))
            pairs.append((theory.log_failure_prob_bound(n, eps=eps, alpha=alpha), math.log(best[n])))
            pairs.append((theory.success_prob_lower(n, eps=eps, alpha=alpha), 1 - best[n]))
        for delta in (0.7, 0.4, 0.2):
            least = next((n for n in range(21) if best[n] <= delta), None)
            if least is not None:
                pairs.append((float(theory.required_n(eps, delta, alpha=alpha)), float(least)))
    return equal(pairs, 1e-9)


def _compare_predicted(seed: int) -> Closest:
    pairs = []
    for eps, delta, alpha in ((0.01, 0.2, 0.5), (0.001, 0.05, -0.8)):
        n = theory.predicted_n(eps, delta, alpha=alpha)
        failures = [theory.failure_prediction(m, eps=eps, alpha=alpha) for m in (n - 1, n)]
        pairs.append((1.0, 1.0 if failures[1] <= delta < failures[0] else 0.0))
        pairs.append((theory.success_prediction(n, eps=eps, alpha=alpha), 1 - failures[1]))
    return equal(pairs, 1e-9)


def _compare_worth(seed: int) -> Closest:
    pairs = []
    for n in (1, 2, 5, 40):
        pairs.append(((theory.count_R(n) + 1) ** n, float(math.comb(2 * n, n))))
        if n > 1:
            left = theory.gain_left(1.5, n)
            pairs.append((left or 0.0, math.log(1.25) / math.log((theory.count_R(n) + 1) / 2)))
    for R in (1, 2, 5):
        p = subset_sum.success_prediction(5, R, eps=0.01, alpha=0.5)
        pairs.append((theory.effective_R(p, 5, eps=0.01, alpha=0.5) or 0.0, float(R)))
        powers = {r: -math.expm1(-0.05 * (r + 1) ** 2) for r in (1, 4, 7)}  # a rate that is a power of R + 1
        pairs.append((theory.interpolated_R(-math.expm1(-0.05 * (R + 1) ** 2), powers) or 0.0, float(R)))
    return equal(pairs, 1e-6)


def _measure_worth(seed: int) -> Closest:
    errors, shown, trials = [], [], 40_000
    for n, eps in ((3, 0.02), (5, 0.003)):
        share = {}
        for R in (1, 2, 3):
            key = f"6.4 n={n} R={R}"
            count, piece = subset_sum_counter((n,), Cell(R, eps, 0.5, "choice"), own_seed(seed, key), 1)
            hits = sum(int(count(t, min(piece, trials - t))[0]) for t in range(0, trials, piece))
            share[R] = hits / trials
        between = theory.interpolated_R(share[2], {1: share[1], 3: share[3]})
        predicted = theory.effective_R(share[2], n, eps=eps, alpha=0.5)
        for found in (between, predicted):
            errors.append(math.inf if found is None else abs(found - 2) / 2)
            shown.append("none" if found is None else f"{found:.3f}")
    return measured(errors, 0.1, f"{', '.join(shown)}: ")
