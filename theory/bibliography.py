"""The papers this package refers to, in one place; nothing here was guessed: an unknown field is None, with a note.

``version`` is the arXiv version that was read, and None when it was not checked.
"""

from __future__ import annotations

from dataclasses import dataclass

from theory import records


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
    note: str = "arXiv version not checked"


PAPERS = records.read("bibliography.toml", "paper", Paper)

BY_KEY = {paper.key: paper for paper in PAPERS}


def paper(key: str) -> Paper:
    """The paper with this key, one of BY_KEY.

    Examples
    --------
    >>> paper("chijiwa2021iterand").arxiv
    '2106.09269'
    """
    if key not in BY_KEY:
        raise ValueError(f"key must be one of {sorted(BY_KEY)}, got key={key!r}")
    return BY_KEY[key]
