"""Where PyTorch works, and what a result says of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nets.arguments import of_type
from sims.commands.flags import UsageError
from sims.solver.memory import available_bytes
from theory.numerics.check import shown

if TYPE_CHECKING:
    import torch

_kernels = True


def resolve_device(device: str) -> str:
    """``auto`` becomes cuda where there is one; cuda where there is none is refused."""
    import torch

    if not isinstance(device, str) or device not in ("auto", "cpu", "cuda"):
        raise ValueError(f"device must be auto, cpu or cuda, got {shown(device)}")
    if device == "cpu" or not torch.cuda.is_available():
        if device == "cuda":
            raise UsageError("--device cuda: this PyTorch finds no CUDA device")
        return "cpu"
    try:  # a card that this PyTorch has no code for, or that is taken, fails at its first operation
        torch.ones(1, device="cuda").add_(1.0).item()
    except RuntimeError as error:
        if device == "cuda":
            raise UsageError(f"--device cuda: the device does not work: {str(error).splitlines()[0]}") from None
        return "cpu"
    return "cuda"


def check_device(device: Any) -> torch.device:
    """A device of PyTorch's by its name, or ValueError."""
    import torch

    try:
        return torch.device(str(of_type("device", device, (str, torch.device), "a device")))
    except RuntimeError:
        raise ValueError(f"device must be cpu, cuda or another of PyTorch's, got device={shown(device)}") from None


def has_kernels(device: str | torch.device) -> bool:
    """Whether compiled kernels work on a device, as on the CPU; elsewhere torch operations give the same results."""
    import torch

    return _kernels and torch.device(device).type == "cpu"


@contextmanager
def torch_operations() -> Iterator[None]:
    """Inside, the CPU too is served by the torch operations that a GPU runs: how these are tested without one.

    Examples
    --------
    >>> with torch_operations():
    ...     has_kernels("cpu")
    False
    """
    global _kernels
    before, _kernels = _kernels, False
    try:
        yield
    finally:
        _kernels = before


def free_bytes(device: str | torch.device) -> int:
    """Memory that tensors can still take on a device: what is free, and what PyTorch holds there without use."""
    import torch

    place = torch.device(device)
    if place.type != "cuda":
        return available_bytes()
    unused = torch.cuda.memory_reserved(place) - torch.cuda.memory_allocated(place)
    return int(torch.cuda.mem_get_info(place)[0] + unused)


def upload(array: Any, device: torch.device) -> torch.Tensor:
    """A NumPy array on a device; to a GPU through pinned memory, so that the host need not wait for earlier work."""
    import torch

    tensor = torch.from_numpy(array)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def machine(device: str) -> dict[str, Any]:
    """PyTorch's version and the device's name, for the provenance of a result."""
    import torch

    return {"torch": torch.__version__, "device": torch.cuda.get_device_name() if device == "cuda" else "cpu"}
