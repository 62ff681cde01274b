"""Finding tickets by training scores."""
