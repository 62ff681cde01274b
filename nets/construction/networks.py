"""How the networks of the main theorem's trials are made: settings, without PyTorch."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from nets.construction.options import PARTS
from theory.attention import AttentionTheorem
from theory.network import ConvolutionTheorem, MainTheorem

_BATCH_WEIGHTS = 2**20
_LEAST_BATCH = 256


@dataclass(frozen=True)
class Networks:
    """How the networks of the trials are made.

    Attributes
    ----------
    targets : int
        Random targets; trial t uses target t mod this number.
    construction : {"window", "best", "halves", "thirds", "quarters", "subset-sum"}
        window: the proof's choice. best: the neuron and draws nearest to the weight. halves, thirds, quarters: the sum
        of 2, 3, 4 of them. subset-sum: a sum of several.
    sampler : {"draws", "nearest"}
        Every draw made, or the nearest of R draws by its exact law.
    device : str
        Where the search and the certificates run.
    cones : int
        Trials that the certificate leaves undecided are decided by enumeration, which looks at so many cones at most;
        0, and networks too large for it: they stay undecided.
    """

    targets: int
    construction: str
    sampler: str
    device: str
    cones: int = 0


def weight_count(widths: Sequence[int]) -> int:
    """Weights of a target with these widths d_0, ..., d_l."""
    return sum(a * b for a, b in itertools.pairwise(widths))


def batch_size(widths: Sequence[int], trials: int) -> int:
    """Trials of a batch that keeps memory small and a progress bar moving."""
    return max(1, min(_BATCH_WEIGHTS // weight_count(widths), max(_LEAST_BATCH, -(-trials // 20))))


def batch_weights(widths: Sequence[int]) -> int:
    """Weights of the largest batch."""
    return max(_BATCH_WEIGHTS, weight_count(widths))


def trial_seconds(question: MainTheorem, n: Sequence[int], networks: Networks, delta: float) -> float:
    """Seconds of a trial on one core, by formula: the certificate, and what the construction looks at."""
    return 2e-5 + 3e-6 * weight_count(question.widths) + _search_seconds(question, n, networks, delta, 1)


def convolution_seconds(question: ConvolutionTheorem, n: Sequence[int], networks: Networks, delta: float) -> float:
    """The same for convolutions, whose certificates run the networks, and take the layers' norms."""
    products = question.taps * weight_count(question.widths) * question.side**2
    certificate = 0.05 * (len(question.widths) - 1) + 2e-7 * products
    return certificate + _search_seconds(question, n, networks, delta, question.taps)


def attention_seconds(question: AttentionTheorem, n: Sequence[int], networks: Networks) -> float:
    """The same for an attention, whose certificate climbs."""
    d, _, out = question.widths
    total = 0.02
    for count, rows in zip(n, (d, out), strict=True):
        entries = question.heads * d * rows
        if networks.construction == "subset-sum":
            total += entries * 3e-8 * math.exp(min(15.3, count * math.log(question.R + 1)))
        else:
            total += entries * (2e-4 + count * (8e-5 + 3e-7 * question.R))
    return total


def _search_seconds(question: MainTheorem, n: Sequence[int], networks: Networks, delta: float, taps: int) -> float:
    """What the construction takes for layers of taps d_i rows and d_(i-1) columns."""
    weights, total = taps * weight_count(question.widths), 0.0
    draws = question.R if networks.sampler == "draws" else 1
    asked = question.required_counts(delta) if networks.construction == "window" else n
    for (d_in, d_out), count, enough in zip(itertools.pairwise(question.widths), n, asked, strict=True):
        rows = taps * d_out
        if networks.construction == "subset-sum":
            total += d_in * rows * 3e-8 * math.exp(min(600.0, count / 2 * math.log(question.R + 1)))
        elif networks.construction in PARTS:
            total += d_in * rows * 2.0 * count * (4e-8 if networks.sampler == "nearest" else 3e-8 * draws)
        elif networks.construction == "best":
            total += d_in * rows * 2.0 * count * (4e-8 if draws == 1 else 5e-9 * draws)
        else:  # a weight looks until one hits, a coordinate until all its weights are served
            hit = enough / math.log(weights / delta + 1.0)
            made = max(1.0, draws / 4.0)
            total += d_in * min(2.0 * count, hit * (1.0 + math.log(rows))) * 1e-7 * made
            total += d_in * rows * min(2.0 * count, hit) * 3e-9 * made
    return total
