"""Small things that public functions of nets take, for the tests of what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import nn

from nets.certificate import (
    Domain,
    certify_network,
)  # fmt: skip
from nets.construction.source import Source
from nets.data import Split
from nets.search import TicketSearch, find_tickets
from nets.search.federated import Federation
from nets.search.tasks import TaskMasks
from nets.targets import (
    Target,
)  # fmt: skip
from nets.tickets import approximate
from nets.tickets.approximation import as_graph

FIRST, SECOND = torch.tensor([[0.5, -0.2], [0.1, 0.3]]).double(), torch.tensor([[0.4, 0.1]]).double()
TARGET = Target([FIRST, SECOND])
PAIRS = [(weight.clone(), weight.clone()) for weight in TARGET.weights]
MANY = [(plus[None], minus[None]) for plus, minus in PAIRS]
GRAPH = as_graph(TARGET)
EFFECTIVE = {name: (np.asarray(one), np.asarray(one)) for name, one in GRAPH.constants.items()}
A = torch.tensor([[0.5, -0.25, 0.125], [0.0, 0.75, -1.0]]).double()
ONE = Target([A])
SOURCE = Source([2, 2, 1], 3, seed=0, R=4)
LABELS = torch.tensor([0, 1, 2, 0])
CLIENT = (torch.ones(4, 4), LABELS)
EXAMPLE = torch.ones(1, 2)
CUBE = torch.stack([A, A + 0.5])
PIXELS = torch.zeros(2, 1, 4, 4, dtype=torch.uint8)


def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))


def searched(**given: Any) -> TicketSearch:
    return find_tickets(net(), **{"seed": 1, **given})


def bernoulli() -> TicketSearch:
    return searched(method="bernoulli")


def tasks() -> TaskMasks:
    found = TaskMasks(searched())
    for name in ("a", "b"):
        found.add_task(name)
    return found


def federated(rounds: int = 1, **given: Any) -> list[float]:
    return [one.density for one in Federation(**{"search": bernoulli(), "clients": [CLIENT], "epochs": 1,
        **given}).run(rounds)]  # fmt: skip


def approximated(call: Callable[..., Any] = approximate, **given: Any) -> Any:
    return call(**{"target": TARGET, "n": 4, "eta": 0.1, "seed": 1, "source": "shared", "jobs": 1, **given})


def networked(**given: Any) -> Any:
    return certify_network(**{"graph": GRAPH, "effective": EFFECTIVE, "domain": Domain.ball(1.0), **given})


@cache
def ticket() -> Any:
    return approximated().ticket


def batched(**given: Any) -> list[Any]:
    return list(Split(PIXELS, torch.zeros(2, dtype=torch.long)).batches(**{"batch": 1, **given}))


def linear(weight: torch.Tensor) -> nn.Linear:
    layer = nn.Linear(3, 2, bias=False)
    layer.weight = nn.Parameter(weight, requires_grad=False)
    return layer
