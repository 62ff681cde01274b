"""Networks: one weight from products, widths of the main theorem, and its narrowest corner (theory/PROOFS.md, 4)."""

from theory.network.convolution import (
    ConvolutionTheorem,
    convolution_etas,
    convolution_log_failure_bound,
    convolution_required_n,
    tap_eps,
)
from theory.network.corner import (
    corner_failure_exact,
    corner_log_failure_designated,
    corner_log_failure_exact,
    corner_R,
)
from theory.network.gadget import (
    SERVING_PROB,
    a_window_prob,
    any_pair_log_miss_bracket,
    b_window_prob,
    log_weight_miss_bound,
    log_window_miss_prob,
    neuron_log_miss_prob,
    neuron_log_success_prob,
    product_hit_prob,
    weight_log_miss_prob,
    window_success_prob,
)
from theory.network.halves import halves_closed_form, halves_log_miss_bound
from theory.network.pairs import log_apart_prob, pairs_log_miss_bound
from theory.network.parts import parts_log_failure_bound, required_n_parts
from theory.network.question import MainTheorem
from theory.network.width import (
    SourceWidth,
    failure_bound,
    layer_etas,
    log_failure_bound,
    required_n_ours,
    required_n_recalled,
    required_n_repaired,
    required_R_for_minimal_width,
    source_width,
    statement_log_failure_bound,
)

__all__ = [
    "SERVING_PROB",
    "ConvolutionTheorem",
    "MainTheorem",
    "SourceWidth",
    "a_window_prob",
    "any_pair_log_miss_bracket",
    "b_window_prob",
    "convolution_etas",
    "convolution_log_failure_bound",
    "convolution_required_n",
    "corner_R",
    "corner_failure_exact",
    "corner_log_failure_designated",
    "corner_log_failure_exact",
    "failure_bound",
    "halves_closed_form",
    "halves_log_miss_bound",
    "layer_etas",
    "log_apart_prob",
    "log_failure_bound",
    "log_weight_miss_bound",
    "log_window_miss_prob",
    "neuron_log_miss_prob",
    "neuron_log_success_prob",
    "pairs_log_miss_bound",
    "parts_log_failure_bound",
    "product_hit_prob",
    "required_R_for_minimal_width",
    "required_n_ours",
    "required_n_parts",
    "required_n_recalled",
    "required_n_repaired",
    "source_width",
    "statement_log_failure_bound",
    "tap_eps",
    "weight_log_miss_prob",
    "window_success_prob",
]  # fmt: skip
