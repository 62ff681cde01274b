"""Broken files for every parser: ``python -m tests.fuzz``, and the kept ones in the suite (test_corpus.py)."""
