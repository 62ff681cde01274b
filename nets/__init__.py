"""The networks that the theorems promise: random sources, their pruned subnetworks, and certified errors (PyTorch)."""

from sims import _early as _early
