"""The registry of statements: what is claimed, on whose word, under which assumptions, and which functions compute it.

One file per section; a new section adds its tuple to CLAIMS. A test resolves every function and looks for the heading
``## <id>`` of every proved claim in theory/PROOFS.md.
"""

from __future__ import annotations

from theory.binary_weights.claims import BINARY
from theory.claim import Claim, Status
from theory.coverage.claims import COVERAGE
from theory.necessary.claims import NEIGHBOURS
from theory.network.claims import NETWORKS
from theory.recycling.claims import RECYCLING
from theory.single_weight.claims import SINGLE_WEIGHT
from theory.subset_sum.claims import SUBSET_SUM

__all__ = ["BY_ID", "CLAIMS", "Claim", "Status"]

CLAIMS: tuple[Claim, ...] = SINGLE_WEIGHT + SUBSET_SUM + COVERAGE + NETWORKS + NEIGHBOURS + RECYCLING + BINARY

BY_ID: dict[str, Claim] = {claim.id: claim for claim in CLAIMS}
