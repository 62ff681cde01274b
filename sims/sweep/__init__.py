"""Sweeps that survive anything."""
