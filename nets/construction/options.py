"""Which options of a construction go together."""

from __future__ import annotations

CONSTRUCTIONS = ("window", "best", "subset-sum")


def check_construction(construction: str, *, signs: str | None, halves: str, R: int, sampler: str) -> str:
    """The `signs` in force, or ValueError where the options do not go together."""
    if construction not in CONSTRUCTIONS:
        raise ValueError(f"construction must be one of {CONSTRUCTIONS}, got construction={construction!r}")
    if halves not in ("both", "needed"):
        raise ValueError(f"halves must be 'both' or 'needed', got halves={halves!r}")
    if signs is None:
        signs = "open" if construction == "subset-sum" and R == 1 else "assigned"
    if signs not in ("assigned", "open"):
        raise ValueError(f"signs must be 'assigned' or 'open', got signs={signs!r}")
    if signs == "open" and (R > 1 or construction == "window" or sampler == "nearest"):
        raise ValueError("signs='open' needs R=1, sampler 'draws' and another construction than 'window'")
    if construction == "subset-sum" and sampler == "nearest":
        raise ValueError("construction 'subset-sum' needs sampler 'draws': it has no single aim")
    return signs
