"""Jitted kernels, one algorithm a file."""
