"""What no construction can do without: lower bounds on parameters and on candidates, in one place.

The necessary numbers of candidates for one weight are those of statements 1.1, 2.1 and 3.5, under one kind of name.
"""

from theory.coverage import necessary_n as necessary_n_coverage
from theory.necessary.bounds import (
    bits_per_param,
    log2_networks,
    log2_packing,
    necessary_params,
    necessary_params_natale,
    necessary_params_pensia,
    necessary_width,
)
from theory.single_weight import required_n_exact as necessary_n_single_weight
from theory.subset_sum import necessary_n as necessary_n_subset_sum
from theory.subset_sum import necessary_n_closed_form as necessary_n_subset_sum_closed_form

__all__ = [
    "bits_per_param", "log2_networks", "log2_packing", "necessary_n_coverage", "necessary_n_single_weight",
    "necessary_n_subset_sum", "necessary_n_subset_sum_closed_form", "necessary_params", "necessary_params_natale",
    "necessary_params_pensia", "necessary_width",
]  # fmt: skip
