"""What a method is: how scores are ranked, what a kept weight is worth, what happens between steps.

All methods freeze random weights W and train scores S of the same shape. In every forward pass the mask M keeps the
highest scores, and the gradient passes the mask as if it were the identity of the ranking key. `Method` holds the rules
of Edge-Popup; the others override what they change.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, Protocol

import torch

from nets.search.check import Number, exact_fraction, one_of, whole
from nets.search.draws import score_bound
from nets.search.fused import Threshold, mask_from
from nets.search.score_mask import count_to_keep, keep_mask, keep_masks_global
from nets.search.straight_through import straight_through
from theory.numerics.check import shown

SCOPES = ("layer", "global")
SCORE_KEYS = ("abs", "raw")
SCORE_INITS = ("kaiming-uniform-a5", "kaiming-uniform-relu")


@dataclass(frozen=True)
class Event:
    """Something that a method did to the weights or to the number kept.

    Attributes
    ----------
    kind : {"rerand", "recycle", "density"}
    counter : int
        1, 2, ...: number of the event; it keys the random numbers of a re-randomisation.
    step, epoch : int or None
        0-based; the one at which it happened, None for the other.
    changed : int
        Weights that were written, in all layers (some may have received their old value).
    """

    kind: str
    counter: int
    step: int | None = None
    epoch: int | None = None
    changed: int = 0


class Layer(Protocol):
    """A masked weight as methods see it: see `nets.search.masked_weight.MaskedWeight`."""

    frozen: torch.Tensor
    scores: torch.nn.Parameter
    draws: torch.Tensor | None
    origins: torch.Tensor | None
    aim: int
    index: int
    threshold: Threshold
    fan_in: float
    training: bool
    sharpness: torch.Tensor | None
    step_noise: torch.Tensor | None
    ticket_noise: torch.Tensor | None

    def mask(self) -> torch.Tensor:
        """Which weights are kept now."""
        ...

    def count(self, mask: torch.Tensor) -> int | torch.Tensor:
        """How many weights a mask keeps."""
        ...


class Search(Protocol):
    """A running search as methods see it."""

    numel: int
    n_keep: int
    progress: float
    events: list[Event]

    @property
    def layers(self) -> Mapping[str, Layer]:
        """The layers by name."""
        ...

    @property
    def budget(self) -> int | None:
        """Weights to keep now in all layers together, or None where each has its own number."""
        ...

    def set_n_keep(self, n_keep: int) -> None:
        """Keep this many weights in all layers together."""
        ...

    def coin(self, name: str, draw: int, frac: float | Fraction) -> torch.Tensor:
        """An independent True with probability `frac` for each weight of a layer."""
        ...

    def fresh_weights(self, name: str, draw: int) -> torch.Tensor:
        """Draw `draw` of all weights of a layer."""
        ...

    def draw_noise(self, draw: int) -> None:
        """Give every layer draw `draw` of the noise from which its mask is sampled."""
        ...


@dataclass(frozen=True)
class Method:
    """Base of all methods, with the rules of Edge-Popup.

    Parameters
    ----------
    score_key : {"abs", "raw"}
        What is ranked: the absolute value of the score or the signed score itself.
    score_init : {"kaiming-uniform-a5", "kaiming-uniform-relu"}
        Law of the first scores: uniform within 1/sqrt(fan_in) or within sqrt(6/fan_in). Multiplying scores and learning
        rate by c and dividing the weight decay by c changes no mask, so the choice only rescales the learning rate.
    scope : {"layer", "global"}
        Compare keys within each tensor, or in all of them together (in the authors' code of Biprop since 2022-02, "A
        Winning Hand"; the other papers compare within layers).
    schedule_epochs : int >= 0
        With global scope and density <= 1/2: epochs over which the pruned fraction goes from `schedule_start` to its
        aim, as a cube (authors' code of Biprop: 10). 0 prunes to the aim at once, which may empty whole layers.
    schedule_start : float in [0, 1)
        Pruned fraction in the first epoch of the schedule.
    """

    score_key: str = "abs"
    score_init: str = "kaiming-uniform-a5"
    scope: str = "layer"
    schedule_epochs: int = 0
    schedule_start: float = 0.5

    name: ClassVar[str] = "method"
    activation: ClassVar[str] = "relu"
    """Which activation the model should have: "relu" or "sign"."""
    keeps_origins: ClassVar[bool] = False
    """Whether weights may be copies of others."""
    exact_count: ClassVar[bool] = True
    """Whether a mask keeps exactly the number that it aims at."""
    samples: ClassVar[bool] = False
    """Whether masks are drawn at random, in training anew for every step."""

    def __post_init__(self) -> None:
        one_of("score_key", self.score_key, SCORE_KEYS)
        one_of("score_init", self.score_init, SCORE_INITS)
        one_of("scope", self.scope, SCOPES)
        whole("schedule_epochs", self.schedule_epochs, 0)
        if self.schedule_epochs and self.scope != "global":
            raise ValueError(
                f"schedule_epochs must be 0, or more with scope='global', got schedule_epochs={self.schedule_epochs}"
            )
        if not 0 <= exact_fraction("schedule_start", self.schedule_start) < 1:
            raise ValueError(f"schedule_start must be in [0, 1), got schedule_start={shown(self.schedule_start)}")

    @property
    def across(self) -> bool:
        """Whether keys are compared in all tensors together, and not in each for itself."""
        return self.scope == "global"

    @property
    def keeps_draws(self) -> bool:
        """Whether weights may be new draws."""
        return False

    @property
    def later_law(self) -> str | None:
        """Law of new draws where it is not that of the first ones."""
        return None

    def key(self, scores: torch.Tensor) -> torch.Tensor:
        """Ranking key of scores."""
        return scores.abs() if self.score_key == "abs" else scores

    def mask(self, layer: Layer) -> torch.Tensor:
        """Which weights of a tensor are kept, where tensors are not compared with each other."""
        scores = layer.scores.detach()
        found = mask_from(scores, layer.aim, layer.threshold, absolute=self.score_key == "abs")
        return keep_mask(self.key(scores), layer.aim) if found is None else found

    def gain(self, weight: torch.Tensor, mask: torch.Tensor, n_keep: int | torch.Tensor) -> torch.Tensor | None:
        """Scale of the kept weights where they are binarised, else None."""
        return None

    def value_and_slope(
        self, weight: torch.Tensor, mask: torch.Tensor, n_keep: int | torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """What a kept weight is worth, and the factor by which the gradient reaches its key (None: the same)."""
        return weight, None

    def masks_together(self, layers: Sequence[Layer], n_keep: int) -> list[torch.Tensor]:
        """Which weights are kept where tensors are compared with each other: `n_keep` of all together."""
        return keep_masks_global([self.key(layer.scores.detach()) for layer in layers], n_keep)

    def first_scores(self, uniform: torch.Tensor, layer: Layer, search: Search, score_init: str) -> torch.Tensor:
        """The scores with which a tensor starts.

        Parameters
        ----------
        uniform : torch.Tensor of float64, shape of the scores
            Draws in [-1, 1).
        score_init : str
            One of `SCORE_INITS`.
        """
        return uniform * score_bound(score_init, layer.fan_in)

    def rule(self, layer: Layer) -> dict[str, Any]:
        """What, beside scores and weights, settles the network that a tensor stands for, as plain values."""
        return {"method": self.name, "score_key": self.score_key, "n_keep": layer.aim}

    def effective(self, layer: Layer) -> torch.Tensor:
        """The effective weight of a tensor, with its gradient.

        Where masks are sampled, it is that of the step in training, and the ticket's in evaluation.
        """
        mask = layer.mask()
        value, slope = self.value_and_slope(layer.frozen, mask, layer.count(mask))
        return straight_through(layer.scores, value, mask, slope=slope, signed=self.score_key == "abs")

    def check(self, init: str) -> None:
        """Refuse weights of a law with which the method cannot work."""

    def check_density(self, name: str, density: Number) -> None:
        """Refuse a density of a tensor with which the method cannot work."""

    def n_keep_at(self, search: Search, epoch: int) -> int | None:
        """Weights kept in all tensors together during an epoch, where the method compares globally.

        With a schedule, more is kept in the first epochs.
        """
        if not self.across:
            return None
        aim = Fraction(search.n_keep, search.numel)
        if epoch >= self.schedule_epochs or 2 * aim > 1:
            return search.n_keep
        left = (1 - Fraction(epoch, self.schedule_epochs)) ** 3
        pruned = (1 - aim) + (exact_fraction("schedule_start", self.schedule_start) - (1 - aim)) * left
        return count_to_keep(1 - pruned, search.numel)

    def first_event(self) -> int | None:
        """Number of steps at the end of which `before_step` has had to do something, or None if it never has to."""
        return None

    def before_step(self, search: Search, step: int) -> Event | None:
        """Called before the forward pass of every step, counted from 0 across epochs."""
        return None

    def after_epoch(self, search: Search, epoch: int, epochs: int) -> Event | None:
        """Called after the validation and the checkpoint of every epoch, counted from 0.

        With a schedule, the number kept becomes that of the next epoch.
        """
        if not self.across:
            return None
        before, now = self.n_keep_at(search, epoch), self.n_keep_at(search, epoch + 1)
        assert now is not None
        search.set_n_keep(now)
        return Event("density", epoch + 1, epoch=epoch, changed=0) if now != before else None

    def options(self) -> dict[str, Any]:
        """The method's parameters by name."""
        return dataclasses.asdict(self)
