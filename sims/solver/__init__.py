"""Exact best choices of values for a target; see ``sims.solver.best``."""

from sims.solver.best import Best, BestBatch, any_within, best_subset, best_subsets, best_subsets_shared

__all__ = ["Best", "BestBatch", "any_within", "best_subset", "best_subsets", "best_subsets_shared"]
