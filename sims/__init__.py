"""Simulations of the questions of ``theory``. Imported as part of a command, it sees to an early Ctrl-C."""

from sims import _early as _early
