"""Edge-Popup (Ramanujan et al. 2020): random weights are frozen, a score for each is trained, the top ones are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nets.search.methods.method import Method


@dataclass(frozen=True)
class EdgePopup(Method):
    """Keep the highest scores of every layer in every forward pass; train the scores straight through the mask.

    The effective weight is W * M(S); with G its gradient, the score's gradient is sign(S) * W * G where absolute
    values are ranked and W * G where raw scores are. Pruned weights receive it too, so they can return.

    Parameters
    ----------
    score_key : {"abs", "raw"}
        "abs" is the authors' rule, also that of Biprop and weight recycling. "raw" is the one of IteRand's code, whose
        "edge-popup" baseline is this method with ``score_key="raw", score_init="kaiming-uniform-relu"``.
    score_init : {"kaiming-uniform-a5", "kaiming-uniform-relu"}
        Authors' code: "kaiming-uniform-a5", U(+-1/sqrt(fan_in)).

    Source
    ------
    Ramanujan et al., CVPR 2020; rules read in the authors' code. Density is the part kept; the number of
    the same meaning in their code is the part kept in one place and the part removed in another.

    Examples
    --------
    >>> import torch
    >>> from nets.search import find_tickets
    >>> model = torch.nn.Sequential(torch.nn.Linear(8, 5), torch.nn.ReLU(), torch.nn.Linear(5, 2))
    >>> search = find_tickets(model, method="edge-popup", density=0.5, seed=1)
    >>> {name: int(mask.sum()) for name, mask in search.masks().items()}
    {'0': 20, '2': 5}
    """

    name: ClassVar[str] = "edge-popup"
