"""The grid of the draws, and the ranges of what a draw is a function of; without Numba, for those who only ask."""

GRID_BITS = 52
"""Draws are integers m that stand for m * 2**-GRID_BITS."""

VALUES, TARGETS = 0, 1
"""Streams: the values of the variables, and random targets."""

MAX_SEED = 2**64 - 1
MAX_TRIAL = 2**63 - 1
