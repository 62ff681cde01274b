"""Random subset sum with re-sampling: how probable is a sum within eps of a target alpha?"""

from theory.subset_sum.blocks import (
    MAX_BLOCK,
    failure_prob_bound,
    log_failure_prob_bound,
    success_prob_last_variable,
    success_prob_lower,
    success_prob_second_moment,
    success_prob_weighted,
)
from theory.subset_sum.first_moment import (
    log_success_prob_upper,
    log_sum_hit_prob,
    necessary_n,
    necessary_n_closed_form,
    success_prob_upper,
    sum_hit_prob,
)
from theory.subset_sum.prediction import (
    failure_prediction,
    mean_and_variance,
    partition_miss_prediction,
    predicted_n,
    success_prediction,
    success_prediction_given,
    threshold_n,
)
from theory.subset_sum.question import SubsetSum
from theory.subset_sum.required import RequiredN, required_n

__all__ = [
    "MAX_BLOCK", "RequiredN", "SubsetSum", "failure_prediction", "failure_prob_bound", "log_failure_prob_bound",
    "log_success_prob_upper", "log_sum_hit_prob", "mean_and_variance", "necessary_n", "necessary_n_closed_form",
    "partition_miss_prediction", "predicted_n", "required_n", "success_prediction", "success_prediction_given",
    "success_prob_last_variable", "success_prob_lower", "success_prob_second_moment", "success_prob_upper",
    "success_prob_weighted", "sum_hit_prob", "threshold_n",
]  # fmt: skip
