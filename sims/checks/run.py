"""Collect the checks, plan their trials, count and judge."""

from __future__ import annotations

import importlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

from sims.checks.check import Check, Closest, Fact, Point, Simulation, Untested, own_seed
from sims.checks.judge import NOT_RUN, Judged, judge_fact, judge_point, share
from sims.progress import Advance
from sims.statistics.trials import count_trials
from sims.statistics.verdict import REFUTED
from theory.claims import BY_ID, CLAIMS, PACKAGES

NEEDS_NETS = ("4.2", "4.4", "4.5", "4.5 (d)", "4.8", "4.8 (f)", "4.8 (g)", "4.8 (h)", "4.8 (graph)")
"""Claims that ``nets.checks`` speaks of."""

SECTIONS = {
    **{f"sims.checks.sections.{name}": tuple(claim.id for claim in claims) for name, claims in PACKAGES.items()},
    "nets.checks": NEEDS_NETS,
}
"""The modules with the checks, one for each package of theory, and the claims that each speaks of. ``nets.checks`` is
named, not imported: sims imports nothing of nets, and PyTorch may be missing; its claims are then shown as not run."""

CORES = 2
"""Of the machine that a budget is meant for."""

FACT = 0.1
"""Seconds of the budget that a fact is declared to take."""

SETUP = 0.006
"""Seconds of the budget that a check is declared to take before it is run: its bound."""


@dataclass(frozen=True)
class Outcome:
    """A check and what came of it; trials and successes are those of a Point."""

    check: Check
    judged: Judged
    trials: int | None = None
    successes: int | None = None

    @property
    def control(self) -> str:
        """What is wrong with the claim, or empty."""
        return "" if isinstance(self.check, Untested) else self.check.control

    @property
    def failed(self) -> bool:
        """Whether this makes the command fail: a proved statement refuted, or a control that passes."""
        refuted = self.judged.verdict == REFUTED
        if self.control:
            return not refuted
        return refuted and BY_ID[self.check.claim].status == "proved"


def collect(seed: int, ids: Sequence[str]) -> list[Check]:
    """The checks of the given claims in the order of the registry; a claim without any gets the reason."""
    found: list[Check] = []
    for name, own in SECTIONS.items():
        if not any(claim in own for claim in ids):
            continue
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError as missing:
            if missing.name == name:
                continue
            if missing.name is None or missing.name.split(".")[0] not in ("torch", "safetensors"):
                raise
            found += [Untested(claim, "needs the nets extra (PyTorch)") for claim in NEEDS_NETS]
            continue
        try:
            found += module.checks(seed)
        except (ValueError, ArithmeticError, AssertionError) as problem:  # bounds that contradict each other
            text = f"the theory raises {type(problem).__name__}: {str(problem)[:100]}"
            found += [
                Fact(claim, "setting up the checks", lambda seed, text=text: Closest(0.0, text, 1.0))  # type: ignore[misc]
                for claim in ids
                if claim in own
            ]
    chosen = [check for claim in CLAIMS if claim.id in ids for check in found if check.claim == claim.id]
    checked = {check.claim for check in found}
    return chosen + [Untested(claim, "no check is written") for claim in ids if claim not in checked]


def simulations(checks: Sequence[Check]) -> dict[str, Simulation]:
    """The simulations that points read, by key."""
    result: dict[str, Simulation] = {}
    for check in checks:
        if isinstance(check, Point):
            result.setdefault(check.simulation.key, check.simulation)
    return result


def seconds_of_facts(checks: Sequence[Check]) -> float:
    """Declared seconds of what is done without trials."""
    return FACT * sum(isinstance(check, Fact) for check in checks) + SETUP * len(checks)


def plan_trials(runs: dict[str, Simulation], budget: float, facts: float = 0.0) -> dict[str, int]:
    """Trials of every simulation: its share of the budget over its declared cost, two significant digits.

    ``facts``: seconds of the budget that are not for trials.

    No clock is read, so the same budget gives the same counts on every machine.
    """
    seconds = max(0.0, budget - facts)
    weights = sum(run.weight for run in runs.values())
    result = {}
    for key, run in runs.items():
        wanted = int(seconds * CORES * 1e6 * run.weight / (weights * run.cost))
        digits = 10 ** max(0, len(str(wanted)) - 2)
        result[key] = max(run.least, min(run.most, wanted // digits * digits))
    return result


def work_of(checks: Sequence[Check], budget: float) -> float:
    """Declared work in seconds of one core, for the progress bar."""
    runs = simulations(checks)
    facts = seconds_of_facts(checks)
    trials = plan_trials(runs, budget, facts)
    return FACT * sum(isinstance(check, Fact) for check in checks) + sum(
        trials[key] * run.cost * 1e-6 for key, run in runs.items()
    )


def run(checks: Sequence[Check], seed: int, budget: float, jobs: int, advance: Advance) -> list[Outcome]:
    """Carry out every check; the result depends on the checks, the seed and the budget only."""
    runs = simulations(checks)
    trials = plan_trials(runs, budget, seconds_of_facts(checks))
    counts = {}
    for key, simulation in runs.items():
        count, piece = simulation.make(own_seed(seed, key), jobs)

        def report(amount: float, cost: float = simulation.cost) -> None:
            advance(amount * cost * 1e-6, "simulating")

        counts[key] = count_trials(count, 0, trials[key], piece=piece, jobs=jobs, advance=report)
    tests = sum(isinstance(check, Point) and check.kind != "prediction" and not check.control for check in checks)
    level = share(tests)
    outcomes = []
    for check in checks:
        if isinstance(check, Point):
            key = check.simulation.key
            successes = int(counts[key][check.index])
            judged = judge_point(check, successes, trials[key], level)
            shown = trials[key] - successes if check.complement else successes
            outcomes.append(Outcome(check, judged, trials[key], shown))
        elif isinstance(check, Fact):
            try:
                found = check.compare(seed)
            except (ValueError, ArithmeticError, AssertionError, StopIteration) as problem:
                found = Closest(0.0, f"raises {type(problem).__name__}: {str(problem)[:100]}", 1.0)
            outcomes.append(Outcome(check, judge_fact(check, found)))
            advance(FACT, check.claim)
        else:
            outcomes.append(Outcome(check, Judged(NOT_RUN, None, check.reason, math.inf)))
    return outcomes
