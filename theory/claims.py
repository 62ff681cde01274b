"""The registry of statements: what is claimed, on whose word, under which assumptions, and which functions compute it.

One file per section; a new section adds its tuple to CLAIMS. A test resolves every function and looks for the heading
``## <id>`` of every proved claim in theory/PROOFS.md.
"""

from __future__ import annotations

from theory._claim import Claim, Status
from theory._claims_binary import BINARY
from theory._claims_coverage import COVERAGE
from theory._claims_neighbours import NEIGHBOURS
from theory._claims_networks import NETWORKS
from theory._claims_recycling import RECYCLING
from theory._claims_sums import SINGLE_WEIGHT, SUBSET_SUM

__all__ = ["BY_ID", "CLAIMS", "Claim", "Status"]

CLAIMS: tuple[Claim, ...] = SINGLE_WEIGHT + SUBSET_SUM + COVERAGE + NETWORKS + NEIGHBOURS + RECYCLING + BINARY

BY_ID: dict[str, Claim] = {claim.id: claim for claim in CLAIMS}
