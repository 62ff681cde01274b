"""The masks that a run found, read from its folder or from a ticket file."""

from __future__ import annotations

from pathlib import Path

from nets.construction.bits import unpack
from nets.search.comparison import MaskSet
from nets.search.mask_similarity import norms
from nets.tickets.found_file import read_found
from nets.training.run_folder import RunError, RunFolder


def load_masks(run: str) -> MaskSet:
    """Masks of a run folder, with the norms of its weights, or of a ticket file.

    Raises
    ------
    ValueError
        If there is no ticket, or it is damaged: one line.
    """
    path = Path(run)
    folder = RunFolder(path) if path.is_dir() else None
    if folder is not None and not folder.ticket.is_file():
        folder.params()
        why = "a dense run has none" if folder.finished() else "it is not finished"
        raise RunError(f"{run} holds no ticket: {why}")
    ticket = read_found(path if folder is None else folder.ticket)
    masks = {layer.name: ticket.packed_mask(layer.name) for layer in ticket.layers}
    shapes = {layer.name: layer.shape for layer in ticket.layers}
    found: dict[str, tuple[float, float]] = {}
    if folder is not None and folder.checkpoint.is_file():
        import torch

        from nets.search.masked_module import HOLDER
        from nets.training.checkpoint import load_checkpoint

        model = load_checkpoint(folder.checkpoint).get("model")
        for layer in ticket.layers:
            before_0_6 = f"{layer.name}.weight"
            stored = None
            if isinstance(model, dict):
                stored = model.get(f"{layer.name}.{HOLDER}.weight.frozen", model.get(before_0_6))
            if not isinstance(stored, torch.Tensor) or tuple(stored.shape) != layer.shape:
                raise RunError(f"{folder.checkpoint} holds no weights of the ticket's layer {layer.name}")
            weight = stored.double().contiguous().numpy().reshape(-1)
            kept = unpack(masks[layer.name], weight.size)
            found[layer.name] = norms(weight, kept)
    return MaskSet(run, masks, shapes, found)
