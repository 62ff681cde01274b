"""Random subset sums of vectors: how probable is a sum within eps of a target vector in every coordinate?"""

from theory.vector_sum.blocks import (
    failure_prob_bound,
    log_failure_prob_bound,
    required_n,
    success_prob_lower,
    success_prob_second_moment,
)
from theory.vector_sum.first_moment import necessary_n, necessary_n_closed_form, success_prob_upper
from theory.vector_sum.prediction import failure_prediction, predicted_n, success_prediction, threshold_n
from theory.vector_sum.published import becchetti_n
from theory.vector_sum.question import VectorSum

__all__ = [
    "VectorSum", "becchetti_n", "failure_prediction", "failure_prob_bound", "log_failure_prob_bound", "necessary_n",
    "necessary_n_closed_form", "predicted_n", "required_n", "success_prediction", "success_prob_lower",
    "success_prob_second_moment", "success_prob_upper", "threshold_n",
]  # fmt: skip
