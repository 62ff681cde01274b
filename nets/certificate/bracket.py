"""Certified bracket for sup ||f(x) - g_M(x)||_2 between a target and one built network.

Notation of theory/PROOFS.md, 4.8: F_i are the target's matrices, (W+_i, W-_i) the effective weights of the pruned
network, which computes W+_1 s(x) - W-_1 s(-x) in its first pair of layers and W+_i h in the others (h >= 0 there).

**Upper.** With D+- = W+-_1 - F_1 the first error is D+ s(x) - D- s(-x) = (D+ + D-)/2 x + (D+ - D-)/2 |x|, so over
||x||_2 <= 1 it is at most ||[D+, -D-]|| (as ||(s(x), s(-x))|| = ||x||) and at most ||(D+ + D-)/2|| + ||(D+ - D-)/2||.
On ||x||_inf <= 1: sqrt(d_0) times that, or by rows, or by columns. Then, for i >= 2 and Delta = W+ - F,
W+ y - F z = Delta z + W+ (y - z) = Delta y + F (y - z), so with H, Y bounds on the norms of the two hidden vectors
e_i <= min(||Delta|| H + ||W+|| e, ||Delta|| Y + ||F|| e), never above ||Delta|| (H + e) + ||F|| e. Two neighbouring
layers are also bounded together, by `half_split`: the ReLU between them averages most of the error away.

**Lower.** A point found by gradient ascent, evaluated with a running bound on its rounding error.

**Rounding.** Norms are enclosed by `nets.certificate.norms`; everything after them is rounded upward.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from nets.arguments import dense, of_type
from nets.certificate.ascent import attained_error
from nets.certificate.half_split import half_split
from nets.certificate.norms import first_layer_sup, spectral_norm_upper
from nets.certificate.rounding import add, mul
from nets.device import check_device
from nets.targets.target import Target
from nets.threads import few_threads
from sims.solver.limits import between, finite_number
from theory.numerics.check import shown

MOST_STARTS = 10**6
DOMAINS = ("l2", "linf")
_CHUNK_BYTES = 2**27
_FAR = 2.0**-7
"""Below this relative error the pruned matrices' own norms are not worth their time: the target's plus the error."""


@dataclass(frozen=True)
class LayerBound:
    """One layer of the upper bound; every number is rounded upward.

    Attributes
    ----------
    index : int, from 1
    target_norm, delta_norm : float
        Bounds on ||F_i|| and on ||Delta_i||; in layer 1 both are over the domain's ball.
    hidden, error : float
        Bounds on the target's vector after the layer, and on the error after it (e_i).
    """

    index: int
    target_norm: float
    delta_norm: float
    hidden: float
    error: float


@dataclass(frozen=True)
class Certificate:
    """Proved bracket lower <= sup ||f - g_M||_2 <= upper over the unit ball of `domain`.

    Attributes
    ----------
    lower, upper : float, 0 <= lower <= upper
    domain : {"l2", "linf"}
    layers : tuple of LayerBound
    witness : tuple of float, length d_0
        Where the error is at least `lower`: for `l2` after division by its norm, which is 1 up to rounding.
    """

    lower: float
    upper: float
    domain: str
    layers: tuple[LayerBound, ...]
    witness: tuple[float, ...]

    def verdict(self, eps: float) -> str:
        """Return `holds` if upper <= eps, `refuted` if lower > eps, else `undecided`."""
        if not finite_number("eps", eps) > 0:
            raise ValueError(f"eps must be > 0, got eps={eps}")
        return "holds" if self.upper <= eps else "refuted" if self.lower > eps else "undecided"


@dataclass(frozen=True, eq=False)
class CertificateBatch(Sequence[Certificate]):
    """Certificates of B pruned networks; `batch[b]` is a `Certificate`.

    Attributes
    ----------
    lower, upper : torch.Tensor, shape (B,), float64, CPU
    domain : {"l2", "linf"}
    rows : torch.Tensor, shape (B, l, 4)
        The four numbers of every `LayerBound`.
    witness : torch.Tensor, shape (B, d_0)
    """

    lower: torch.Tensor
    upper: torch.Tensor
    domain: str
    rows: torch.Tensor
    witness: torch.Tensor

    def __len__(self) -> int:
        return len(self.lower)

    def __getitem__(self, index: int) -> Certificate:  # type: ignore[override]
        layers = tuple(LayerBound(i, *row) for i, row in enumerate(self.rows[index].tolist(), 1))
        witness = tuple(self.witness[index].tolist())
        return Certificate(float(self.lower[index]), float(self.upper[index]), self.domain, layers, witness)


def certify(
    target: Target,
    effective: Sequence[tuple[Any, Any]],
    *,
    domain: str = "l2",
    starts: int = 64,
    steps: int = 40,
    seed: int = 0,
    device: str | torch.device = "cpu",
) -> Certificate:
    """Certify one pruned network against its target.

    Parameters
    ----------
    effective : sequence of (W_plus, W_minus), l of them, float64, shapes (d_i, d_{i-1})
        Effective weights of the pruned network. W_minus is used in the first only and may be None elsewhere. They
        are taken as exact: rounding made in forming them is the caller's.
    domain : {"l2", "linf"}
        Unit ball of the inputs. With `target.has_bias` it is the ball of the lifted input: points with ||x||_inf <= 1
        lie in it for "linf"; for "l2" multiply the upper end by sqrt(2).
    starts, steps : int, >= 1 and >= 0, at most 10^6
        Of the ascent; they change only how close the lower end comes.
    seed : int
        Of the random starts.

    Raises
    ------
    ValueError
        If shapes or dtypes do not fit, a weight is not finite, or an option is out of range.

    Source
    ------
    Proved in theory/PROOFS.md, 4.8. Norms may exceed 1.

    Examples
    --------
    >>> target = Target([torch.tensor([[3.0, 0.0], [0.0, 4.0]])])
    >>> w = target.weights[0] + torch.tensor([[0.0, 0.0], [0.0, 0.5]])
    >>> found = certify(target, [(w, w)])
    >>> 0.4999 < found.lower <= 0.5 <= found.upper < 0.5001
    True
    >>> found.verdict(0.1), found.verdict(0.6)
    ('refuted', 'holds')
    """
    check_target(target)
    if not isinstance(effective, list | tuple):
        raise ValueError(f"effective must be a sequence of pairs, got {type(effective).__name__}")
    single = []
    for i, pair in enumerate(effective):
        plus, minus = check_pair(pair, i)
        both = [None if one is None else dense(f"effective[{i}]", one)[None] for one in (plus, minus)]
        single.append((both[0], both[1]))
    return certify_batch(target, single, domain=domain, starts=starts, steps=steps, seed=seed, device=device)[0]


def certify_batch(
    target: Target,
    effective: Sequence[tuple[Any, Any]],
    *,
    domain: str = "l2",
    starts: int = 64,
    steps: int = 40,
    seed: int = 0,
    device: str | torch.device = "cpu",
) -> CertificateBatch:
    """Certify B pruned networks of one target at once; as `certify`, with effective weights (B, d_i, d_{i-1}).

    Returns
    -------
    CertificateBatch
        Entry b does not depend on the other networks: all share the random starts.
    """
    check_domain(domain)
    starts, steps = between("starts", starts, 1, MOST_STARTS), between("steps", steps, 0, MOST_STARTS)
    seed = between("seed", seed, 0, 2**63 - 1)
    device = check_device(device)
    pruned, first_minus = _checked(target, effective, device)
    source = [w.to(device) for w in target.weights]
    random = torch.randn(starts, target.widths[0], generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    random = random.to(device)
    chunk = max(1, _CHUNK_BYTES // (8 * starts * 6 * (sum(target.widths) + target.widths[0])))
    parts = []
    work = min(chunk, len(first_minus)) * starts * max(w.numel() for w in source)
    with few_threads(work):
        for low in range(0, len(first_minus), chunk):
            plus, minus = [w[low : low + chunk] for w in pruned], first_minus[low : low + chunk]
            rows, upper = _upper(source, plus, minus, domain)
            lower, witness = attained_error(source, plus, minus, domain=domain, random=random, steps=steps)
            parts.append((lower.cpu(), upper.cpu(), rows.cpu(), witness.cpu()))
    lower, upper, rows, witness = (torch.cat(column) for column in zip(*parts, strict=True))
    if not bool((lower <= upper).all()):
        raise RuntimeError(f"certificate contradicts itself: lower={lower.tolist()}, upper={upper.tolist()}")
    return CertificateBatch(lower, upper, domain, rows, witness)


def check_pair(pair: Any, place: object) -> tuple[Any, Any]:
    """The two parts of effective[place]."""
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise ValueError(f"effective[{place!r}] must be a pair (W_plus, W_minus), got {type(pair).__name__}")
    return pair[0], pair[1]


def check_target(target: object) -> None:
    """Refuse what is no `Target`."""
    of_type("target", target, Target, "a nets.targets.Target")


def check_domain(domain: object) -> None:
    """Refuse what is no name of a unit ball."""
    if not isinstance(domain, str) or domain not in DOMAINS:
        raise ValueError(f"domain must be one of {DOMAINS}, got domain={shown(domain)}")


def _checked(
    target: Target, effective: Sequence[Any], device: str | torch.device
) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Return every W+ and the first W- on the device, after checks."""
    check_target(target)
    if not isinstance(effective, list | tuple):
        raise ValueError(f"effective must be a sequence of pairs, got {type(effective).__name__}")
    if len(effective) != target.depth:
        raise ValueError(f"effective must have one pair for each of {target.depth} layers, got {len(effective)}")
    kept = []
    batch = None
    for i, (pair, weight) in enumerate(zip(effective, target.weights, strict=True)):
        for name, value in zip(("W_plus", "W_minus"), check_pair(pair, i), strict=True):
            if name == "W_minus" and i > 0:
                continue
            if value is None:
                raise ValueError(f"effective[{i}] {name} must be given, got None")
            tensor = dense(f"effective[{i}] {name}", value)
            batch = len(tensor) if batch is None and tensor.ndim else batch
            if tensor.dtype != torch.float64:
                raise ValueError(f"effective[{i}] {name} must be float64, got {tensor.dtype}")
            if not batch or tuple(tensor.shape) != (batch, *weight.shape):
                want, got = tuple(weight.shape), tuple(tensor.shape[1:])
                raise ValueError(f"effective[{i}] {name} must have shape {want}, got {got} (batch {tensor.shape[:1]})")
            if not bool(torch.isfinite(tensor).all()):
                raise ValueError(f"effective[{i}] {name} must be finite, got NaN or infinity")
            kept.append(tensor.to(device))
    return [kept[0], *kept[2:]], kept[1]


def _upper(
    source: list[torch.Tensor], plus: list[torch.Tensor], minus: torch.Tensor, domain: str
) -> tuple[torch.Tensor, torch.Tensor]:
    """Run the recursion of the module's text, every operation rounded upward; rows (B, l, 4) and e_l (B,)."""
    delta = first_layer_sup(plus[0] - source[0], minus - source[0], domain)
    norm = first_layer_sup(source[0][None], source[0][None], domain).expand_as(delta)
    error, hidden = delta, norm
    reach = add(hidden, error)
    far = (error > hidden * _FAR).nonzero().squeeze(-1)
    if len(far):
        reach[far] = torch.minimum(reach[far], first_layer_sup(plus[0][far], minus[far], domain))
    hidden = torch.minimum(hidden, add(reach, error))
    rows = [torch.stack([norm, delta, hidden, error], -1)]
    below = _Below(torch.ones_like(delta), torch.ones_like(delta), torch.zeros_like(delta))
    for i in range(1, len(plus)):
        now = _Below(hidden, reach, error)
        change, target_weight = plus[i] - source[i], source[i][None]
        delta = spectral_norm_upper(change)
        norm = spectral_norm_upper(target_weight).expand_as(delta)
        own = add(norm, delta)
        far = (delta > norm * _FAR).nonzero().squeeze(-1)
        if len(far):
            own[far] = torch.minimum(own[far], spectral_norm_upper(plus[i][far]))
        last, last_target = plus[i - 1], source[i - 1][None]
        pruned, minuses = torch.cat([last, last - last_target], -2), None
        if i == 1:
            minuses = torch.cat([minus, minus - last_target], -2)
        region = domain if i == 1 else "l2"
        both = half_split(torch.cat([change, target_weight.expand_as(change)], -1), pruned, minuses, domain=region)
        by_target = half_split(target_weight, last_target, domain=region)
        joint = add(mul(both, below.reach), mul(by_target, below.error))
        by_target_way = add(mul(delta, hidden), mul(own, error))
        by_pruned_way = add(mul(delta, reach), mul(norm, error))
        error = torch.minimum(torch.minimum(by_target_way, by_pruned_way), joint)
        hidden, reach = torch.minimum(mul(norm, hidden), mul(by_target, below.hidden)), mul(own, reach)
        reach = torch.minimum(reach, add(hidden, error))
        hidden = torch.minimum(hidden, add(reach, error))
        rows.append(torch.stack([norm, delta, hidden, error], -1))
        below = now
    return torch.stack(rows, 1), error


@dataclass(frozen=True)
class _Below:
    """Bounds on what enters a layer: the target's vector, the pruned network's, and their difference; (B,) each."""

    hidden: torch.Tensor
    reach: torch.Tensor
    error: torch.Tensor
