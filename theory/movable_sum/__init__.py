"""Random subset sum of movable values: every kept value may move a little, so the window grows with their number."""

from theory.movable_sum.bounds import (
    MAX_BLOCK,
    failure_prob_bound,
    necessary_n,
    required_n,
    success_prob_lower,
    success_prob_second_moment,
    success_prob_upper,
)
from theory.movable_sum.prediction import failure_prediction, predicted_n, success_prediction
from theory.movable_sum.question import MovableSum

__all__ = [
    "MAX_BLOCK", "MovableSum", "failure_prediction", "failure_prob_bound", "necessary_n", "predicted_n", "required_n",
    "success_prediction", "success_prob_lower", "success_prob_second_moment", "success_prob_upper",
]  # fmt: skip
