"""Networks to be approximated."""
