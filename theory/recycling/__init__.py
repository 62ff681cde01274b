"""Recycling: n slots may each take any of the n values already present, or stay empty. What does it gain?"""

from theory.recycling.lower_bound import (
    failure_prob_bound,
    log_failure_prob_bound,
    required_n,
    success_prob_lower,
    success_prob_pairs,
)
from theory.recycling.prediction import failure_prediction, predicted_n, success_prediction
from theory.recycling.question import Recycling
from theory.recycling.tail import certain_failure
from theory.recycling.upper_bound import necessary_n, success_prob_upper
from theory.recycling.worth import count_R, effective_R, expected_R, gain_left, interpolated_R, multiset_count

__all__ = [
    "Recycling", "certain_failure", "count_R", "effective_R", "expected_R", "failure_prediction",
    "failure_prob_bound", "gain_left", "interpolated_R", "log_failure_prob_bound", "multiset_count", "necessary_n",
    "predicted_n", "required_n", "success_prediction", "success_prob_lower", "success_prob_pairs",
    "success_prob_upper",
]  # fmt: skip
