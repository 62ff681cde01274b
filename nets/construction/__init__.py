"""Random networks, and how they are pruned to a target."""
