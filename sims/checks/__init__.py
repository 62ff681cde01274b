"""What ``sims.verify`` checks: one file for each section of theory/claims.py."""
