"""Random subset sum of quantised values: how probable is it that a sum hits a target of the grid exactly?"""

from theory.grid_sum.bounds import (
    MAX_BLOCK,
    failure_prob_bound,
    necessary_n,
    required_n,
    success_prob_lower,
    success_prob_second_moment,
    success_prob_upper,
    sum_hit_prob_exact,
)
from theory.grid_sum.pick_one import miss_prob_one_exact, required_n_one
from theory.grid_sum.prediction import failure_prediction, predicted_n, success_prediction
from theory.grid_sum.question import GridSum

__all__ = [
    "MAX_BLOCK", "GridSum", "failure_prediction", "failure_prob_bound", "miss_prob_one_exact", "necessary_n",
    "predicted_n", "required_n", "required_n_one", "success_prediction", "success_prob_lower",
    "success_prob_second_moment", "success_prob_upper", "sum_hit_prob_exact",
]  # fmt: skip
