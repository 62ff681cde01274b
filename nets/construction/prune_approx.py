"""Prune a random network so that it computes a target, by several constructions; many trials of most of them at once.

A target weight w of layer i from coordinate j is made by hidden neurons of coordinate j: those with b > 0 contribute
a*b to W_plus, those with b < 0 to W_minus (the layer computes W_plus s(h) - W_minus s(-h)), so **both halves aim at
w**. A neuron serves all outputs: its b is shared, its a's are separate elements.

==============  ======================================================================================================
construction    what is kept for one weight and one half, s = +1 or -1 the sign of b
==============  ======================================================================================================
``window``      4.3, the proof's choice: b and a are the draws nearest to s and to s*w; the first neuron with
                b in s[1-eta/2, 1] and abs(a - s w) <= eta/2. Without one: the neuron with the smallest abs(ab - w).
``best``        b is the draw nearest to s, a the draw with the smallest abs(ab - w), and the neuron is the one where
                that is smallest; for R = 1 the best product there is.
``halves``      4.9: the sum of two products, each by a neuron of another half of the n; the b's as in ``best``. Of
                drawn values it is the pair of products with the sum nearest to w; with the sampler "nearest", which
                serves one aim, the product nearest to w/2 and then the one nearest to what it leaves of w.
                ``thirds`` and ``quarters`` have more groups and products: all but the last two (of drawn values), or
                the last one, are the nearest ones to w/3 or w/4. So none is farther from w than the sum of the
                products nearest to w/2, w/3, w/4.
``subset-sum``  4.7: the subset of the products a_k b_k with the sum nearest to w; with R draws at most one draw of each
                a_k, b_k being the draw nearest to s.
==============  ======================================================================================================

Where no product is nearer to w than 0, nothing is kept. ``signs`` says which neurons may serve a half: "assigned":
the n that are meant for it (the theorem's count), if their b has that sign; "open" (R = 1 only): all of the 2n whose
b has that sign. Statements 4.x: theory/PROOFS.md.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from nets.arguments import doubles, of_type
from nets.construction.bits import unpack_draws, unpack_positions
from nets.construction.gadget import Gadget, Record, solve
from nets.construction.options import PARTS, check_construction
from nets.construction.pruned import Kept, Pruned, half_count
from nets.construction.scan import scan_layer
from nets.construction.source import Source, check_sampler, check_seed, per_layer_n, trial_seeds
from nets.device import check_device
from nets.targets.target import Target
from sims.solver.arguments import jobs_of
from theory.numerics.check import accuracy, natural, positive_int

_RECORD_TRIALS = 2**19
Weights = Target | Sequence[torch.Tensor]


def prune(
    target: Weights,
    source: Source,
    *,
    construction: str,
    eta: float | Sequence[float] | None = None,
    sides: str = "both",
    signs: str | None = None,
    device: str = "cpu",
    jobs: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Pruned:
    """Prune one source network.

    Parameters
    ----------
    target : Target, or its l weights F_i of shape (d_i, d_{i-1})
        The widths must be the source's. The constructions can reach weights in [-1, 1], subset-sum also others.
    construction : {"window", "best", "halves", "thirds", "quarters", "subset-sum"}
        See the table of this module.
    eta : float in (0, 1] or one for each layer
        Width of the windows; "window" needs it, the others do not use it.
    sides : {"both", "needed"}
        "needed" leaves out the negative halves of layers 2..l, which never see an input < 0.
    signs : {"assigned", "open"}, optional
        Default with R = 1 and drawn values "open" for halves, thirds, quarters and subset-sum (there at most the first
        n neurons of each sign), else "assigned".
    device : str
        Where the search runs; the result lies on the CPU and does not depend on it (with sampler "nearest": up to the
        last bits of log1p and expm1).
    jobs : int, optional
        Threads; the result does not depend on it.
    progress : callable, optional
        Called with (weights done, weights in all), each weight counted once per half.

    Raises
    ------
    ValueError
        If an argument is outside its domain, the widths differ, or subset-sum is asked of a "nearest" source.

    Examples
    --------
    >>> target = [torch.tensor([[0.5, -0.25]])]
    >>> pruned = prune(target, Source([2, 1], 400, seed=3), construction="best")
    >>> pruned.n_keep, pruned.within(0.1)
    (8, (4,))
    """
    weights, jobs = _weights(target), jobs_of(jobs)
    of_type("source", source, Source)
    device = str(check_device(device))
    widths = (weights[0].shape[-1], *(w.shape[-2] for w in weights))
    if any(w.ndim != 2 for w in weights) or widths != source.widths:
        raise ValueError(f"target must have the widths of the source, {source.widths}, got {widths}")
    signs = check_construction(
        construction, signs=signs, sides=sides, R=source.R, sampler=source.sampler, n=min(source.n)
    )
    etas = _etas(eta, len(weights), construction)
    total = sum(half_count(sides, i) * w.numel() for i, w in enumerate(weights))
    tick = _counter(total, progress)
    kept: list[Kept] = []
    hits = []
    for i, weight in enumerate(weights):
        made = half_count(sides, i)
        if construction == "subset-sum":
            gadget = Gadget(
                i, 1, rows=len(weight), cols=weight.shape[1], n=source.n[i], R=source.R, seed=source.seed, halves=made
            )
            found = solve(gadget, weight[None].numpy(), signs=signs, device=device, jobs=jobs, tick=tick)
            kept += _kept_from_gadget(gadget, found, source)
            continue
        seeds = np.array([source.seed], np.uint64)
        records = scan_layer(
            seeds, 2 * i + 1, weight[None], n=source.n[i], R=source.R, eta=etas[i], window=construction == "window",
            open_signs=signs == "open", by_law=source.sampler == "nearest", halves=made,
            parts=PARTS.get(construction, 1), device=device, jobs=jobs,
        )  # fmt: skip
        kept += _kept_from_records({key: part[0].cpu() for key, part in records.items()}, source, i)
        hits.append(records["hit"][0].cpu())
        tick(made * weight.numel())
    flags = hits if construction == "window" else None
    return Pruned(source, weights, kept, construction=construction, sides=sides, hits=flags)


@dataclass(frozen=True, eq=False)
class Trials:
    """Effective weights of many pruned networks, one row per trial, on the device they were made on.

    Attributes
    ----------
    effective : list of l pairs (W_plus, W_minus) of torch.Tensor, shape (trials, d_i, d_{i-1}), float64
        As in `Pruned.effective`.
    hits : list of l torch.Tensor of bool, shape (trials, halves_i, d_i, d_{i-1})
        "window": the weight was made inside its windows. Else: the weight is within eta, if eta was given.
    """

    effective: list[tuple[torch.Tensor, torch.Tensor]]
    hits: list[torch.Tensor]

    @property
    def misses(self) -> torch.Tensor:
        """Weights without a hit, counted over layers and halves, shape (trials,)."""
        return torch.stack([(~hit).flatten(1).sum(1) for hit in self.hits]).sum(0)


def simulate_trials(
    target: Weights,
    n: int | Sequence[int],
    *,
    R: int,
    seed: int,
    trials: int,
    eta: float | Sequence[float] | None = None,
    construction: str = "best",
    sampler: str = "nearest",
    first_trial: int = 0,
    sides: str = "both",
    signs: str | None = None,
    device: str = "cpu",
    jobs: int | None = None,
) -> Trials:
    """Prune one source network per trial and return the effective weights only.

    Parameters
    ----------
    target : Target, or its l weights of shape (d_i, d_{i-1}) or (trials, d_i, d_{i-1})
        One target for all trials, or one for each.
    n, R, sampler
        As in `Source`; trial t has ``Source(widths, n, seed=trial_seeds(seed, t, trials=1)[0], ...)``.
    seed, first_trial, trials : int
        The rows are trials first_trial, ..., first_trial + trials - 1, whatever the parts in which they are asked for.
    eta, construction, sides, signs, device, jobs
        As in `prune`, but not "subset-sum".

    Returns
    -------
    Trials
        The memory is about 17 bytes times the weights of all trials and halves; the sources are streamed.

    Examples
    --------
    >>> target = [torch.tensor([[0.5, -0.25]])]
    >>> found = simulate_trials(target, 1, R=1000, seed=1, trials=3, eta=0.1, construction="window")
    >>> found.effective[0][0].shape, found.misses.tolist()
    (torch.Size([3, 1, 2]), [0, 0, 0])
    """
    weights, jobs, device = _weights(target), jobs_of(jobs), str(check_device(device))
    if construction == "subset-sum":
        raise ValueError("construction must pick single neurons here, got construction='subset-sum'")
    R, sampler = check_sampler(R, sampler)
    counts = per_layer_n(n, len(weights))
    signs = check_construction(construction, R=R, n=min(counts), signs=signs, sides=sides, sampler=sampler)
    etas, parts = _etas(eta, len(weights), construction), PARTS.get(construction, 1)
    first, trials = natural("first_trial", first_trial), positive_int("trials", trials)
    if any(w.ndim == 3 and len(w) != trials for w in weights):
        raise ValueError(f"target must have one weight matrix or trials={trials} of them in each layer")
    seeds = trial_seeds(check_seed(seed), first, trials=trials)
    effective, hits = [], []
    for i, weight in enumerate(weights):
        cube = weight if weight.ndim == 3 else weight[None]
        made = half_count(sides, i)
        rows = max(1, _RECORD_TRIALS // (made * parts * cube[0].numel()))
        products = torch.zeros(2, trials, *cube.shape[1:], dtype=torch.float64, device=device)
        hit = torch.empty(trials, made, *cube.shape[1:], dtype=torch.bool, device=device)
        for start in range(0, trials, rows):
            part = slice(start, min(start + rows, trials))
            records = scan_layer(
                seeds[part], 2 * i + 1, cube[part] if len(cube) > 1 else cube, n=counts[i], R=R, eta=etas[i],
                window=construction == "window", open_signs=signs == "open", by_law=sampler == "nearest", halves=made,
                parts=parts, device=device, jobs=jobs,
            )  # fmt: skip
            for p in range(parts):
                products[:made, part] += (records["a"] * records["b"])[:, p::parts].transpose(0, 1)
            hit[part] = records["hit"] if construction == "window" else records["err"][:, parts - 1 :: parts] <= etas[i]
        effective.append((products[0], products[1]))
        hits.append(hit)
    return Trials(effective, hits)


def _kept_from_records(records: dict[str, torch.Tensor], source: Source, i: int) -> tuple[Kept, Kept]:
    """Kept elements of source layers 2i+1 and 2i+2 (i from 0) from records of shape (halves parts, d_out, d_in)."""
    n = source.n[i]
    _, out, j = (records["neuron"] >= 0).nonzero(as_tuple=True)
    made = {key: part[records["neuron"] >= 0] for key, part in records.items()}
    h = 2 * n * j + made["neuron"]
    neurons, place = torch.unique(h, return_inverse=True)
    one = torch.empty_like(neurons)
    one[place] = torch.arange(len(h))  # any of the weights that a neuron serves: its b is the same for all
    kept_b = Kept(neurons, neurons // (2 * n), made["draw_b"][one], made["b"][one])
    return kept_b, Kept.sort(out, h, made["draw_a"], made["a"])


def _kept_from_gadget(gadget: Gadget, record: Record, source: Source) -> tuple[Kept, Kept]:
    """The kept elements of a gadget of one group, as lists."""
    h, cell = unpack_positions(record.mask_b), unpack_positions(record.mask_a)
    draws_b = unpack_draws(record.draws_b, len(h), R=gadget.R)
    draws_a = unpack_draws(record.draws_a, len(cell), R=gadget.R)
    rows, cols = np.divmod(cell, gadget.bits_b)
    parts = (h, h // (2 * gadget.n), draws_b, gadget.values_b(h, draws_b))
    others = (rows, cols, draws_a, source.element(2 * gadget.number + 2, cell, draw=draws_a))
    first, second = (Kept(*(torch.from_numpy(part) for part in lists)) for lists in (parts, others))
    return first, second


def _weights(target: Weights) -> list[torch.Tensor]:
    weights = target.weights if isinstance(target, Target) else of_type("target", target, (list, tuple), "a Target")
    result = [doubles(f"target[{i}]", w).cpu() for i, w in enumerate(weights)]
    if not result or any(w.ndim not in (2, 3) or w.numel() == 0 for w in result):
        raise ValueError("target must be a Target or one or more finite, non-empty weight matrices")
    if any(after.shape[-1] != before.shape[-2] for before, after in itertools.pairwise(result)):
        raise ValueError(f"target has layers that do not chain: {[tuple(w.shape) for w in result]}")
    return result


def _etas(eta: float | Sequence[float] | None, layers: int, construction: str) -> list[float]:
    if eta is None:
        if construction == "window":
            raise ValueError("eta must be given for construction 'window', got eta=None")
        return [math.nan] * layers
    etas = [*eta] if isinstance(eta, Sequence) else [eta] * layers
    if len(etas) != layers:
        raise ValueError(f"eta must be one number or one for each of {layers} layers, got eta={eta!r}")
    return [accuracy("eta", value) for value in etas]


def _counter(total: int, progress: Callable[[int, int], None] | None) -> Callable[[int], None]:
    done = 0

    def tick(count: int) -> None:
        nonlocal done
        done += count
        if progress is not None:
            progress(done, total)

    return tick
