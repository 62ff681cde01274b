"""Networks: gadgets for one weight, widths of the main theorem, and its narrowest corner (theory/PROOFS.md, 4)."""

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
)

__all__ = [
    "MainTheorem",
    "SourceWidth",
    "failure_bound",
    "layer_etas",
    "log_failure_bound",
    "required_R_for_minimal_width",
    "required_n_ours",
    "required_n_recalled",
    "required_n_repaired",
    "source_width",
]
