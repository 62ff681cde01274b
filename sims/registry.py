"""Every question that can be simulated: one line each. Experiments and figures are loaded when they are asked for."""

from __future__ import annotations

import importlib
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from sims.statistics.figure import figure_of

if TYPE_CHECKING:
    from sims.experiment import Experiment

__all__ = ["EXPERIMENTS", "NAMES", "QUESTIONS", "experiment", "experiment_of", "figure_of"]

QUESTIONS = {
    "SubsetSum": ("sims.subset_sum", "some sum of n re-sampled values within eps of alpha?"),
    "SingleWeight": ("sims.single_weight", "one of n R single draws within eps of alpha?"),
    "Coverage": ("sims.coverage", "every target of an interval at once? how wide is the largest gap?"),
    "Recycling": ("sims.recycling", "how many fresh draws is recycling worth?"),
    "BinaryWeights": ("sims.binary_weights", "some mask of n weights +-gain within eps of alpha?"),
    "FixedSize": ("sims.fixed_size", "some sum of exactly k of n re-sampled values within eps of alpha?"),
    "GridSum": ("sims.grid_sum", "some sum of n quantised values equal to a target, exactly?"),
    "MovableSum": ("sims.movable_sum", "some sum of n values within eps of alpha, if each may move a little?"),
    "ProductSum": ("sims.product_sum", "some of n products of two weights adding up to within eps of a weight?"),
    "VectorSum": ("sims.vector_sum", "some sum of n re-sampled vectors within eps of a vector, in every coordinate?"),
    "DrawCode": ("sims.draw_code", "how many bits name the first draw within eps of a block of weights?"),
    "MainTheorem": ("nets.main_theorem", "does the random network of depth 2l contain the target?"),
}
"""A question's class, the module whose ``EXPERIMENT`` simulates it, and what it asks, for ``strong-tickets --help``."""

EXPERIMENTS = {question: module for question, (module, _) in QUESTIONS.items()}
"""A question's class and its module, whose last part names the experiment."""

NAMES = tuple(module.rpartition(".")[2] for module in EXPERIMENTS.values())
"""Names of the experiments, as ``sims.sweep NAME`` and ``figures.NAME`` have them."""


def experiment(name: str) -> Experiment[Any, Any]:
    """The experiment of that name; ValueError if there is none, or it needs an extra that is not installed.

    Examples
    --------
    >>> experiment("subset_sum").command
    'sims.subset_sum'
    """
    for module in EXPERIMENTS.values():
        if module.rpartition(".")[2] == name:
            return _load(module)
    raise ValueError(f"the experiment must be one of {', '.join(NAMES)}, got {name}")


def experiment_of(question: object) -> Experiment[Any, Any]:
    """The experiment that simulates a question; ValueError if none does."""
    names = (kind.__name__ for kind in type(question).__mro__)  # a special case is simulated by its general one
    module = next((EXPERIMENTS[name] for name in names if name in EXPERIMENTS), None)
    if module is None:
        raise ValueError(f"a question must be one of {', '.join(EXPERIMENTS)}, got {question!r}")
    return _load(module)


def _load(module: str) -> Experiment[Any, Any]:
    if module.startswith("nets.") and not _installed("torch"):
        name = module.rpartition(".")[2]
        raise ValueError(f"{name} needs PyTorch: pip install 'strong-tickets[nets]'")
    found: Experiment[Any, Any] = importlib.import_module(module).EXPERIMENT
    return found


def _installed(package: str) -> bool:
    """Whether a package could be imported; experiments import it only where they need it."""
    if package in sys.modules:
        return sys.modules[package] is not None
    return find_spec(package) is not None
