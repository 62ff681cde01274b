"""Every question that can be simulated: one line each. Experiments and figures are loaded when they are asked for."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from sims.statistics.figure import figure_of

if TYPE_CHECKING:
    from sims.experiment import Experiment

__all__ = ["EXPERIMENTS", "NAMES", "experiment", "experiment_of", "figure_of"]

EXPERIMENTS = {
    "SubsetSum": "sims.subset_sum",
    "SingleWeight": "sims.single_weight",
    "Coverage": "sims.coverage",
    "Recycling": "sims.recycling",
    "BinaryWeights": "sims.binary_weights",
    "ProductSum": "sims.product_sum",
    "MainTheorem": "nets.main_theorem",
}
"""A question's class, and the module whose ``EXPERIMENT`` simulates it; its last part names the experiment."""

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
