"""The methods that find a subnetwork, one a file, and the table of them that everything else reads.

Commands take their choices and help texts from `METHODS`, `nets.search.find.find_tickets` what it accepts, figures
their names and order. A new method is one file here and one line in the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nets.search.methods.method import Method

LAWS = ("signed-constant", "kaiming-uniform", "kaiming-normal")
"""Laws of random weights, all with standard deviation sqrt(2 / fan_in) times the scale."""
SCALES = ("unscaled", "paper", "reference-code")
"""Factors on their size, see `nets.search.draws.scale_factor`."""

_SCOPE = ("scope", "schedule_epochs", "schedule_start")
_SCORES = ("score_key", "score_init", *_SCOPE)
_BINARY = (*_SCORES, "gradient")
_RERAND = ("rerand_every", "rerand_frac", "rerand_init")
_RECYCLE = ("recycle_every", "recycle_frac", "recycle_after", "sources", "with_rerand")


@dataclass(frozen=True)
class Entry:
    """What is known of a method without PyTorch.

    Attributes
    ----------
    module, kind : str
        Where its class is.
    label : str
        Its name for people.
    settings : tuple of str
        Those of its options that a training run sets.
    """

    module: str
    kind: str
    label: str
    settings: tuple[str, ...] = ()

    def load(self) -> type[Method]:
        """The class."""
        found: type[Method] = getattr(import_module(f"nets.search.methods.{self.module}"), self.kind)
        return found


METHODS: Mapping[str, Entry] = {
    "edge-popup": Entry("edge_popup", "EdgePopup", "Edge-Popup", _SCORES),
    "biprop": Entry("biprop", "Biprop", "Biprop", _BINARY),
    "mpt-1-1": Entry("mpt_1_1", "Mpt11", "Biprop with binary activations", _BINARY),
    "iterand": Entry("iterand", "IteRand", "IteRand", (*_SCORES, *_RERAND)),
    "recycle": Entry("recycle", "Recycle", "Edge-Popup with weight recycling", (*_SCORES, *_RECYCLE)),
    "biprop-recycle": Entry("biprop_recycle", "BipropRecycle", "Biprop with weight recycling", (*_BINARY, *_RECYCLE)),
    "bernoulli": Entry("bernoulli", "Bernoulli", "sampled supermasks", ("evaluation", "first_probabilities")),
    "probmask": Entry("probmask", "ProbMask", "ProbMask", (*_SCOPE, "evaluation", "final_temperature")),
    "signed-supermask": Entry("signed_supermask", "SignedSupermask", "signed supermasks", ("score_init", *_SCOPE)),
}
"""All methods by name."""


def having(setting: str) -> tuple[str, ...]:
    """The methods that have a setting.

    Examples
    --------
    >>> having("recycle_every")
    ('recycle', 'biprop-recycle')
    """
    return tuple(name for name, entry in METHODS.items() if setting in entry.settings)


def make_method(method: str | Method, **options: object) -> Method:
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
    >>> make_method("biprop", gradient="gain").options()["gradient"]
    'gain'
    >>> make_method("edge-pop")
    Traceback (most recent call last):
        ...
    ValueError: method must be one of edge-popup, biprop, mpt-1-1, ..., signed-supermask, got 'edge-pop'
    """
    from dataclasses import fields

    from nets.search.methods.method import Method
    from theory.numerics.check import shown

    if isinstance(method, Method):
        if options:
            raise ValueError(f"options belong to a method given by name, got {', '.join(options)} with {method!r}")
        return method
    if not isinstance(method, str) or method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {shown(method)}")
    kind = METHODS[method].load()
    known = [field.name for field in fields(kind)]
    unknown = [name for name in options if name not in known]
    if unknown:
        raise ValueError(f"method {method} has no option {', '.join(unknown)}; it has {', '.join(known)}")
    return kind(**options)  # type: ignore[arg-type]  # each class checks its own
