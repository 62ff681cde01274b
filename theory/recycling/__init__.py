"""Recycling: n slots may each take any of the n values already present, or stay empty. What does it gain?"""

from theory.recycling.bounds import (
    certain_failure,
    count_R,
    effective_R,
    expected_R,
    failure_prediction,
    failure_prob_bound,
    gain_left,
    interpolated_R,
    log_failure_prob_bound,
    multiset_count,
    necessary_n,
    predicted_n,
    required_n,
    success_prediction,
    success_prob_lower,
    success_prob_pairs,
    success_prob_upper,
)
from theory.recycling.question import Recycling

__all__ = [
    "Recycling",
    "certain_failure",
    "count_R",
    "effective_R",
    "expected_R",
    "failure_prediction",
    "failure_prob_bound",
    "gain_left",
    "interpolated_R",
    "log_failure_prob_bound",
    "multiset_count",
    "necessary_n",
    "predicted_n",
    "required_n",
    "success_prediction",
    "success_prob_lower",
    "success_prob_pairs",
    "success_prob_upper",
]
