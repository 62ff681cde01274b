"""The registry of statements: what is claimed, on whose word, under which assumptions, and which functions compute it.

Each package states its claims in a file ``claims.toml``. A test resolves every function and looks for the heading
``## <id>`` of every proved claim in theory/PROOFS.md.
"""

from __future__ import annotations

from theory import records
from theory.claim import Claim, Status

__all__ = ["BY_ID", "CLAIMS", "Claim", "Status"]

_PACKAGES = (
    "single_weight", "subset_sum", "coverage", "network", "product_sum", "necessary", "recycling", "binary_weights",
)  # fmt: skip

CLAIMS = tuple(claim for package in _PACKAGES for claim in records.read(f"{package}/claims.toml", "claim", Claim))

BY_ID = {claim.id: claim for claim in CLAIMS}
