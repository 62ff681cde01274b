"""Random subset sum of fixed size: how probable is a sum of exactly k re-sampled values within eps of a target?"""

from theory.fixed_size.bounds import (
    failure_prob_bound,
    necessary_n,
    required_n,
    success_prob_lower,
    success_prob_second_moment,
    success_prob_upper,
)
from theory.fixed_size.prediction import entropy_shape, failure_prediction, predicted_n, success_prediction
from theory.fixed_size.question import FixedSize

__all__ = [
    "FixedSize", "entropy_shape", "failure_prediction", "failure_prob_bound", "necessary_n", "predicted_n",
    "required_n", "success_prediction", "success_prob_lower", "success_prob_second_moment", "success_prob_upper",
]  # fmt: skip
