"""All networks of the gallery, in the order of the table."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from nets.gallery import crepe, digits, efficientnet, pesto, rxnmapper, silero
from nets.gallery.entry import Entry

ENTRIES: dict[str, Entry] = {
    entry.name: entry for file in (digits, pesto, crepe, silero, rxnmapper, efficientnet) for entry in file.ENTRIES
}


def chosen(names: Sequence[str]) -> tuple[Entry, ...]:
    """The entries of those names, or all of them where none is named.

    Raises
    ------
    ValueError
        For a name that the gallery does not have, or one given twice.

    Examples
    --------
    >>> [entry.name for entry in chosen(["digits", "pesto"])]
    ['digits', 'pesto']
    """
    for i, name in enumerate(names):
        if name not in ENTRIES:
            near = difflib.get_close_matches(name, ENTRIES, n=1)
            meant = f"; did you mean {near[0]}?" if near else ""
            raise ValueError(f"the gallery has no network {name}{meant} (it has {', '.join(ENTRIES)})")
        if name in names[:i]:
            raise ValueError(f"the network {name} is named twice")
    return tuple(ENTRIES[name] for name in names) if names else tuple(ENTRIES.values())
