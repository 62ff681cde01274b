"""How a density is shared among tensors."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction

from nets.arguments import of_type
from nets.search.check import Number, exact_fraction, one_of
from theory.numerics.check import shown

ALLOCATIONS = ("uniform", "erk")


def allocate(allocation: str, density: Number, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Number]:
    """The density of every tensor, so that all together keep `density` of their weights.

    Parameters
    ----------
    allocation : {"uniform", "erk"}
        "uniform": the same in each, as all four papers on finding tickets have it. "erk" (Erdos-Renyi-Kernel): in
        proportion to the sum of a tensor's sides over their product, so that small tensors keep more; where that
        exceeds 1 the tensor is kept whole and the others share the rest.
    density : float, Fraction, Decimal or str
        In (0, 1].
    shapes : mapping of str to tuple of int

    Returns
    -------
    dict of str to density

    Raises
    ------
    ValueError
        If the allocation is unknown or the density outside its domain.

    Source
    ------
    Mocanu et al. 2018 (Erdos-Renyi); with kernels Evci et al. 2020, RigL; both recalled.

    Examples
    --------
    >>> found = allocate("erk", 0.3, {"a": (4, 4), "b": (40, 40)})
    >>> found["a"], round(float(found["b"]), 4), round(16 * float(found["a"]) + 1600 * float(found["b"]), 6)
    (Fraction(1, 1), 0.293, 484.8)
    """
    one_of("allocation", allocation, ALLOCATIONS)
    for name, shape in of_type("shapes", shapes, Mapping, "a mapping of names to shapes").items():
        if not all(isinstance(side, int) and side >= 1 for side in of_type(f"shapes[{name!r}]", shape, (tuple, list))):
            raise ValueError(f"shapes must have sides >= 1, got {name!r}: {shown(shape)}")
    part = exact_fraction("density", density)
    if not 0 < part <= 1:
        raise ValueError(f"density must be in (0, 1], got density={shown(density)}")
    if allocation == "uniform":
        return dict.fromkeys(shapes, density)
    sizes = {name: math.prod(shape) for name, shape in shapes.items()}
    raw = {name: Fraction(sum(shape), sizes[name]) for name, shape in shapes.items()}
    whole: set[str] = set()
    while True:
        left = part * sum(sizes.values()) - sum(sizes[name] for name in whole)
        spread = sum((raw[name] * sizes[name] for name in raw if name not in whole), Fraction(0))
        factor = left / spread if spread else Fraction(0)
        over = {name for name in raw if name not in whole and raw[name] * factor > 1}
        if not over:
            return {name: Fraction(1) if name in whole else raw[name] * factor for name in shapes}
        whole |= over
