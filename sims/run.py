"""One call simulates a question.

    from sims.run import run
    from theory.subset_sum import SubsetSum

    run(SubsetSum(R=5, eps=0.01), n=range(1, 9), trials=1e5, seed=1)

gives what ``python -m sims.subset_sum --R 5 --eps 0.01 --n 1:8 --seed 1`` prints, as a `Result`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace
from typing import Any

from sims.options import Request
from sims.registry import experiment_of
from sims.statistics.result import Result


def run(question: Any, *, progress: bool = False, **options: Any) -> Result:
    """Simulate a question, or several of one kind, and judge its proved bounds.

    Parameters
    ----------
    question : a question of ``theory``, or an iterable of them
        `theory.subset_sum.SubsetSum`, `theory.coverage.Coverage`, ...: all those of ``sims.registry``.
    progress : bool
        Show a progress bar on standard error, if that is a terminal.
    **options
        ``n``, ``trials``, ``seed``, ``jobs``, ``delta``, ``until``, ``first_trial``: see `sims.options.Options`.
        Some experiments have more (``method`` of coverage, ``R`` of recycling): see their class of options.

    Returns
    -------
    Result
        The same rows and counts as the command's for the same seed, whatever the number of threads.

    Raises
    ------
    ValueError
        No question, questions of several kinds, an option outside its domain, or a search that does not fit into
        memory.
    TypeError
        An option that this kind of question does not have.

    Examples
    --------
    >>> from theory.subset_sum import SubsetSum
    >>> result = run(SubsetSum(R=5, eps=0.01), n=[2, 3], trials=1000, seed=1)
    >>> result
    <Result of sims.subset_sum: 2 rows, 2 consistent; seed 1>
    >>> [row["successes"] for row in result.rows]
    [231, 772]
    """
    request = asked(question, **options)
    experiment = experiment_of(request.questions[0])
    if not progress:
        return experiment.simulate(request)
    from sims.progress import progress as bar

    passes = experiment.passes(request)
    with bar(request.options.trials * len(passes)) as advance:
        return experiment.simulate(request, passes=passes, advance=advance)


def asked(question: Any, **options: Any) -> Request[Any]:
    """What `run` would simulate, checked; parameters and exceptions are those of `run`."""
    questions = tuple(question) if isinstance(question, Iterable) else (question,)
    if len({type(one) for one in questions}) != 1:
        kinds = ", ".join(sorted({type(one).__name__ for one in questions})) or "none"
        raise ValueError(f"run takes one question, or several of one kind, got {kinds}")
    experiment = experiment_of(questions[0])
    same = {name: getattr(questions[0], name) for name in experiment.group}
    if len({replace(one, **same) for one in questions}) > 1 or len(set(questions)) < len(questions):
        axes = ", ".join(experiment.group)
        raise ValueError(f"the questions of one run differ in {axes} and in nothing else, and none stands twice")
    given = {name: value for name, value in options.items() if value is not None}
    known = [one.name for one in fields(experiment.options)]
    for name in given:
        if name not in known:
            raise TypeError(f"run has no option {name} for {type(questions[0]).__name__}: it takes {', '.join(known)}")
    return Request(questions, experiment.options(**given))
