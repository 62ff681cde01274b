"""The papers this package refers to, in one place; nothing here was guessed: an unknown field is None, with a note.

``version`` is the arXiv version that was read, and None when it was not checked.
"""

from __future__ import annotations

from dataclasses import dataclass

_VERSION = "arXiv version not checked"
_RECALLED = "recalled, text not checked"


@dataclass(frozen=True)
class Paper:
    """One paper.

    Attributes
    ----------
    key : str
        Name used in docstrings and in theory.claims.
    authors : str
        As they are usually cited.
    subject : str
        What the paper contributes here; not its title.
    year : int
        Year of the paper.
    arxiv : str or None
        arXiv identifier without version.
    version : str or None
        arXiv version that was read.
    title : str or None
        Title, once checked.
    note : str
        What was and what was not checked.
    """

    key: str
    authors: str
    subject: str
    year: int
    arxiv: str | None = None
    version: str | None = None
    title: str | None = None
    note: str = _VERSION


PAPERS: tuple[Paper, ...] = (
    Paper(
        "chijiwa2021iterand",
        "Chijiwa et al.",
        "IteRand: iterative randomisation of pruned weights",
        2021,
        "2106.09269",
        title="Pruning Randomly Initialized Neural Networks with Iterative Randomization",
        note=f"abstract and an excerpt of the appendix read; {_VERSION}",
    ),
    Paper(
        "diffenderfer2021multiprize",
        "Diffenderfer and Kailkhura",
        "Multi-Prize Tickets: binary weights",
        2021,
        "2103.09377",
        title="Multi-Prize Lottery Ticket Hypothesis: Finding Accurate Binary Neural Networks by Pruning A Randomly "
        "Weighted Network",
        note=f"abstract and authors' code read; {_VERSION}",
    ),
    Paper(
        "gorbett2023recycling",
        "Gorbett and Whitley",
        "Iterative Weight Recycling",
        2023,
        "2303.15953",
        title="Randomly Initialized Subnetworks with Iterative Weight Recycling",
        note=f"abstract read; {_VERSION}",
    ),
    Paper(
        "ramanujan2020",
        "Ramanujan et al.",
        "Edge-Popup",
        2020,
        "1911.13299",
        title="What's Hidden in a Randomly Weighted Neural Network?",
        note=f"authors' code and its readme read; {_VERSION}",
    ),
    Paper(
        "borgs2001partition",
        "Borgs, Chayes and Pittel",
        "window of the number partitioning problem",
        2001,
        note=_RECALLED,
    ),
    Paper("lueker1998", "Lueker", "random subset sum for all targets at once", 1998, note=_RECALLED),
    Paper(
        "dacunha2022subsetsum",
        "da Cunha et al.",
        "random subset sum: drift and tail",
        2022,
        note=_RECALLED,
    ),
    Paper(
        "malach2020",
        "Malach et al.",
        "polynomial overparameterisation",
        2020,
        "2002.00585",
        note=f"shape of the bound read, its constants recalled; {_VERSION}",
    ),
    Paper("orseau2020", "Orseau et al.", "logarithmic overparameterisation", 2020, "2006.12156", note=_RECALLED),
    Paper(
        "pensia2020",
        "Pensia et al.",
        "subset-sum construction, upper and lower bound",
        2020,
        "2006.07990",
        title="Optimal Lottery Tickets via SubsetSum: Logarithmic Over-Parameterization is Sufficient",
        note=f"read in part and in restatement; {_VERSION}",
    ),
    Paper("natale2024", "Natale et al.", "fixed-size subset sum", 2024, "2410.14754"),
    Paper(
        "sreenivasan2021",
        "Sreenivasan et al.",
        "binary weights at logarithmic width",
        2021,
        "2110.08996",
        note=f"read in restatement; {_VERSION}",
    ),
    Paper(
        "burkholz2022",
        "Burkholz",
        "depth l+1",
        2022,
        "2205.02321",
        note=f"stored results of the author's code read; {_VERSION}",
    ),
    Paper(
        "dacunha2022cnn",
        "da Cunha et al.",
        "convolutional networks",
        2022,
        note=_RECALLED,
    ),
    Paper(
        "salmon2011",
        "Salmon, Moraes, Dror and Shaw",
        "Philox, a counter-based generator",
        2011,
        title="Parallel random numbers: as easy as 1, 2, 3",
        note="the generator was checked by the authors' known-answer vectors",
    ),
    Paper(
        "clopper1934", "Clopper and Pearson", "exact binomial interval", 1934, note="standard; the equations are tested"
    ),
    Paper("holm1979", "Holm", "step-down multiple testing", 1979, note="standard; tested against closed testing"),
    Paper(
        "robbins1970", "Robbins", "mixture confidence sequences", 1970, note="standard; coverage tested by simulation"
    ),
    Paper("kumar2025", "Kumar and Natale", "quantised weights", 2025, "2508.11020", note=f"read in part; {_VERSION}"),
)

BY_KEY: dict[str, Paper] = {paper.key: paper for paper in PAPERS}


def paper(key: str) -> Paper:
    """The paper with this key.

    Parameters
    ----------
    key : str
        One of BY_KEY.

    Returns
    -------
    Paper

    Raises
    ------
    ValueError
        If there is no such paper.

    Examples
    --------
    >>> paper("chijiwa2021iterand").arxiv
    '2106.09269'
    """
    if key not in BY_KEY:
        raise ValueError(f"key must be one of {sorted(BY_KEY)}, got key={key!r}")
    return BY_KEY[key]
