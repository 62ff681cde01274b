"""Test images by name, and how many of them a network gets right."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sims.commands.flags import UsageError

if TYPE_CHECKING:
    import torch

    from nets.graph.graph import Graph


def images_named(data: str, folder: str | None) -> str:
    """Test images as results name them: digits, or mnist:DIR.

    Parameters
    ----------
    data : str
        digits or mnist.
    folder : str or None
        Of the MNIST files.

    Raises
    ------
    UsageError
        Other images, or MNIST without its folder.

    Examples
    --------
    >>> images_named("mnist", "files"), images_named("digits", None)
    ('mnist:files', 'digits')
    """
    kind, _, inside = data.partition(":")
    inside = inside or folder or ""
    if kind == "digits" and not inside:
        return "digits"
    if kind == "mnist" and inside:
        return f"mnist:{inside}"
    raise UsageError(f"--data takes digits, or mnist with --data-dir DIR, got {data}")


def load_images(tests: str | None, pixels: str, graph: Graph) -> tuple[torch.Tensor, torch.Tensor] | None:
    """Inputs and labels of the test images, read before the work starts: a wrong folder is noticed at once.

    Parameters
    ----------
    tests : str or None
        From `images_named`.
    pixels : str
        One of `nets.data.mnist.PIXELS`.
    graph : Graph
        The network that takes them.

    Raises
    ------
    UsageError
        If the network does not take such images.
    """
    if tests is None:
        return None
    if tests == "digits":
        from nets.targets.digits import digits_split

        split = digits_split()
        x, y = split.x_test, split.y_test
    else:
        from nets.data.mnist import load_mnist

        x, y = load_mnist(tests.removeprefix("mnist:"), pixels=pixels)
    sides = graph.inputs[0].shape or ()
    fixed = [side for side in sides[1:] if isinstance(side, int)]
    wanted = 1
    for side in fixed:
        wanted *= side
    if len(graph.inputs) != 1 or len(fixed) != len(sides) - 1 or wanted != x.shape[1]:
        takes = f"{wanted} numbers" if len(graph.inputs) == 1 else f"{len(graph.inputs)} inputs"
        raise UsageError(f"--data {tests} has {x.shape[1]} pixels, the target takes {takes}")
    return x.reshape(len(x), *fixed), y


def accuracy(network: Callable[..., Any], graph: Graph, images: torch.Tensor, labels: torch.Tensor) -> float:
    """Part of the images whose largest output is the label's.

    Parameters
    ----------
    network : callable
        Takes what `graph` takes.

    Raises
    ------
    UsageError
        If its outputs are no scores of the labels.
    """
    import torch

    from nets.targets.examples import batches

    feeds = batches(graph, {graph.inputs[0].name: images}, size=1000)
    outputs = torch.cat([network(*feed) for feed in feeds])
    if outputs.ndim != 2 or int(labels.max()) >= outputs.shape[1]:
        raise UsageError(f"the test images have labels up to {int(labels.max())}, "
                         f"the target gives outputs of shape {tuple(outputs.shape[1:])}")  # fmt: skip
    return float((outputs.argmax(-1) == labels).double().mean())
