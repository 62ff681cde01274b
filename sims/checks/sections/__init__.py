"""The checks of each section of theory/claims.py, in modules named like the packages of theory."""
