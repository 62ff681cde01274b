"""`nets.construction.pick.scan` in torch operations, for CUDA; on the CPU it is the slow twin that the tests compare
with.

Drawn values are the same bits on every device. Values by law go through log1p and expm1, whose last bit may differ
between libraries, so a nearest value may differ by a few 2^-52.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from nets.construction.source import draws_torch, philox_torch
from nets.device import free_bytes

_TEMPORARIES = 32
Records = dict[str, torch.Tensor]


def budget(device: torch.device) -> int:
    """Elements of one temporary tensor; some `_TEMPORARIES` of them are there at once."""
    if device.type != "cuda":
        return 2**20
    return max(1, min(2**25, free_bytes(device) // (8 * _TEMPORARIES)))


def nearest_by_law(
    seed: int | torch.Tensor, stream: int, element: torch.Tensor, *, R: int, aim: torch.Tensor
) -> torch.Tensor:
    """A sample of the nearest of R uniform draws to the aim, as `nets.construction.pick` makes it; all broadcast."""
    w0, w1, _, w3 = philox_torch(seed, stream, element, 0)
    t = aim.clamp(-1.0, 1.0)
    v = (w1 << 21 | w0 >> 11).double() * 2.0**-53
    q = -torch.expm1(torch.log1p(-v) / R)
    room = 1.0 - t.abs()
    outer = torch.where((w3 >> 31).bool(), t + q, t - q)
    value = torch.where(q <= room, outer, t - torch.copysign(2.0 * q - room, t))
    return (value * 2.0**52).round().clamp(-(2.0**52), 2.0**52 - 1.0) * 2.0**-52


def nearest_drawn(
    seed: int | torch.Tensor, stream: int, element: torch.Tensor, *, R: int, aim: torch.Tensor, scale: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """(value, draw): the first of R draws with the smallest abs(value * scale - aim)."""
    shape = torch.broadcast_shapes(element.shape, aim.shape, scale.shape)
    if isinstance(seed, torch.Tensor):
        shape = torch.broadcast_shapes(shape, seed.shape)
        seed = seed[..., None]
    size = max(1, min(R, budget(element.device) // max(1, shape.numel())))
    best = torch.full(shape, torch.inf, dtype=torch.float64, device=element.device)
    value, draw = torch.zeros_like(best), torch.full_like(best, -1, dtype=torch.int64)
    for start in range(0, R, size):
        draws = torch.arange(start, min(start + size, R), device=element.device)
        values = draws_torch(seed, stream, element[..., None], draws).expand(*shape, len(draws))
        error, where = first_min((values * scale[..., None] - aim[..., None]).abs())
        better = error < best
        best = torch.where(better, error, best)
        value = torch.where(better, values.gather(-1, where[..., None])[..., 0], value)
        draw = torch.where(better, where + start, draw)
    return value, draw


def first_min(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Smallest value along the last side and the first place where it stands."""
    smallest = x.amin(-1)
    return smallest, (x == smallest[..., None]).to(torch.int8).argmax(-1)


def scan(
    seeds: torch.Tensor,
    layer_b: int,
    weights: torch.Tensor,
    *,
    n: int,
    R: int,
    eta: float,
    window: bool,
    open_signs: bool,
    by_law: bool,
    halves: int,
    parts: int = 1,
    place: tuple[int, int, int] | None = None,
) -> Records:
    """The records of `nets.construction.pick.scan`, of shape (T, halves, d_out, d_in), or with parts from 2 on those of
    `scan_parts`, of shape (T, halves parts, d_out, d_in); seeds (T,) hold 64 bits in int64."""
    where = place or (weights.shape[2], 0, 0)
    found: list[Records] = []
    for side in range(halves):
        signs = (0, 1) if open_signs else (side,)
        groups = [
            torch.cat([torch.arange(n * sign + p * n // parts, n * sign + (p + 1) * n // parts) for sign in signs])
            for p in range(parts)
        ]
        groups = [group.to(weights.device) for group in groups]
        rest, alone = weights, parts if by_law or parts == 1 else parts - 2
        for p in range(alone):
            aims = rest if p == parts - 1 else weights / parts
            found.append(_scan_side(seeds, layer_b, where, aims, side, groups[p], n, R, eta, window, by_law))
            rest = rest - found[-1]["a"] * found[-1]["b"]
        if alone < parts:
            found += _scan_pair(seeds, layer_b, where, rest.expand(len(seeds), -1, -1), side, groups[alone:], n, R)
    return {key: torch.stack([record[key] for record in found], 1) for key in found[0]}


def _scan_pair(
    seeds: torch.Tensor,
    layer_b: int,
    place: tuple[int, int, int],
    aims: torch.Tensor,
    side: int,
    groups: Sequence[torch.Tensor],
    n: int,
    R: int,
) -> list[Records]:
    """The two products, one of each group of neurons, with the sum nearest to the aim."""
    device, d_in, s = aims.device, aims.shape[2], 1.0 - 2.0 * side
    coordinate, one = torch.arange(d_in, device=device)[:, None], torch.ones((), dtype=torch.float64, device=device)
    draws = torch.arange(R, device=device)
    size = max(1, budget(device) // (2 * len(aims) * d_in * (R * max(map(len, groups)) + 1)))
    pieces: list[list[Records]] = []
    for first in range(0, aims.shape[1], size):
        aim = aims[:, first : first + size].contiguous()
        output = place[2] + torch.arange(first, first + aim.shape[1], device=device)[:, None, None]
        products, values, others = [], [], []
        for k in groups:
            h = 2 * n * coordinate + k
            element = (2 * n * place[1] + h) * place[0] + place[1] + coordinate
            b, draw_b = nearest_drawn(seeds.view(-1, 1, 1), layer_b + 2, element, R=R, aim=s * one, scale=one)
            a = draws_torch(seeds.view(-1, 1, 1, 1, 1), layer_b + 3, (output * 2 * n * d_in + h)[..., None], draws)
            product = torch.where((s * b > 0)[:, None, ..., None], a * b[:, None, ..., None], torch.inf).flatten(-2)
            products.append(torch.cat([torch.zeros_like(product[..., :1]), product], -1))
            values.append(a.flatten(-2))
            others.append((b[:, None].expand(*aim.shape, -1), draw_b[:, None].expand(*aim.shape, -1)))
        ordered, order = products[1].sort(dim=-1, stable=True)
        rest = aim[..., None] - products[0]
        right = torch.searchsorted(ordered, rest).clamp(max=ordered.shape[-1] - 1)
        near = torch.stack([(right - 1).clamp(min=0), right], -1)
        error, where = first_min(
            (rest[..., None] - ordered[..., None, :].expand(*near.shape[:-1], -1).gather(-1, near)).abs()
        )
        smallest, left = first_min(error)
        at = near.gather(-1, where[..., None])[..., 0].gather(-1, left[..., None])
        chosen = left[..., None], order.gather(-1, at)
        records = []
        for which, k, a, (b, draw_b) in zip(chosen, groups, values, others, strict=True):
            kept, place_a = which[..., 0] > 0, (which - 1).clamp(min=0)
            neuron = place_a // R

            def of(
                values: torch.Tensor, index: torch.Tensor, nothing: float, kept: torch.Tensor = kept
            ) -> torch.Tensor:
                return torch.where(kept, values.gather(-1, index)[..., 0], nothing)

            record = {"err": smallest, "neuron": torch.where(kept, k[neuron[..., 0]], -1), "a": of(a, place_a, 0.0)}
            record |= {"b": of(b, neuron, 0.0), "draw_a": torch.where(kept, place_a[..., 0] % R, -1)}
            records.append({**record, "draw_b": of(draw_b, neuron, -1), "hit": torch.zeros_like(kept)})
        pieces.append(records)
    return [{key: torch.cat([piece[p][key] for piece in pieces], 1) for key in pieces[0][p]} for p in range(2)]


def _scan_side(
    seeds: torch.Tensor,
    layer_b: int,
    place: tuple[int, int, int],
    weights: torch.Tensor,
    side: int,
    neurons: torch.Tensor,
    n: int,
    R: int,
    eta: float,
    window: bool,
    by_law: bool,
) -> Records:
    """The nearest product of each aim in `weights`, or the first in its window, by one of the neurons."""
    device = weights.device
    trials, d_out, d_in = len(seeds), *weights.shape[1:]
    width = 2 * n * d_in
    s = 1.0 - 2.0 * side
    w = weights.expand(trials, d_out, d_in)
    seed_b, seed_a = seeds.view(-1, 1, 1), seeds.view(-1, 1, 1, 1)
    coordinate = torch.arange(d_in, device=device)[:, None]
    output = torch.arange(d_out, device=device)[:, None, None]
    one = torch.ones((), dtype=torch.float64, device=device)
    real = torch.zeros(trials, d_out, d_in, dtype=torch.float64, device=device)
    whole = torch.full((trials, d_out, d_in), -1, dtype=torch.int64, device=device)
    best: Records = {"err": w.abs(), "neuron": whole, "a": real, "b": real, "draw_a": whole, "draw_b": whole}
    best["hit"] = torch.zeros(trials, d_out, d_in, dtype=torch.bool, device=device)

    def take(
        seed: torch.Tensor, stream: int, element: torch.Tensor, aim: torch.Tensor, scale: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if by_law:
            value = nearest_by_law(seed, stream, element, R=R, aim=aim / scale)
            return value, torch.full_like(value, -1, dtype=torch.int64)
        return nearest_drawn(seed, stream, element, R=R, aim=aim, scale=scale)

    for k in neurons.split(max(1, budget(device) // (trials * d_out * d_in))):
        h = 2 * n * coordinate + k
        first_h = 2 * n * place[1] + h
        b, draw_b = take(seed_b, layer_b + 2, first_h * place[0] + place[1] + coordinate, s * one, one)
        b, draw_b = b[:, None], draw_b[:, None]
        usable = s * b > 0
        safe_b = torch.where(usable, b, s)
        aim, scale = (s * w[..., None], one) if window else (w[..., None], safe_b)
        a, draw_a = take(seed_a, layer_b + 3, (place[2] + output) * width + h, aim, scale)
        error = torch.where(usable, (a * b - w[..., None]).abs(), torch.inf)
        hits = (s * b >= 1.0 - eta / 2.0) & ((a - s * w[..., None]).abs() <= eta / 2.0) & window
        smallest, nearest = first_min(error)
        hit = hits.any(-1)
        where = torch.where(hit, hits.to(torch.int8).argmax(-1), nearest)[..., None]
        better = ~best["hit"] & (hit | (smallest < best["err"]))
        found = {"err": error, "neuron": k.expand_as(error), "a": a, "b": b.expand_as(error)}
        found |= {"draw_a": draw_a.expand_as(error), "draw_b": draw_b.expand_as(error), "hit": hits}
        best = {key: torch.where(better, found[key].gather(-1, where)[..., 0], best[key]) for key in best}
    return best
