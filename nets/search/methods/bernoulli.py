"""Sampled supermasks (Zhou et al. 2019): every weight is kept with the probability sigmoid(score)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from nets.search.check import Number, exact_fraction, one_of
from nets.search.methods.method import Layer, Search
from nets.search.methods.sampled import Sampled, drawn, noise_of
from nets.search.straight_through import straight_through

EVALUATIONS = ("sample", "threshold", "expectation")
FIRST_PROBABILITIES = ("constant", "normal")


@dataclass(frozen=True)
class Bernoulli(Sampled):
    """Sample a mask in every step; train the logits of the probabilities straight through it.

    The effective weight is W * M with M ~ Bernoulli(p), p = sigmoid(S), independent of each other and from step to
    step; with G its gradient, the score's gradient is W * G * p * (1 - p), whether the weight was kept or not. The
    number kept is not fixed: the density is the probability with which the search starts.

    Parameters
    ----------
    evaluation : {"sample", "threshold", "expectation"}
        Which network is evaluated, and left as the ticket. "sample" (authors' code): one mask drawn with noise that
        stays the same, so that it changes with the scores alone; as dense as the probabilities are on average.
        "threshold": weights with p > 1/2; the same mask for all noise, but nothing at all where a density below 1/2
        has not been trained far. "expectation": all weights, each as W * p; no mask, stored as numbers.
    first_probabilities : {"constant", "normal"}
        Scores at first: logit(density) everywhere (authors' code: 0, a density of 1/2), or with a standard normal
        number added (code of FedPM: normal at density 1/2).

    Notes
    -----
    The authors' code evaluates ten masks and averages; the file of a ticket holds one. Their scaling of kept weights
    by n / n_keep ("dynamic scaling") is not here. The gradient is about |W| p (1 - p) times that of Edge-Popup and
    does not see how large scores are: the authors train with learning rates of 50 to 400 by SGD, and no weight decay.

    Source
    ------
    Zhou, Lan, Liu and Yosinski, NeurIPS 2019, arXiv 1905.01067; rules read in the authors' code. Learning rates as the
    appendix of Edge-Popup's paper gives them (recalled); 100 on MNIST (read).

    Examples
    --------
    >>> from nets.search import find_tickets
    >>> search = find_tickets(torch.nn.Sequential(torch.nn.Linear(50, 40)), method="bernoulli", density=0.3, seed=1)
    >>> search.density
    0.302
    """

    evaluation: str = "sample"
    first_probabilities: str = "constant"

    name: ClassVar[str] = "bernoulli"

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("evaluation", self.evaluation, EVALUATIONS)
        one_of("first_probabilities", self.first_probabilities, FIRST_PROBABILITIES)
        if self.across:
            raise ValueError(
                "scope must be layer for method bernoulli: each weight is kept with its own probability, so there is "
                "no number of weights to share among layers"
            )

    def check_density(self, name: str, density: Number) -> None:
        """See `Method`."""
        if exact_fraction("density", density) == 1:
            raise ValueError(
                f"density must be below 1 for method bernoulli, whose scores are its logits; layer {name!r} has 1"
            )

    def first_scores(self, uniform: torch.Tensor, layer: Layer, search: Search, score_init: str) -> torch.Tensor:
        """See `Method`."""
        n = layer.frozen.numel()
        part = min(max(layer.aim, 0.5), n - 0.5) / n  # a small tensor may keep all its weights by rounding
        middle = math.log(part / (1 - part))
        if self.first_probabilities == "constant":
            return torch.full_like(uniform, middle)
        return middle + math.sqrt(2) * torch.erfinv(uniform.clamp(min=2.0**-52 - 1))

    def rule(self, layer: Layer) -> dict[str, Any]:
        """See `Method`."""
        return {**super().rule(layer), "evaluation": self.evaluation}

    def mask(self, layer: Layer) -> torch.Tensor:
        """See `Method`."""
        scores = layer.scores.detach()
        if self.evaluation == "expectation":
            return torch.ones_like(scores, dtype=torch.bool)
        if self.evaluation == "threshold":
            return scores > 0
        assert layer.ticket_noise is not None
        return drawn(layer.ticket_noise, torch.sigmoid(scores.to(layer.ticket_noise.dtype)))

    def effective(self, layer: Layer) -> torch.Tensor:
        """See `Method`."""
        noise = noise_of(layer)
        p = torch.sigmoid(layer.scores.detach().to(noise.dtype))
        slope = layer.frozen * (p * (1 - p)).to(layer.frozen.dtype)
        if layer.training:
            mask = drawn(noise, p)
        else:
            mask = p.to(layer.frozen.dtype) if self.evaluation == "expectation" else layer.mask()
        return straight_through(layer.scores, layer.frozen, mask, slope=slope, signed=False)
