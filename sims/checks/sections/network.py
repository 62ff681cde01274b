"""Checks of statements 4 that need no network: gadgets, widths and the corner n = 1. The others are in nets.checks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from sims.checks.check import Check, Closest, Fact, Simulation, events
from sims.checks.facts import Pairs, Rng, agree, all_true, at_most, never_above
from sims.checks.sections import convolution, two_neurons
from sims.checks.sides import network as sides
from sims.checks.twins import gadgets as _gadgets
from sims.solver.philox import uniforms
from theory.network import gadget
from theory.network import width as theory


def checks(seed: int) -> list[Check]:
    """Statements 4.2 to 4.6 and 4.9, and their controls."""
    own = *_propagation(), *_windows(), *_theorem(), *_recalled(), *_corner(), *_exact_weight(), *_controls()
    return [*own, *convolution.checks(seed), *two_neurons.checks(seed), *sides.checks()]


def _propagation() -> Iterator[Check]:
    yield Fact("4.2", "random networks with errors eta_i: sup error <= eps, l = 1..8", _propagate)
    yield Fact("4.2", "eta_i by definition", _compare_etas)


def _window_simulation(eta: float, R: int, w: float, n: int, sign: int) -> Simulation:
    def event(seed: int, first: int, trials: int) -> np.ndarray:
        return _gadgets.window_misses(uniforms(seed, first, trials, 2 * n * R), eta, R, w, n, sign)

    return events(f"windows eta={eta} R={R} w={w} n={n} {sign:+d}", event, 0.15 * n * R, 100_000, 2_000_000)


def _windows() -> Iterator[Check]:
    for eta, R, w, n, sign in ((0.5, 3, 0.6, 2, 1), (0.8, 4, -1.0, 3, -1), (0.3, 10, 0.2, 2, 1)):
        simulation = _window_simulation(eta, R, w, n, sign)
        side = "b > 0" if sign > 0 else "b < 0"
        where = f"P(no window hit), eta={eta} R={R} w={w} n={n} {side}"
        p = math.exp(n * gadget.log_window_miss_prob(eta, R, w=w))
        yield simulation.exact("4.3", where, p)
        p = (1.0 - gadget.window_success_prob(eta, R, w=w)) ** n
        yield simulation.exact("4.3", f"{where}, by success", p)
        bound = math.exp(gadget.log_weight_miss_bound(eta, R, n=n, w=w))
        where = f"P(no pair of draws hits), eta={eta} R={R} w={w} n={n} {side}"
        yield simulation.upper("4.3", where, bound, 1)
        worst = math.exp(gadget.log_weight_miss_bound(eta, R, n=n))
        yield simulation.upper("4.3", f"{where}, worst w", worst)
    yield Fact("4.3", "q_b, q_a and the bound in 40 digits", _compare_windows)


def _layer_simulation(widths: Sequence[int], eta: float, R: int, n: int) -> Simulation:
    """One layer, all targets +-1: whether some triple (output, input, sign) misses its windows."""
    d_in, d_out = widths
    count = 2 * d_in * n * (1 + d_out) * R

    def event(seed: int, first: int, trials: int) -> np.ndarray:
        return _gadgets.layer_misses(uniforms(seed, first, trials, count), d_in, d_out, eta, R, n)

    return events(f"layer {widths} eta={eta} R={R} n={n}", event, 0.015 * count, 20_000, 1_000_000)


def _theorem() -> Iterator[Check]:
    for widths, eps, R, n in (((1, 1), 1.0, 4, 12), ((1, 2), 1.0, 12, 5), ((2, 1), 0.8, 20, 3)):
        bound = theory.failure_bound(widths, eps, R=R, n=n)
        (eta,) = theory.layer_etas(widths, eps)
        where = f"P(some window missed), widths {widths} eps={eps:g} R={R} n={n}"
        yield _layer_simulation(widths, eta, R, n).upper("4.4", where, min(1.0, bound))
    for widths, eps, R, delta in (((1, 1), 1.0, 6, 0.1), ((2, 2), 1.0, 40, 0.2)):
        (eta,) = theory.layer_etas(widths, eps)
        (n,) = theory.required_n_ours(widths, eps, delta=delta, R=R)
        where = f"P(some window missed) at n={n}, widths {widths} eps={eps:g} R={R} delta={delta:g}"
        yield _layer_simulation(widths, eta, R, n).upper("4.4", where, delta)
        enough = theory.required_R_for_minimal_width(widths, eps, delta=delta)
        where = f"P(some window missed) at n=1, R={enough}, widths {widths} eps={eps:g} delta={delta:g}"
        yield _layer_simulation(widths, eta, enough, 1).upper("4.4", where, delta)
    yield Fact("4.4", "bound, n and R by their definitions", _compare_theorem)


def _free_simulation(eps: float, R: int, n: int) -> Simulation:
    """widths 1 1, F = [1]: the best masks and re-samplings of 2n neurons, roles free and (n = 1) roles fixed."""

    def event(seed: int, first: int, trials: int) -> np.ndarray:
        return _gadgets.free_failures(uniforms(seed, first, trials, 4 * n * R), eps, R, n)

    return events(f"free roles eps={eps} R={R} n={n}", event, 0.08 * n * R, 400_000 if n == 1 else 50_000, 2_000_000)


def _recalled() -> Iterator[Check]:
    for claim, compute in (("4.5", theory.required_n_recalled), ("4.5 (d)", theory.required_n_repaired)):
        for eps, R, delta in ((0.5, 8, 0.3), (0.5, 16, 0.3), (0.9, 5, 0.5)):
            (n,) = compute((1, 1), eps, delta=delta, R=R)
            where = f"P(failure), widths 1 1 eps={eps:g} delta={delta:g} R={R} n={n}"
            yield _free_simulation(eps, R, n).upper(claim, where, delta)
    yield Fact("4.5", "n by its definition", _compare_recalled)
    yield Fact("4.5", "corner n = 1, widths 1 1: exact failure <= delta, down to 1e-24", _recalled_corner)
    yield Fact("4.5 (b)", "R = 1: window bound <= delta at this n; R = 800: it exceeds delta", _compare_first_range)
    yield Fact("4.5 (d)", "window bound <= delta at this n, any R", _compare_repaired)
    yield Fact("4.5 (d)", "n by its definition", _compare_repaired_formula)


def _corner() -> Iterator[Check]:
    for eps, R in ((0.5, 6), (0.3, 6), (0.2, 15)):
        simulation = _free_simulation(eps, R, 1)
        p = theory.corner_failure_exact(eps, R)
        yield simulation.exact("4.5 (c)", f"P(failure), roles free, eps={eps:g} R={R}", p)
        p = math.exp(theory.corner_log_failure_designated(eps, R))
        yield simulation.exact("4.5 (c)", f"P(failure), roles fixed, eps={eps:g} R={R}", p, 1)
    yield Fact("4.5 (c)", "both failures by another quadrature, R up to 600", _compare_corner)
    yield Fact("4.5 (c)", "holds at delta = 1e-20 and 1e-22, fails at 1e-21 and 1e-24", _compare_thresholds)
    yield Fact("4.5 (c)", "corner_R is the least R with n = 1", _compare_corner_R)


def _pair_simulation(key: str, w: float, eta: float, R: int, cost: float, least: int) -> Simulation:
    def event(seed: int, first: int, trials: int) -> np.ndarray:
        return _gadgets.weight_events(uniforms(seed, first, trials, 2 * R), w, eta, R)

    return events(key, event, cost, least, 2_000_000)


def _exact_weight() -> Iterator[Check]:
    for w, eta, R in ((0.5, 0.2, 3), (0.9, 0.3, 5), (-0.7, 0.15, 8)):
        simulation = _pair_simulation(f"pairs w={w} eta={eta} R={R}", w, eta, R, 0.08 * R, 400_000)
        at = f"w={w} eta={eta} R={R}"
        p = gadget.product_hit_prob(w, eta)
        yield simulation.exact("4.6", f"P(|ab - w| <= eta), {at}", p)
        p = math.exp(gadget.neuron_log_success_prob(w, eta, R=R, choice="one_b"))
        yield simulation.exact("4.6", f"P(first b serves), {at}", p, 1)
        p = math.exp(gadget.neuron_log_miss_prob(w, eta, R=R))
        yield simulation.exact("4.6", f"P(best b misses), {at}", p, 2, complement=True)
        p = math.exp(gadget.weight_log_miss_prob(w, eta, R=R, n=1, choice="one_b"))
        yield simulation.exact("4.6", f"P(first b misses), {at}", p, 1, complement=True)
        low, high = (math.exp(x) for x in gadget.any_pair_log_miss_bracket(w, eta, R=R))
        yield simulation.point("band", "4.6", f"P(no pair hits), {at}", low, high, 3, complement=True)
    yield Fact("4.6", "product law by numerical integration; n neurons multiply", _compare_weight)


def _controls() -> Iterator[Check]:
    eta, R, w, n = 0.5, 3, 0.6, 2
    simulation = _window_simulation(eta, R, w, n, 1)
    q = 1 - (1 - eta / 2) ** R
    wrong = (1 - q * q) ** n
    where = "P(no window hit), eta=.5 R=3 w=.6 n=2"
    yield simulation.upper("4.3", where, wrong, control="eta/2 for eta/4")
    layer = _layer_simulation((1, 1), math.log(2.0), 4, 12)
    bound = theory.failure_bound((1, 1), 1.0, R=4, n=12) / 2
    where = "P(some window missed), widths 1 1 eps=1 R=4 n=12"
    yield layer.upper("4.4", where, bound, control="one sign forgotten: half the bound")
    (n,) = theory.required_n_ours((1, 1), 1.0, delta=0.1, R=6)
    few = _layer_simulation((1, 1), math.log(2.0), 6, max(1, math.floor(0.8 * n)))
    where = f"P(some window missed) at 0.8 of n={n}, delta=.1"
    yield few.upper("4.4", where, 0.1, control="too few candidates")
    fixed = math.exp(theory.corner_log_failure_designated(0.3, 6))
    free = _free_simulation(0.3, 6, 1)
    where = "P(failure), roles free, eps=.3 R=6"
    yield free.exact("4.5 (c)", where, fixed, control="roles fixed: u(2-u)")
    off = theory.corner_failure_exact(0.3, 5)
    yield free.exact("4.5 (c)", where, off, control="R off by one")
    pairs = _pair_simulation("pairs, control", 0.5, 0.2, 3, 0.6, 100_000)
    p = 1 - (1 - gadget.product_hit_prob(0.5, 0.2)) ** 3
    where = "P(first b serves), w=.5 eta=.2 R=3"
    yield pairs.exact("4.6", where, p, 1, control="b's sign forgotten, pairs taken as independent")
    yield Fact("4.2", "sup error <= eps", partial(_propagate, scale=1.2), control="eta_i 1.2 times as large")
    claimed = "division by R^2 claimed proved"
    yield Fact("4.5 (b)", "window bound <= delta for R > 1", _divide_by_squares, claimed)
    yield Fact("4.5 (d)", "window bound <= delta", _repair_with_64, control="64 in place of 160.2")
    yield Fact("4.5 (c)", "failure <= delta at n = 1 for every delta", _corner_promise, "as recalled, all delta")


# -- independent computations -----------------------------------------------------------------------------------------


@never_above("4.2", slack=1e-12)
def _propagate(rng: Rng, scale: float = 1.0) -> Pairs:
    for l in (1, 2, 3, 8):  # noqa: E741
        for kind in ("random", "ones", "ones"):
            eps = float(rng.uniform(0.05, 1.0))
            widths = tuple(int(d) for d in rng.integers(1, 6, l + 1))
            etas = [scale * eta for eta in theory.layer_etas(widths, eps)]
            yield _gadgets.network_error(rng, widths, etas, kind), eps
    ball = theory.layer_etas((3, 2), 0.3, domain="linf")
    yield math.sqrt(3) * _gadgets.network_error(rng, (3, 2), [scale * eta for eta in ball], "ones"), 0.3


def _random_widths(rng: Rng) -> tuple[int, ...]:
    return tuple(int(d) for d in rng.integers(1, 40, int(rng.integers(2, 6))))


@agree(1e-12, "4.2 etas")
def _compare_etas(rng: Rng) -> Pairs:
    for _ in range(50):
        widths, eps = _random_widths(rng), float(rng.uniform(1e-3, 1))
        yield from zip(theory.layer_etas(widths, eps), _gadgets.etas(widths, eps), strict=True)
        cube = theory.layer_etas(widths, eps, domain="linf")
        yield from zip(cube, _gadgets.etas(widths, eps / widths[0] ** 0.5), strict=True)


@agree(1e-9, "4.3")
def _compare_windows(rng: Rng) -> Pairs:
    for _ in range(100):
        eta, R, n = float(10 ** rng.uniform(-5, 0)), int(10 ** rng.uniform(0, 5)), int(rng.integers(1, 100))
        w = float(rng.uniform(-1, 1))
        for value in (w, 1.0, None):
            b, a, log_miss = _gadgets.window_numbers(eta, R, 1.0 if value is None else value)
            yield gadget.b_window_prob(eta, R), b
            yield gadget.a_window_prob(eta, R, w=value), a
            yield gadget.window_success_prob(eta, R, w=value), a * b
            yield gadget.log_window_miss_prob(eta, R, w=value), log_miss
            yield gadget.log_weight_miss_bound(eta, R, n=n, w=value), n * log_miss


@agree(1e-7, "4.4")
def _compare_theorem(rng: Rng) -> Pairs:
    for _ in range(30):
        widths, eps = _random_widths(rng), float(rng.uniform(0.01, 1))
        R, delta = int(10 ** rng.uniform(0, 6)), float(10 ** rng.uniform(-9, -0.3))
        counts = theory.required_n_ours(widths, eps, delta=delta, R=R)
        bound = theory.log_failure_bound(widths, eps, R=R, n=counts)
        yield bound, _gadgets.log_bound(widths, eps, R, counts)
        yield True, bound <= math.log(delta)
        for i, n in enumerate(counts):  # none can be lowered alone
            fewer = [*counts[:i], n - 1, *counts[i + 1 :]]
            yield True, n == 1 or _gadgets.log_bound(widths, eps, R, fewer) > math.log(delta) - 1e-9
        capped = math.exp(min(0.0, bound))
        if capped > 1e-300:  # below, a bound that is rounded up is not 0
            yield theory.failure_bound(widths, eps, R=R, n=counts), capped
        least = theory.required_R_for_minimal_width(widths, eps, delta=delta)
        ones = (1,) * (len(widths) - 1)
        fits = _gadgets.log_bound(widths, eps, least, ones) <= math.log(delta)
        over = least == 1 or _gadgets.log_bound(widths, eps, least - 1, ones) > math.log(delta) - 1e-9
        yield True, fits and over
        answer = theory.source_width(widths, eps=eps, delta=delta, R=R)
        hidden = [2 * d * n for d, n in zip(widths, counts, strict=False)]
        yield from zip(answer.source_widths[1::2], hidden, strict=True)
        yield from zip(answer.source_widths[::2], widths, strict=True)


def _settings(rng: Rng) -> Iterator[tuple[tuple[int, ...], float, float, int]]:
    for _ in range(60):
        eps, delta = float(rng.uniform(0.01, 1)), float(10 ** rng.uniform(-9, -0.3))
        yield _random_widths(rng), eps, delta, int(10 ** rng.uniform(0, 6))


@agree(1e-9, "4.5")
def _compare_recalled(rng: Rng) -> Pairs:
    for widths, eps, delta, R in _settings(rng):
        found = theory.required_n_recalled(widths, eps, delta=delta, R=R)
        yield from zip(found, _gadgets.recalled(widths, eps, delta, R), strict=True)


@agree(1e-9, "4.5 d")
def _compare_repaired_formula(rng: Rng) -> Pairs:
    for widths, eps, delta, R in _settings(rng):
        found = theory.required_n_repaired(widths, eps, delta=delta, R=R)
        yield from zip(found, _gadgets.repaired(widths, eps, delta, R), strict=True)


@never_above("4.5 d")
def _compare_repaired(rng: Rng) -> Pairs:
    for widths, eps, delta, R in _settings(rng):
        counts = theory.required_n_repaired(widths, eps, delta=delta, R=R)
        yield math.log(1 / delta), -_gadgets.log_bound(widths, eps, R, counts)
    for eps in (0.01, 0.5):  # where the constant is closest
        R = round(8 / eps)
        (n,) = theory.required_n_repaired((1, 1), eps, delta=1e-3, R=R)
        yield math.log(1e3), -_gadgets.log_bound((1, 1), eps, R, (n,))


@never_above()
def _repair_with_64(_: Rng) -> Pairs:
    n = math.ceil(64 * 1 / 8**2 * math.log(2 / 1e-9))  # eps = 1, R = K = 8
    yield math.log(1e9), -_gadgets.log_bound((1, 1), 1.0, 8, (n,))


@never_above("4.5 b", slack=1e-12)
def _compare_first_range(rng: Rng) -> Pairs:
    for widths, eps, delta, _ in _settings(rng):
        counts = theory.required_n_recalled(widths, eps, delta=delta, R=1)
        yield math.log(1 / delta), -theory.log_failure_bound(widths, eps, R=1, n=counts)
        l = len(widths) - 1  # noqa: E741
        for a, b, count in zip(widths, widths[1:], counts, strict=False):  # n q^2 >= L, the step of the proof
            q = eps / (8 * l * a * b**0.5)
            yield math.log(2 * l * a * b / delta), count * q**2
    (n,) = theory.required_n_recalled((1, 1), 0.01, delta=1e-3, R=800)
    share = 1 - (1 - 1 / 800) ** 800  # the window of the recalled eta: eps/2 with 4 for its two halves
    yield 1e-3, 2 * (1 - share**2) ** n  # above delta: the windows do not give it


@never_above()
def _divide_by_squares(_: Rng) -> Pairs:
    share = 1 - (1 - 1 / 800) ** 800
    n = math.ceil(math.log(2 / 1e-3))
    yield 2 * (1 - share**2) ** n, 1e-3


_CORNERS = ((0.1, 1e-4), (0.01, 1e-6), (0.01, 1e-20), (0.01, 1e-21), (0.1, 1e-22), (0.1, 1e-24))


def _recalled_corner(seed: int) -> Closest:
    """What the formula promises where it gives n = 1, as far as delta = 1e-24; it breaks below 1e-20."""
    pairs, text = [], []
    for eps, delta in _CORNERS:
        R = theory.corner_R(eps, delta)
        assert theory.required_n_recalled((1, 1), eps, delta=delta, R=R) == (1,)
        failure = theory.corner_failure_exact(eps, R)
        pairs.append((failure, delta))
        if failure > delta:
            text.append(f"eps={eps:g} delta={delta:g} R={R}: {failure:.3g}")
    found = at_most(pairs)
    said = f"as we recall it, it fails at {'; '.join(text)}" if text else found.text
    return Closest(found.ratio, said, found.catches)


@never_above()
def _corner_promise(_: Rng) -> Pairs:
    for eps, delta in _CORNERS:
        R = math.ceil(8 * math.sqrt(math.log(2 / delta)) / eps)
        yield _gadgets.corner_failures(eps, R)[0], delta


def _compare_thresholds(seed: int) -> Closest:
    cases = []
    for eps, delta in _CORNERS:
        fails = delta in (1e-21, 1e-24)
        R = theory.corner_R(eps, delta)
        cases.append((theory.corner_failure_exact(eps, R) > delta) == fails)
        cases.append((_gadgets.corner_failures(eps, R)[0] > delta) == fails)
        cases.append(math.exp(theory.corner_log_failure_designated(eps, R)) > delta or delta > 2e-5)
    return all_true(cases, "as recalled it fails there, far below any delta in use")


@agree(1e-6)
def _compare_corner(_: Rng) -> Pairs:
    for eps, R in ((0.5, 1), (0.5, 20), (0.2, 60), (0.1, 305), (0.1, 599)):
        free, fixed = _gadgets.corner_failures(eps, R)
        yield theory.corner_failure_exact(eps, R), free
        yield math.exp(theory.corner_log_failure_exact(eps, R)), free
        yield math.exp(theory.corner_log_failure_designated(eps, R)), fixed


@agree(1e-12, "4.5 c")
def _compare_corner_R(rng: Rng) -> Pairs:
    for _ in range(50):
        eps, delta = float(rng.uniform(0.005, 1)), float(10 ** rng.uniform(-30, -0.1))
        R = next(R for R in range(10**6) if R > 0 and 64 * math.log(2 / delta) <= (eps * R) ** 2 * (1 + 1e-12))
        yield theory.corner_R(eps, delta), R


@agree(1e-4, "4.6")
def _compare_weight(rng: Rng) -> Pairs:
    for _ in range(25):
        w, eta = float(rng.uniform(-1, 1)), float(rng.uniform(0.01, 1))
        yield gadget.product_hit_prob(w, eta), _gadgets.product_prob(w, eta)
        R, n = int(rng.integers(1, 30)), int(rng.integers(1, 9))
        if abs(w) > eta:
            one = _gadgets.one_b_success(abs(w), eta, R)
            yield math.exp(gadget.neuron_log_success_prob(w, eta, R=R, choice="one_b")), one
            yield math.exp(gadget.neuron_log_miss_prob(w, eta, R=R, choice="one_b")), 1 - one
            yield math.exp(gadget.weight_log_miss_prob(w, eta, R=R, n=n, choice="one_b")), (1 - one) ** n
            best = _gadgets.best_b_miss(abs(w), eta, R)
            yield math.exp(gadget.neuron_log_miss_prob(w, eta, R=R)), best
            yield math.exp(gadget.neuron_log_success_prob(w, eta, R=R)), 1 - best
            low, high = gadget.any_pair_log_miss_bracket(w, eta, R=R)
            exact = abs(w) + eta >= 1 or R == 1
            yield math.exp(high), best
            yield math.exp(low), best if exact else (1 - one) ** R
