"""The networks that the theorems promise: random sources, their pruned subnetworks, and certified errors (PyTorch)."""

import sims as sims
