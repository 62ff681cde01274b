"""What a ticket-finding algorithm is: how scores are ranked, what a kept weight is worth, what happens between steps.

All methods freeze random weights W and train scores S of the same shape. In every forward pass the mask M keeps the
highest scores, and the gradient passes the mask as if it were the identity of the ranking key. `Method` holds the rules
of Edge-Popup; the others override what they change: `nets.search.methods.edge_popup`, `nets.search.methods.biprop`,
`nets.search.methods.iterand`, `nets.search.methods.recycle`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

import torch

if TYPE_CHECKING:
    from nets.search.find import TicketSearch

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
    """

    score_key: str = "abs"
    score_init: str = "kaiming-uniform-a5"

    name: ClassVar[str] = "method"
    activation: ClassVar[str] = "relu"
    """Which activation the model should have: "relu" or "sign"."""
    scope: ClassVar[str] = "layer"
    """Where keys are compared: "layer" (in each layer for itself) or "global" (in all layers together)."""
    keeps_draws: ClassVar[bool] = False
    keeps_origins: ClassVar[bool] = False

    def __post_init__(self) -> None:
        one_of("score_key", self.score_key, SCORE_KEYS)
        one_of("score_init", self.score_init, SCORE_INITS)

    def key(self, scores: torch.Tensor) -> torch.Tensor:
        """Ranking key of scores."""
        return scores.abs() if self.score_key == "abs" else scores

    def gain(self, weight: torch.Tensor, mask: torch.Tensor, n_keep: int | torch.Tensor) -> torch.Tensor | None:
        """Scale of the kept weights where they are binarised, else None."""
        return None

    def value_and_slope(
        self, weight: torch.Tensor, mask: torch.Tensor, n_keep: int | torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """What a kept weight is worth, and the factor by which the gradient reaches its key (None: the same)."""
        return weight, None

    def check(self, init: str) -> None:
        """Refuse weights of a law with which the method cannot work."""

    def n_keep_at(self, search: TicketSearch, epoch: int) -> int | None:
        """Weights kept in all layers together during an epoch, where the method compares globally."""
        return search.n_keep if self.scope == "global" else None

    def before_step(self, search: TicketSearch, step: int) -> Event | None:
        """Called before the forward pass of every step, counted from 0 across epochs."""
        return None

    def after_epoch(self, search: TicketSearch, epoch: int, epochs: int) -> Event | None:
        """Called after the validation and the checkpoint of every epoch, counted from 0."""
        return None

    def options(self) -> dict[str, Any]:
        """The method's parameters by name."""
        return dataclasses.asdict(self)


_PLACES = {
    "edge-popup": ("nets.search.methods.edge_popup", "EdgePopup"),
    "biprop": ("nets.search.methods.biprop", "Biprop"),
    "mpt-1-1": ("nets.search.methods.biprop", "Mpt11"),
    "iterand": ("nets.search.methods.iterand", "IteRand"),
    "recycle": ("nets.search.methods.recycle", "Recycle"),
    "biprop-recycle": ("nets.search.methods.recycle", "BipropRecycle"),
}


class _Methods(Mapping[str, type[Method]]):
    """Name -> class, imported when asked for."""

    def __getitem__(self, name: str) -> type[Method]:
        module, attribute = _PLACES[name]
        found: type[Method] = getattr(import_module(module), attribute)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(_PLACES)

    def __len__(self) -> int:
        return len(_PLACES)


METHODS: Mapping[str, type[Method]] = _Methods()
"""All methods by name."""


def make_method(method: str | Method, **options: Any) -> Method:
    """A method from its name and options.

    Parameters
    ----------
    method : str or Method
        A name in `METHODS`, or a method as it is.
    **options
        Parameters of the method's class.

    Raises
    ------
    ValueError
        If the name or an option is unknown, a value is outside its domain, or options come with a ready method.

    Examples
    --------
    >>> make_method("iterand", rerand_every=100)
    IteRand(score_key='raw', score_init='kaiming-uniform-relu', rerand_every=100, rerand_frac=0.1, rerand_init=None)
    >>> make_method("edge-pop")
    Traceback (most recent call last):
        ...
    ValueError: method must be one of edge-popup, biprop, mpt-1-1, iterand, recycle, biprop-recycle, got 'edge-pop'
    """
    if isinstance(method, Method):
        if options:
            raise ValueError(f"options belong to a method given by name, got {', '.join(options)} with {method!r}")
        return method
    if method not in _PLACES:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    kind = METHODS[method]
    known = [field.name for field in dataclasses.fields(kind)]
    unknown = [name for name in options if name not in known]
    if unknown:
        raise ValueError(f"method {method} has no option {', '.join(unknown)}; it has {', '.join(known)}")
    return kind(**options)


def whole(name: str, value: Any, low: int) -> None:
    """ValueError unless the value is an integer >= low."""
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        raise ValueError(f"{name} must be an integer >= {low}, got {name}={value!r}")


def one_of(name: str, value: Any, choices: tuple[str, ...]) -> None:
    """ValueError unless the value is one of the choices."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, got {name}={value!r}")
