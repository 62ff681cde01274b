"""The registry of statements: what is claimed, on whose word, under which assumptions, and which functions compute it.

Each package states its claims in a file ``claims.toml``, beginning with its first section. A test resolves every
function and looks for the heading ``## <id>`` of every proved claim in theory/PROOFS.md.
"""

from __future__ import annotations

from pathlib import Path

from theory import records
from theory.claim import Claim, Status

__all__ = ["BY_ID", "CLAIMS", "PACKAGES", "Claim", "Status"]

_FOLDER = Path(__file__).parent


def _first_section(claims: tuple[Claim, ...]) -> list[int]:
    return [int(part) for part in claims[0].id.split(".")]


PACKAGES: dict[str, tuple[Claim, ...]] = dict(
    sorted(
        (
            (path.parent.name, records.read(f"{path.parent.name}/{path.name}", "claim", Claim))
            for path in _FOLDER.glob("*/claims.toml")
        ),
        key=lambda package: _first_section(package[1]),
    )
)
"""The claims of every package, in the order of the sections."""

CLAIMS = tuple(claim for claims in PACKAGES.values() for claim in claims)

BY_ID = {claim.id: claim for claim in CLAIMS}
