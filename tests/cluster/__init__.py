"""Real clusters on this machine: SLURM on one node, a Dask scheduler with workers that come, go and are killed."""
