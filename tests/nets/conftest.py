"""What the tests of tickets share."""

from __future__ import annotations

import pytest

from tests.nets.small_tickets import Made


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Tickets of the small networks."""
    return Made(tmp_path_factory.mktemp("tickets"))
