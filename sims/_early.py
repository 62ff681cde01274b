"""Ctrl-C and SIGTERM while a command is still importing what it needs: one word instead of a traceback.

Imported by the commands of ``sims``, and by the packages ``nets`` and ``figures``, before anything else. It acts only
where the process was started as one of their commands; from ``sims.commands.cli.run`` on, they are exceptions.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
from types import FrameType


def started_as_command(argv: list[str]) -> bool:
    """Whether that command line of Python runs one of our commands.

    Examples
    --------
    >>> started_as_command(["python", "-m", "sims.subset_sum", "--R", "5"])
    True
    >>> started_as_command(["python", "a.py", "-m", "sims.verify"])
    False
    """
    if os.path.basename(argv[min(1, len(argv) - 1)]) == "strong-tickets":
        return True
    options = itertools.takewhile(lambda word: word.startswith("-") and word != "-c", argv[1:])
    return "-m" in options and argv[argv.index("-m") + 1].split(".")[0] in ("sims", "nets", "figures")


def _leave(number: int, frame: FrameType | None) -> None:
    os.write(2, b"interrupted\n" if number == signal.SIGINT else b"terminated\n")
    os._exit(128 + number)


if started_as_command(sys.orig_argv):
    os.environ["MPLBACKEND"] = "agg"  # commands draw into files: a notebook's backend need not even be there
    signal.signal(signal.SIGINT, _leave)
    signal.signal(signal.SIGTERM, _leave)
