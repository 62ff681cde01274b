"""What no construction can do without: lower bounds on parameters and on candidates, in one place."""

from theory.necessary.bounds import (
    bits_per_param,
    log2_networks,
    log2_packing,
    necessary_n_coverage,
    necessary_n_single_weight,
    necessary_n_subset_sum,
    necessary_n_subset_sum_closed_form,
    necessary_params,
    necessary_params_natale,
    necessary_params_pensia,
    necessary_width,
)

__all__ = [
    "bits_per_param",
    "log2_networks",
    "log2_packing",
    "necessary_n_coverage",
    "necessary_n_single_weight",
    "necessary_n_subset_sum",
    "necessary_n_subset_sum_closed_form",
    "necessary_params",
    "necessary_params_natale",
    "necessary_params_pensia",
    "necessary_width",
]
