"""Find a given network inside a random one: prune, certify, test, and write a ticket.

``python -m nets.approximate MY_NETWORK --n 21 --eta 0.01`` loads a trained ReLU network, prunes a random source until
every weight is within eta of the target's, certifies the error of the whole network, compares the accuracies where
test images are given, and writes a small file from which anyone can rebuild the pruned random network. From Python:
`nets.tickets.approximate`.
"""

from __future__ import annotations

import json as json_text
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import tyro

from sims.commands import cli, flags
from sims.progress import progress
from sims.statistics.result import Result, check_output, provenance, write_text

if TYPE_CHECKING:
    import torch

    from nets.targets.target import Target
    from nets.tickets.approximation import Approximation


@dataclass(frozen=True)
class Approximate:
    """Prune a random network until it is a given one, certify the error and write a ticket."""

    examples: ClassVar[tuple[str, ...]] = (
        "python -m nets.approximate digits --n 28 --eta 0.01 --seed 1 --out ticket.safetensors",
        "python -m nets.approximate mlp.pt --source shared --n 21 --data mnist --data-dir DIR --check",
    )
    renamed: ClassVar[dict[str, str]] = {"--eval": "--data"}

    target: Annotated[flags.File, tyro.conf.Positional]
    """A network on disk (.pt .pth .safetensors .npz .onnx), or digits."""
    n: flags.Integer = 21
    """Random values per weight or row; layered: neurons per input coordinate and sign."""
    eta: flags.Real = 0.01
    """Largest error of one weight."""
    source: Literal["layered", "private", "shared"] = "layered"
    """layered: products of two random layers. private, shared: values of each weight's, each output row's own."""
    R: flags.Integer = 1
    """Draws that each random value may take in total."""
    construction: Literal["window", "best", "subset-sum"] = "subset-sum"
    """layered only. window: the proof's choice. best: one product. subset-sum: a sum of several."""
    seed: flags.OptionalInteger = None
    """Seed in [0, 2^64). Default: a fresh one, which is printed."""
    out: flags.OptionalFile = None
    """Write the ticket (.safetensors)."""
    data: flags.OptionalName = None
    """Test images on which both networks are run: digits or mnist. Default: digits where the target is digits."""
    data_dir: flags.OptionalFolder = None
    """Folder of the MNIST files."""
    pixels: Literal["unit", "standard"] = "unit"
    """MNIST inputs: x / 255, or (x / 255 - 0.1307) / 0.3081. As the target was trained."""
    domain: Literal["l2", "linf"] = "l2"
    """Unit ball of the inputs for the certificate."""
    jobs: flags.OptionalInteger = None
    """Threads. Default: all available cores."""
    device: Literal["auto", "cpu", "cuda"] = "cpu"
    """Where the search and the certificate run; the masks do not depend on it."""
    json: bool = False
    """Print the result as JSON and nothing else."""
    csv: flags.OptionalFile = None
    """Also write the rows as CSV."""
    check: bool = False
    """Exit with 1 if a weight misses eta."""
    quiet: bool = False
    """No table and no progress bar."""

    @property
    def images(self) -> str | None:
        """Where the test images are, as results name it: digits, mnist:DIR, or None."""
        if self.data is None:
            return "digits" if self.target == "digits" else None
        kind, _, folder = self.data.partition(":")
        folder = folder or self.data_dir or ""
        if kind == "digits" and not folder:
            return "digits"
        if kind == "mnist" and folder:
            return f"mnist:{folder}"
        raise flags.UsageError(f"--data takes digits, or mnist with --data-dir DIR, got {self.data}")


def work(argv: Sequence[str] | None) -> int:
    """Parse, load, prune, certify, write, print; returns the exit code."""
    started = time.monotonic()
    given = flags.parse(Approximate, argv, prog="python -m nets.approximate")
    if given.out is not None and not given.out.lower().endswith(".safetensors"):
        raise flags.UsageError(f"--out takes a .safetensors file, got {given.out}")
    tests = given.images
    check_output("--out", given.out)
    check_output("--csv", given.csv)
    from nets.targets import load_target
    from nets.tickets import ApproximationSettings, approximate

    names = ("n", "eta", "source", "R", "construction", "seed", "domain", "device", "jobs")
    chosen = {name: getattr(given, name) for name in names if getattr(given, name) is not None}
    settings = ApproximationSettings(**chosen)
    begun = time.monotonic()
    target = load_target(given.target)
    images = load_images(tests, given.pixels, target)
    times = {"load": time.monotonic() - begun}
    with progress(sum(w.numel() for w in target.weights), quiet=given.quiet or given.json) as advance:
        found = approximate(target, advance=advance, **asdict(settings))
    times |= found.seconds
    size = found.save(given.out) if given.out is not None else len(found.ticket.to_bytes())
    accuracies: dict[str, float | None] = {"target": None, "pruned": None}
    if images is not None:
        accuracies = {name: accuracy(network(images[0]), images[1]) for name, network in
                      (("target", target), ("pruned", found))}  # fmt: skip
    times["total"] = time.monotonic() - started
    result = _result(given, found, tests, accuracies, times, size)
    if given.csv is not None:
        write_text(given.csv, result.to_csv())
    if given.json:
        document = result.to_dict()
        sys.stdout.write(json_text.dumps({**document, **document["summary"][0]}, indent=1, allow_nan=False) + "\n")
    elif not given.quiet:
        _print_table(result, given.out, target.has_bias)
    numbers = found.ticket.numbers
    return 1 if given.check and numbers["within_eta"] < numbers["weights"] else 0


def load_images(tests: str | None, pixels: str, target: Target) -> tuple[torch.Tensor, torch.Tensor] | None:
    """Inputs and labels of the test images, read before the work starts: a wrong folder is noticed at once."""
    if tests is None:
        return None
    if tests == "digits":
        from nets.targets.files import digits_split

        split = digits_split()
        x, y = split.x_test, split.y_test
    else:
        from nets.data.mnist import load_mnist

        x, y = load_mnist(tests.removeprefix("mnist:"), pixels=pixels)
    if x.shape[1] != target.input_dim:
        raise flags.UsageError(f"--data {tests} has {x.shape[1]} pixels, the target takes {target.input_dim} inputs")
    if int(y.max()) >= target.widths[-1]:
        raise flags.UsageError(
            f"--data {tests} has labels up to {int(y.max())}, the target {target.widths[-1]} outputs"
        )
    return target.lift(x), y


def accuracy(outputs: torch.Tensor, labels: torch.Tensor) -> float:
    """Part of the images whose largest output is the label's."""
    return float((outputs.argmax(-1) == labels).double().mean())


def _result(
    given: Approximate,
    found: Approximation,
    tests: str | None,
    accuracies: dict[str, float | None],
    times: dict[str, float],
    size: int,
) -> Result:
    from nets.device import machine

    one, numbers = found.settings, found.ticket.numbers
    summary = {
        "weights": numbers["weights"],
        "n": one.n,
        "eta": one.eta,
        "within_eta": numbers["within_eta"],
        "max_weight_error": numbers["max_weight_error"],
        "kept": numbers["kept"],
        "kept_per_weight": numbers["kept"] / numbers["weights"],
        "seconds": {name: round(value, 4) for name, value in times.items()},
        "error": numbers["error"],
        "accuracy": accuracies,
        "bits_per_weight": 8 * size / numbers["weights"],
        "scale": list(found.ticket.scale),
        "missed": found.missed,
    }
    params = {
        "target": given.target,
        "n": one.n,
        "eta": one.eta,
        "source": one.source,
        "R": one.R,
        "construction": one.construction,
        "seed": one.seed,
        "eval": tests,
        "pixels": given.pixels,
        "domain": one.domain,
        "jobs": one.jobs,
        "device": one.device,
    }
    return Result(
        command="nets.approximate",
        params=params,
        rows=_rows(found.target, numbers),
        provenance=provenance(seed=one.seed, threads=one.jobs, seconds=times["total"], **machine(one.device)),
        summary=[summary],
    )


def _rows(target: Target, numbers: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "layer": i,
            "shape": list(weight.shape),
            "weights": weight.numel(),
            "within_eta": layer["within_eta"],
            "max_weight_error": layer["max_weight_error"],
            "kept": layer["kept"],
        }
        for i, (weight, layer) in enumerate(zip(target.weights, numbers["layers"], strict=True), 1)
    ]


def _print_table(result: Result, out: str | None, has_bias: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    params, found = result.params, result.summary[0]
    console = Console(width=None if sys.stdout.isatty() else 100, highlight=False, soft_wrap=True)
    how = f", {params['construction']}" if params["source"] == "layered" else ""
    console.print(
        f"{params['target']}: {found['weights']} weights, source {params['source']}{how}, n={params['n']}, "
        f"R={params['R']}, eta={params['eta']:g}, seed {params['seed']}"
    )
    table = Table()
    for heading in ("layer", "shape", "weights", "within eta", "largest error", "kept", "kept per weight"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in [*result.rows, {**found, "layer": "all", "shape": []}] if len(result.rows) > 1 else result.rows:
        cells = [row["layer"], " x ".join(map(str, row["shape"])), row["weights"], row["within_eta"]]
        ends = [f"{row['max_weight_error']:.3g}", row["kept"], f"{row['kept'] / row['weights']:.2f}"]
        table.add_row(*map(str, [*cells, *ends]))
    console.print(table)
    missing = found["weights"] - found["within_eta"]
    if missing:
        worst = found["missed"][0]
        console.print(
            f"{missing} of {found['weights']} weights miss eta={params['eta']:g}; the worst is weight "
            f"{worst['weight']:.4g} in row {worst['row']}, column {worst['column']} of layer {worst['layer']}, "
            f"best error {worst['error']:.3g}"
        )
    error = found["error"]
    ball = "lifted inputs" if has_bias else "inputs"
    console.print(f"network error in [{error['lower']}, {error['upper']}] on the {error['domain']} ball of {ball}")
    if any(c != 1 for c in found["scale"]) and params["source"] == "layered":
        console.print(f"layers divided by {' '.join(f'{c:g}' for c in found['scale'])}: the output takes their product")
    if found["accuracy"]["target"] is not None:
        before, after = (100 * found["accuracy"][name] for name in ("target", "pruned"))
        console.print(f"accuracy on {params['eval']}: target {before:.2f} %, pruned {after:.2f} %")
    times = ", ".join(f"{name} {value:.2f} s" for name, value in found["seconds"].items())
    where = f" -> {out}" if out is not None else " (not written: no --out)"
    console.print(f"{times}; ticket {found['bits_per_weight']:.2f} bits per weight{where}")


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see ``--help``."""
    return cli.run(work, argv)


if __name__ == "__main__":
    sys.exit(main())
