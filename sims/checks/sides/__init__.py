"""Facts about rounding: a number that promises a side is on it, at points where the last digit decides.

One module a package of theory, each with ``checks()``. Exact fractions, or balls of 400 bits, decide every case.
"""
