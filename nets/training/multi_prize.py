"""Several tickets in one set of random weights: the same seed, other first scores, and how alike the masks are.

Source: the multi-prize view of Diffenderfer and Kailkhura 2021 (bibliography key ``diffenderfer2021multiprize``): one
random network holds many good tickets. What is compared, and beside which chance level: `nets.search.mask_similarity`.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from nets.search.comparison import TOTAL, compare, summarise
from nets.training.found_masks import load_masks
from nets.training.run import Foresee, Note, train_or_resume
from nets.training.run_folder import RunError, RunFolder, check_same
from nets.training.settings import Choices
from sims.commands.flags import UsageError
from sims.commands.prediction import Prediction
from sims.experiment import fresh_seed
from sims.statistics.result import Result, provenance


def multi_prize(
    choices: Choices,
    out: str | Path,
    count: int,
    *,
    resume: bool = False,
    checkpoint_every: int = 0,
    quiet: bool = True,
    note: Note = lambda text: None,
    foresee: Foresee | None = None,
) -> Result:
    """Find tickets from `count` score seeds, one after another, each in a folder of its own.

    Parameters
    ----------
    choices : Choices
        ``score_seed`` is that of the first run (default: of the
        first one there, else 0), and the others count up from it.
    out : str or Path
        Holds the folders score-0, score-1, ...
    count : int >= 2
    resume : bool
        Go on with what is there; otherwise nothing must be there.
    checkpoint_every, quiet, note, foresee
        Of `nets.training.run.train`; the prediction is of all runs together.

    Returns
    -------
    Result
        One row a run; the summary has the pairs' mean agreement, Jaccard index and kappa beside chance.

    Raises
    ------
    ValueError
        As `nets.training.run.train`; also for a dense run, which has no scores.
    """
    started = time.monotonic()
    if choices.method == "dense":
        raise UsageError("--multi-prize needs a method that trains scores, got dense")
    if RunFolder(Path(out)).config.is_file():
        raise RunError(f"--out {out} holds a single run; --multi-prize takes a folder of its own")
    first, seed = choices.score_seed or 0, choices.seed
    there = _begun(Path(out))
    if there:
        if not resume:
            raise UsageError(f"--out {out} holds tickets already; add --resume to go on with them")
        first = there[0]
        if seed is None:
            seed = int(str(RunFolder(Path(out) / f"score-{first}").params()["seed"]))
        chosen = {} if choices.score_seed is None else {"score_seed": choices.score_seed}
        check_same({"score_seed": first}, chosen, Path(out))
    seed = fresh_seed() if seed is None else seed
    folders = [RunFolder(Path(out) / f"score-{first + i}") for i in range(count)]
    rows: list[Any] = []
    result = None
    left = sum(not folder.result.is_file() for folder in folders)

    def all_of_them(one: Prediction) -> None:
        nonlocal foresee
        if foresee is not None:
            foresee(replace(one, seconds=one.seconds * left))
            foresee = None

    for i, folder in enumerate(folders):
        mine = replace(choices, seed=seed, score_seed=first + i)
        ask = None if foresee is None else all_of_them
        result = train_or_resume(
            mine, folder.path, checkpoint_every=checkpoint_every, quiet=quiet, note=note, foresee=ask
        )
        rows.extend(result.rows)
    assert result is not None
    found = summarise(compare([load_masks(str(folder.path)) for folder in folders]))
    (total,) = (line for line in found if line["layer"] == TOTAL)
    wanted = ("pairs", "agreement", "agreement_chance", "jaccard", "jaccard_chance", "kappa", "kappa_min", "kappa_max")
    return Result(
        command="nets.train",
        params={**result.params, "score_seed": first, "multi_prize": count},
        rows=rows,
        summary=[{name: total[name] for name in wanted}],
        provenance=provenance(
            seed=result.params["seed"], threads=result.provenance["threads"], seconds=time.monotonic() - started,
            device=result.provenance["device"],
        ),
    )  # fmt: skip


def _begun(out: Path) -> list[int]:
    """Score seeds of the runs in a folder, rising."""
    found = (folder.parent.name.removeprefix("score-") for folder in out.glob("score-*/config.json"))
    return sorted(int(seed) for seed in found if seed.isdecimal())
