"""The page: a client of the gateway and nothing else."""
