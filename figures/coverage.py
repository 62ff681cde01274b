"""Figure 7: coverage of all targets at once against n, with the proved band and the prediction.

``python -m figures.coverage`` draws R = 1, 2, 5 at eps = 0.01; ``sims.coverage --plot`` draws its own result.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from figures import success
from figures.style import out, save_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot(result: Any) -> Figure:
    """Draw a result of ``sims.coverage``; the interval of targets takes the place of alpha."""
    targets = "[{:g}, {:g}]".format(*result.params["interval"])
    drawn = dataclasses.replace(result, rows=[{**row, "alpha": targets} for row in result.rows])
    return success.plot(drawn, kind="method", prediction="prediction (heuristic)", xlabel="number of variables n")


def save(result: Any, path: str) -> None:
    """Draw a result of ``sims.coverage`` into a file."""
    save_figure(plot(result), path)


def main(argv: Sequence[str] | None = None) -> int:
    """Simulate the three curves and draw them; further flags go to ``sims.coverage``."""
    from sims import coverage

    rest = list(sys.argv[1:] if argv is None else argv)
    return coverage.main(["--R", "1", "2", "5", "--plot", out("coverage.png"), *rest])


if __name__ == "__main__":
    sys.exit(main())
