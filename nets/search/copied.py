"""A copy of a masked weight beside its original, as an average of a model over its training is."""

from __future__ import annotations

import warnings
import weakref
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from nets.search.masked_weight import MaskedWeight


class Copied:
    """Notices when the scores of a copy follow its original and the weights, which the method changes, do not.

    Parameters
    ----------
    original, copy : MaskedWeight
    """

    def __init__(self, original: MaskedWeight, copy: MaskedWeight) -> None:
        self.original = weakref.ref(original)
        self.seen = _version(original.frozen)
        self.scores = _version(copy.scores)

    def check(self, copy: MaskedWeight) -> None:
        """Look once after every change of the original's weights.

        Warns
        -----
        UserWarning
            Once.
        """
        original = self.original()
        if original is None or _version(original.frozen) == self.seen or _version(copy.scores) == self.scores:
            return
        self.seen = _version(original.frozen)
        same = original.frozen.shape == copy.frozen.shape and original.frozen.device == copy.frozen.device
        if same and not torch.equal(original.frozen, copy.frozen):
            copy.copied = None
            warnings.warn(
                f"scores of a copied model are written to, as an average does, but {copy.method.name} has changed the "
                "weights of its original since: copy the attribute frozen of each masked weight too",
                stacklevel=4,
            )


def _version(tensor: torch.Tensor) -> tuple[int, int]:
    return tensor.data_ptr(), 0 if tensor.is_inference() else tensor._version
