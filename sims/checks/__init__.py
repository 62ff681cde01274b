"""What ``sims.verify`` does: checks, how they are run and judged, and how that is shown."""
