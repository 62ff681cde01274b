"""Where PyTorch works, and what a result says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nets.arguments import of_type
from sims.commands.flags import UsageError
from theory.numerics.check import shown

if TYPE_CHECKING:
    import torch


def resolve_device(device: str) -> str:
    """``auto`` becomes cuda where there is one; cuda where there is none is refused."""
    import torch

    if not isinstance(device, str) or device not in ("auto", "cpu", "cuda"):
        raise ValueError(f"device must be auto, cpu or cuda, got {shown(device)}")
    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise UsageError("--device cuda: this PyTorch finds no CUDA device")
    return "cuda" if device == "auto" and available else "cpu" if device == "auto" else device


def check_device(device: Any) -> torch.device:
    """A device of PyTorch's by its name, or ValueError."""
    import torch

    try:
        return torch.device(str(of_type("device", device, (str, torch.device), "a device")))
    except RuntimeError:
        raise ValueError(f"device must be cpu, cuda or another of PyTorch's, got device={shown(device)}") from None


def machine(device: str) -> dict[str, Any]:
    """PyTorch's version and the device's name, for the provenance of a result."""
    import torch

    return {"torch": torch.__version__, "device": torch.cuda.get_device_name() if device == "cuda" else "cpu"}
