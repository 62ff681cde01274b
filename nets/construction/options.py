"""Which options of a construction go together."""

from __future__ import annotations

from theory.numerics.check import shown

PARTS = {"halves": 2, "thirds": 3, "quarters": 4}
"""Products that a weight is the sum of, each by a neuron of another group."""

CONSTRUCTIONS = ("window", "best", *PARTS, "subset-sum")


def check_construction(
    construction: str, *, R: int, n: int, signs: str | None = None, sides: str = "both", sampler: str = "draws"
) -> str:
    """The `signs` in force, or ValueError where the options do not go together."""
    for name, value in (
        ("construction", construction),
        ("sides", sides),
        ("signs", "open" if signs is None else signs),
    ):
        if not isinstance(value, str):
            raise ValueError(f"{name} must be a word, got {name}={shown(value)}")
    if construction not in CONSTRUCTIONS:
        raise ValueError(f"construction must be one of {CONSTRUCTIONS}, got construction={construction!r}")
    if sides not in ("both", "needed"):
        raise ValueError(f"sides must be 'both' or 'needed', got sides={sides!r}")
    parts = PARTS.get(construction, 1)
    if n < parts:
        raise ValueError(f"construction {construction!r} needs n >= {parts}, a neuron for every part, got n={n}")
    if signs is None:
        several = construction == "subset-sum" or parts > 1
        signs = "open" if several and R == 1 and sampler == "draws" else "assigned"
    if signs not in ("assigned", "open"):
        raise ValueError(f"signs must be 'assigned' or 'open', got signs={signs!r}")
    if signs == "open" and (R > 1 or construction == "window" or sampler == "nearest"):
        raise ValueError("signs='open' needs R=1, sampler 'draws' and another construction than 'window'")
    if construction == "subset-sum" and sampler == "nearest":
        raise ValueError("construction 'subset-sum' needs sampler 'draws': it has no single aim")
    return signs


def check_promise(construction: str, *, statement: str, sampler: str) -> None:
    """ValueError where a statement of the main theorem does not speak of what the construction keeps at its n."""
    if construction == "subset-sum":
        raise ValueError("construction subset-sum needs n: no statement with known constants gives it")
    covered = {"halves": ("halves",), "pairs": ("halves",)}.get(statement, ("window", "best"))
    if construction not in covered:
        spoken = " or ".join(covered)
        raise ValueError(f"statement {statement} speaks of construction {spoken}: give n for {construction}")
    if statement == "pairs" and sampler != "draws":
        raise ValueError("statement pairs needs sampler draws: the nearest of R draws is that to one aim")
