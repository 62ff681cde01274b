"""How alike the tickets of several runs are, layer by layer and in total, beside what chance alone would give.

``python -m nets.similarity runs/a runs/b ...`` compares the masks of every pair of runs: agreement, Jaccard index
(true: kept by both over kept by at least one), their values for independent masks with the same counts, and Cohen's
kappa, which is 0 at chance and 1 for equal masks. It also gives the norms of kept and of removed weights. Runs are
comparable if their networks have the same layers; densities may differ.

Source: the analysis of Gorbett and Whitley 2023 (bibliography key ``gorbett2023recycling``), whose code (read) adds the
intersection twice into the total Jaccard index, and takes mirrored positions for the removed weights.
"""

from __future__ import annotations

from sims.commands import cli

cli.end_quietly_on_interrupt(__name__)  # the imports below take a while

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro

from nets.construction.bits import unpack
from nets.search.mask_similarity import Overlap, Packed, norms, overlap, pairs, together
from nets.training.run_folder import RunError, RunFolder
from sims.commands.output import check_files, console, deliver
from sims.statistics.result import Result, provenance

TOTAL = "total"
_MEANS = ("agreement", "agreement_chance", "jaccard", "jaccard_chance", "kappa")


@dataclass(frozen=True)
class Similarity:
    """Compare the tickets that several runs found."""

    runs: Annotated[tyro.conf.Positional[tuple[str, ...]], cli.values("RUN RUN [RUN ...]")]
    """Folders of finished runs, or ticket files."""
    json: bool = False
    """Print the result as JSON and nothing else."""
    csv: Annotated[str | None, cli.values("FILE")] = None
    """Also write the rows, one for each pair and layer, as CSV."""
    plot: Annotated[str | None, cli.values("FILE")] = None
    """Also draw the pairs as a heat map and the layers as lines (.png, .pdf or .svg)."""
    quiet: bool = False
    """No table."""

    @property
    def check(self) -> bool:
        """There is nothing to refute."""
        return False


@dataclass(frozen=True)
class MaskSet:
    """The masks of one run.

    Attributes
    ----------
    name : str
        As the user wrote it.
    masks : dict of ndarray of uint8
        Packed as in `nets.construction.mask.Mask.pack`, by the layer's name.
    shapes : dict of tuple
    norms : dict of (float, float)
        Frobenius norms of kept and removed weights; empty where the weights are not at hand.
    """

    name: str
    masks: Mapping[str, Packed]
    shapes: Mapping[str, tuple[int, ...]]
    norms: Mapping[str, tuple[float, float]]


def load_masks(run: str) -> MaskSet:
    """Masks of a run folder, with the norms of its weights, or of a ticket file.

    Raises
    ------
    ValueError
        If there is no ticket, or it is damaged: one line.
    """
    from nets.tickets.found_file import read_found

    path = Path(run)
    folder = RunFolder(path) if path.is_dir() else None
    if folder is not None and not folder.ticket.is_file():
        folder.params()
        why = "a dense run has none" if folder.finished() else "it is not finished"
        raise RunError(f"{run} holds no ticket: {why}")
    ticket = read_found(path if folder is None else folder.ticket)
    masks = {layer.name: ticket.packed_mask(layer.name) for layer in ticket.layers}
    shapes = {layer.name: layer.shape for layer in ticket.layers}
    found: dict[str, tuple[float, float]] = {}
    if folder is not None and folder.checkpoint.is_file():
        from nets.training.checkpoint import load_checkpoint

        model = load_checkpoint(folder.checkpoint)["model"]
        for layer in ticket.layers:
            weight = model[f"{layer.name}.weight"].double().contiguous().numpy().reshape(-1)
            kept = unpack(masks[layer.name], weight.size)
            found[layer.name] = norms(weight, kept)
    return MaskSet(run, masks, shapes, found)


def compare(sets: Sequence[MaskSet]) -> list[dict[str, Any]]:
    """Rows of every pair and layer, the total of all layers last.

    Parameters
    ----------
    sets : sequence of MaskSet, at least two

    Returns
    -------
    list of dict

    Raises
    ------
    ValueError
        If two runs have different layers.
    """
    first = sets[0]
    for other in sets[1:]:
        if other.shapes != first.shapes:
            odd = sorted(set(first.shapes.items()) ^ set(other.shapes.items()))
            raise ValueError(f"{first.name} and {other.name} are networks with different layers ({odd[0]})")
    rows = []
    for i, j in pairs(len(sets)):
        a, b = sets[i], sets[j]
        layers = {name: overlap(a.masks[name], b.masks[name], int(np.prod(shape))) for name, shape in a.shapes.items()}
        for name, found in [*layers.items(), (TOTAL, together(layers.values()))]:
            rows.append({"a": a.name, "b": b.name, "layer": name, **numbers(found), **_norms(a, b, name)})
    return rows


def numbers(found: Overlap) -> dict[str, Any]:
    """All measures of one comparison."""
    return {
        "weights": found.n,
        "kept_a": found.kept_a,
        "kept_b": found.kept_b,
        "kept_both": found.both,
        "agreement": found.agreement,
        "agreement_chance": found.agreement_chance,
        "jaccard": found.jaccard,
        "jaccard_at_mean": found.jaccard_at_mean,
        "jaccard_chance": found.jaccard_chance,
        "kappa": found.kappa,
        "z": found.z,
    }


def summarise(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """For every layer and the total: mean, lowest and highest value of each measure over the pairs."""
    out = []
    for name in dict.fromkeys(row["layer"] for row in rows):
        mine = [row for row in rows if row["layer"] == name]
        line: dict[str, Any] = {"layer": name, "weights": mine[0]["weights"], "pairs": len(mine)}
        for key in _MEANS:
            values = [row[key] for row in mine]
            line |= {key: float(np.mean(values)), f"{key}_min": min(values), f"{key}_max": max(values)}
        out.append(line)
    return out


def _norms(a: MaskSet, b: MaskSet, layer: str) -> dict[str, float | None]:
    found = {}
    for side, one in (("a", a), ("b", b)):
        squares: Any = None
        if one.norms:
            chosen = one.norms.values() if layer == TOTAL else [one.norms[layer]]
            squares = np.square(list(chosen)).sum(axis=0)
        for place, kind in enumerate(("kept", "removed")):
            found[f"norm_{kind}_{side}"] = None if squares is None else float(np.sqrt(squares[place]))
    return found


def work(argv: Sequence[str] | None) -> int:
    """Parse, compare, print; returns the exit code."""
    started = time.monotonic()
    flags = cli.parse(Similarity, argv, prog="python -m nets.similarity")
    check_files(flags, curves=1, settings_of="runs")
    if len(flags.runs) < 2:
        raise cli.UsageError(f"a comparison takes at least two runs, got {len(flags.runs)}")
    if len({Path(run).resolve() for run in flags.runs}) < len(flags.runs):
        raise cli.UsageError(f"a run is named more than once: {' '.join(flags.runs)}")
    rows = compare([load_masks(run) for run in flags.runs])
    result = Result(
        command="nets.similarity",
        params={"runs": list(flags.runs)},
        rows=rows,
        summary=summarise(rows),
        provenance=provenance(seed=None, threads=1, seconds=time.monotonic() - started),
    )

    def draw(path: str) -> None:
        from figures.similarity import save

        save(result, path)

    return deliver(result, flags, draw=draw, show=lambda: _print_tables(result))


def _print_tables(result: Result) -> None:
    from rich.table import Table

    out = console()
    count = result.summary[-1]["pairs"]
    title = f"{len(result.params['runs'])} runs, {count} pair{'s' * (count > 1)}: means"
    table = Table(title=title, title_justify="left")
    table.add_column("layer", no_wrap=True)
    for heading in ("weights", "agreement", "chance", "Jaccard", "chance", "kappa", "kappa from .. to"):
        table.add_column(heading, justify="right", no_wrap=True)
    for line in result.summary:
        values = (f"{line[key]:.4f}" for key in _MEANS)
        table.add_row(
            line["layer"], str(line["weights"]), *values, f"{line['kappa_min']:.4f} .. {line['kappa_max']:.4f}"
        )
    out.print(table)
    if result.rows[0]["norm_kept_a"] is None:
        return
    first = [row for row in result.rows if row["a"] == result.rows[0]["a"] and row["b"] == result.rows[0]["b"]]
    table = Table(title=f"weights of {first[0]['a']}: Frobenius norms", title_justify="left")
    table.add_column("layer", no_wrap=True)
    for heading in ("kept", "removed", "all", "kept, if random"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in first:
        kept, removed = row["norm_kept_a"], row["norm_removed_a"]
        whole = float(np.hypot(kept, removed))
        chance = whole * (row["kept_a"] / row["weights"]) ** 0.5
        table.add_row(row["layer"], f"{kept:.4f}", f"{removed:.4f}", f"{whole:.4f}", f"{chance:.4f}")
    out.print(table)


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see ``--help``."""
    return cli.run(work, argv)


if __name__ == "__main__":
    sys.exit(main())
