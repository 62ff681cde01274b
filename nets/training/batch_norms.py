"""Running statistics of batch norms, taken anew once training has ended.

Adam at the learning rate of MPT-1/1 changes about one mask entry in a hundred at every step, so the running averages
describe networks of many steps ago.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch.optim.swa_utils import update_bn


def settle_batch_norms(model: torch.nn.Module, batches: Iterable[tuple[torch.Tensor, torch.Tensor]]) -> None:
    """Replace all running statistics by plain means over batches of training images; nothing else changes.

    Parameters
    ----------
    model : torch.nn.Module
        Left in the mode it was in.
    batches : iterable of (x, y)
        A batch of one image is passed over: a dense layer's batch norm finds no spread in it.

    Examples
    --------
    >>> norm = torch.nn.BatchNorm1d(1, affine=False)
    >>> batches = [torch.tensor([[1.0], [3.0]]), torch.tensor([[4.0], [8.0]])]
    >>> settle_batch_norms(norm, [(x, torch.zeros(2)) for x in batches])
    >>> norm.running_mean, norm.running_var
    (tensor([4.]), tensor([5.]))
    """
    update_bn((x for x, _ in batches if len(x) > 1), model)
