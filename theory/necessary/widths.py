"""Every result of section 5 behind one call: how wide is the random network, by whom, and how sure is that?

``width("pensia", [64, 64], 0.1, 0.01, C=3.0)`` answers for one result, ``table([64, 64], 0.1, 0.01)`` for all of them.
A constant that its paper does not give stays visibly unknown: without ``C=`` the call says so, with it the answer is
marked ``is_shape_only``. Our own rows have no constant to choose. The rows ``iterand_*`` are those of
theory.network.width, ``halves`` and ``pairs`` theory.network.parts, ``subset_sum`` theory.product_sum, ``least``
theory.required_width, ``counting`` theory.necessary.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Unpack, cast

from theory.necessary import necessary_params, necessary_params_pensia
from theory.necessary import width_papers as papers
from theory.necessary.width_papers import Shape, burkholz_constant
from theory.necessary.width_row import Direction, Options, Parts, Spec, WidthRow, fully_connected
from theory.network.layers import Statement
from theory.network.width import source_width
from theory.product_sum import required_n
from theory.required_width import required_width

__all__ = ["RESULTS", "Result", "WidthRow", "burkholz_constant", "table", "width"]


@dataclass(frozen=True)
class Result:
    """One entry of the registry.

    Attributes
    ----------
    key : str
        Name in `width`.
    paper : str
        Key of theory.bibliography, or "theory/PROOFS.md".
    direction : {"sufficient", "necessary"}
        An upper or a lower bound.
    shape : str
        The form, for people.
    status : tuple of (part, status)
        How sure each part is; `width` may say less (`iterand_recalled` on the l_inf ball).
    needs : str
        What ``C`` stands for; empty where every constant is known.
    resamples : bool
        Whether R > 1 changes the answer.
    """

    key: str
    paper: str
    direction: Direction
    shape: str
    status: Parts
    compute: Callable[[Spec, float], Shape]
    needs: str = ""
    resamples: bool = False

    @property
    def dashed(self) -> bool:
        """Draw as a shape with C = 1, never as a number."""
        return bool(self.needs)


def _two_layers(spec: Spec, n: Sequence[int], kept: bool) -> Shape:
    hidden: list[int] = []
    total = 0
    for count, (into, out) in zip(n, spec.layers, strict=True):
        hidden += [2 * into * count, out]
        total += 2 * into * out + 2 * into * min(out, count)
    hidden = hidden[:-1]
    params = fully_connected((spec.widths[0], *hidden, spec.widths[-1]))
    return tuple(hidden), 2 * spec.l, params, total if kept else None, ""


def _iterand(statement: str, note: str) -> Callable[[Spec, float], Shape]:
    def compute(spec: Spec, C: float) -> Shape:
        answer = source_width(
            spec.widths,
            eps=spec.eps,
            delta=spec.delta,
            R=spec.R,
            statement=cast(Statement, statement),
            domain=spec.domain,
        )
        return (*_two_layers(spec, answer.n, True)[:4], note)

    return compute


def _by_parts(statement: str, note: str) -> Callable[[Spec, float], Shape]:
    def compute(spec: Spec, C: float) -> Shape:
        whole = _iterand(statement, note)(spec, C)
        return (*whole[:3], None, note)

    return compute


def _best(spec: Spec, C: float) -> Shape:
    found = required_width(spec.widths, spec.eps, delta=spec.delta, R=spec.R, domain=spec.domain)
    made = ", ".join(f"{way.construction} ({way.statement})" for way in found.made)
    params = fully_connected(found.source_widths)
    return found.source_widths[1:-1], 2 * spec.l, params, None, f"Layer by layer: {made}."


def _subset_sum(spec: Spec, C: float) -> Shape:
    n = required_n(spec.widths, spec.eps, delta=spec.delta, R=spec.R, domain=spec.domain)
    return (*_two_layers(spec, n, False)[:4], "Spectral norms <= 1; any subset of the products may be kept.")


def _counting(spec: Spec, C: float) -> Shape:
    density = 1.0 if spec.density is None else spec.density
    m = necessary_params(spec.widths, spec.eps, delta=spec.delta, R=spec.R, density=density)
    return None, None, m, None, "Every architecture and law; spectral norms <= 1; R counts through log2(R+1)."


def _pensia_lower(spec: Spec, C: float) -> Shape:
    d = spec.square("pensia_lower")
    bound = necessary_params_pensia(d, spec.eps)
    note = f"For targets W of shape {d} x {d}, R = 1 and delta = 1/2, whatever is passed; see counting for the rest."
    return None, None, math.ceil(bound * (1.0 - 1e-12)), None, note


_SHAPE_RECALLED: Parts = (("shape", "recalled"),)
_SHAPE_READ: Parts = (("shape", "read"),)
_READ: Parts = (("statement", "read"),)
_PROVED: Parts = (("statement", "proved"),)

_ENTRIES = (
    Result("malach", "malach2020", "sufficient", "C d^5 l^2/eps^2", _SHAPE_READ, papers.malach, "the constant"),
    Result(
        "orseau",
        "orseau2020",
        "sufficient",
        "d_(i-1) d_i C log(l d w_max/eps), w_max = 1",
        _SHAPE_RECALLED,
        papers.orseau,
        "the constant of O~",
    ),
    Result(
        "pensia",
        "pensia2020",
        "sufficient",
        "2 d_(i-1) C log(d_(i-1) d_i l/min(eps, delta))",
        _SHAPE_READ,
        papers.pensia,
        "the constant",
    ),
    Result(
        "pensia_lower",
        "pensia2020",
        "necessary",
        "m >= d^2 log2(1/(2 eps)) - 1",
        (("statement", "read"), ("proof", "proved")),
        _pensia_lower,
    ),
    Result(
        "natale",
        "natale2024",
        "sufficient",
        "n >= C log2(k/eta)/H2(k/n), k = density n",
        (("shape", "read"), ("eta = eps/(d_(i-1) d_i l)", "heuristic")),
        papers.natale,
        "the constant c",
    ),
    Result(
        "natale_lower", "natale2024", "necessary", "(d^2/2) log2(k/eps)/H2(k/n), eps < 1/16", _READ, papers.natale_lower
    ),
    Result(
        "multi_prize",
        "diffenderfer2021multiprize",
        "sufficient",
        "C (l d^1.5/eps + l d log(l d/delta)), binary weights",
        _SHAPE_READ,
        papers.multi_prize,
        "the constant of O",
    ),
    Result(
        "sreenivasan",
        "sreenivasan2021",
        "sufficient",
        "depth C l log(d l/eps), width C d log^2(d l/eps), weights +-1",
        _SHAPE_READ,
        papers.sreenivasan,
        "both constants of Theta",
    ),
    Result(
        "burkholz",
        "burkholz2022",
        "sufficient",
        "depth l+1, d_(i-1) C log(1/min(eps/(S l), delta/S))",
        (("depth", "read"), ("constant, an estimate", "read"), ("shares of eps and delta", "heuristic")),
        papers.burkholz,
        f"the constant; the author's code estimates {burkholz_constant():.2f} (U[-1, 1])",
    ),
    Result(
        "dacunha_cnn",
        "dacunha2022cnn",
        "sufficient",
        "C c log(c c' k^2 l/min(eps, delta)) channels",
        _SHAPE_RECALLED,
        papers.dacunha_cnn,
        "the constant",
    ),
    Result(
        "kumar",
        "kumar2025",
        "sufficient",
        "C d log2(1/step), exact",
        (("shape", "read"), ("step = eps", "heuristic")),
        papers.kumar,
        "the constant",
    ),
    Result(
        "iterand_recalled",
        "chijiwa2021iterand",
        "sufficient",
        "2 d_(i-1) ceil(64 l^2 d_(i-1)^2 d_i/(eps^2 R^2) log(2 l d_(i-1) d_i/delta))",
        (("statement for R = 1", "proved"), ("statement for R > 1", "recalled")),
        _iterand("recalled", "As we recall it; for R > 1 not proved, and false in a corner (4.5 c)."),
        resamples=True,
    ),
    Result(
        "iterand_ours",
        "theory/PROOFS.md, 4.4",
        "sufficient",
        "2 d_(i-1) n_i, sum_i 2 d_i d_(i-1) (1-q_i^2)^(n_i) <= delta",
        _PROVED,
        _iterand("ours", "One neuron per weight and sign."),
        resamples=True,
    ),
    Result(
        "iterand_repaired",
        "theory/PROOFS.md, 4.5 (d)",
        "sufficient",
        "as recalled, 160.2 in place of 64 while R <= K_i",
        _PROVED,
        _iterand("repaired", "The recalled shape with a constant that is proved for every R."),
        resamples=True,
    ),
    Result(
        "halves",
        "theory/PROOFS.md, 4.9 (b)",
        "sufficient",
        "2 d_(i-1) n_i, n_i of order 1/(eta_i R)",
        _PROVED,
        _by_parts("halves", "Two neurons a weight, one after the other."),
        resamples=True,
    ),
    Result(
        "pairs",
        "theory/PROOFS.md, 4.9 (d)",
        "sufficient",
        "2 d_(i-1) n_i, n_i of order 1/(sqrt(eta_i) R)",
        _PROVED,
        _by_parts("pairs", "Any two neurons of two groups a weight."),
        resamples=True,
    ),
    Result(
        "subset_sum",
        "theory/PROOFS.md, 4.7",
        "sufficient",
        "2 d_(i-1) n_i, n_i = O(log(1/eta_i) + log(1/delta)), all constants known",
        _PROVED,
        _subset_sum,
        resamples=True,
    ),
    Result(
        "least",
        "theory/PROOFS.md, 4.4, 4.7 and 4.9",
        "sufficient",
        "2 d_(i-1) n_i, every layer by the construction that needs fewest neurons",
        _PROVED,
        _best,
        resamples=True,
    ),
    Result(
        "counting",
        "theory/PROOFS.md, 5.3",
        "necessary",
        "m log2(R+1) >= B + log2(1-delta), B = d_0 d_1 log2(1/(2 eps)) if l = 1, else 5.1",
        _PROVED,
        _counting,
        resamples=True,
    ),
)

RESULTS: dict[str, Result] = {entry.key: entry for entry in _ENTRIES}
"""By key. ``dashed`` entries are shapes: a figure draws them with C = 1, dashed, and says so."""


def width(result: str, widths: Sequence[int], eps: float, delta: float, **options: Unpack[Options]) -> WidthRow:
    """Size of the random network for one target, by one result.

    Raises ValueError if the constant is unknown and C was not passed, or the size is too large for a float. Source:
    theory/PROOFS.md, 4.4 to 4.7 and 5; the papers named in RESULTS.

    Parameters
    ----------
    result : str
        Key of RESULTS.
    widths : sequence of int
        d_0, ..., d_l of the target (channels for ``dacunha_cnn``).
    eps, delta : float
        Error of the network in (0, 1], failure probability in (0, 1).
    R : int
        Draws of each element; results without re-sampling ignore it and say so in ``note``.
    C : float or None
        The constant of a result that leaves it open.
    domain : {"l2", "linf"}
        Where the error is measured; used by the ``iterand_*`` and ``subset_sum`` rows.
    kernel : int
        Side of the kernels, ``dacunha_cnn`` only.
    density : float or None
        Share of kept elements: ``natale``, ``natale_lower`` and ``counting``.
    n : int or None
        Elements of which k = density n are kept, ``natale_lower`` only.

    Examples
    --------
    >>> width("pensia", [64, 64], 0.1, 0.01, C=3.0).hidden  # 128 * ceil(3 log(409600))
    (4992,)
    >>> width("counting", [64, 64], 0.1, 0.01, R=3).params
    4756
    """
    if result not in RESULTS:
        raise ValueError(f"result must be one of {', '.join(RESULTS)}, got result={result!r}")
    entry = RESULTS[result]
    spec = Spec(tuple(widths), eps, delta, **options)
    if entry.needs and spec.C is None:
        raise ValueError(
            f"{result}: {entry.paper} leaves a constant open in {entry.shape}; pass C= ({entry.needs}) to get a number"
        )
    if not entry.needs and spec.C is not None:
        raise ValueError(f"{result} has no constant to choose, got C={options['C']}")
    try:
        found = entry.compute(spec, 1.0 if spec.C is None else spec.C)
    except (OverflowError, ZeroDivisionError):
        raise ValueError(f"{result}: widths, eps, delta and C must give a size below 1.8e308") from None
    return _row(entry, spec, found)


def _status(entry: Result, spec: Spec) -> tuple[Parts, str]:
    """How sure each part is for this question, and what to add to the note."""
    if entry.key != "iterand_recalled" or spec.domain == "l2" or min(spec.widths[:-1]) >= spec.widths[0]:
        return entry.status, ""
    more = " On the l_inf ball with a hidden layer narrower than the input not proved for R = 1 either (4.5 d)."
    return tuple((part, "recalled") for part, _ in entry.status), more


def _row(entry: Result, spec: Spec, found: Shape) -> WidthRow:
    hidden, depth, params, kept, note = found
    status, more = _status(entry, spec)
    return WidthRow(
        result=entry.key,
        paper=entry.paper,
        direction=entry.direction,
        status=status,
        hidden=hidden,
        depth=depth,
        params=params,
        kept=kept,
        C=spec.C if entry.needs else None,
        is_shape_only=entry.dashed,
        note=note + more,
    )


def table(widths: Sequence[int], eps: float, delta: float, **options: Unpack[Options]) -> tuple[WidthRow, ...]:
    """All rows for one target.

    One for each entry of RESULTS, in its order; a row that cannot be computed says why in ``note``. Parameters are
    those of `width`; C is passed to every result whose constant is open: without it their rows have no numbers. Source:
    As in `width`.

    Examples
    --------
    >>> rows = table([8, 8], 0.1, 0.01, R=5)
    >>> [row.result for row in rows if row.params is not None and row.paper.startswith("theory")]
    ['iterand_ours', 'iterand_repaired', 'halves', 'pairs', 'subset_sum', 'least', 'counting']
    """
    spec = Spec(tuple(widths), eps, delta, **options)
    rows = []
    for key, entry in RESULTS.items():
        try:
            asked: Options = {**options, "C": spec.C if entry.needs else None}
            row = width(key, widths, eps, delta, **asked)
        except ValueError as problem:
            row = _row(entry, spec, (None, None, None, None, str(problem)))
        rows.append(row)
    return tuple(rows)
