"""Unbiased estimates of rare failures: one way for all (`sims.solver.tails.splitting`), one question a file."""
