"""A network with its search taken out, as an ONNX file for other programs."""

from __future__ import annotations

import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import nn

from nets.arguments import file_path, flag, of_type
from nets.search.folding import fold
from nets.search.inputs import CLOSE, as_call, difference, tensors_of
from nets.targets.exporting import by_parameter, quiet, reason
from sims.files import write_bytes

_NO_NUMPY = (torch.bfloat16,)


def export_onnx(
    model: nn.Module, example: Any, path: str | Path, *, any_batch: bool = False, check: bool = True
) -> float | None:
    """Fold a model and write it as one ONNX file.

    Parameters
    ----------
    model : torch.nn.Module
        Masked or plain; it is not changed. Written in evaluation mode, from the CPU.
    example : tensor, tuple or dict of tensors
        Inputs (a dict: by name), whose shapes the file's inputs have.
    any_batch : bool
        Leave the first axis of every input open; it must be 2 or more in the example.
    check : bool
        Run the file with onnxruntime and compare.

    Returns
    -------
    float or None
        Largest difference of the file's outputs from the model's, relative to the largest output; None unchecked.

    Raises
    ------
    ValueError
        If PyTorch cannot export the model, a package is missing, or the file's outputs are others: then nothing is
        written.

    Examples
    --------
    >>> export_onnx(nn.Linear(2, 2), 3, "net.onnx")
    Traceback (most recent call last):
        ...
    ValueError: example must be a tensor, or a tuple or dict of tensors, got int
    """
    of_type("model", model, nn.Module, "a torch.nn.Module")
    flag("any_batch", any_batch), flag("check", check), file_path("path", path)
    args, names = as_call(example)
    args, names = tuple(one.cpu() for one in args), {key: one.cpu() for key, one in names.items()}
    if any_batch and any(one.dim() == 0 or one.shape[0] < 2 for one in (*args, *names.values())):
        raise ValueError("any_batch=True needs an example with 2 or more in the first axis of every input")
    odd = next((one.dtype for one in (*args, *names.values(), *model.parameters()) if one.dtype in _NO_NUMPY), None)
    if check and odd is not None:
        raise ValueError(f"a network with numbers of {odd} cannot be checked; check=False leaves the check out")
    plain = fold(model).cpu().eval()
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        file = Path(folder) / "net.onnx"
        _write(plain, args, names, file, any_batch)
        error = _difference(file, plain, args, names) if check else None
        if error is not None and not error <= CLOSE:
            raise ValueError(f"the exported file computes something else: its outputs differ by {error:.2g}")
        write_bytes(path, file.read_bytes())
    return error


def _write(
    plain: nn.Module, args: tuple[torch.Tensor, ...], names: dict[str, torch.Tensor], file: Path, any_batch: bool
) -> None:
    free = {0: torch.export.Dim.DYNAMIC}
    shapes: Any = None
    if any_batch:
        shapes = dict.fromkeys(names, free) if names else by_parameter(plain, [free for _ in args])
    try:
        with quiet():
            torch.onnx.export(
                plain, args, file, kwargs=names, dynamo=True, dynamic_shapes=shapes, external_data=False, verbose=False
            )
    except Exception as error:  # the exporter names no type
        raise ValueError(f"{type(plain).__name__} cannot be exported to ONNX ({reason(error)})") from None


def _difference(file: Path, plain: nn.Module, args: tuple[torch.Tensor, ...], names: dict[str, torch.Tensor]) -> float:
    try:
        onnxruntime: Any = import_module("onnxruntime")  # it has no types
    except ImportError:
        raise ValueError("onnxruntime is needed to check the file; check=False leaves the check out") from None
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    inputs = [*args, *names.values()]
    feeds = {one.name: value.numpy() for one, value in zip(session.get_inputs(), inputs, strict=True)}
    return difference(tensors_of(plain(*args, **names)), [torch.from_numpy(one) for one in session.run(None, feeds)])
