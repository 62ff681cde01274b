"""What ``sims.verify`` shows: the table, its legend, the summary, and the same as Markdown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from sims.checks._check import Fact, Point, Untested
from sims.checks._judge import MEASURED, NOT_RUN
from sims.checks._run import Outcome
from sims.intervals import clopper_pearson
from sims.output import COLOURS, console, number
from sims.result import Result
from sims.verdict import CONSISTENT, NO_POWER, REFUTED
from theory.claims import BY_ID

LEGEND = (
    "Margin: bound / measured for upper bounds, measured / bound for lower ones (their complements above 1/2), "
    "measured / exact for exact values, each with its 95 % interval. Power: the probability that this test "
    "would refute if the truth were off by the factor shown, in the smaller of the probability and its complement; "
    "'no power' is below 1/2. A fact is recomputed independently; it would notice the factor with certainty, or not. "
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
        cells |= {"kind": "fact", "off_factor": 1.5}
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


def print_table(result: Result) -> None:
    """Everything for people."""
    from rich.table import Table

    out = console()
    for title, wanted in (("Claims", False), ("Controls: wrong on purpose, each must be refuted", True)):
        rows = [cells for cells in result.rows if bool(cells["control"]) == wanted]
        if not rows:
            continue
        shown = Table(title=title, title_justify="left", padding=(0, 0), show_lines=False)
        for heading in ("claim", "status", "wrong" if wanted else "kind", "where tested", "margin", "power", "verdict"):
            shown.add_column(heading, overflow="fold")
        last = ""
        for cells in rows:
            verdict = verdict_of(cells)
            colour = "bold red" if cells["failed"] else COLOURS.get(cells["verdict"], "cyan")
            shown.add_row(
                cells["claim"] if cells["claim"] != last else "",
                cells["status"] if cells["claim"] != last else "",
                cells["control"] if wanted else cells["kind"],
                cells["where"],
                cells["margin"],
                _power(cells),
                f"[{'green' if wanted and not cells['failed'] else colour}]{verdict}[/]",
            )
            last = cells["claim"]
        out.print(shown)
    out.print(LEGEND, style="dim")
    for line in sentences(result):
        out.print(line, soft_wrap=True)


def sentences(result: Result) -> list[str]:
    """The run in a few lines."""
    claims = [cells for cells in result.rows if not cells["control"]]
    controls = [cells for cells in result.rows if cells["control"]]
    proved = [cells for cells in claims if cells["status"] == "proved" and cells["kind"] != "none"]
    refuted = [cells for cells in proved if cells["verdict"] == REFUTED]
    weak = sum(cells["verdict"] == NO_POWER for cells in proved)
    caught = sum(cells["verdict"] == REFUTED for cells in controls)
    statements = len({cells["claim"] for cells in proved})
    lines = [
        f"{statements} proved statements, {len(proved)} checks: {len(refuted)} refuted, {weak} without power; "
        f"{caught} of {len(controls)} controls refuted."
    ]
    lines += [f"REFUTED: {cells['claim']}, {cells['where']}: {cells['margin']}" for cells in refuted]
    lines += [
        f"CONTROL PASSES: {cells['claim']}, {cells['control']}: {cells['margin']}"
        for cells in controls
        if cells["verdict"] != REFUTED
    ]
    for cells in claims:
        if cells["verdict"] == REFUTED and not cells["failed"]:
            lines.append(f"Finding: {cells['claim']} ({cells['status']}), {cells['where']}: {cells['margin']}")
    left_out = {cells["claim"]: cells["margin"] for cells in claims if cells["verdict"] == NOT_RUN}
    lines += [f"Not run: {claim}, {reason}." for claim, reason in left_out.items()]
    return lines


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
        words.append(word if proved or word != REFUTED else f"fails in {fails} of {len(tested)} checks")
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
    lines = ["# Every claim against simulation", "", *sentences(result), ""]
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
