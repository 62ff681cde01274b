"""Where the windows of a convolution or a pooling lie: kernels, strides, dilations, and pads at both ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from nets.graph.operators.call import Call


@dataclass(frozen=True)
class Windows:
    """One window form: for each spatial axis a kernel, a stride, a dilation, and the pads before and after."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]

    @property
    def spans(self) -> tuple[int, ...]:
        """How far a window reaches along each axis."""
        return tuple((k - 1) * d + 1 for k, d in zip(self.kernel, self.dilations, strict=True))

    def pad(self, value: Tensor, fill: float, extra: Sequence[int] | None = None) -> Tensor:
        """A value with its pads, and `extra` places after them."""
        after = self.after if extra is None else [a + e for a, e in zip(self.after, extra, strict=True)]
        if not any(self.before) and not any(after):
            return value
        ends = [end for pair in zip(reversed(self.before), reversed(after), strict=True) for end in pair]
        return F.pad(value, ends, value=fill)


def per_axis(call: Call, name: str, axes: int, default: int, least: int) -> tuple[int, ...]:
    """An attribute with one whole number for each axis, at least `least`."""
    found = call.listed(name)
    if found is None:
        return (default,) * axes
    if len(found) != axes or min(found, default=least) < least:
        call.refuse(f"{name}={tuple(found)} must be {axes} numbers of at least {least}")
    return tuple(found)


def padding_kind(call: Call) -> str:
    """The attribute auto_pad; explicit pads beside it are refused."""
    kind = call.text("auto_pad", "NOTSET")
    if kind not in ("NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"):
        call.refuse(f"auto_pad={kind!r} is not supported")
    if kind != "NOTSET" and any(call.listed("pads") or ()):
        call.refuse(f"auto_pad={kind} together with pads={call.node.attributes['pads']}")
    return kind


def split_pads(kind: str, total: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Pads before and after: equal, the odd one after for SAME_UPPER and before for SAME_LOWER."""
    small = tuple(one // 2 for one in total)
    large = tuple(one - half for one, half in zip(total, small, strict=True))
    return (large, small) if kind == "SAME_LOWER" else (small, large)


def windows(call: Call, sides: Sequence[int], kernel: Sequence[int], *, dilated: bool = True) -> Windows:
    """The windows that a node lays over spatial axes of lengths `sides`."""
    axes = len(sides)
    kernel = tuple(kernel)
    if len(kernel) != axes or min(kernel, default=1) < 1:
        call.refuse(f"kernel_shape={kernel} for {axes} spatial axes")
    strides = per_axis(call, "strides", axes, 1, 1)
    dilations = per_axis(call, "dilations", axes, 1, 1) if dilated else (1,) * axes
    kind = padding_kind(call)
    if kind.startswith("SAME"):
        total = [
            max((-(-side // s) - 1) * s + (k - 1) * d + 1 - side, 0)
            for side, k, s, d in zip(sides, kernel, strides, dilations, strict=True)
        ]
        before, after = split_pads(kind, total)
    else:
        pads = per_axis(call, "pads", 2 * axes, 0, 0)
        before, after = pads[:axes], pads[axes:]
    return Windows(kernel, strides, dilations, before, after)
