"""What the tests of tickets share."""

from __future__ import annotations

import pytest
import torch

from tests.nets.elsewhere import Elsewhere
from tests.nets.small_tickets import Made


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.cuda)])
def elsewhere(request: pytest.FixtureRequest) -> Elsewhere:
    """The CPU by torch operations, and CUDA where there is one."""
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs CUDA")
    return Elsewhere(request.param)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Tickets of the small networks."""
    return Made(tmp_path_factory.mktemp("tickets"))
