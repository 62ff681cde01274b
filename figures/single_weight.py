"""Figure 1: success of the best of n R single draws against n, with the exact formula and the lemma's bound.

``python -m figures.single_weight`` draws R = 1, 2, 5, 10 at eps = 0.1; ``sims.single_weight --plot`` draws its own
result.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from figures import success
from figures.style import out, save_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot(result: Any) -> Figure:
    """Draw a result of ``sims.single_weight``."""
    return success.plot(result, kind="sampler", prediction=None, xlabel="number of elements n")


def save(result: Any, path: str) -> None:
    """Draw a result of ``sims.single_weight`` into a file."""
    save_figure(plot(result), path)


def main(argv: Sequence[str] | None = None) -> int:
    """Simulate the four curves and draw them; further flags go to ``sims.single_weight``."""
    from sims import single_weight

    rest = list(sys.argv[1:] if argv is None else argv)
    path = out("single_weight.png")
    return single_weight.main(["--R", "1", "2", "5", "10", "--eps", "0.1", "--n", "1:40:3", "--plot", path, *rest])


if __name__ == "__main__":
    sys.exit(main())
