"""Kernels that make the random values of gadgets and value sets, and keep the best neuron for a target weight (CPU).

The source network is never stored: a value is a pure function of (seed, layer, element, draw), see
`nets.construction.source`, and
a scan over millions of neurons holds one record per target weight. The generator is the one of `sims.solver.philox`,
repeated here because a cached kernel must find its callees in its own file; the tests compare the two.

Two ways to take one of R draws of an element:

*   drawn: all R draws are made and the one with the smallest \\|v * scale - aim\\| is kept, the first one among equals;
*   by law: theory/PROOFS.md, 1.3: one uniform gives the distance of the nearest of R draws to the aim, exactly in
    law. The value is rounded to the grid m / 2^52 of the draws.

Every (trial, coordinate, half) is independent of the others, so the result does not depend on chunks or threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sims.jit import njit

_JIT: dict[str, Any] = {"nogil": True, "cache": True, "boundscheck": False}


@njit(inline="always")
def _philox(c0, c1, c2, c3, k0, k1):  # type: ignore[no-untyped-def]
    """The two 64-bit words of one Philox 4x32-10 block; everything in uint64."""
    low = np.uint64(0xFFFFFFFF)
    shift = np.uint64(32)
    for _ in range(10):
        p0 = c0 * np.uint64(0xD2511F53)
        p1 = c2 * np.uint64(0xCD9E8D57)
        c0 = (p1 >> shift) ^ c1 ^ k0
        c2 = (p0 >> shift) ^ c3 ^ k1
        c1 = p1 & low
        c3 = p0 & low
        k0 = (k0 + np.uint64(0x9E3779B9)) & low
        k1 = (k1 + np.uint64(0xBB67AE85)) & low
    return (c1 << shift) | c0, (c3 << shift) | c2


@njit(inline="always")
def _value(word):  # type: ignore[no-untyped-def]
    """The top 53 bits as a grid value m / 2^52 in [-1, 1)."""
    return np.float64(np.int64(word >> np.uint64(11)) - (np.int64(1) << np.int64(52))) * 2.0**-52


@njit(inline="always")
def _block(seed, stream, element, block):  # type: ignore[no-untyped-def]
    low = np.uint64(0xFFFFFFFF)
    shift = np.uint64(32)
    return _philox(np.uint64(block), np.uint64(stream), element & low, element >> shift, seed & low, seed >> shift)


@njit(**_JIT)
def _nearest_drawn(seed, stream, element, R, scale, aim):  # type: ignore[no-untyped-def]
    """(value, draw): the first of R draws with the smallest abs(value * scale - aim)."""
    best = np.inf
    value = 0.0
    draw = np.int64(-1)
    for block in range((R + 1) // 2):
        first, second = _block(seed, stream, element, block)
        v = _value(first)
        error = abs(v * scale - aim)
        if error < best:
            best, value, draw = error, v, np.int64(2 * block)
        if 2 * block + 1 < R:
            v = _value(second)
            error = abs(v * scale - aim)
            if error < best:
                best, value, draw = error, v, np.int64(2 * block + 1)
    return value, draw


@njit(**_JIT)
def _nearest_by_law(seed, stream, element, R, aim):  # type: ignore[no-untyped-def]
    """A sample of the nearest of R uniform draws to the aim (an aim outside [-1, 1] is moved to the end)."""
    first, second = _block(seed, stream, element, 0)
    t = min(max(aim, -1.0), 1.0)
    v = np.float64(first >> np.uint64(11)) * 2.0**-53
    q = -np.expm1(np.log1p(-v) / R)
    room = 1.0 - abs(t)
    if q <= room:
        value = t + q if second >> np.uint64(63) else t - q
    else:
        value = t - np.copysign(2.0 * q - room, t)
    return min(max(np.rint(value * 2.0**52), -(2.0**52)), 2.0**52 - 1.0) * 2.0**-52


@njit(**_JIT)
def _take(seed, stream, element, R, by_law, scale, aim):  # type: ignore[no-untyped-def]
    """(value, draw) of the nearest of R draws: of value * scale to aim; draw = -1 if taken by law."""
    if by_law:
        return _nearest_by_law(seed, stream, element, R, aim / scale), np.int64(-1)
    return _nearest_drawn(seed, stream, element, R, scale, aim)


@njit(**_JIT)
def fill_elements(seed, stream, elements, draws, out):  # type: ignore[no-untyped-def]
    """out[i] = draw draws[i] of element elements[i] (all 1-D)."""
    for i in range(len(elements)):
        first, second = _block(seed, stream, np.uint64(elements[i]), draws[i] >> 1)
        out[i] = _value(second) if draws[i] & 1 else _value(first)


@njit(**_JIT)
def fill_range(seed, stream, start, draw, out):  # type: ignore[no-untyped-def]
    """out[i] = the given draw of element start + i."""
    for i in range(len(out)):
        first, second = _block(seed, stream, np.uint64(start) + np.uint64(i), draw >> 1)
        out[i] = _value(second) if draw & 1 else _value(first)


@njit(**_JIT)
def take_elements(seed, stream, elements, R, by_law, scales, aims, values, draws):  # type: ignore[no-untyped-def]
    """values[i], draws[i] = the nearest of R draws of element elements[i] to its aim (all 1-D)."""
    for i in range(len(elements)):
        values[i], draws[i] = _take(seed, stream, np.uint64(elements[i]), R, by_law, scales[i], aims[i])


@njit(**_JIT)
def fill_seeds(seed, first_trial, out):  # type: ignore[no-untyped-def]
    """out[t] = 64 bits that stand for trial first_trial + t: stream 2, which no layer uses."""
    for t in range(len(out)):
        out[t], _ = _block(seed, 2, np.uint64(first_trial) + np.uint64(t), 0)


@njit(**_JIT)
def _scan_window(  # type: ignore[no-untyped-def]
    seed, layer_b, place, j, side, w, n, R, eta, by_law, err, neuron, a, b, draw_a, draw_b, hit
):
    """First neuron of the half whose b and a both lie in their windows; without one, the nearest product."""
    s = 1.0 - 2.0 * side
    d_out, d_in = w.shape
    width = np.uint64(2 * n * d_in)
    missing = d_out
    coordinates, c, row = place[0], place[1] + j, place[2]
    for attempt in range(2):
        for k in range(side * n, side * n + n):
            if missing == 0:
                return
            h = np.uint64(2 * n * c + k)
            vb, rb = _take(seed, layer_b + 2, h * np.uint64(coordinates) + np.uint64(c), R, by_law, 1.0, s)
            in_window = s * vb >= 1.0 - eta / 2.0
            if (attempt == 0 and not in_window) or s * vb <= 0.0:
                continue
            for o in range(d_out):
                if hit[o, j]:
                    continue
                element = np.uint64(row + o) * width + np.uint64(2 * n * j + k)
                va, ra = _take(seed, layer_b + 3, element, R, by_law, 1.0, s * w[o, j])
                found = in_window and abs(va - s * w[o, j]) <= eta / 2.0
                error = abs(va * vb - w[o, j])
                if found or (attempt == 1 and error < err[o, j]):
                    err[o, j], neuron[o, j], a[o, j], b[o, j] = error, k, va, vb
                    draw_a[o, j], draw_b[o, j] = ra, rb
                    hit[o, j] = found
                    missing -= found


@njit(**_JIT)
def _scan_best(  # type: ignore[no-untyped-def]
    seed, layer_b, place, j, side, aims, n, first, last, R, open_signs, by_law, err, neuron, a, b, draw_a, draw_b
):
    """The neuron and draw of a with the smallest abs(ab - aim), among neurons whose b has the half's sign.

    Of the n neurons meant for a half, of both halves where signs are open, those from `first` up to `last` are taken.
    """
    s = 1.0 - 2.0 * side
    d_out, d_in = aims.shape
    width = np.uint64(2 * n * d_in)
    coordinates, c, row = place[0], place[1] + j, place[2]
    for meant in range(2):
        if meant != side and not open_signs:
            continue
        for k in range(meant * n + first, meant * n + last):
            h = np.uint64(2 * n * c + k)
            vb, rb = _take(seed, layer_b + 2, h * np.uint64(coordinates) + np.uint64(c), R, by_law, 1.0, s)
            if s * vb <= 0.0:
                continue
            for o in range(d_out):
                element = np.uint64(row + o) * width + np.uint64(2 * n * j + k)
                va, ra = _take(seed, layer_b + 3, element, R, by_law, vb, aims[o, j])
                error = abs(va * vb - aims[o, j])
                if error < err[o, j]:
                    err[o, j], neuron[o, j], a[o, j], b[o, j] = error, k, va, vb
                    draw_a[o, j], draw_b[o, j] = ra, rb


@njit(**_JIT)
def scan(  # type: ignore[no-untyped-def]
    seeds, layer_b, place, weights, n, R, eta, window, open_signs, by_law, j0, j1,
    err, neuron, a, b, draw_a, draw_b, hit,
):  # fmt: skip
    """Records of all target weights with input coordinate in [j0, j1), for every trial and half.

    `layer_b` is the source layer of the b's, 2i-1; the a's are in the next one. weights: (T or 1, d_out, d_in).
    place = (d_in, 0, 0), or (coordinates, first coordinate, first row over all groups) inside a larger gadget. The
    records have shape (T, halves, d_out, d_in); neuron is counted inside the coordinate's block of 2n, -1 if nothing is
    kept (the product 0 is nearest).
    """
    for t in range(len(seeds)):
        w = weights[t if weights.shape[0] > 1 else 0]
        for j in range(j0, j1):
            for side in range(err.shape[1]):
                for o in range(w.shape[0]):
                    err[t, side, o, j] = abs(w[o, j])
                    neuron[t, side, o, j] = draw_a[t, side, o, j] = draw_b[t, side, o, j] = -1
                    a[t, side, o, j] = b[t, side, o, j] = 0.0
                    hit[t, side, o, j] = False
                record = err[t, side], neuron[t, side], a[t, side], b[t, side], draw_a[t, side], draw_b[t, side]
                if window:
                    _scan_window(seeds[t], layer_b, place, j, side, w, n, R, eta, by_law, *record, hit[t, side])
                else:
                    _scan_best(seeds[t], layer_b, place, j, side, w, n, 0, n, R, open_signs, by_law, *record)


@njit(**_JIT)
def _products(  # type: ignore[no-untyped-def]
    seed, stream, first_element, side, n, first, last, R, open_signs, vb, products, neurons, draws
):
    """The products of a weight with the neurons of a group, 0 of no neuron before them; returns how many there are."""
    products[0], neurons[0], draws[0] = 0.0, -1, -1
    count = 1
    for meant in range(2):
        if meant != side and not open_signs:
            continue
        for k in range(meant * n + first, meant * n + last):
            if (vb[k] <= 0.0) if side == 0 else (vb[k] >= 0.0):
                continue
            for pair in range((R + 1) // 2):
                words = _block(seed, stream, first_element + np.uint64(k), pair)
                for odd in range(min(2, R - 2 * pair)):
                    products[count] = _value(words[odd]) * vb[k]
                    neurons[count], draws[count] = k, 2 * pair + odd
                    count += 1
    return count


@njit(**_JIT)
def _nearest_pair(first, second, aim):  # type: ignore[no-untyped-def]
    """(i, k, error): the pair for which first[i] + second[k] is nearest to the aim."""
    order = np.argsort(second, kind="mergesort")
    ordered = second[order]
    best, one, other = np.inf, 0, 0
    for i in range(len(first)):
        rest, place, span = aim - first[i], 0, len(ordered)
        while span > 1:  # a binary search without branches: half the time of all
            half = span // 2
            place += half * (ordered[place + half - 1] < rest)
            span -= half
        place += ordered[place] < rest
        for q in range(max(place - 1, 0), min(place + 1, len(ordered))):
            error = abs(rest - ordered[q])
            if error < best:
                best, one, other = error, i, order[q]
    return one, other, best


@njit(**_JIT)
def _scan_pair(  # type: ignore[no-untyped-def]
    seed, layer_b, place, j, side, aims, n, groups, R, open_signs, err, neuron, a, b, draw_a, draw_b
):
    """The two products, one of each group of neurons, with the sum nearest to the aim; records: (2, d_out, d_in)."""
    s = 1.0 - 2.0 * side
    d_out, d_in = aims.shape
    width = np.uint64(2 * n * d_in)
    coordinates, c, row = place[0], place[1] + j, place[2]
    vb, rb = np.empty(2 * n), np.empty(2 * n, np.int64)
    for k in range(2 * n):
        h = np.uint64(2 * n * c + k)
        vb[k], rb[k] = _nearest_drawn(seed, layer_b + 2, h * np.uint64(coordinates) + np.uint64(c), R, 1.0, s)
    size = 2 * R * max(groups[1] - groups[0], groups[2] - groups[1]) + 1
    products, neurons, draws = np.empty((2, size)), np.empty((2, size), np.int64), np.empty((2, size), np.int64)
    for o in range(d_out):
        first_element = np.uint64(row + o) * width + np.uint64(2 * n * j)
        counts = [
            _products(
                seed, layer_b + 3, first_element, side, n, groups[p], groups[p + 1], R, open_signs, vb, products[p],
                neurons[p], draws[p],
            )
            for p in range(2)
        ]  # fmt: skip
        one, other, error = _nearest_pair(products[0, : counts[0]], products[1, : counts[1]], aims[o, j])
        for p, which in enumerate((one, other)):
            k = neurons[p, which]
            err[p, o, j], neuron[p, o, j], draw_a[p, o, j] = error, k, draws[p, which]
            if k >= 0:
                b[p, o, j], draw_b[p, o, j] = vb[k], rb[k]
                element = first_element + np.uint64(k)
                words = _block(seed, layer_b + 3, element, draws[p, which] >> 1)
                a[p, o, j] = _value(words[draws[p, which] & 1])


@njit(**_JIT)
def scan_parts(  # type: ignore[no-untyped-def]
    seeds, layer_b, place, weights, n, R, parts, open_signs, by_law, j0, j1, err, neuron, a, b, draw_a, draw_b, hit
):
    """`scan` for weights that are sums of products, part p by a neuron of group p: first those that aim at w / parts.

    The last one aims at what they leave of w; where the values are drawn, the last two do, as a pair. Group p is the
    neurons from p n // parts to (p + 1) n // parts of a half. Records have shape (T, halves parts, d_out, d_in), the
    parts of a half beside each other; `err` of its last part is that of the sum.
    """
    groups = np.array([p * n // parts for p in range(parts + 1)])
    alone = parts if by_law else parts - 2
    for t in range(len(seeds)):
        w = weights[t if weights.shape[0] > 1 else 0]
        aims = np.empty(w.shape)
        for j in range(j0, j1):
            for side in range(err.shape[1] // parts):
                rest = w[:, j].copy()
                for p in range(parts):
                    at = side * parts + p
                    for o in range(w.shape[0]):
                        aims[o, j] = rest[o] if p == parts - 1 else w[o, j] / parts
                        err[t, at, o, j] = abs(aims[o, j])
                        neuron[t, at, o, j] = draw_a[t, at, o, j] = draw_b[t, at, o, j] = -1
                        a[t, at, o, j] = b[t, at, o, j] = 0.0
                        hit[t, at, o, j] = False
                    if p < alone:
                        _scan_best(
                            seeds[t], layer_b, place, j, side, aims, n, groups[p], groups[p + 1], R, open_signs, by_law,
                            err[t, at], neuron[t, at], a[t, at], b[t, at], draw_a[t, at], draw_b[t, at],
                        )  # fmt: skip
                        rest -= a[t, at, :, j] * b[t, at, :, j]
                if not by_law:
                    two = slice(side * parts + alone, (side + 1) * parts)
                    _scan_pair(
                        seeds[t], layer_b, place, j, side, aims, n, groups[alone:], R, open_signs, err[t, two],
                        neuron[t, two], a[t, two], b[t, two], draw_a[t, two], draw_b[t, two],
                    )  # fmt: skip


@njit(inline="always")
def _bit(packed, place):  # type: ignore[no-untyped-def]
    return (np.int64(packed[place >> 3]) >> (place & 7)) & 1


@njit(inline="always")
def _packed_draw(packed, which, width):  # type: ignore[no-untyped-def]
    """Number `which` of numbers of `width` bits each, the lowest bit first."""
    draw = np.int64(0)
    for i in range(width):
        draw |= _bit(packed, which * width + i) << i
    return draw


@njit(**_JIT)
def fill_keys(seed, stream, cells, rows, cols, block, R, neurons, b, out):  # type: ignore[no-untyped-def]
    """out[i, k, r] = the product of b and draw r of a in units of 2^-52, for neuron k that serves weight cells[i].

    `block` neurons belong to each coordinate; neurons[c, k] counts inside it; b has one value for each neuron.
    """
    for i in range(len(cells)):
        c = cells[i] // (rows * cols) * cols + cells[i] % cols
        for k in range(out.shape[1]):
            place = np.int64(neurons[c, k])
            scale = b[c * block + place] * 2.0**52
            element = np.uint64(cells[i] * block + place)
            for pair in range((R + 1) // 2):
                first, second = _block(seed, stream, element, pair)
                out[i, k, 2 * pair] = np.int64(np.rint(_value(first) * scale))
                if 2 * pair + 1 < R:
                    out[i, k, 2 * pair + 1] = np.int64(np.rint(_value(second) * scale))


@njit(**_JIT)
def add_products(  # type: ignore[no-untyped-def]
    seed, stream, mask, start, stop, rows, cols, block, R, width, draws, used, b, by_sign, plus, minus, values
):
    """Effective weights start, ..., stop - 1 from the kept a's, whose values are written down in order.

    `used` a's stand before them. b holds NaN where a neuron is not kept. Returns 0, or 1 where an a hangs on such a
    neuron, or 2 where its draw is not below R.
    """
    made = 0
    for cell in range(start, stop):
        c = cell // (rows * cols) * cols + cell % cols
        up, down = 0.0, 0.0
        for k in range(block):
            place = cell * block + k
            if _bit(mask, place):
                vb = b[c * block + k]
                draw = _packed_draw(draws, used + made, width)
                if np.isnan(vb):
                    return 1
                if draw >= R:
                    return 2
                first, second = _block(seed, stream, np.uint64(place), draw >> 1)
                a = _value(second) if draw & 1 else _value(first)
                values[made] = a
                made += 1
                if by_sign and vb < 0.0:
                    down += a * vb
                else:
                    up += a * vb
        plus[cell] = up
        minus[cell] = down if by_sign else up
    return 0


@njit(**_JIT)
def add_values(  # type: ignore[no-untyped-def]
    seed, stream, mask, start, stop, n, members, R, width, draws, used, rho, values, totals
):
    """Sums of kept set values in units, for weights start, ..., stop - 1; the kept values are written down in order.

    Weight w uses set w // members. Returns 0, or 2 where a draw is not below R.
    """
    made = 0
    for w in range(start, stop):
        total = np.int64(0)
        for k in range(n):
            if _bit(mask, w * n + k):
                draw = _packed_draw(draws, used + made, width)
                if draw >= R:
                    return 2
                index = k * R + draw
                first, second = _block(seed, stream, np.uint64(w // members), index >> 1)
                unit = np.rint((_value(second) if index & 1 else _value(first)) * 2.0**52 * rho)
                values[made] = unit
                made += 1
                total += np.int64(unit)
        totals[w - start] = total
    return 0
