"""Hypothesis profiles for the whole suite: dev (default), ci (derandomised) and nightly."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

_QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large]
settings.register_profile("dev", deadline=None, max_examples=60, suppress_health_check=_QUIET)
settings.register_profile("ci", deadline=None, max_examples=60, derandomize=True, suppress_health_check=_QUIET)
settings.register_profile("nightly", deadline=None, max_examples=2000, suppress_health_check=_QUIET)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))
