"""Every bound of the theory as an executable, cited function (standard library, NumPy, SciPy and python-flint only)."""
