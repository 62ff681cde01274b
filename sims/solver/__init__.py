"""Exact best choices of values for a target; see ``sims.solver.best``. Kernels are imported when they are asked for."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sims.solver.best import Best, BestBatch, any_within, best_subset, best_subsets, best_subsets_shared

__all__ = ["Best", "BestBatch", "any_within", "best_subset", "best_subsets", "best_subsets_shared"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from sims.solver import best

    return getattr(best, name)
