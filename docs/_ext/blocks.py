"""Blocks of pages made from the code or from committed numbers: ``python docs/_ext/blocks.py`` rewrites them.

A block stands between ``<!-- NAME: begin -->`` and ``<!-- NAME: end -->``. In the proofs it is the line that begins
with ``*Used.*``, at the end of every section that has a claim.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent.parent
PROOFS = DOCS.parent / "theory" / "PROOFS.md"
GALLERY = DOCS / "data" / "gallery.json"
THEOREMS = DOCS / "data" / "theorems.json"
BITS = DOCS / "data" / "bits.json"
USUAL = (("alpha", 0.5), ("low", -0.5), ("high", 0.5))
"""Parameters that the table of theorems says once."""

MEANINGS = {
    "linear": "found in the random network (weights and biases); bounded by their norms",
    "scale": "absorbed into the weights before it where that goes, else its scale and shift are found; bounded",
    "fixed": "exact: linear without weights; bounded by how often they repeat or add up entries",
    "pointwise": "exact: one function on every entry; bounded by its slope where its argument can be",
    "maxpool": "exact; bounded by how many windows an entry lies in",
    "softmax": "exact; bounded",
    "add": "exact, but for a bias behind a linear operator, which is found; errors add up",
    "product": "exact; bounded by the largest entries",
    "select": "exact; bounded where the condition is the same in both networks",
    "shape": "exact: they see shapes alone",
    "opaque": "exact, and the end of the upper bound where what they take can differ",
}
"""What becomes of the operators of every kind of `nets.graph.kinds`."""


def operators() -> str:
    """Every operator that is read, by kind, from the registries."""
    from nets.graph.kinds import kind
    from nets.graph.operators import FIRST_OPSET, LAST_OPSET, SUPPORTED

    lines = [
        f"Operators of ONNX's own domain, opsets {FIRST_OPSET} to {LAST_OPSET}, by what they are to the bound:",
        "",
    ]
    lines += ["| kind | operators | what becomes of them |", "|---|---|---|"]
    for name, meaning in MEANINGS.items():
        lines.append(f"| {name} | {' '.join(sorted(op for op in SUPPORTED if kind(op) == name))} | {meaning} |")
    return "\n".join(lines)


def gallery() -> str:
    """The table of published networks, from the result that the command printed."""
    result = json.loads(GALLERY.read_text(encoding="utf-8"))
    lines = ["| network | job | before | after |", "|---|---|--:|--:|"]
    lines += [f"| {' | '.join(_job(row))} |" for row in result["rows"]]
    headings = ("network", "weights", "within eta", "outputs differ by", "of", "proved", "bits a weight")
    headings += ("seconds", "MB")
    lines += ["", f"| {' | '.join(headings)} |", "|---|" + "--:|" * 8]
    lines += [f"| {' | '.join(_cost(row))} |" for row in result["rows"]]
    skipped = [row["skipped"] for row in result["summary"] if "skipped" in row]
    given, where = result["params"], result["provenance"]
    source = f"n = {given['n']}, eta = {given['eta']:g}, source {given['source']}, seed {given['seed']}"
    lines += ["", f"{source}; {where['threads']} threads on {where['cpu']}, PyTorch {where['torch']}.", ""]
    lines += [f"- {row['network']}: {row['source']}; licence {row['licence']}." for row in result["rows"]]
    return "\n".join(lines + [f"- not measured: {reason}." for reason in skipped])


def theorems() -> str:
    """Required, necessary and simulated n of every question, from what ``docs/_ext/theorems.py`` computed."""
    found = json.loads(THEOREMS.read_text(encoding="utf-8"))
    lines = [
        "| statement | question | necessary | simulated | suffices | suffices / simulated | necessary / simulated |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    for row in found["rows"]:
        asked = ", ".join(
            f"{name} = {value}" for name, value in row["parameters"].items() if (name, value) not in USUAL
        )
        ratios = (f"{row[name] / row['measured']:.2f}" for name in ("required", "necessary"))
        cells = (row["claims"], f"`{row['question']}` {asked}", *(str(row[name]) for name in ("necessary", "measured")))
        lines.append(f"| {' | '.join((*cells, str(row['required']), *ratios))} |")
    trials = sorted({row["trials"] for row in found["rows"]})
    points = f"{trials[0]:,} to {trials[-1]:,} trials a point, seed {found['seed']}"
    usual = "alpha = 0.5, or all of [-1/2, 1/2], where nothing else is said; for `DrawCode` 2^n draws"
    return "\n".join([*lines, "", f"n for success with probability {1 - found['delta']:g}; {usual}; {points}."])


def bits() -> str:
    """Bits of a weight of the published networks, from what ``docs/_ext/bits.py`` computed."""
    found = json.loads(BITS.read_text(encoding="utf-8"))
    ways = ("quantiser", "pool", "block", "draw", "rank")
    headings = ("network", "weights", "limit", *ways, "file of the pool", "score", "decoded")
    lines = [f"| {' | '.join(headings)} |", "|---|" + "--:|" * (len(headings) - 1)]
    for name, one in found["networks"].items():
        rows = {row["way"]: row for row in one["rows"]}
        after = [rows[way]["score"] for way in ways if way in rows]
        span = " to ".join(f"{score:.4g}" for score in sorted({min(after), max(after)}))
        cells = [f"{rows[way]['bare']:.2f}" if way in rows else "" for way in ways]
        cells = [
            f"{rows['target']['weights']:,}",
            f"{rows['limit']['bits']:.2f}",
            *cells,
            f"{rows['pool']['bits']:.2f}",
        ]
        cells += [f"{rows['target']['score']:.4g}", span]
        lines.append(f"| {' | '.join((name, *cells))} |")
    lines += ["", f"eta = {found['eta']:g} of each layer's largest weight, blocks of 4, seed 1."]
    return "\n".join(lines)


def _job(row: Mapping[str, Any]) -> list[str]:
    job = f"{row['job']} ({row['metric'].replace('_', ' ')})"
    return [row["network"], job, f"{row['before']:.4g}", f"{row['after']:.4g}"]


def _cost(row: Mapping[str, Any]) -> list[str]:
    share = "all" if row["share_within_eta"] == 1 else f"{100 * row['share_within_eta']:.4g} %"
    proved = "no bound" if row["certified"] is None else f"{row['certified']:.3g}"
    memory = "" if row["memory"] is None else f"{row['memory'] / 1e6:.0f}"
    return [
        row["network"], f"{row['weights']:,}", share, f"{row['difference']:.3g}", f"{row['output']:.3g}", proved,
        f"{row['bits_per_weight']:.1f}", f"{row['seconds']:.1f}", memory,
    ]  # fmt: skip


def figures() -> str:
    """Every figure, and what may be asked of it."""
    from dataclasses import fields

    from figures.registry import recipes

    lines = ["| figure | module | parameters |", "|---|---|---|"]
    for one in recipes():
        names = ", ".join(field.name for field in fields(one.settings))
        lines.append(f"| {one.number}. {one.title} | `figures.{one.name}` | {names} |")
    return "\n".join(lines)


BLOCKS: dict[str, tuple[str, Callable[[], str]]] = {
    "figures": ("howto/figures.md", figures),
    "operators": ("real_networks.md", operators),
    "table": ("gallery_networks.md", gallery),
    "looseness": ("theorems.md", theorems),
    "bits": ("bits.md", bits),
}
"""Name of a block: its page, and what makes it."""


def rewritten(text: str, name: str, content: str) -> str:
    """A page's text with one block replaced."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    head, rest = text.split(begin)
    _, tail = rest.split(end)
    return f"{head}{begin}\n{content}\n{end}{tail}"


def with_uses(text: str) -> str:
    """The proofs, where every section with a claim ends with what uses it."""
    from theory.claims import BY_ID

    first, *sections = re.split(r"^(?=##+ )", text, flags=re.M)
    for number, section in enumerate(sections):
        body = re.sub(r"\n+\*Used\.\*[^\n]*", "", section.rstrip())
        heading = re.match(r"##+ (\d+\.\d+(?: \([^)]*\))?) ", section)
        claim = BY_ID.get(heading[1]) if heading else None
        if claim is not None:
            uses = [", ".join(f"`{name.removeprefix('theory.')}`" for name in claim.functions)]
            uses += [f"simulated by `{claim.simulation}`"] if claim.simulation else []
            uses += [f"tested in `tests/{claim.test}`"]
            uses += [f"figure {claim.figure}"] if claim.figure else []
            body += f"\n\n*Used.* {'; '.join(uses)}."
        sections[number] = f"{body}\n\n"
    return first + "".join(sections).rstrip() + "\n"


def main() -> None:
    """Rewrite all blocks."""
    sys.path.insert(0, str(DOCS.parent))
    PROOFS.write_text(with_uses(PROOFS.read_text(encoding="utf-8")), encoding="utf-8")
    for name, (page, make) in BLOCKS.items():
        path = DOCS / page
        path.write_text(rewritten(path.read_text(encoding="utf-8"), name, make()), encoding="utf-8")


if __name__ == "__main__":
    main()
