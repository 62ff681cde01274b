"""`nets.construction.pick.scan` in torch operations, for CUDA; on the CPU it is the slow twin that the tests compare
with.

Drawn values are the same bits on every device. Values by law go through log1p and expm1, whose last bit may differ
between libraries, so a nearest value may differ by a few 2^-52.
"""

from __future__ import annotations

import torch

from nets.construction.source import draws_torch, philox_torch

Records = dict[str, torch.Tensor]


def budget(device: torch.device) -> int:
    """Elements of one temporary tensor."""
    return 2**25 if device.type == "cuda" else 2**20


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
    place: tuple[int, int, int] | None = None,
) -> Records:
    """The records of `nets.construction.pick.scan`, each of shape (T, halves, d_out, d_in); seeds (T,) hold 64 bits
    in int64."""
    where = place or (weights.shape[2], 0, 0)
    sides = [
        _scan_side(seeds, layer_b, where, weights, side, n, R, eta, window, open_signs, by_law)
        for side in range(halves)
    ]
    return {key: torch.stack([record[key] for record in sides], 1) for key in sides[0]}


def _scan_side(
    seeds: torch.Tensor,
    layer_b: int,
    place: tuple[int, int, int],
    weights: torch.Tensor,
    side: int,
    n: int,
    R: int,
    eta: float,
    window: bool,
    open_signs: bool,
    by_law: bool,
) -> Records:
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

    first, last = (0, 2 * n) if open_signs else (side * n, side * n + n)
    size = max(1, budget(device) // (trials * d_out * d_in))
    for start in range(first, last, size):
        k = torch.arange(start, min(start + size, last), device=device)
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
