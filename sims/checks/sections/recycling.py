"""Checks of statements 6: recycling, every multiset of at most n of n values."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

import numpy as np

from sims.checks.check import Check, Closest, Fact, Simulation, asked, events, own_seed
from sims.checks.facts import Pairs, Rng, agree, measured
from sims.checks.rare import rare
from sims.checks.sides import recycling as sides
from sims.checks.twins import multisets as _multisets
from sims.checks.twins.multisets import multisets
from sims.solver.philox import TARGETS, uniforms
from sims.statistics.trials import count_trials
from theory import recycling as theory
from theory import subset_sum
from theory.subset_sum import SubsetSum


def _recycled(n: int, eps: float, alpha: float) -> Simulation:
    """Success; every value on the wrong side."""

    def event(seed: int, first: int, trials: int) -> np.ndarray:
        values = uniforms(seed, first, trials, n)
        hit = (np.abs(values @ multisets(n).T - alpha) <= eps).any(axis=1)
        towards = np.sign(alpha) * values
        size = abs(alpha)
        return np.array([hit, (towards < (size - eps) / n).all(axis=1) | (towards > size + eps).all(axis=1)])

    return events(f"multisets n={n} eps={eps} alpha={alpha}", event, _cost(n), 50_000, 1_000_000)


def _averaged(n: int, eps: float) -> Simulation:
    def event(seed: int, first: int, trials: int) -> np.ndarray:
        targets = uniforms(seed, first, trials, 1, stream=TARGETS)
        sums = uniforms(seed, first, trials, n) @ multisets(n).T
        return np.asarray((np.abs(sums - targets) <= eps).any(axis=1))

    return events(f"multisets n={n} eps={eps} uniform", event, _cost(n), 50_000, 1_000_000)


def _cost(n: int) -> float:
    return 0.01 * n * math.comb(2 * n, n)


def checks(seed: int) -> list[Check]:
    """Statements 6.1 to 6.4 and controls."""
    return [*_curves(), *_required(), *_rare(), *_formulas(), *_worth(), *_controls(), *sides.checks()]


def _curves() -> Iterator[Check]:
    for n, eps, alpha in ((1, 0.1, 0.5), (2, 0.05, 0.5), (3, 0.02, -0.7), (4, 0.01, 0.5)):
        simulation, of = _recycled(n, eps, alpha), {"eps": eps, "alpha": alpha}
        at = f"n={n} eps={eps:g} alpha={alpha:g}"
        where = f"P(success), {at}"
        upper = theory.success_prob_upper(n, **of)
        if upper < 1.0:
            yield simulation.upper("6.1", where, upper)
        never = theory.certain_failure(n, **of)
        yield simulation.lower("6.1", f"P(failure) >= certain failure, {at}", never, complement=True)
        if n in (2, 3):
            yield simulation.exact("6.1", f"P(all on the wrong side), {at}", never, 1)
        yield simulation.lower("6.2", f"{where}, by pairs", theory.success_prob_pairs(n, **of))
        yield simulation.lower("6.2", where, theory.success_prob_lower(n, **of))
        yield simulation.upper("6.2", f"P(failure), {at}", theory.failure_prob_bound(n, **of), complement=True)
        yield simulation.predicted("6.3", where, theory.success_prediction(n, **of))
    for n, eps in ((2, 0.05), (4, 0.3)):
        simulation, at = _averaged(n, eps), f"n={n} eps={eps:g} alpha=uniform"
        where = f"P(success), {at}"
        yield simulation.upper("6.1", where, theory.success_prob_upper(n, eps=eps, alpha="uniform"))
        never = theory.certain_failure(n, eps=eps, alpha="uniform")
        yield simulation.lower("6.1", f"P(failure) >= certain failure, {at}", never, complement=True)
        yield simulation.lower("6.2", where, theory.success_prob_lower(n, eps=eps, alpha="uniform"))
        yield simulation.predicted("6.3", where, theory.success_prediction(n, eps=eps, alpha="uniform"))


def _required() -> Iterator[Check]:
    for eps, delta, alpha in ((0.02, 0.5, 0.5), (0.3, 0.2, 0.9), (0.2, 0.3, -0.5)):
        n = theory.required_n(eps, delta, alpha=alpha)
        where = f"P(failure) at required_n={n}, eps={eps:g} delta={delta:g} alpha={alpha:g}"
        yield _recycled(min(n, 6), eps, alpha).upper("6.2", where, delta, complement=True)
        few = theory.necessary_n(eps, delta, alpha=alpha) - 1
        where = f"P(success) at n={few}, below necessary_n, eps={eps:g} delta={delta:g} alpha={alpha:g}"
        yield _recycled(max(1, few), eps, alpha).upper("6.1", where, 1.0 - delta)


def _rare() -> Iterator[Check]:
    """Failures far below what counts see."""
    one, n = theory.Recycling(eps=0.1), 24
    bound = theory.failure_prob_bound(n, eps=0.1, alpha=0.5)
    yield rare("6.2", f"P(failure), n={n} eps=0.1 alpha=0.5", one, n, bound, samples=50)
    few = one.necessary_n(1e-6) - 2
    where = f"P(failure) at necessary_n - 2 = {few}, delta=1e-06 eps=0.1"
    yield rare("6.2", where, one, few, 1e-6, samples=50, control="2 values fewer than necessary")


def _formulas() -> Iterator[Check]:
    yield Fact("6.1", "number of multisets; expected sums one by one, n <= 4; necessary n", _compare_counts)
    yield Fact("6.1", "certain failure by its two events; over a uniform target by quadrature", _certain)
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
    yield simulation.upper("6.1", where, upper / 2, control="constant halved")
    yield Fact("6.1", "certain failure", partial(_certain, off=1), control="2^-n taken as 2^-(n-1)")
    never = 2 * theory.certain_failure(4, eps=0.3, alpha="uniform")
    where = "P(failure), n=4 eps=.3 alpha=uniform"
    averaged = _averaged(4, 0.3)
    yield averaged.lower("6.1", where, never, complement=True, control="certain failure doubled")
    wrong = theory.success_prob_lower(6, eps=0.02, alpha=-0.7)
    where = "P(success), n=3 eps=.02 alpha=-.7"
    yield simulation.lower("6.2", where, wrong, control="n = 6's bound claimed of n = 3")
    half = theory.required_n(0.02, 0.5, alpha=0.5) // 2
    where = f"P(failure), n={half} eps=.02 delta=.5 alpha=.5"
    yield _recycled(half, 0.02, 0.5).upper("6.2", where, 0.5, complement=True, control="half of required_n")


# -- independent computations -----------------------------------------------------------------------------------------


@agree(1e-9, "6.1")
def _compare_counts(rng: Rng) -> Pairs:
    for n in range(1, 6):
        yield theory.multiset_count(n), len(multisets(n))
    for i in range(24):
        eps, alpha, n = float(10 ** rng.uniform(-4, -1.5)), float(rng.uniform(0.1, 1)), i % 4 + 1
        total = float(_multisets.expected_good(n, alpha, eps))
        bound = min(total, 1 - float(_multisets.wrong_side(n, alpha, eps)))
        yield theory.success_prob_upper(n, eps=eps, alpha=alpha), min(1.0, bound)
        delta = float(rng.uniform(0.05, 0.9))
        n = theory.necessary_n(eps, delta, alpha=alpha)
        fits = theory.success_prob_upper(n, eps=eps, alpha=alpha) >= 1 - delta
        yield True, fits and (n == 0 or theory.success_prob_upper(n - 1, eps=eps, alpha=alpha) < 1 - delta)


@agree(1e-9, "6.1 certain")
def _certain(rng: Rng, off: int = 0) -> Pairs:
    for _ in range(40):
        n, eps = int(rng.integers(1, 60)), float(10 ** rng.uniform(-3, -0.4))
        alpha = float(rng.uniform(eps, 1))
        true = float(_multisets.wrong_side(n, alpha, eps))
        yield 2**off * theory.certain_failure(n, eps=eps, alpha=alpha), true
        found = theory.certain_failure(n, eps=eps, alpha="uniform")
        yield found, _multisets.wrong_side_uniform(n, eps)


@agree(1e-7, "6.1 expected R")
def _compare_expected_R(rng: Rng) -> Pairs:
    for n in (1, 2, 3, 4):
        for _ in range(4):
            eps, alpha = float(10 ** rng.uniform(-4, -1.5)), float(rng.uniform(0.1, 1))
            yield theory.expected_R(n, eps=eps, alpha=alpha), _multisets.choice_R(n, alpha, eps)


@agree(1e-9, "6.2")
def _compare_pairs(rng: Rng) -> Pairs:
    for n in (1, 2, 3):
        for _ in range(4):
            eps, alpha = float(10 ** rng.uniform(-3, -1)), float(rng.uniform(0.2, 1))
            bound = float(_multisets.pairs_bound(n, alpha, eps))
            yield theory.success_prob_pairs(n, eps=eps, alpha=alpha), bound


@agree(1e-9)
def _compare_blocks(_: Rng) -> Pairs:
    for eps, alpha in ((0.02, 0.5), (0.2, 0.9)):
        best = [1.0]
        for n in range(1, 21):
            here = [best[-1], subset_sum.failure_prob_bound(n, 1, eps=eps, alpha=alpha)]
            if n <= 8:
                here.append(1 - theory.success_prob_pairs(n, eps=eps, alpha=alpha))
            best.append(min(here + [best[m] * best[n - m] for m in range(1, n)]))
            yield theory.failure_prob_bound(n, eps=eps, alpha=alpha), best[n]
            yield theory.log_failure_prob_bound(n, eps=eps, alpha=alpha), math.log(best[n])
            yield theory.success_prob_lower(n, eps=eps, alpha=alpha), 1 - best[n]
        for delta in (0.7, 0.4, 0.2):
            least = next((n for n in range(21) if best[n] <= delta), None)
            if least is not None:
                yield theory.required_n(eps, delta, alpha=alpha), least


@agree(1e-9)
def _compare_predicted(_: Rng) -> Pairs:
    for eps, delta, alpha in ((0.01, 0.2, 0.5), (0.001, 0.05, -0.8)):
        n = theory.predicted_n(eps, delta, alpha=alpha)
        failures = [theory.failure_prediction(m, eps=eps, alpha=alpha) for m in (n - 1, n)]
        yield True, failures[1] <= delta < failures[0]
        yield theory.success_prediction(n, eps=eps, alpha=alpha), 1 - failures[1]


@agree(1e-6)
def _compare_worth(_: Rng) -> Pairs:
    for n in (1, 2, 5, 40):
        yield (theory.count_R(n) + 1) ** n, math.comb(2 * n, n)
        if n > 1:
            left = theory.gain_left(1.5, n)
            yield left or 0.0, math.log(1.25) / math.log((theory.count_R(n) + 1) / 2)
    for R in (1, 2, 5):
        p = subset_sum.success_prediction(5, R, eps=0.01, alpha=0.5)
        yield theory.effective_R(p, 5, eps=0.01, alpha=0.5) or 0.0, R
        powers = {r: -math.expm1(-0.05 * (r + 1) ** 2) for r in (1, 4, 7)}  # a rate that is a power of R + 1
        yield theory.interpolated_R(-math.expm1(-0.05 * (R + 1) ** 2), powers) or 0.0, R


def _measure_worth(seed: int) -> Closest:
    errors, shown, trials = [], [], 40_000
    for n, eps in ((3, 0.02), (5, 0.003)):
        share = {}
        for R in (1, 2, 3):
            key = f"6.4 n={n} R={R}"
            count, piece = asked(key, SubsetSum(R=R, eps=eps, alpha=0.5), (n,), 0.5).make(own_seed(seed, key), 1)
            share[R] = int(count_trials(count, 0, trials, piece=piece, jobs=1)[0]) / trials
        between = theory.interpolated_R(share[2], {1: share[1], 3: share[3]})
        predicted = theory.effective_R(share[2], n, eps=eps, alpha=0.5)
        for found in (between, predicted):
            errors.append(math.inf if found is None else abs(found - 2) / 2)
            shown.append("none" if found is None else f"{found:.3f}")
    return measured(errors, 0.1, f"{', '.join(shown)}: ")
