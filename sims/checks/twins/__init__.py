"""Independent computations and simulations, against which the checks hold theory: nothing here imports it."""
