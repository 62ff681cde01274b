"""What others published about the bits of a weight; their networks, data and errors are their own."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """A published number, to be read beside ours and not as a comparison under equal terms.

    Attributes
    ----------
    name : str
    key : str or None
        In `theory.bibliography`; None for what is common practice.
    low, high : float or None
        Bits of a weight; None where the source gives no single number.
    what : str
        What the number is of.
    trained : bool
        Whether the network is trained for it; otherwise a given network is stored.
    """

    name: str
    key: str | None
    low: float | None
    high: float | None
    what: str
    trained: bool


PUBLISHED = (
    Published("int8", None, 8.0, 8.0, "a byte a weight, common practice", False),
    Published(
        "SeedLM", "shafipour2024", 3.0, 4.0, "language models, seed and coefficients for a block of weights", False
    ),
    Published("FedPM", "isik2023", 0.0, 1.0, "seed and coded mask of a random network", True),
    Published(
        "MIRACLE", "havasi2019", None, None, "a random sample near a law of the weights, about its KL bits", True
    ),
)
