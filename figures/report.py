"""The report: one HTML page with verdicts, statements, figures and an explorer, made from committed numbers.

``python -m figures.report`` writes figures/out/report.html, which needs nothing but itself; ``--compute`` first runs
``sims.verify`` and keeps what it found in figures/verdicts.json.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from figures.inline_svg import inline_svg
from figures.recipe import SEED, Data, Recipe, load
from figures.registry import recipes
from figures.typeset import mathematics, slug
from sims.commands import cli
from sims.statistics.result import check_output, write_text

VERDICTS = Path(__file__).parent / "verdicts.json"
"""What the committed run of ``sims.verify`` found."""

PAGE = Path(__file__).parent / "page"
"""Template, style and scripts."""

BUDGET = "60s"
"""Work of the committed run, as ``sims.verify --budget`` takes it."""

KEPT = (
    "claim", "status", "control", "kind", "where", "trials", "successes", "off_factor", "power", "margin", "verdict",
    "failed",
)  # fmt: skip
"""Columns of ``sims.verify`` that the page shows."""

WORDS = {
    "proved": "the proof is in theory/PROOFS.md, line by line",
    "read": "seen in the paper's text or in its authors' code",
    "recalled": "from memory, not checked against the paper",
    "heuristic": "a prediction, never used as a bound",
}
"""On whose word a statement stands."""


# -- data -------------------------------------------------------------------------------------------------------------


def compute_verdicts(*, budget: str = BUDGET, seed: int = SEED, only: Sequence[str] = ()) -> Data:
    """Run ``sims.verify`` and keep what the page shows; a refuted claim is kept like the others.

    Raises
    ------
    ValueError
        It refused its arguments.
    """
    from sims import verify

    verify.seconds(budget)
    printed = io.StringIO()
    argv = ["--json", "--seed", str(seed), "--budget", budget, *(["--only", *only] if only else [])]
    with contextlib.redirect_stdout(printed):
        code = verify.main(argv)
    if code not in (0, 1):
        raise ValueError(f"python -m sims.verify {' '.join(argv)} exited with {code}")
    found: Data = json.loads(printed.getvalue())
    return {**found, "rows": [{name: row[name] for name in KEPT} for row in found["rows"]]}


def load_verdicts(path: Path = VERDICTS) -> Data:
    """What ``sims.verify --json`` printed.

    Raises
    ------
    ValueError
        There is no such file, or it holds something else.
    """
    try:
        found: Data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{path.name} is missing: make it with python -m figures.report --compute") from None
    except ValueError as problem:
        raise ValueError(f"{path.name}: not JSON ({problem})") from None
    fits = isinstance(found, dict) and found.get("schema") == "strong-tickets/sims.verify/1"
    if not fits or not all(set(KEPT) <= set(row) for row in found.get("rows", [{}])):
        raise ValueError(f"{path.name}: not what python -m sims.verify --json prints")
    return found


# -- what the template shows ------------------------------------------------------------------------------------------


def check_rows(found: Data) -> list[dict[str, Any]]:
    """Every check with its verdict and power in words."""
    from sims.checks import report as _report

    rows = []
    for row in found["rows"]:
        power = "" if row["power"] is None else _report.number(row["power"])
        if power and not row["control"]:
            power += f" at {row['off_factor']:g}x"
        rows.append({**row, "word": _report.verdict_of(row), "power_text": power, "kind_of": verdict_class(row)})
    return rows


def verdict_class(row: Mapping[str, Any]) -> str:
    """Colour of a verdict: good, bad, finding or plain."""
    if row["failed"]:
        return "bad"
    if row["control"] or row["verdict"] == "consistent":
        return "good"
    return "finding" if row["verdict"] == "refuted" else "plain"


def statements(found: Data, figures: Mapping[str, str]) -> list[dict[str, Any]]:
    """The registered claims, each with its verdict, its checks and its figures."""
    from theory.bibliography import BY_KEY
    from theory.claims import CLAIMS

    verdicts = {entry["claim"]: entry["verdict"] for entry in found["summary"]}
    rows = check_rows(found)
    result = []
    for claim in CLAIMS:
        mine = [row for row in rows if row["claim"] == claim.id and not row["control"]]
        worst = {row["kind_of"] for row in mine}
        result.append(
            {
                "claim": claim,
                "id": f"claim-{slug(claim.id)}",
                "verdict": verdicts.get(claim.id, "not in this run"),
                "kind_of": next((kind for kind in ("bad", "finding", "good") if kind in worst), "plain"),
                "checks": [row for row in mine if row["kind"] != "none"],
                "controls": sum(row["claim"] == claim.id and bool(row["control"]) for row in rows),
                "paper": BY_KEY.get(claim.source),
                "figure": figures.get(claim.figure),
            }
        )
    return result


def parameters(data: Data) -> list[tuple[str, str]]:
    """What a figure was computed with: its ``params``, those of the results in it, and single numbers beside them."""
    inside = [data, *(part for value in data.values() for part in (value if isinstance(value, list) else [value]))]
    found: dict[str, list[str]] = {}
    for part in inside:
        if not isinstance(part, dict) or "seed" in part:  # the provenance is shown by itself
            continue
        given = dict(part["params"]) if isinstance(part.get("params"), dict) else {}
        if part is data:
            given |= {name: value for name, value in part.items() if isinstance(value, int | float)}
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
        even = len(value) > 6 and len({b - a for a, b in itertools.pairwise(value)}) == 1
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


def numbers(found: Data) -> dict[str, Any]:
    """Counts for the first paragraph."""
    from theory.claims import CLAIMS

    claims = [row for row in found["rows"] if not row["control"] and row["kind"] != "none"]
    controls = [row for row in found["rows"] if row["control"]]
    proved = [row for row in claims if row["status"] == "proved"]
    return {
        "proved": len({row["claim"] for row in proved}),
        "proved_checks": len(proved),
        "refuted": sum(row["verdict"] == "refuted" for row in proved),
        "claims": len(CLAIMS),
        "by_status": {word: sum(claim.status == word for claim in CLAIMS) for word in WORDS},
        "checks": len(claims),
        "trials": sum(row["trials"] or 0 for row in claims),
        "controls": len(controls),
        "caught": sum(row["verdict"] == "refuted" for row in controls),
        "failed": [row for row in found["rows"] if row["failed"]],
        "weak": [row for row in claims if row["verdict"] == "no power"],
        "findings": [row for row in claims if row["verdict"] == "refuted" and not row["failed"]],
        "predictions": sum(row["kind"] == "prediction" for row in claims),
    }


def page(found: Data) -> str:
    """The whole page; the same bytes for the same numbers.

    Raises
    ------
    ValueError
        Jinja2 is missing.
    """
    try:
        import jinja2
    except ModuleNotFoundError:
        raise ValueError('the report needs Jinja2: pip install "strong-tickets[report]"') from None
    from sims.checks import report as _report
    from theory.bibliography import PAPERS

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(PAGE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"mathematics": lambda text: jinja2.utils.markupsafe.Markup(mathematics(text)), "slug": slug}
    parts = [figure_parts(recipe) for recipe in recipes()]
    figures = {str(part["recipe"].number): part["id"] for part in parts}
    return environment.get_template("report.html.j2").render(
        words=WORDS,
        verify=found,
        legend=_report.LEGEND,
        statements=statements(found, figures),
        controls=[row for row in check_rows(found) if row["control"]],
        numbers=numbers(found),
        corner=corner(),
        figures=parts,
        papers=PAPERS,
        origin=origin(found["provenance"]),
        inline={
            name: (PAGE / name).read_text(encoding="utf-8") for name in ("report.css", "formulas.js", "explorer.js")
        },
    )


# -- command ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Report:
    """Write the report: one HTML page with the verdicts, the statements, the figures and an explorer."""

    out: Annotated[str, cli.values("FILE")] = "figures/out/report.html"
    """The page; the folder figures/out is made if it is missing."""
    verdicts: Annotated[str | None, cli.values("FILE")] = None
    """What `python -m sims.verify --json` printed. Default: figures/verdicts.json."""
    compute: bool = False
    """Run sims.verify anew and keep what it finds in figures/verdicts.json."""
    budget: Annotated[str, cli.values("SECONDS")] = BUDGET
    """Its budget, with --compute."""
    seed: Annotated[str, cli.values("INT")] = str(SEED)
    """Its seed, with --compute."""
    quiet: bool = False
    """Do not name the file."""


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see ``--help``."""

    def work(args: Sequence[str] | None) -> int:
        flags = cli.parse(Report, args, prog="python -m figures.report")
        seed = cli.between("--seed", cli.integer("--seed", flags.seed), 0, 2**53 - 1)
        if flags.compute and flags.verdicts is not None:
            raise cli.UsageError("--compute and --verdicts exclude each other")
        if flags.out == Report.out:
            Path(flags.out).parent.mkdir(parents=True, exist_ok=True)
        check_output("--out", flags.out)
        if flags.compute:
            found = compute_verdicts(budget=flags.budget, seed=seed)
            write_text(VERDICTS, json.dumps(found, separators=(",", ":")).replace("},{", "},\n{") + "\n")
        write_text(flags.out, page(load_verdicts(VERDICTS if flags.verdicts is None else Path(flags.verdicts))))
        if not flags.quiet:
            print(flags.out)
        return 0

    return cli.run(work, argv)


if __name__ == "__main__":
    sys.exit(main())
