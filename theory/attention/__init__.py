"""Attention: errors of entries through a softmax, and random projections that hold it (theory/PROOFS.md, 4.10)."""

from theory.attention.entry import (
    EntryDesign,
    entry_failure_bound,
    log_pick_failure_bound,
    log_plain_shift_failure_bound,
    required_neurons,
)
from theory.attention.propagation import attention_error_bound, attention_etas, softmax_distance_bound
from theory.attention.question import AttentionTheorem

__all__ = [
    "AttentionTheorem",
    "EntryDesign",
    "attention_error_bound",
    "attention_etas",
    "entry_failure_bound",
    "log_pick_failure_bound",
    "log_plain_shift_failure_bound",
    "required_neurons",
    "softmax_distance_bound",
]
