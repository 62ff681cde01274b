"""ProbMask (Zhou et al. 2021): probabilities of keeping each weight are trained, and their sum is held to a budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

import torch

from nets.search.check import exact_fraction, one_of
from nets.search.methods.method import Event, Layer, Search
from nets.search.methods.sampled import Sampled, drawn, noise_of
from nets.search.score_mask import keep_mask, keep_masks_global
from nets.search.straight_through import straight_through
from theory.numerics.check import shown

EVALUATIONS = ("sample", "highest")
TINY = 1e-20


@dataclass(frozen=True)
class ProbMask(Sampled):
    """Train probabilities of keeping weights, through masks that are relaxed at first and nearly binary in the end.

    Scores are the probabilities p themselves. In a training step the effective weight is W * m with m = sigmoid(T *
    (logit(p) + L)) and L logistic noise; the gradient is the derivative of that. Before the step, scores outside [0, 1]
    are brought back, and lowered all by the same amount where they add up to more than n_keep: p = clip(S - v, 0, 1)
    with the smallest v >= 0 for which the sum is at most n_keep.

    Parameters
    ----------
    scope : {"global", "layer"}
        Whether the sum is held in all tensors together (authors' code) or in each.
    evaluation : {"sample", "highest"}
        Which mask is evaluated and left as the ticket. "sample" (authors' code): each weight with its probability, by
        noise that stays the same; n_keep in expectation. "highest": exactly the n_keep most probable weights.
    schedule_epochs, schedule_start
        See `nets.search.methods.method.Method`. Authors' code: all weights for 16 % of the epochs, then down by a cube
        until 60 %; but where all probabilities are 1 masks do not train, and there the weights train meanwhile.
    final_temperature : float in (0, 1]
        1/T goes from 1 down to this in equal steps, epoch by epoch; authors' code: 0.03.

    Notes
    -----
    The authors train the weights too, average two masks in every step and clip the gradient to norm 3. Here weights
    are frozen as with all methods, each step has one mask, and whoever writes the training loop can clip. They draw
    the noise as a difference of two Gumbel numbers, here it is the logit of one uniform number: the same law. Scores
    start where the authors' are after the first projection, all equal to the density (of the first epoch). That
    ``search.after_epoch`` is called settles T: without it, T stays 1.

    Source
    ------
    X. Zhou, Zhang, Xu and Zhang, CVPR 2021, "Effective Sparsification of Neural Networks with Global Sparsity
    Constraint"; rules read in the authors' code.

    Examples
    --------
    >>> from nets.search import find_tickets
    >>> search = find_tickets(torch.nn.Sequential(torch.nn.Linear(50, 40)), method="probmask", density=0.3, seed=1)
    >>> float(search.layers["0"].scores.detach().sum().round()), search.density
    (600.0, 0.302)
    """

    scope: str = "global"
    evaluation: str = "sample"
    final_temperature: float = 0.03

    name: ClassVar[str] = "probmask"

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("evaluation", self.evaluation, EVALUATIONS)
        if not 0 < exact_fraction("final_temperature", self.final_temperature) <= 1:
            raise ValueError(
                f"final_temperature must be in (0, 1], got final_temperature={shown(self.final_temperature)}"
            )

    def first_scores(self, uniform: torch.Tensor, layer: Layer, search: Search, score_init: str) -> torch.Tensor:
        """See `Method`."""
        total = self.n_keep_at(search, 0)
        part = Fraction(layer.aim, layer.frozen.numel()) if total is None else Fraction(total, search.numel)
        return torch.full_like(uniform, float(part))

    def rule(self, layer: Layer) -> dict[str, Any]:
        """See `Method`."""
        return {**super().rule(layer), "evaluation": self.evaluation}

    def before_step(self, search: Search, step: int) -> Event | None:
        """Draw the noise of the step, and bring the scores back into the budget."""
        layers = list(search.layers.values())
        budget = search.budget
        groups = [(layers, budget)] if budget is not None else [([layer], layer.aim) for layer in layers]
        temperature = 1 - (1 - float(self.final_temperature)) * search.progress
        with torch.no_grad():
            for members, n_keep in groups:
                found = within_budget([layer.scores for layer in members], n_keep)
                for layer, scores in zip(members, found, strict=True):
                    layer.scores.copy_(scores)
                    assert layer.sharpness is not None
                    layer.sharpness.fill_(1 / temperature)
        return super().before_step(search, step)

    def mask(self, layer: Layer) -> torch.Tensor:
        """See `Method`."""
        return self.masks_together([layer], layer.aim)[0]

    def masks_together(self, layers: Sequence[Layer], n_keep: int) -> list[torch.Tensor]:
        """See `Method`."""
        scores = [layer.scores.detach() for layer in layers]
        if self.evaluation == "highest":
            return [keep_mask(scores[0], n_keep)] if len(scores) == 1 else keep_masks_global(scores, n_keep)
        masks = []
        for layer, probability in zip(layers, within_budget(scores, n_keep), strict=True):
            assert layer.ticket_noise is not None
            masks.append(drawn(layer.ticket_noise, probability))
        return masks

    def effective(self, layer: Layer) -> torch.Tensor:
        """See `Method`."""
        if not layer.training:
            return straight_through(layer.scores, layer.frozen, layer.mask(), slope=None, signed=False)
        noise = noise_of(layer)
        assert layer.sharpness is not None
        p, sharp = layer.scores.detach().to(noise.dtype).clamp(0, 1), layer.sharpness.to(noise.dtype)
        u = noise.clamp(min=torch.finfo(noise.dtype).eps / 2)
        m = torch.sigmoid((torch.log(p + TINY) - torch.log(1 - p + TINY) + torch.log(u) - torch.log1p(-u)) * sharp)
        slope = sharp * (m * (1 - m)) * (1 / (p + TINY) + 1 / (1 - p + TINY))
        mask, slope = m.to(layer.frozen.dtype), layer.frozen * slope.to(layer.frozen.dtype)
        return straight_through(layer.scores, layer.frozen, mask, slope=slope, signed=False)


@torch.compiler.disable  # type: ignore[untyped-decorator]  # the number of steps depends on the scores
def within_budget(scores: Sequence[torch.Tensor], n_keep: float) -> list[torch.Tensor]:
    """Scores as probabilities that add up to at most `n_keep`: clip(S - v, 0, 1) with the smallest v >= 0.

    That is the point of the set of such probabilities that is nearest to the scores.

    Parameters
    ----------
    scores : sequence of torch.Tensor
    n_keep : float >= 0

    Returns
    -------
    list of torch.Tensor
        In the dtypes of the scores; before they are rounded to it, the sum is right to 1e-9 of the number of scores.

    Examples
    --------
    >>> [found.tolist() for found in within_budget([torch.tensor([1.5, 0.5]), torch.tensor([0.5, -1.0])], 1.5)]
    [[1.0, 0.25], [0.25, 0.0]]
    """
    flat = torch.cat([one.detach().reshape(-1).double() for one in scores])
    low, high = 0.0, max(0.0, float(flat.max()))
    shift, size = 0.0, flat.numel()
    for _ in range(200):
        moved = flat - shift
        over = float(moved.clamp(0, 1).sum()) - n_keep
        if (shift == 0 and over <= 0) or abs(over) <= 1e-9 * size:
            break
        low, high = (shift, high) if over > 0 else (low, shift)
        free = int(((moved > 0) & (moved < 1)).sum())
        shift = shift + over / free if free else high  # Newton's step, exact once the same scores stay free
        if not low < shift < high:
            shift = (low + high) / 2
        if not low < shift < high:
            break
    return [(one.detach().double() - shift).clamp(0, 1).to(one.dtype) for one in scores]
