"""Every theorem's width for one target: dense layers, convolutions or an attention, ours and the published ones.

Dense layers are those of `theory.necessary.widths`. Results that do not speak of the kind of target that is asked for
have a row without numbers, which says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from theory.attention import AttentionTheorem
from theory.necessary.width_row import Direction, Parts, Spec, WidthRow, between, least
from theory.necessary.widths import RESULTS, table, width
from theory.network import ConvolutionTheorem, convolution_required_n
from theory.network.layers import Domain
from theory.product_sum import convolution_designs, convolution_least_n

Kind = Literal["dense", "convolutions", "attention"]

_PROVED: Parts = (("statement", "proved"),)
_SPEAKS_OF = {"dense": "dense layers", "convolutions": "convolutions", "attention": "an attention"}


def dense_widths(
    widths: Sequence[int],
    eps: float,
    delta: float,
    *,
    R: int,
    C: float | None = None,
    domain: Domain = "l2",
    density: float | None = None,
) -> tuple[WidthRow, ...]:
    """The rows for a chain of dense layers with ReLU between, of spectral norm at most 1.

    Parameters are those of `theory.necessary.widths.width`. Source: as there.

    Examples
    --------
    >>> [row.result for row in dense_widths([8, 8], 0.1, 0.01, R=5) if row.result in ("least", "pensia")]
    ['pensia', 'least']
    """
    rows = table(widths, eps, delta, R=R, C=C, domain=domain, density=density)
    return tuple(_other(row.result, "dense") if row.result == "dacunha_cnn" else row for row in rows)


def convolution_widths(
    widths: Sequence[int], eps: float, delta: float, *, kernel: int, R: int, C: float | None = None
) -> tuple[WidthRow, ...]:
    """The rows for a chain of zero-padded convolutions of stride 1 with ReLU between, of operator norm at most 1.

    Parameters are those of `theory.network.convolution_required_n`; C as in `theory.necessary.widths.width`. Source:
    theory/PROOFS.md, 4.4 (conv) and 4.11.

    Examples
    --------
    >>> rows = convolution_widths([1, 2, 1], 0.5, 0.1, kernel=2, R=10_000)
    >>> [(row.result, row.hidden) for row in rows if row.hidden][:1]
    [('conv_window', (2, 2, 4))]
    """
    asked = ConvolutionTheorem(widths=tuple(widths), eps=eps, R=R, kernel=kernel, side=max(6, kernel))
    spec = Spec(asked.widths, eps, delta, R=R, kernel=kernel)

    def sums() -> tuple[tuple[int, ...], str]:
        designs = convolution_designs(asked.widths, eps, delta=delta, kernel=kernel, R=R)
        return tuple(max(1, (one.neurons + 1) // 2) for one in designs), "Any subset of the products may be kept."

    def best() -> tuple[tuple[int, ...], str]:
        n, ways = convolution_least_n(asked.widths, eps, delta=delta, kernel=kernel, R=R)
        return n, f"Layer by layer: {', '.join(ways)}."

    ours: tuple[tuple[str, str, Callable[[], tuple[tuple[int, ...], str]]], ...] = (
        (
            "conv_window",
            "4.4 (conv)",
            lambda: (
                convolution_required_n(asked.widths, eps, delta=delta, kernel=kernel, R=R),
                "One channel for each weight and sign.",
            ),
        ),
        ("conv_sums", "4.11", sums),
        ("conv_least", "4.4 (conv) and 4.11", best),
    )

    def rows() -> Iterator[WidthRow]:
        for key, section, count in ours:
            paper = f"theory/PROOFS.md, {section}"
            try:
                n, note = count()
            except ValueError as problem:
                yield _row(key, paper, None, None, None, str(problem))
                continue
            inner = [2 * into * one for one, (into, _) in zip(n, spec.layers, strict=True)]
            taps = kernel * kernel
            params = sum(into * new + taps * new * out for new, (into, out) in zip(inner, spec.layers, strict=True))
            yield _row(key, paper, between(spec, inner), 2 * spec.l, params, f"{note} Widths are channels.")
        try:
            yield width("dacunha_cnn", asked.widths, eps, delta, R=R, kernel=kernel, C=C)
        except ValueError as problem:
            yield _other("dacunha_cnn", "convolutions", str(problem))
        for key in RESULTS:
            if key != "dacunha_cnn":
                yield _other(key, "convolutions")

    return tuple(rows())


def attention_widths(
    widths: Sequence[int],
    eps: float,
    delta: float,
    *,
    R: int,
    heads: int = 1,
    radius: float = 1.0,
    C: float | None = None,
) -> tuple[WidthRow, ...]:
    """The rows for one attention of several heads; hidden widths are those of one head: d N_A, d, d N_V.

    Parameters are those of `theory.attention.AttentionTheorem`; C as in `theory.necessary.widths.width`. Source:
    theory/PROOFS.md, 4.10.

    Examples
    --------
    >>> rows = attention_widths([4, 4, 4], 0.5, 0.1, R=10**6, heads=2)
    >>> rows[0].result, rows[0].hidden, rows[0].params  # 2 heads of 4 matrices 4 x 8
    ('attention_least', (8, 4, 8), 256)
    """

    def rows() -> Iterator[WidthRow]:
        for construction, note in (
            ("least", "The narrower of sums and picks for each of the two matrices."),
            ("subset-sum", "Any subset of the products may be kept."),
            ("picks", "One neuron for the shift of an entry and one that is picked."),
        ):
            asked = AttentionTheorem(
                widths=tuple(widths), eps=eps, R=R, heads=heads, head_size=1, radius=radius,
                construction=construction,  # type: ignore[arg-type]
            )  # fmt: skip
            key, paper = f"attention_{construction.replace('-', '_')}", "theory/PROOFS.md, 4.10"
            try:
                source = asked.source_width(delta).source_widths
            except ValueError as problem:
                yield _row(key, paper, None, None, None, str(problem))
                continue
            yield _row(key, paper, source[1:4], None, _attention_params(source, heads), f"{note} Widths of one head.")
        yield _otsuka(asked, C)
        for key in RESULTS:
            yield _other(key, "attention")

    return tuple(rows())


def _attention_params(source: Sequence[int], heads: int) -> int:
    d, scores, _, values, out = source
    return heads * (2 * d * scores + (d + out) * values)


def _otsuka(asked: AttentionTheorem, C: float | None) -> WidthRow:
    """d C log(8 H a^3 d^1.5/eps) and d C log(2 H a d sqrt(d')/eps), as restated in theory/PROOFS.md, 4.10."""
    hidden, params, d, out = None, None, asked.widths[0], asked.widths[2]
    note = "the constant is open: pass C= to get a number"
    if C is not None:
        size = asked.heads * asked.radius / asked.eps
        scores = d * least(C * math.log(8.0 * size * asked.radius**2 * d**1.5))
        values = d * least(C * math.log(2.0 * size * d * math.sqrt(out)))
        hidden = (scores, d, values)
        params = _attention_params((d, *hidden, out), asked.heads)
        note = "R = 1 only: the paper does not re-sample. Widths of one head; delta is not in the form we have."
    return _row(
        "otsuka", "otsuka2025", hidden, None, params, note, status=(("shape", "recalled"),), C=C, is_shape_only=True
    )


def _row(
    result: str,
    paper: str,
    hidden: tuple[int, ...] | None,
    depth: int | None,
    params: int | None,
    note: str,
    *,
    status: Parts = _PROVED,
    direction: Direction = "sufficient",
    C: float | None = None,
    is_shape_only: bool = False,
) -> WidthRow:
    return WidthRow(result, paper, direction, status, hidden, depth, params, None, C, is_shape_only, note)


def _other(key: str, kind: Kind, why: str | None = None) -> WidthRow:
    """A result that says nothing here."""
    entry = RESULTS[key]
    speaks = "convolutions" if key == "dacunha_cnn" else "dense"
    note = why or f"speaks of {_SPEAKS_OF[speaks]}, not of {_SPEAKS_OF[kind]}"
    return _row(
        key, entry.paper, None, None, None, note, status=entry.status, direction=entry.direction,
        is_shape_only=entry.dashed,
    )  # fmt: skip
