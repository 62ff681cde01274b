"""How nodes with weights carry norms, ranges and errors; theory/PROOFS.md 4.8.

A part's error is D+ s(y) - D- s(-y) with D+- = W+- - F, and W+ s(y) - W- s(-y) - F z = that + F (y - z).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch

from nets.certificate.linear_map import convolution, dense, operand, row_range
from nets.certificate.rules_pairs import matrix_product, with_shift
from nets.certificate.upward import INF, add, mul, root
from nets.certificate.values import HalfSplit, Halves, NoBound, Side, Step, Tail, Term, Value, array_norm, known_error
from nets.graph.graph import Array


def linear(step: Step) -> list[Value]:
    """Conv, ConvTranspose, Gemm, MatMul with a constant; MatMul of two values."""
    is_matrix = step.node.op in ("Gemm", "MatMul")
    if step.node.op == "MatMul" and step.constant(0) is None and step.constant(1) is None:
        return matrix_product(step)
    place = operand(step)
    value = step.value(1 - place if is_matrix else 0)
    map_ = dense(step, place) if is_matrix else convolution(step)
    source, plus, minus = _weights(step, place, value)
    copies = root(map_.places)

    norm, delta, moved = map_.norm(source), 0.0, 0.0
    own, change = norm, None
    if plus is not source or minus is not source:
        d_plus = plus - source
        d_minus = d_plus if minus is plus else minus - source
        change = d_plus, d_minus
        delta = map_.sup(d_plus, d_minus)
        moved = min(mul(delta, value.pruned.norm), mul(map_.box(d_plus, d_minus), copies, value.pruned.largest))
        own = add(norm, delta)
        own = min(own, map_.sup(plus, minus)) if map_.matrix is not None else own
    bias, bias_pruned = _bias(step)
    shifted = 0.0 if bias is bias_pruned or bias is None else mul(array_norm(bias_pruned - bias), _copies(step, bias))
    error = add(moved, mul(norm, known_error(value)))
    if minus is plus:  # W+ is linear, and W+ y - F z = D z + W+ (y - z) as well
        error = min(error, add(mul(delta, value.target.norm), mul(own, known_error(value))))
    tail = None
    if map_.matrix is not None:
        error = min(error, _behind(step, map_.matrix, source, change, value, norm, moved))
        tail = _tail(step, map_.matrix, (source, plus, minus), change, value, (moved, norm))
        tail = tail if bias is None else with_shift(tail, bias, bias_pruned, step.out_shape)
    error = add(error, shifted)

    def side(given: Side, p: Array, n: Array, gain: float, b: Array | None) -> Side:
        size = min(mul(gain, given.norm), mul(map_.box(p, n), copies, given.largest))
        added = 0.0 if b is None else mul(array_norm(b), _copies(step, b))
        aligned = b is not None and b.shape[-1:] == (b.size,) and not (is_matrix and place == 0)
        return Side(add(size, added), *row_range(map_, p, n, given, b, aligned=aligned))

    target = side(value.target, source, source, norm, bias)
    pruned = side(value.pruned, plus, minus, own, bias_pruned)
    return [Value(target, pruned, error, tail=tail)]


def _weights(step: Step, place: int, value: Value) -> tuple[Array, Array, Array]:
    """The target's weights and the pruned network's for both halves of the value; the same object where equal."""
    source = step.graph.constants[step.name(place)].astype(np.float64)
    if not step.is_part(place):
        return source, source, source
    plus, minus = step.effective[step.name(place)]
    left = np.asarray(plus, np.float64)
    if left.shape != source.shape or np.shape(minus) != source.shape:
        raise ValueError(f"effective[{step.name(place)!r}] must have shape {source.shape}, got {left.shape}")
    return source, left, left if minus is plus or value.pruned.low >= 0 else np.asarray(minus, np.float64)


def _bias(step: Step) -> tuple[Array | None, Array | None]:
    """The bias in both networks, times Gemm's beta; a part's bias is fed by a constant 1, so by the positive half."""
    if not step.name(2):
        return None, None
    found = step.constant(2)
    if found is None:
        raise NoBound("has no bound: its bias is computed")
    beta = float(step.attribute("beta", 1.0)) if step.node.op == "Gemm" else 1.0
    own = found.astype(np.float64) * beta
    if not step.is_part(2):
        return own, own
    return own, np.asarray(step.effective[step.name(2)][0], np.float64) * beta


def _copies(step: Step, bias: Array) -> float:
    return root(max(1.0, step.out_size / max(1, bias.size)))


Matrix = Callable[[Array], torch.Tensor]
Change = tuple[Array, Array]


def _tail(
    step: Step,
    matrix: Matrix,
    weights: tuple[Array, Array, Array],
    change: Change | None,
    value: Value,
    sizes: tuple[float, float],
) -> Tail:
    """W+- y and its error D+- y + F (y - z), before a bias, as terms of y and of y - z."""
    source, plus, minus = weights
    rows = step.out_size // step.out_shape[-1]
    pruned: Halves = (matrix(plus), None if minus is plus else matrix(minus))
    terms = []
    if change is None:
        error: Halves = (torch.zeros_like(pruned[0]), None)
    else:
        error = (matrix(change[0]), None if minus is plus else matrix(change[1]))
    terms.append(Term(pruned, error, value.pruned.norm, value.pruned.largest, rows, sizes[0]))
    if known_error(value) > 0:
        passed = mul(sizes[1], known_error(value))
        terms.append(Term(None, (matrix(source), None), known_error(value), value.largest_error, rows, passed))
    return Tail(tuple(terms), True)


def _behind(
    step: Step, matrix: Matrix, source: Array, change: Change | None, value: Value, norm: float, moved: float
) -> float:
    """Bound on D y + F (y - z), term by term of what y and y - z are made of behind a ReLU."""
    if value.tail is None or step.norms.half_split is None or known_error(value) == 0:
        return INF
    joint = change is not None and change[0] is change[1] and value.tail.whole
    weight = matrix(source)
    if joint and change is not None:
        weight = torch.cat([matrix(change[0]), weight], -1)
    total = [0.0 if joint else moved]
    for term in value.tail.terms:
        if not math.isfinite(term.norm):
            return INF
        pieces = term.error
        if joint:
            above = term.pruned or (torch.zeros_like(pieces[0]), None)
            pieces = _stacked(above, pieces)
        found = _split(step.norms.half_split, weight[None], pieces, term)
        total.append(found if joint and term.pruned is not None else min(found, mul(norm, term.size)))
    return add(*total)


def _stacked(above: Halves, below: Halves) -> Halves:
    plus = torch.cat([above[0], below[0]], -2)
    if above[1] is None and below[1] is None:
        return plus, None
    return plus, torch.cat([above[0] if above[1] is None else above[1], below[0] if below[1] is None else below[1]], -2)


def _split(half_split: HalfSplit, weight: torch.Tensor, pieces: Halves, term: Term) -> float:
    """Norm of W L applied to a term, by its vector's length, or by its largest entry where the box is no larger."""
    plus, minus = pieces[0][None], None if pieces[1] is None else pieces[1][None]
    if not bool(plus.any()) and (minus is None or not bool(minus.any())):
        return 0.0
    corner = mul(term.largest, root(float(term.rows * plus.shape[-1])))
    by_length = mul(float(half_split(weight, plus, minus).max()), term.norm)
    if corner > 1.001 * term.norm:
        return by_length
    by_box = mul(float(half_split(weight, plus, minus, domain="linf").max()), term.largest, root(float(term.rows)))
    return min(by_length, by_box)
