"""The registry of statements: what is claimed, on whose word, under which assumptions, and which functions compute it.

Each package states its claims in a file ``claims.toml``, beginning with its first section. A test resolves every
function and looks for the heading ``## <id>`` of every proved claim in theory/PROOFS.md.
"""

from __future__ import annotations

from pathlib import Path

from theory import records
from theory.claim import Claim, Status

__all__ = ["BY_ID", "CLAIMS", "Claim", "Status"]

_FOLDER = Path(__file__).parent
_FILES = [records.read(str(path.relative_to(_FOLDER)), "claim", Claim) for path in _FOLDER.glob("*/claims.toml")]
_FILES.sort(key=lambda claims: [int(part) for part in claims[0].id.split(".")])

CLAIMS = tuple(claim for claims in _FILES for claim in claims)

BY_ID = {claim.id: claim for claim in CLAIMS}
