"""The subset-sum construction with re-sampling: logarithmic width with every constant known (theory/PROOFS.md, 4.7)."""

from theory.product_sum.bounds import (
    REACH,
    Design,
    covering_group,
    log_network_failure_bound,
    network_designs,
    required_n,
    required_neurons,
    unit_accuracy,
)
from theory.product_sum.convolution import convolution_designs, convolution_least_n
from theory.product_sum.first_moment import necessary_n, predicted_n, success_prediction, success_prob_upper
from theory.product_sum.question import ProductSum
from theory.product_sum.steps import (
    log_share_failure_bound,
    log_shift_failure_bound,
    neuron_factor,
    neuron_steps,
    neurons_closed_form,
)

__all__ = [
    "REACH", "Design", "ProductSum", "convolution_designs", "convolution_least_n", "covering_group",
    "log_network_failure_bound",
    "log_share_failure_bound", "log_shift_failure_bound", "necessary_n", "network_designs", "neuron_factor",
    "neuron_steps", "neurons_closed_form", "predicted_n", "required_n", "required_neurons", "success_prediction",
    "success_prob_upper", "unit_accuracy",
]  # fmt: skip
