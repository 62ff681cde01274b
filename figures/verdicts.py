"""What ``sims.verify`` found, as the report shows it: the committed run, its rows in words, claims and counts."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from figures.recipe import SEED, Data
from figures.typeset import slug
from sims.checks.judge import MEASURED, NOT_RUN
from sims.solver.memory import default_jobs
from sims.statistics.verdict import CONSISTENT, NO_POWER, REFUTED, UNDECIDED
from sims.verify import check_claims
from theory import claims as _claims

VERDICTS = Path(__file__).parent / "verdicts.json"
"""What the committed run of ``sims.verify`` found."""

_MOST = 2**24
"""Bytes of such a file."""

BUDGET = 60.0
"""Seconds of work of the committed run."""

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


def compute(*, budget: float = BUDGET, seed: int = SEED, only: Sequence[str] = ()) -> Data:
    """Run ``sims.verify`` and keep what the page shows; a refuted claim is kept like the others."""
    found = check_claims(only, budget=budget, seed=seed, jobs=default_jobs()).to_dict()
    return {**found, "rows": [{name: row[name] for name in KEPT} for row in found["rows"]]}


def load(path: Path = VERDICTS) -> Data:
    """What ``sims.verify --json`` printed.

    Raises
    ------
    ValueError
        There is no such file, or it holds something else.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST + 1)
    except FileNotFoundError:
        raise ValueError(f"{path.name} is missing: make it with python -m figures.report --compute") from None
    except OSError as problem:
        raise ValueError(f"{path.name}: cannot be read ({problem.strerror})") from None
    if len(raw) > _MOST:
        raise ValueError(f"{path.name}: more than {_MOST} bytes, which no verification writes")
    try:
        found: Data = json.loads(raw.decode(), object_pairs_hook=_once)
    except (ValueError, RecursionError) as problem:
        raise ValueError(f"{path.name}: not JSON ({str(problem)[:80]})") from None
    try:
        odd = _odd(found)
    except (KeyError, TypeError, AttributeError) as problem:
        odd = f"{type(problem).__name__} {problem}"
    if odd:
        raise ValueError(f"{path.name}: not what python -m sims.verify --json prints ({odd[:80]})")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def _odd(found: Data) -> str:
    """What is none of what ``sims.verify`` writes; nothing if all is."""
    from theory.claims import BY_ID

    if found["schema"] != "strong-tickets/sims.verify/1":
        return f"schema {found['schema']!r}"
    texts, numbers = ("claim", "status", "control", "kind", "where", "margin", "verdict"), ("off_factor", "power")
    for number, row in enumerate(found["rows"]):
        fair = {name: isinstance(row[name], str) for name in texts}
        fair |= {name: row[name] is None or _is_number(row[name]) for name in numbers}
        fair |= {
            name: row[name] is None or (type(row[name]) is int and 0 <= row[name] < 2**63)
            for name in ("trials", "successes")
        }
        fair |= {"failed": isinstance(row["failed"], bool)}
        if all(fair.values()):
            trials, successes, power, factor = (row[name] for name in ("trials", "successes", "power", "off_factor"))
            fair["claim"], fair["status"] = row["claim"] in BY_ID, row["status"] in WORDS
            fair["verdict"] = row["verdict"] in (CONSISTENT, REFUTED, NO_POWER, UNDECIDED, MEASURED, NOT_RUN)
            fair["successes"] = successes is None or (trials is not None and successes <= trials)
            fair["power"] = power is None or 0.0 <= power <= 1.0
            fair["off_factor"] = factor is None or factor >= 1.0
        if not all(fair.values()):
            name = next(name for name, is_fair in fair.items() if not is_fair)
            return f"{name} of row {number} is {row[name]!r}"
        if not row["control"] and row["power"] is not None and row["off_factor"] is None:
            return f"row {number} has a power without an off_factor"
    told = set()
    for entry in found["summary"]:
        if not isinstance(entry["verdict"], str) or entry["claim"] not in BY_ID or entry["claim"] in told:
            return f"the summary has {entry!r}"
        told.add(entry["claim"])
    made, params = found["provenance"], found["params"]
    words = [made[name] for name in ("version", "python", "numpy", "numba", "platform", "cpu")]
    words += [word for word in (made["commit"],) if word is not None]
    if not all(isinstance(word, str) for word in words) or not (_is_number(made["seconds"]) and made["seconds"] >= 0):
        return "its provenance"
    seed, budget = params["seed"], params["budget"]
    if type(seed) is not int or not 0 <= seed < 2**64 or not (_is_number(budget) and budget > 0):
        return "its parameters"
    return ""


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and -1e300 < value < 1e300


def check_rows(found: Data) -> list[dict[str, Any]]:
    """Every check with its verdict and power in words."""
    from sims.checks.report import verdict_of
    from sims.commands.output import number

    rows = []
    for row in found["rows"]:
        power = "" if row["power"] is None else number(row["power"])
        if power and not row["control"]:
            power += f" at {row['off_factor']:g}x"
        rows.append({**row, "word": verdict_of(row), "power_text": power, "kind_of": verdict_class(row)})
    return rows


def verdict_class(row: Mapping[str, Any]) -> str:
    """Colour of a verdict: good, bad, finding or plain."""
    if row["failed"]:
        return "bad"
    if row["control"] or row["verdict"] == "consistent":
        return "good"
    return "finding" if row["verdict"] == "refuted" else "plain"


def statements(found: Data, figures: Mapping[str, str], proofs: str | None = None) -> list[dict[str, Any]]:
    """The registered claims, each with its verdict, its checks, its figures, and its proof on the page ``proofs``."""
    from theory.bibliography import BY_KEY
    from theory.claims import CLAIMS

    verdicts = {entry["claim"]: entry["verdict"] for entry in found["summary"]}
    rows = check_rows(found)
    headings = proof_headings()
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
                "proof": f"{proofs}#{headings[claim.id]}" if proofs and claim.id in headings else None,
            }
        )
    return result


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


def proof_headings() -> dict[str, str]:
    """The anchors that Sphinx gives to the headings of the proofs, by the number in front of each.

    Examples
    --------
    >>> proof_headings()["2.1 (b)"]
    'b-necessary-n-that-knows-the-failure-probability'
    """
    lines = (Path(_claims.__file__).parent / "PROOFS.md").read_text(encoding="utf-8").splitlines()
    headings = (re.match(r"#+ ((\d[\d.]*(?: \([^)]*\))?) .*)", line) for line in lines)
    names = {found[2]: re.sub(r"[^a-z0-9]+", "-", found[1].lower()) for found in headings if found}
    return {number: name.lstrip("-0123456789").rstrip("-") for number, name in names.items()}
