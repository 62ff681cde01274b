"""What a registered statement consists of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Status = Literal["proved", "read", "recalled", "heuristic"]


@dataclass(frozen=True)
class Claim:
    """One statement.

    Attributes
    ----------
    id : str
        Section and number, e.g. "1.1"; the heading of its proof.
    statement : str
        The claim in one sentence.
    source : str
        "theory/PROOFS.md" or a key of theory.bibliography.
    status : {"proved", "read", "recalled", "heuristic"}
        Proved in PROOFS.md; read in the paper's text or code; recalled, not checked; or a prediction, never a bound.
    assumptions : tuple of str
        What the statement needs.
    functions : tuple of str
        Dotted names of the functions that evaluate it.
    test : str
        The file under tests/ that tests it.
    simulation : str
        The command that simulates it, e.g. "sims.subset_sum"; empty if there is none.
    figure : str
        Number of the figure that shows it; empty if there is none.
    short : str
        The claim in a few words, for tables; empty: the statement itself.
    """

    id: str
    statement: str
    source: str
    status: Status
    assumptions: tuple[str, ...]
    functions: tuple[str, ...]
    test: str
    simulation: str = ""
    figure: str = ""
    short: str = ""

    def __post_init__(self) -> None:
        if self.status not in get_args(Status):
            raise ValueError(f"status must be one of {', '.join(get_args(Status))}, got status={self.status!r}")
