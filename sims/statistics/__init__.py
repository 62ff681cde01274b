"""Counting trials, intervals, verdicts and results."""
