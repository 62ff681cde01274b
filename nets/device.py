"""Where PyTorch works, and what a result says of it."""

from __future__ import annotations

from typing import Any

from sims.commands.flags import UsageError


def resolve_device(device: str) -> str:
    """``auto`` becomes cuda where there is one; cuda where there is none is refused."""
    import torch

    if device not in ("auto", "cpu", "cuda"):
        raise ValueError(f"device must be auto, cpu or cuda, got {device!r}")
    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise UsageError("--device cuda: this PyTorch finds no CUDA device")
    return "cuda" if device == "auto" and available else "cpu" if device == "auto" else device


def machine(device: str) -> dict[str, Any]:
    """PyTorch's version and the device's name, for the provenance of a result."""
    import torch

    return {"torch": torch.__version__, "device": torch.cuda.get_device_name() if device == "cuda" else "cpu"}
