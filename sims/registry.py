"""Every question that can be simulated: one line each. Experiments and figures are loaded when they are asked for."""

from __future__ import annotations

import importlib
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
    "ProductSum": ("sims.product_sum", "some of n products of two weights adding up to within eps of a weight?"),
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
    module = EXPERIMENTS.get(type(question).__name__)
    if module is None:
        raise ValueError(f"a question must be one of {', '.join(EXPERIMENTS)}, got {question!r}")
    return _load(module)


def _load(module: str) -> Experiment[Any, Any]:
    try:
        found: Experiment[Any, Any] = importlib.import_module(module).EXPERIMENT
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.split(".")[0] not in ("torch", "safetensors"):
            raise
        name = module.rpartition(".")[2]
        raise ValueError(f"{name} needs PyTorch: pip install 'strong-tickets[nets]'") from None
    return found
