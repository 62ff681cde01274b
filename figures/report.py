"""The report: one HTML page with verdicts, statements, figures and an explorer, made from committed numbers.

``python -m figures.report`` writes figures/out/report.html, which needs nothing but itself; ``--compute`` first runs
``sims.verify`` and keeps what it found in figures/verdicts.json.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from figures import explorer_table, verdicts
from figures.inline_svg import inline_svg
from figures.recipe import SEED, Data, Recipe, check_source_tree, compact, load
from figures.registry import recipes
from figures.typeset import mathematics, slug
from figures.verdicts import BUDGET
from sims.commands import cli, flags
from sims.files import OWN, OutputFile, beginning_with, check_outputs, write_text
from sims.verify import Seconds

PAGE = Path(__file__).parent / "page"
"""Template, style and scripts."""


def parameters(data: Data) -> list[tuple[str, str]]:
    """What a figure was computed with: its settings and ``params``, and those of the results in it."""
    inside = [data, *(part for value in data.values() for part in (value if isinstance(value, list) else [value]))]
    found: dict[str, list[str]] = {}
    for part in inside:
        if not isinstance(part, dict) or "seed" in part:  # the provenance is shown by itself
            continue
        given = dict(part["params"]) if isinstance(part.get("params"), dict) else {}
        if part is data:
            given |= {name: value for name, value in part.get("settings", {}).items() if value not in ([], None)}
        for name, value in given.items():
            text = shortened(value)
            if value is not None and name not in ("jobs", "first_trial") and text not in found.setdefault(name, []):
                found[name].append(text)
    return [(name, "; ".join(texts)) for name, texts in found.items() if texts]


def shortened(value: Any) -> str:
    """A parameter in a few characters.

    Examples
    --------
    >>> shortened([1, 2, 3, 4, 5, 6, 7, 8]), shortened(100000), shortened(1e-6)
    ('1, 2, ..., 8', '100,000', '1e-06')
    """
    if isinstance(value, list):
        texts = [shortened(item) for item in value]
        numbers = all(isinstance(item, int | float) for item in value)
        even = numbers and len(value) > 6 and len({b - a for a, b in itertools.pairwise(value)}) == 1
        return ", ".join([*texts[:2], "...", texts[-1]] if even else texts)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def figure_parts(recipe: Recipe) -> dict[str, Any]:
    """One figure: picture, caption, parameters and provenance."""
    data = load(recipe)
    given = parameters(data)
    return {
        "id": f"figure-{recipe.number}",
        "recipe": recipe,
        "svg": inline_svg(recipe.plot(data), recipe.name.replace("_", "-"), f"Figure {recipe.number}. {recipe.title}"),
        "caption": recipe.caption(data),
        "parameters": given,
        "provenance": [pair for pair in origin(data["provenance"]) if pair[0] not in dict(given)],
    }


def origin(provenance: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Where numbers came from, without what says nothing."""
    names = ("version", "commit", "seed", "python", "numpy", "numba", "platform", "cpu", "threads")
    return [(name, str(provenance[name])) for name in names if provenance.get(name) is not None]


def corner() -> dict[str, Any]:
    """The corner n = 1 of the main theorem as recalled: where, in figure 5, failure exceeds the delta asked for."""
    data = next(load(recipe) for recipe in recipes() if recipe.name == "theorem_corner")
    return {"eps": data["params"]["eps"]} | {name: _missed(data, name) for name in ("recalled", "designated")}


def _missed(data: Data, name: str) -> dict[str, Any]:
    rows = [row for row in data["promises"] if row[name] > row["log10_delta"]]
    first = max(rows, key=lambda row: row["log10_delta"], default=None)
    count = {"count": len(rows), "tried": len(data["promises"])}
    return {**count, "first": first, "log10_failure": first[name] if first else None}


def page(found: Data, *, docs: str | None = None) -> str:
    """The whole page; the same bytes for the same numbers.

    ``docs``: where the pages of ``docs/`` are, as seen from this one; the proofs are linked there.

    Raises
    ------
    ValueError
        Jinja2 is missing.
    """
    try:
        import jinja2
        import markupsafe
    except ModuleNotFoundError:
        raise ValueError('the report needs Jinja2: pip install "strong-tickets[report]"') from None
    from sims.checks.report import LEGEND
    from theory.bibliography import PAPERS

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(PAGE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"mathematics": lambda text: markupsafe.Markup(mathematics(text)), "slug": slug}
    parts = [figure_parts(recipe) for recipe in recipes()]
    figures = {str(part["recipe"].number): part["id"] for part in parts}
    return environment.get_template("report.html.j2").render(
        words=verdicts.WORDS,
        verify=found,
        legend=LEGEND,
        statements=verdicts.statements(found, figures, None if docs is None else f"{docs.rstrip('/')}/proofs.html"),
        controls=[row for row in verdicts.check_rows(found) if row["control"]],
        numbers=verdicts.numbers(found),
        corner=corner(),
        figures=parts,
        papers=PAPERS,
        origin=origin(found["provenance"]),
        table=explorer_table.TABLE.read_text(encoding="utf-8").strip(),
        inline={file.name: file.read_text(encoding="utf-8") for file in PAGE.glob("*.[cj]s*")},
    )


# -- command ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Report:
    """Write the report: one HTML page with the verdicts, the statements, the figures and an explorer."""

    examples: ClassVar[tuple[str, ...]] = (
        "python -m figures.report --out report.html",
        "python -m sims.verify --budget 5m --json > found.json; python -m figures.report --verdicts found.json",
    )

    out: flags.File = "figures/out/report.html"
    """The page; the folder figures/out is made if it is missing."""
    verdicts: flags.OptionalFile = None
    """What `python -m sims.verify --json` printed. Default: figures/verdicts.json."""
    compute: bool = False
    """Run sims.verify anew and keep what it finds in figures/verdicts.json of the source tree."""
    budget: Seconds = BUDGET
    """Its budget, with --compute."""
    seed: flags.Integer = SEED
    """Its seed, with --compute."""
    docs: flags.OptionalFile = None
    """Where the built pages of docs/ are, as seen from the page: proofs are linked there. Default: they are named."""
    quiet: bool = False
    """Do not name the file."""
    force: bool = False
    """Let --out replace files of any kind, but for inputs."""


PAGES = beginning_with("page", b"<!DOCTYPE html>", b"<!doctype html>")


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see ``--help``."""

    def work(args: Sequence[str] | None) -> int:
        chosen = flags.parse(Report, args, prog="python -m figures.report")
        seed = flags.between("--seed", chosen.seed, 0, 2**53 - 1)
        if chosen.compute and chosen.verdicts is not None:
            raise flags.UsageError("--compute and --verdicts exclude each other")
        if chosen.compute:
            check_source_tree("--compute")
        if chosen.out == Report.out:
            Path(chosen.out).parent.mkdir(parents=True, exist_ok=True)
        kept = verdicts.VERDICTS
        check_outputs(
            OutputFile("--out", chosen.out, PAGES),
            OutputFile("--compute", kept if chosen.compute else None, OWN),
            inputs=[] if chosen.compute else [chosen.verdicts or kept],
            force=chosen.force,
        )
        if chosen.compute:
            write_text(kept, compact(verdicts.compute(budget=chosen.budget, seed=seed)))
        found = verdicts.load(kept if chosen.verdicts is None else Path(chosen.verdicts))
        write_text(chosen.out, page(found, docs=chosen.docs))
        if not chosen.quiet:
            print(chosen.out)
        return 0

    return cli.run(work, argv)


if __name__ == "__main__":
    sys.exit(main())
