"""Lower end of the certificate: a point where the pruned network is far from its target, and how far, proved.

The error d(x) = g_M(x) - f(x) is piecewise linear and positively homogeneous, so sup over the ball is the sup of
||d(x)|| / ||x||. Projected gradient ascent runs from many starts at once; each start has its own step, doubled after
a gain and cut after a loss, so that long steps become power iterations (l2) or sign steps (linf). Every third
proposal is a random direction, which moves along kinks where the gradient only zigzags.
"""

from __future__ import annotations

import torch

from nets.certificate.rounding import l2

_UNIT = 2.0**-53
_TINY = 2.0**-1000


def attained_error(
    source: list[torch.Tensor],
    plus: list[torch.Tensor],
    minus: torch.Tensor,
    *,
    domain: str,
    random: torch.Tensor,
    steps: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Find, for each of B pruned networks, an input with a large error.

    Parameters
    ----------
    source : list of torch.Tensor, shapes (d_i, d_{i-1})
        The target's matrices.
    plus, minus : list of torch.Tensor (B, d_i, d_{i-1}), torch.Tensor (B, d_1, d_0)
        Effective weights; `minus` of the first pair.
    domain : {"l2", "linf"}
    random : torch.Tensor, shape (S, d_0)
        Gaussian numbers: the random starts and directions, S starts in all.

    Returns
    -------
    lower : torch.Tensor, shape (B,)
        Not above the true error of some point of the unit ball.
    witness : torch.Tensor, shape (B, d_0)
        That point, on the unit sphere up to rounding.
    """
    batch = len(minus)
    f_net = [w.expand(batch, *w.shape) for w in source]
    g_net = [torch.cat([plus[0], -minus], -1), *plus[1:]]
    x = _project(_starts(f_net, plus, minus, random, domain), domain)
    if steps:
        f_t, g_t = ([w.mT.contiguous() for w in net] for net in (f_net, g_net))
        f_net, g_net = ([w.contiguous() for w in net] for net in (f_net, g_net))
        jumps = random / random.abs().amax(-1, keepdim=True)
        value, slope = _value_and_slope(x, f_net, g_net, f_t, g_t)
        step = torch.ones_like(value)
        for k in range(steps):
            towards = jumps.roll(k, 0) * step.clamp(max=1.0) if k % 3 == 2 else slope * step
            trial = _project(x + towards, domain)
            new_value, new_slope = _value_and_slope(trial, f_net, g_net, f_t, g_t)
            gain = new_value > value
            x = torch.where(gain, trial, x)
            slope = torch.where(gain, new_slope, slope)
            value = torch.where(gain, new_value, value)
            if k % 3 != 2:
                step = torch.where(gain, 3 * step, step / 4).clamp(1e-12, 1e6)
    else:
        value = _values(x, f_net, g_net)
    best = value.squeeze(-1).argmax(-1)
    witness = x[torch.arange(batch, device=x.device), best]
    return proved_error(witness, f_net, g_net, domain), witness


def proved_error(x: torch.Tensor, f_net: list[torch.Tensor], g_net: list[torch.Tensor], domain: str) -> torch.Tensor:
    """Bound ||g_M(x) - f(x)||_2 / ||x|| from below, one x of shape (d_0,) for each of B networks.

    Runs both networks once more with a bound on the rounding error of every unit: a sum of n products in any order is
    off by at most n u / (1 - n u) times the sum of their sizes, and ReLU does not enlarge an error.
    """
    results = []
    for net, value in ((f_net, x), (g_net, torch.cat([torch.relu(x), torch.relu(-x)], -1))):
        value, off = value[..., None], torch.zeros_like(value[..., None])
        for i, weight in enumerate(net):
            value = torch.relu(value) if i else value
            size = weight.abs() @ (off + 2 * (weight.shape[-1] + 4) * _UNIT * value.abs())
            value, off = weight @ value, torch.where(size > 0, size * (1 + 2.0**-20) + _TINY, size)
        results.append((value.squeeze(-1), off.squeeze(-1)))
    (f, f_off), (g, g_off) = results
    slack = 4 * (f.shape[-1] + x.shape[-1] + 16) * _UNIT
    length = l2(x) if domain == "l2" else x.abs().amax(-1)
    low = (l2(g - f) * (1 - slack) - (f_off + g_off).sum(-1) * (1 + slack)) / length
    return torch.nan_to_num(low * (1 - slack), nan=0.0, posinf=0.0, neginf=0.0).clamp(min=0.0)


def _project(x: torch.Tensor, domain: str) -> torch.Tensor:
    """Bring points to the unit sphere; a zero point goes to a coordinate or a corner."""
    if domain == "linf":
        x = x.clamp(-1.0, 1.0)
        length = x.abs().amax(-1, keepdim=True)
    else:
        length = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    ok = (length > 1e-100) & torch.isfinite(length)
    corner = torch.full_like(x[..., :1], 1.0 if domain == "linf" else x.shape[-1] ** -0.5)
    return torch.where(ok, x / length, corner)


def _forward(x: torch.Tensor, f_net: list[torch.Tensor], g_net: list[torch.Tensor]) -> list[list[torch.Tensor]]:
    """Inputs of every layer and the output, for both networks; the nets are given transposed."""
    trails = []
    for net, hidden in ((f_net, x), (g_net, torch.cat([torch.relu(x), torch.relu(-x)], -1))):
        trail = [hidden]
        for i, weight in enumerate(net):
            if i:
                trail[-1] = torch.relu(trail[-1])
            trail.append(torch.bmm(trail[-1], weight))
        trails.append(trail)
    return trails


def _values(x: torch.Tensor, f_net: list[torch.Tensor], g_net: list[torch.Tensor]) -> torch.Tensor:
    f_trail, g_trail = _forward(x, [w.mT for w in f_net], [w.mT for w in g_net])
    return torch.nan_to_num(torch.linalg.vector_norm(g_trail[-1] - f_trail[-1], dim=-1, keepdim=True), posinf=0.0)


def _value_and_slope(
    x: torch.Tensor,
    f_net: list[torch.Tensor],
    g_net: list[torch.Tensor],
    f_t: list[torch.Tensor],
    g_t: list[torch.Tensor],
) -> tuple[torch.Tensor, torch.Tensor]:
    """Error (B, S, 1) and its gradient (B, S, d_0), scaled to largest entry 1."""
    f_trail, g_trail = _forward(x, f_t, g_t)
    gap = g_trail[-1] - f_trail[-1]
    value = torch.linalg.vector_norm(gap, dim=-1, keepdim=True)
    back = []
    for net, trail in ((f_net, f_trail), (g_net, g_trail)):
        slope = gap
        for i in range(len(net) - 1, -1, -1):
            slope = torch.bmm(slope, net[i])
            if i:
                slope = slope * (trail[i] > 0)
        back.append(slope)
    positive, negative = back[1].split(x.shape[-1], -1)
    slope = torch.where(x >= 0, positive, -negative) - back[0]
    slope = torch.nan_to_num(slope / slope.abs().amax(-1, keepdim=True), nan=0.0, posinf=0.0, neginf=0.0)
    return torch.nan_to_num(value, nan=0.0, posinf=0.0), slope


def _starts(
    f_net: list[torch.Tensor], plus: list[torch.Tensor], minus: torch.Tensor, random: torch.Tensor, domain: str
) -> torch.Tensor:
    """Starts (B, S, d_0): top singular directions of every layer's difference, coordinates, then random points."""
    batch, d_in = len(minus), minus.shape[-1]
    count = len(random)
    below = torch.eye(d_in, dtype=random.dtype, device=random.device).expand(batch, d_in, d_in)
    pulled = [_top_right(minus - f_net[0])]
    whole_f, whole_g = f_net[0], plus[0]
    for i, weight in enumerate(plus):
        top = _top_right(weight - f_net[i])
        pulled.append((top[:, None] @ below).squeeze(1) if i else top)
        if i:
            whole_f, whole_g = f_net[i] @ whole_f, weight @ whole_g
        below = whole_f
    pulled.append(_top_right(whole_g - whole_f))
    special = torch.stack([sign * v for v in pulled for sign in (1.0, -1.0)], 1)
    sizes = torch.maximum((plus[0] - f_net[0]).abs().amax(-2), (minus - f_net[0]).abs().amax(-2))
    largest = sizes.topk(min(d_in, max(1, count // 8)), -1).indices
    axes = torch.nn.functional.one_hot(largest, d_in).to(random.dtype)
    special = torch.cat([special, axes, -axes], 1)
    if domain == "linf":  # corners are where the maximum tends to be
        special = torch.cat([special, special[:, : 2 * len(pulled)].sign()], 1)
        random = torch.where(torch.arange(count, device=random.device)[:, None] % 2 == 0, random.sign(), random)
        random = random / random.abs().amax(-1, keepdim=True)
    else:
        special = _project(special, domain)
    special = special[:, : max(1, count // 2)]
    return torch.cat([special, random[: count - special.shape[1]].expand(batch, -1, -1)], 1)


def _top_right(matrix: torch.Tensor) -> torch.Tensor:
    """Rough top right singular vector, largest entry 1, by power iteration from the largest row; zero for zero."""
    rows = matrix.abs().amax(-1).argmax(-1)
    vector = matrix[torch.arange(len(matrix), device=matrix.device), rows][..., None]
    for _ in range(8):
        vector = torch.nan_to_num(vector / vector.abs().amax(-2, keepdim=True))
        vector = matrix.mT @ (matrix @ vector)
    return torch.nan_to_num(vector / vector.abs().amax(-2, keepdim=True)).squeeze(-1)
