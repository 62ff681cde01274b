"""What a budget of bits buys: how many candidates, how many draws of each, how near they bring a weight, at what cost.

``python -m sims.budget --bits 8`` answers from the formulas of theory/PROOFS.md, 8; nothing is simulated.
"""

from __future__ import annotations

from sims import _early as _early  # isort: skip

import math
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

from sims.band import FOOTNOTE, MARK
from sims.commands import cli, flags
from sims.commands.output import check_table, console, deliver, number
from sims.plain_text import counted
from sims.progress import Advance, progress
from sims.statistics.result import Result, provenance
from theory.bits import (
    DrawCode,
    code_eps,
    index_bits_bound,
    leanest,
    limit_eps,
    mean_index,
    sufficient_eps,
    unreached_eps,
)
from theory.bits.choice import MAX_BUDGET, Basis, most_draws, success
from theory.network.layers import check_widths, layers
from theory.numerics import check
from theory.question import Target

_BLOCKS = (1, 2, 3, 4)
_MOST_EPS = 20
_MOST_WEIGHTS = 10**10
_BASES: tuple[Basis, ...] = ("proved", "necessary", "predicted")
_NOTHING: dict[str, Any] = {
    "enough_n": None,
    "enough_R": None,
    "success_lower": None,
    "success_upper": None,
    "success_prediction": None,
    "success_prediction_clamped": False,
}

STATUS = {
    "eps_enough": "proved: this eps is reached (8.5 with 1.1 and 2.2 to 2.3; codes 8.2)",
    "eps_least": "proved: no smaller eps is reached (2.1; codes 8.1)",
    "eps_predicted": "heuristic (2.4); exact for n = 1",
    "enough_n": "proved: with enough_R draws each these reach eps with probability 1 - delta (8.6)",
    "enough_R": "proved: see enough_n",
    "success_lower": "proved (1.1, 2.2 to 2.3; codes 8.2)",
    "success_upper": "proved (2.1)",
    "success_prediction": "heuristic (2.4); exact for n = 1",
    "draws": "counted: n R, at most; codes: on average, proved (8.3)",
    "network_eps": "proved for dense ReLU layers of spectral norm at most 1 on the unit ball (4.2)",
}
"""How sure each number is."""


@dataclass(frozen=True)
class Budget:
    """What does a budget of bits buy: which n and R, which eps, for how many draws?

    n candidates of R draws each make (R+1)^n sums, and naming one costs n log2(R+1) bits. For every R that the budget
    allows, with the most n: the eps that is proved to be reached with probability 1 - delta, the one below which that
    is proved impossible, and what is drawn for it; for uniform weights also the index of the first good draw of d of
    them, entropy-coded.
    """

    examples: ClassVar[tuple[str, ...]] = (
        "python -m sims.budget --bits 8",
        "python -m sims.budget --bits 12 --eps 0.01 0.001 --alpha 0.5",
        "python -m sims.budget --bits 10 --draws 100 --csv budget.csv",
        "python -m sims.budget --bits 2e6 --widths 784 300 100 10",
    )

    bits: flags.OptionalReal = None
    """Bits a weight, in [1, 59]; with --weights or --widths those of all weights together. Needed."""
    eps: flags.OptionalReals = None
    """Accuracies in (0, 1] whose success probability is asked for too. Default: none."""
    delta: flags.Real = 0.01
    """Failure probability in (0, 1) of a weight; with --weights or --widths that any of them fails."""
    alpha: flags.Alphas = ("uniform",)
    """The weight: in [-1, 1] and not 0, or `uniform`."""
    draws: flags.OptionalInteger = None
    """Most draws n R for a weight. Default: as many as the bits can name."""
    weights: flags.OptionalInteger = None
    """Weights that share --bits and --delta."""
    widths: flags.OptionalCounts = None
    """Instead of --weights: d_0, ..., d_l of a dense ReLU network, whose own eps is answered too."""
    json: bool = False
    """Print the result as JSON and nothing else."""
    csv: flags.OptionalFile = None
    """Also write the rows as CSV."""
    quiet: bool = False
    """No table and no progress bar."""
    force: bool = False
    """Let --csv replace files of any kind."""


@dataclass(frozen=True)
class Share:
    """What one weight gets of the budget.

    Attributes
    ----------
    bits : float
        For naming a choice; rounded down.
    delta : float
        Its share of the failure probability; rounded down.
    weights : int
        That share the budget.
    total : float
        Bits of all of them.
    """

    bits: float
    delta: float
    weights: int
    total: float

    def of_code(self, d: int) -> float:
        """Bits a weight that are left to the indices of blocks of d: N of them take fewer than N H + 1 bits (8.2 e)."""
        if self.weights == 1:
            return self.bits
        blocks = -(-self.weights // d)
        return _below(Fraction(self.total - 1.0) / (blocks * d))


def _below(value: Fraction) -> float:
    found = float(value)
    return math.nextafter(found, -math.inf) if Fraction(found) > value else found


def share_of(bits: float, delta: float, *, weights: int = 1) -> Share:
    """The share of one of so many weights.

    Examples
    --------
    >>> share_of(80.0, 0.01, weights=10).bits
    8.0
    """
    delta = check.open_probability("delta", delta)
    bits = check.real("bits", bits, f"[1, {MAX_BUDGET:g}]")
    own = _below(Fraction(bits) / weights) if math.isfinite(bits) else bits
    if not 1.0 <= own <= MAX_BUDGET:
        shared = "" if weights == 1 else f", which is {own:.4g} for each of {weights} weights"
        raise flags.UsageError(f"--bits must be in [1, {MAX_BUDGET:g}] for a weight, got {bits:g}{shared}")
    return Share(own, _below(Fraction(delta) / weights), weights, bits)


def choices(
    share: Share, alpha: Target, *, draws: int | None = None, eps: Sequence[float] = (), advance: Advance
) -> list[dict[str, Any]]:
    """A row for every R that is the most that the budget allows some n, the largest such n, and eps."""
    rows: list[dict[str, Any]] = []
    groups: dict[int, list[int]] = {}
    for n in range(1, math.floor(share.bits) + 1):
        R = most_draws(share.bits, n)
        groups.setdefault(R if draws is None else min(R, draws // n), []).append(n)
    for R, sizes in groups.items():
        n = sizes[-1]
        if R < 1:
            continue
        case: dict[str, Any] = {"alpha": alpha}
        least, enough = unreached_eps(n, R, share.delta, **case), sufficient_eps(n, R, share.delta, **case)
        guess = sufficient_eps(n, R, share.delta, basis="predicted", **case)
        row = {
            "way": "choice", "alpha": alpha, "n": n, "R": R, "d": 1, "bits": n * math.log2(R + 1), "draws": n * R,
            "eps_least": least, "eps_enough": enough, **_held("eps_predicted", guess, least, enough),
        }  # fmt: skip
        for one in eps or (None,):
            found = dict(_NOTHING)
            if one is not None:
                lower, upper, guess = (success(n, R, eps=one, basis=basis, **case) for basis in _BASES)
                lean = leanest((sizes[0], n), R, share.delta, eps=one, alpha=alpha) or (None, None)
                found = {"enough_n": lean[0], "enough_R": lean[1], "success_lower": lower, "success_upper": upper}
                found |= _held("success_prediction", guess, lower, upper)
            rows.append({**row, "eps": one, **found})
        advance(len(sizes), label=f"n={n} R={R}")
    return rows


def codes(share: Share, *, eps: Sequence[float] = (), advance: Advance) -> list[dict[str, Any]]:
    """Rows of the index of the first good draw of d uniform weights: no draw is in vain, and their number is open."""
    rows: list[dict[str, Any]] = []
    for d in _BLOCKS:
        bits = share.of_code(d)
        try:
            enough = code_eps(bits, d)
        except ValueError:  # not even eps = 1
            advance(1.0)
            continue
        for one in eps or (None,):
            at = enough if one is None else one
            cost = index_bits_bound(DrawCode(eps=at, d=d))
            row = {
                "way": "code", "alpha": "uniform", "n": None, "R": None, "d": d, "bits": cost / d,
                "draws": mean_index(at, d)[1], "eps_least": limit_eps(share.bits), "eps_enough": enough,
                "eps_predicted": None, "eps_predicted_clamped": False, "eps": one, **_NOTHING,
            }  # fmt: skip
            if one is not None and cost <= Fraction(bits) * d:
                row |= {"success_lower": 1.0, "success_upper": 1.0}
            rows.append(row)
        advance(1.0, label=f"code of {d}")
    return rows


def _held(name: str, guess: float, low: float, high: float) -> dict[str, Any]:
    """A prediction inside the proved band, and whether it was moved there."""
    held = min(max(guess, low), high)
    return {name: held, f"{name}_clamped": held != guess}


def network_eps(widths: Sequence[int], eta: float) -> float:
    """Error of a dense ReLU network whose weights are off by eta: the product of 1 + eta sqrt(d_i d_(i-1)), less 1.

    Rounded up; infinite beyond all floats. On the unit ball, all layers of spectral norm at most 1. Proved in
    theory/PROOFS.md, 4.2.

    Examples
    --------
    >>> round(network_eps([4, 9, 1], 0.01), 6)  # 1.06 * 1.03 - 1
    0.0918
    """
    logs = math.fsum(math.log1p(eta * math.sqrt(into * out)) for into, out in layers(check_widths(widths)))
    return math.expm1(logs) * (1.0 + 1e-12) if logs < 700.0 else math.inf


def summary_of(
    rows: Sequence[Mapping[str, Any]], share: Share, alpha: Target, widths: Sequence[int] | None, eps: float | None
) -> dict[str, Any]:
    """The best choice that is proved, for an eps that of fewest draws too, and what is necessary."""
    mine = [row for row in rows if row["alpha"] == alpha and row["eps"] == eps]
    named = [row for row in mine if row["way"] == "choice"]
    key = "eps_enough" if eps is None else "success_lower"
    best = min(named, key=lambda row: (row["eps_enough"] if eps is None else -row[key], row["draws"]), default=None)
    lean = None
    if eps is not None:
        enough = [row for row in named if row["enough_R"] is not None]
        lean = min(enough, key=lambda row: row["enough_n"] * row["enough_R"], default=None)
    coded = min((row for row in mine if row["way"] == "code"), key=lambda row: row["eps_enough"], default=None)
    found: dict[str, Any] = {"alpha": alpha, "eps": eps, "delta": share.delta, "bits": share.bits}
    found |= {f"best_{part}": None if best is None else best[part] for part in ("n", "R", "draws")}
    found["lean_n"], found["lean_R"] = (None, None) if lean is None else (lean["enough_n"], lean["enough_R"])
    found["lean_draws"] = None if lean is None else lean["enough_n"] * lean["enough_R"]
    found["best_eps"] = None if best is None else best["eps_enough"]
    found["code_eps"] = None if coded is None else coded["eps_enough"]
    found["code_d"] = None if coded is None else coded["d"]
    found["limit_eps"] = limit_eps(share.bits) if alpha == "uniform" else None
    found["necessary_bits"] = _necessary(eps, share.delta, alpha)
    for name, row in (("network_eps", best), ("code_network_eps", coded)):
        found[name] = None if widths is None or row is None else network_eps(widths, row["eps_enough"])
    return found


def _necessary(eps: float | None, delta: float, alpha: Target) -> float | None:
    """Bits without which no choice reaches eps with probability 1 - delta (8.6; for a uniform weight 8.5 b)."""
    if eps is None or (not isinstance(alpha, str) and abs(alpha) <= eps):
        return None
    if isinstance(alpha, str):
        return max(0.0, math.log2((1.0 - delta) / eps) * (1.0 - 1e-12) - 1e-12)
    return max(0.0, math.log2(1.0 + (1.0 - delta) / eps) * (1.0 - 1e-12))


def answer(given: Budget, advance: Advance, share: Share) -> Result:
    """All rows of what the flags ask."""
    started = time.monotonic()
    eps = given.eps or ()
    rows: list[dict[str, Any]] = []
    for alpha in given.alpha:
        rows += choices(share, alpha, draws=given.draws, eps=eps, advance=advance)
        if alpha == "uniform" and given.draws is None:
            rows += codes(share, eps=eps, advance=advance)
    if not rows:
        raise flags.UsageError(f"--draws must be at least 1, got {given.draws}")
    params = {
        "bits": given.bits, "eps": eps, "delta": given.delta, "alpha": given.alpha, "draws": given.draws,
        "weights": share.weights, "widths": given.widths, "bits_a_weight": share.bits, "delta_a_weight": share.delta,
    }  # fmt: skip
    return Result(
        command="sims.budget",
        params=params,
        rows=rows,
        summary=[summary_of(rows, share, alpha, given.widths, one) for alpha in given.alpha for one in eps or (None,)],
        provenance=provenance(seed=None, threads=1, seconds=time.monotonic() - started),
        details={"status": STATUS},
    )


def _check(given: Budget) -> Share:
    if given.bits is None:
        raise flags.UsageError("--bits is needed: bits a weight, or of all with --weights")
    if given.weights is not None and given.widths is not None:
        raise flags.UsageError("--weights and --widths both say how many weights there are: leave one out")
    if given.draws is not None:
        flags.between("--draws", given.draws, 1, 2**60)
    eps = given.eps or ()
    if len(eps) > _MOST_EPS:
        raise flags.UsageError(f"--eps takes up to {_MOST_EPS} values, got {len(eps)}")
    for one in eps:
        check.certified_accuracy("eps", one)
    for alpha in given.alpha:
        if alpha != "uniform" and (not -1.0 <= alpha <= 1.0 or alpha == 0.0):
            raise flags.UsageError(f"--alpha must be in [-1, 1] and not 0, which needs no bit, or uniform, got {alpha}")
    weights = 1 if given.weights is None else given.weights
    if given.widths is not None:
        weights = sum(into * out for into, out in layers(check_widths(given.widths)))
    flags.between("--weights", weights, 1, _MOST_WEIGHTS)
    return share_of(given.bits, given.delta, weights=weights)


_HEADINGS = {
    "enough_n": "n enough", "enough_R": "R enough", "eps_least": "no eps below", "eps_enough": "eps reached",
    "eps_predicted": "predicted", "success_lower": "lower", "success_upper": "upper",
    "success_prediction": "prediction",
}  # fmt: skip
_COLUMNS = {
    True: {
        "choice": ("n", "R", "bits", "draws", "eps_least", "eps_enough", "eps_predicted"),
        "code": ("d", "bits", "draws", "eps_least", "eps_enough"),
    },
    False: {
        "choice": (
            "n",
            "R",
            "bits",
            "draws",
            "enough_n",
            "enough_R",
            "success_lower",
            "success_upper",
            "success_prediction",
        ),
        "code": ("d", "bits", "draws", "success_lower"),
    },
}  # fmt: skip
"""Whether no eps is asked for; ways and what is shown of them."""
_WAYS = {"choice": "one of (R+1)^n sums, named", "code": "first good draw of d weights"}
_HOW_SURE = (
    "Proved: eps reached (with probability 1 - delta), no eps below, lower, upper. Heuristic: predicted, prediction "
    "(exact for n = 1)."
)


def _show(result: Result) -> None:
    from rich.table import Table

    out, params = console(), result.params
    if params["weights"] > 1:
        out.print(
            f"{params['weights']} weights: {params['bits_a_weight']:.6g} bits and delta = "
            f"{params['delta_a_weight']:.3g} for each",
            soft_wrap=True,
        )
    for entry in result.summary:
        mine = [row for row in result.rows if row["alpha"] == entry["alpha"] and row["eps"] == entry["eps"]]
        for way, columns in _COLUMNS[entry["eps"] is None].items():
            some = [row for row in mine if row["way"] == way]
            if not some:
                continue
            asked = "" if entry["eps"] is None else f", eps = {entry['eps']:g}"
            table = Table(title=f"alpha = {entry['alpha']}{asked}: {_WAYS[way]}", title_justify="left")
            for key in columns:
                table.add_column(_HEADINGS.get(key, key), justify="right", no_wrap=True)
            for row in some:
                table.add_row(*(_cell(row, key) for key in columns))
            out.print(table)
            if any(row.get(f"{key}_clamped") for row in some for key in columns):
                out.print(FOOTNOTE, soft_wrap=True)
        out.print(_sentence(entry), soft_wrap=True)
    out.print(_HOW_SURE, soft_wrap=True)


def _cell(row: Mapping[str, Any], key: str) -> str:
    value = row[key]
    if value is None:
        return "-"
    mark = MARK if row.get(f"{key}_clamped") else ""
    if key.startswith("success"):
        return number(value) + mark
    if key == "bits":
        return f"{value:.2f}"
    return (f"{value:.4g}" if isinstance(value, float) or value >= 10**7 else f"{value:,}") + mark


def _sentence(entry: Mapping[str, Any]) -> str:
    bits, failure = f"{entry['bits']:.6g} bits", f"failure <= {entry['delta']:.3g}"
    if entry["eps"] is None:
        said = [
            f"Within {bits}: n = {entry['best_n']}, R = {entry['best_R']} reach eps = {entry['best_eps']:.4g} with "
            f"{failure} (proved), by {counted(entry['best_draws'], 'draw')} a weight"
        ]
    elif entry["lean_n"] is None:
        said = [f"No choice within {bits} is proved to reach eps = {entry['eps']:g} with {failure}"]
    else:
        said = [
            f"eps = {entry['eps']:g} with {failure}: of what {bits} name, n = {entry['lean_n']}, "
            f"R = {entry['lean_R']:,} do it with fewest draws, {entry['lean_draws']:,} (proved)"
        ]
    if entry["necessary_bits"] is not None:
        where = "8.5" if entry["alpha"] == "uniform" else "8.6"
        said.append(f"every choice takes {entry['necessary_bits']:.4g} bits (proved, {where})")
    if entry["limit_eps"] is not None:
        said.append(f"no code of so many bits is always within less than {entry['limit_eps']:.4g} (proved, 8.1)")
    if entry["network_eps"] is not None:
        said.append(f"the network is then within {entry['network_eps']:.4g} (proved for layers of norm <= 1, 4.2)")
    if entry["code_network_eps"] is not None:
        said.append(f"by the code of d = {entry['code_d']} within {entry['code_network_eps']:.4g} (proved, 4.2)")
    return "; ".join(said) + "."


def _work(args: Sequence[str] | None) -> int:
    given = flags.parse(Budget, args, prog="python -m sims.budget")
    check_table(given)
    share = _check(given)
    looks = len(given.alpha) * (math.floor(share.bits) + len(_BLOCKS))
    with progress(looks, quiet=given.quiet or given.json) as advance:
        result = answer(given, advance, share)
    return deliver(result, given, show=lambda: _show(result))


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see ``--help``."""
    return cli.run(_work, argv)


if __name__ == "__main__":
    sys.exit(main())
