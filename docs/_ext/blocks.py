"""Blocks of pages that are made from the code or from committed numbers: ``python docs/_ext/blocks.py`` rewrites them.

A block stands between ``<!-- NAME: begin -->`` and ``<!-- NAME: end -->``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent.parent
GALLERY = DOCS / "data" / "gallery.json"

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
    headings = ("network", "weights", "within eta", "outputs differ by", "of", "proved", "job", "before", "after")
    headings += ("seconds", "MB", "bits a weight")
    lines = [f"| {' | '.join(headings)} |", "|---|" + "--:|" * 5 + "---|" + "--:|" * 5]
    lines += [f"| {' | '.join(_cells(row))} |" for row in result["rows"]]
    skipped = [row["skipped"] for row in result["summary"] if "skipped" in row]
    given, where = result["params"], result["provenance"]
    source = f"n = {given['n']}, eta = {given['eta']:g}, source {given['source']}, seed {given['seed']}"
    lines += ["", f"{source}; {where['threads']} threads on {where['cpu']}, PyTorch {where['torch']}.", ""]
    lines += [f"- {row['network']}: {row['source']}; licence {row['licence']}." for row in result["rows"]]
    return "\n".join(lines + [f"- not measured: {reason}." for reason in skipped])


def _cells(row: Mapping[str, Any]) -> list[str]:
    share = "all" if row["share_within_eta"] == 1 else f"{100 * row['share_within_eta']:.4g} %"
    proved = "no bound" if row["certified"] is None else f"{row['certified']:.3g}"
    memory = "" if row["memory"] is None else f"{row['memory'] / 1e6:.0f}"
    return [
        row["network"], f"{row['weights']:,}", share, f"{row['difference']:.3g}", f"{row['output']:.3g}", proved,
        f"{row['job']} ({row['metric'].replace('_', ' ')})", f"{row['before']:.4g}", f"{row['after']:.4g}",
        f"{row['seconds']:.1f}", memory, f"{row['bits_per_weight']:.1f}",
    ]  # fmt: skip


BLOCKS: dict[str, tuple[str, Callable[[], str]]] = {
    "operators": ("real_networks.md", operators),
    "table": ("gallery_networks.md", gallery),
}
"""Name of a block: its page, and what makes it."""


def rewritten(text: str, name: str, content: str) -> str:
    """A page's text with one block replaced."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    head, rest = text.split(begin)
    _, tail = rest.split(end)
    return f"{head}{begin}\n{content}\n{end}{tail}"


def main() -> None:
    """Rewrite all blocks."""
    sys.path.insert(0, str(DOCS.parent))
    for name, (page, make) in BLOCKS.items():
        path = DOCS / page
        path.write_text(rewritten(path.read_text(encoding="utf-8"), name, make()), encoding="utf-8")


if __name__ == "__main__":
    main()
