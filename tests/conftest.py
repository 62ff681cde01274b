"""Hypothesis profiles (dev by default, ci is derandomised, nightly, mutants), and what ``kernels`` marks."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

_QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large]
settings.register_profile("dev", deadline=None, max_examples=60, suppress_health_check=_QUIET)
settings.register_profile("ci", deadline=None, max_examples=60, derandomize=True, suppress_health_check=_QUIET)
settings.register_profile("nightly", deadline=None, max_examples=2000, suppress_health_check=_QUIET)
settings.register_profile(  # shrinks nothing: one counterexample is enough
    "mutants", parent=settings.get_profile("ci"), phases=(Phase.explicit, Phase.generate)
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark with ``kernels`` what is run again with the portable kernels (``make scalar``).

    Those are the tests of ``sims`` in files that name ``sims.solver``, and those of the counts of subset sums, which
    the solver makes. All else sees kernels only through them.
    """
    chosen: dict[Path, bool] = {}
    for item in items:
        path = item.path
        if path.parent == Path(__file__).parent / "sims":
            if path not in chosen:
                text = path.read_text(encoding="utf-8")
                chosen[path] = "sims.solver" in text or path.name == "test_subset_sum.py"
            if chosen[path]:
                item.add_marker("kernels")


@pytest.fixture
def refused(capsys: pytest.CaptureFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """refused(main, argv, message): a mistake gets one clear line on standard error and exit 2, and leaves nothing."""
    monkeypatch.chdir(tmp_path)

    def check(main: Callable[[list[str]], int], argv: list[str], message: str) -> None:
        assert main(argv) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith("error: ")
        assert captured.err.count("\n") == 1
        assert message in captured.err
        assert "│" not in captured.err
        assert os.listdir(tmp_path) == []

    return check
