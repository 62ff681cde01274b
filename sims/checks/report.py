"""What ``sims.verify`` shows: the table, its legend, the summary, and the same as Markdown."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from sims.checks.check import Fact, Point, Untested
from sims.checks.judge import MEASURED, NOT_RUN
from sims.checks.run import Outcome
from sims.commands.output import COLOURS, console, number
from sims.files import beginning_with
from sims.plain_text import counted
from sims.statistics.intervals import clopper_pearson
from sims.statistics.result import Result
from sims.statistics.verdict import CONSISTENT, LEVEL, NO_POWER, REFUTED
from theory.claims import BY_ID

_TITLE = "# Every claim against simulation"
REPORT = beginning_with("report of sims.verify", _TITLE.encode())

LEGEND = (
    "Margin: bound / measured for upper bounds, measured / bound for lower ones (their complements above 1/2), "
    "measured / exact for exact values, each with its 95 % interval; at least 1 where a bound holds. Power: the "
    "probability that this test would refute if the truth were off by 1.5 (exact values and bands: 1.05), in the "
    "smaller of the probability and its complement; 'no power' is below 1/2. A fact is recomputed independently, or a "
    "rare failure estimated without bias; it would notice a factor of 1.5 with certainty, or not. The power of a "
    "control is that at the measured share. "
    "All tests together refute a true statement with probability <= 1e-6: a fixed, equal share for each."
)


def row(outcome: Outcome) -> dict[str, Any]:
    """One check as a row of the result; the same keys for all kinds."""
    check, judged = outcome.check, outcome.judged
    cells: dict[str, Any] = {
        "claim": check.claim,
        "status": BY_ID[check.claim].status,
        "control": outcome.control,
        "kind": "none",
        "where": "not testable by simulation" if isinstance(check, Untested) else check.where,
        "low": None,
        "high": None,
        "trials": outcome.trials,
        "successes": outcome.successes,
        "measured": None,
        "ci_low": None,
        "ci_high": None,
        "p_value": judged.p_value,
        "off_factor": None,
        "power": judged.power,
        "margin": judged.margin,
        "tightness": judged.tightness,
        "verdict": judged.verdict,
        "failed": outcome.failed,
    }
    if isinstance(check, Fact):
        told = judged.verdict == MEASURED
        cells |= {"kind": "prediction" if told else "fact", "off_factor": None if told else 1.5}
    if isinstance(check, Point):
        assert outcome.trials is not None
        assert outcome.successes is not None
        low, high = clopper_pearson(outcome.successes, outcome.trials)
        cells |= {"kind": check.kind, "low": check.low, "high": check.high, "ci_low": low, "ci_high": high}
        cells |= {"measured": outcome.successes / outcome.trials}
        cells |= {"off_factor": None if check.kind == "prediction" else check.factor}
    return cells


def verdict_of(cells: Mapping[str, Any]) -> str:
    """The verdict in words that also fit controls and statements that nobody has proved."""
    verdict = str(cells["verdict"])
    if cells["control"]:
        return "refuted, as it must be" if verdict == REFUTED else "PASSES, but must not"
    if verdict == REFUTED and not cells["failed"]:
        return "fails (finding)"
    return verdict


def _power(cells: Mapping[str, Any]) -> str:
    if cells["power"] is None:
        return ""
    return number(cells["power"]) if cells["control"] else f"{number(cells['power'])} at {cells['off_factor']:g}x"


_COLUMNS = {"kind": 10, "where tested": 0, "margin": 25, "power": 8, "verdict": 10}
"""Headings and widths; the second takes what is left, at least 30."""


def print_table(result: Result) -> None:
    """Everything for people: a heading for each claim, its checks below it, the run in one line at the end."""
    from rich.markup import escape
    from rich.table import Table

    out = console(markup=True)
    left = max(30, out.width - sum(_COLUMNS.values()) - len(_COLUMNS))

    def lines(rows: Sequence[Sequence[str]], style: str = "") -> None:
        shown = Table(box=None, show_header=False, padding=(0, 1, 0, 0), style=style)
        for width in _COLUMNS.values():
            shown.add_column(width=width or left, overflow="fold")
        for cells in rows:
            shown.add_row(*cells)
        out.print(shown)

    for title, wanted in (("Claims", False), ("Controls: wrong on purpose, each must be refuted", True)):
        chosen = [cells for cells in result.rows if bool(cells["control"]) == wanted]
        if not chosen:
            continue
        out.print(f"\n{title}", style="bold underline")
        lines([tuple(_COLUMNS)], style="dim")
        for claim, group in itertools.groupby(chosen, lambda cells: str(cells["claim"])):
            known = BY_ID[claim]
            statement = "" if wanted else escape(known.short or known.statement)
            out.print(f"[bold]{claim}[/] [cyan]{known.status}[/]  {statement}")
            lines([_cells(cells) for cells in group])
    out.print()
    out.print(LEGEND, style="dim")
    for line in [*sentences(result), headline(result)]:
        out.print(escape(line), soft_wrap=True)


def _cells(cells: Mapping[str, Any]) -> tuple[str, ...]:
    from rich.markup import escape

    verdict, colour = verdict_of(cells), COLOURS.get(cells["verdict"], "cyan")
    where = cells["where"]
    if cells["control"]:
        verdict, colour = ("PASSES", "") if cells["failed"] else (REFUTED, "green")
        where = f"{cells['control']}: {where}"
    shown = f"[{'bold red' if cells['failed'] else colour}]{verdict}[/]"
    power = "" if cells["power"] is None else number(cells["power"])
    return ("" if cells["kind"] == "none" else cells["kind"], escape(where), escape(cells["margin"]), power, shown)


def headline(result: Result) -> str:
    """The run in one line: counts, controls, level and seed."""
    claims = [cells for cells in result.rows if not cells["control"]]
    controls = [cells for cells in result.rows if cells["control"]]
    proved = [cells for cells in claims if cells["status"] == "proved" and cells["kind"] != "none"]
    refuted = sum(cells["verdict"] == REFUTED for cells in proved)
    weak = sum(cells["verdict"] == NO_POWER for cells in proved)
    caught = sum(cells["verdict"] == REFUTED for cells in controls)
    statements = len({cells["claim"] for cells in proved})
    return (
        f"{counted(statements, 'proved statement')}, {counted(len(proved), 'check')}: {refuted} refuted, "
        f"{weak} without power; "
        f"{caught} of {counted(len(controls), 'control')} refuted; false alarms <= {LEVEL:g} in all, "
        f"seed {result.params['seed']}, budget {result.params['budget']:g} s."
    )


def sentences(result: Result) -> list[str]:
    """What needs attention: refutations, controls that pass, findings, and what was not run."""
    claims = [cells for cells in result.rows if not cells["control"]]
    lines = []
    for cells in result.rows:
        if cells["failed"] and not cells["control"]:
            lines.append(f"REFUTED: {cells['claim']}, {cells['where']}: {cells['margin']}")
        elif cells["failed"]:
            lines.append(f"CONTROL PASSES: {cells['claim']}, {cells['control']}: {cells['margin']}")
        elif cells["verdict"] == REFUTED and not cells["control"]:
            lines.append(f"Finding: {cells['claim']} ({cells['status']}), {cells['where']}: {cells['margin']}")
    left_out = {cells["claim"]: cells["margin"] for cells in claims if cells["verdict"] == NOT_RUN}
    return lines + [f"Not run: {claim}, {reason}." for claim, reason in left_out.items()]


def summary(rows: Sequence[Mapping[str, Any]], claim: str) -> str:
    """The verdict on one claim, with its margin, in a few words."""
    mine = [cells for cells in rows if cells["claim"] == claim and not cells["control"]]
    ran = [cells for cells in mine if cells["verdict"] != NOT_RUN]
    if not ran:
        return f"not tested: {mine[0]['margin']}" if mine else "not tested"
    predictions = [cells["tightness"] for cells in ran if cells["kind"] == "prediction"]
    tested = [cells for cells in ran if cells["verdict"] != MEASURED]
    words = []
    if tested:
        verdicts = {cells["verdict"] for cells in tested}
        proved = tested[0]["status"] == "proved"
        fails = sum(cells["verdict"] == REFUTED for cells in tested)
        word = next((word for word in (REFUTED, CONSISTENT, NO_POWER) if word in verdicts), NO_POWER)
        words.append(word if proved or word != REFUTED else f"fails in {fails} of {counted(len(tested), 'check')}")
    exact = [cells["tightness"] for cells in tested if cells["kind"] == "exact" and cells["verdict"] == CONSISTENT]
    bounds = [cells["tightness"] for cells in tested if cells["kind"] in ("upper", "lower")]
    facts = sum(cells["kind"] == "fact" and cells["verdict"] == CONSISTENT for cells in tested)
    if exact:
        words.append(f"{_many(exact, 'exact value')} within {_rounded_up(100 * max(exact))} %")
    if bounds:
        finite = [bound for bound in bounds if math.isfinite(bound)]
        words.append(f"{_many(bounds, 'bound')}, tightest {min(finite):.3g}x" if finite else _many(bounds, "bound"))
    if facts:
        words.append(f"{facts} recomputed" if exact or bounds or predictions else f"recomputed ({facts})")
    if predictions:
        words.append(f"within {_rounded_up(max(predictions))} at {_many(predictions, 'setting')}")
    return "; ".join(words)


def _many(values: Sequence[float], noun: str) -> str:
    return f"{len(values)} {noun}{'s' if len(values) > 1 else ''}"


def _rounded_up(value: float) -> str:
    """Two significant digits, upwards."""
    if value == 0.0 or not math.isfinite(value):
        return f"{value:g}"
    unit = 10.0 ** (math.floor(math.log10(value)) - 1)
    return f"{math.ceil(value / unit - 1e-9) * unit:.2g}"


def markdown(result: Result) -> str:
    """A report that stands alone."""
    lines = [
        _TITLE,
        "",
        headline(result),
        "",
        *(f"- {line}" for line in sentences(result)),
        "",
    ]
    headings = ("claim", "status", "kind", "where tested", "margin", "power", "verdict")
    for title, wanted in (("Claims", False), ("Controls", True)):
        rows = [cells for cells in result.rows if bool(cells["control"]) == wanted]
        names = [("what is wrong" if wanted and name == "kind" else name) for name in headings]
        lines += [f"## {title}", "", f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
        for cells in rows:
            second = cells["control"] if wanted else cells["kind"]
            row_cells = (cells["claim"], cells["status"], second, cells["where"], cells["margin"], _power(cells))
            lines.append("| " + " | ".join(_escaped(text) for text in (*row_cells, verdict_of(cells))) + " |")
        lines.append("")
    lines += ["## How to read it", "", LEGEND, "", "## Where it comes from", ""]
    lines += [f"- {key}: {value}" for key, value in {**result.params, **result.provenance}.items()]
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")
