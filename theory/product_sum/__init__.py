"""The subset-sum construction with re-sampling: logarithmic width with every constant known (theory/PROOFS.md, 4.7)."""

from theory.product_sum.bounds import Design, log_network_failure_bound, network_designs, required_n, required_neurons
from theory.product_sum.convolution import convolution_designs, convolution_least_n
from theory.product_sum.first_moment import necessary_n, predicted_n, success_prediction, success_prob_upper
from theory.product_sum.question import ProductSum
from theory.product_sum.steps import (
    MEETING_SHARE,
    drift_constant,
    log_shift_failure_bound,
    neurons_closed_form,
    share_tail_closed_form,
)

__all__ = [
    "MEETING_SHARE",
    "Design",
    "ProductSum",
    "convolution_designs",
    "convolution_least_n",
    "drift_constant",
    "log_network_failure_bound",
    "log_shift_failure_bound",
    "necessary_n",
    "network_designs",
    "neurons_closed_form",
    "predicted_n",
    "required_n",
    "required_neurons",
    "share_tail_closed_form",
    "success_prediction",
    "success_prob_upper",
]
