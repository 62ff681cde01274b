"""Figure 2: success of random subset sums against n, with the proved band and the prediction.

``python -m figures.subset_sum`` draws R = 1, 2, 5, 10 at eps = 0.01; ``sims.subset_sum --plot`` draws its own result.
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
    """Draw a result of ``sims.subset_sum``."""
    return success.plot(result, kind="model", prediction="prediction (heuristic)", xlabel="number of variables n")


def save(result: Any, path: str) -> None:
    """Draw a result of ``sims.subset_sum`` into a file."""
    save_figure(plot(result), path)


def main(argv: Sequence[str] | None = None) -> int:
    """Simulate the four curves and draw them; further flags go to ``sims.subset_sum``."""
    from sims import subset_sum

    rest = list(sys.argv[1:] if argv is None else argv)
    return subset_sum.main(["--R", "1", "2", "5", "10", "--plot", out("subset_sum.png"), *rest])


if __name__ == "__main__":
    sys.exit(main())
