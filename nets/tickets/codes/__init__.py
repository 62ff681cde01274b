"""Codes of a ticket: how the random values that stand for the weights of one part are named in few bits."""
