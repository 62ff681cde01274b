"""Arithmetic and argument checks that know nothing about tickets."""
