"""Planted errors: slips in theory, sims and nets that the tests beside them must notice (``make mutants``)."""
