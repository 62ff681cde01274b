"""Find a given network inside a random one: prune, certify, test, and write a ticket.

``python -m nets.approximate MY_NETWORK --n 21 --eta 0.01`` loads a trained ReLU network, prunes a random source until
every weight is within eta of the target's, certifies the error of the whole network, compares the accuracies where
test images are given, and writes a small file from which anyone can rebuild the pruned random network.

**Sources.** ``layered``: the random network of depth 2l of the main theorem; a weight is a sum of products of two
layers (`nets.construction.prune_approx`). ``private``, ``shared``: a weight is a sum of some of n values of its own
or of its output
row, as in the published experiment (`nets.construction.value_sets`).

**Large weights.** Entries of the layered source lie in [-1, 1]. A layer with a weight outside is divided by the least
power of two c that brings all of them inside, which is exact; since the network is positively homogeneous, one factor
on its output, the product of the c's, makes up for it. The ticket records c; errors are in the target's units.
"""

from __future__ import annotations

from sims.commands import cli

cli.end_quietly_on_interrupt(__name__)  # the imports below take a while

import json as json_text
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from nets.device import machine, resolve_device
from sims.solver.memory import available_bytes, default_jobs, readable
from sims.solver.philox import MAX_SEED
from sims.statistics.result import Result, check_output, provenance, write_text

if TYPE_CHECKING:
    import torch

    from nets.targets.target import Target
    from nets.tickets.make import Effective


@dataclass(frozen=True)
class Approximate:
    """Prune a random network until it is a given one, certify the error and write a ticket."""

    target: Annotated[tyro.conf.Positional[str], cli.values("TARGET")]
    """A network on disk (.pt .pth .safetensors .npz .onnx), or digits."""
    n: Annotated[str, cli.values("INT")] = "21"
    """Random values per weight or row; layered: neurons per input coordinate and sign."""
    eta: Annotated[str, cli.values("REAL")] = "0.01"
    """Largest error of one weight."""
    source: Literal["layered", "private", "shared"] = "layered"
    """layered: products of two random layers. private, shared: values of each weight's, each output row's own."""
    R: Annotated[str, cli.values("INT")] = "1"
    """Draws that each random value may take in total."""
    construction: Literal["window", "best", "subset-sum"] = "subset-sum"
    """layered only. window: the proof's choice. best: one product. subset-sum: a sum of several."""
    seed: Annotated[str | None, cli.values("INT")] = None
    """Seed in [0, 2^64). Default: a fresh one, which is printed."""
    out: Annotated[str | None, cli.values("FILE")] = None
    """Write the ticket (.safetensors)."""
    eval: Annotated[str | None, cli.values("mnist:DIR|digits")] = None
    """Test images on which both networks are run. Default: digits where the target is digits."""
    pixels: Literal["unit", "standard"] = "unit"
    """MNIST inputs: x / 255, or (x / 255 - 0.1307) / 0.3081. As the target was trained."""
    domain: Literal["l2", "linf"] = "l2"
    """Unit ball of the inputs for the certificate."""
    jobs: Annotated[str | None, cli.values("INT")] = None
    """Threads. Default: all available cores."""
    device: Literal["auto", "cpu", "cuda"] = "cpu"
    """Where the search and the certificate run; the masks do not depend on it."""
    json: bool = False
    """Print the result as JSON and nothing else."""
    csv: Annotated[str | None, cli.values("FILE")] = None
    """Also write the rows as CSV."""
    check: bool = False
    """Exit with 1 if a weight misses eta."""
    quiet: bool = False
    """No table and no progress bar."""


@dataclass(frozen=True)
class Settings:
    """Validated flags."""

    target: str
    n: int
    eta: float
    source: str
    R: int
    construction: str
    seed: int
    eval: str | None
    pixels: str
    domain: str
    jobs: int
    device: str


def settings(flags: Approximate) -> Settings:
    """Validate the flags; raises UsageError with one line."""
    eta = cli.real("--eta", flags.eta)
    if not (math.isfinite(eta) and eta > 0):
        raise cli.UsageError(f"--eta must be a number > 0, got {flags.eta}")
    if flags.construction == "window" and eta > 1:
        raise cli.UsageError(f"--eta must be at most 1 with --construction window, got {flags.eta}")
    if flags.source != "layered" and flags.construction != "subset-sum":
        raise cli.UsageError(f"--construction {flags.construction} needs --source layered, got {flags.source}")
    if flags.out is not None and not flags.out.lower().endswith(".safetensors"):
        raise cli.UsageError(f"--out takes a .safetensors file, got {flags.out}")
    tests = "digits" if flags.eval is None and flags.target == "digits" else flags.eval
    if tests is not None and tests != "digits" and not (tests.startswith("mnist:") and tests[6:]):
        raise cli.UsageError(f"--eval takes mnist:DIR or digits, got {tests}")
    n = cli.between("--n", cli.integer("--n", flags.n), 1, 10**12)
    draws = cli.between("--R", cli.integer("--R", flags.R), 1, 2**33)
    if flags.source != "layered" and n * draws > 2**33:
        raise cli.UsageError(f"--n times --R must be at most 2^33, got {n} and {draws}")
    seed = cli.fresh_seed() if flags.seed is None else cli.integer("--seed", flags.seed)
    jobs = default_jobs() if flags.jobs is None else cli.integer("--jobs", flags.jobs)
    return Settings(
        target=flags.target,
        n=n,
        eta=eta,
        source=flags.source,
        R=draws,
        construction=flags.construction,
        seed=cli.between("--seed", seed, 0, MAX_SEED),
        eval=tests,
        pixels=flags.pixels,
        domain=flags.domain,
        jobs=cli.between("--jobs", jobs, 1, 4096),
        device=resolve_device(flags.device),
    )


def predicted_bytes(target: Target, options: Settings) -> float:
    """Memory that the work takes at its peak, the solver's own apart, about."""
    weights, n = sum(w.numel() for w in target.weights), options.n
    if options.source != "layered":
        return weights * (64 + n * (1 if options.R == 1 else 8))
    if options.construction == "subset-sum":
        return weights * (160 + n * (72 + 2 * math.ceil(options.R.bit_length() / 8)))
    return weights * (800 + n / 2)


def load_images(options: Settings, target: Target) -> tuple[torch.Tensor, torch.Tensor] | None:
    """Inputs and labels of ``--eval``, read before the work starts so that a wrong folder is noticed at once."""
    if options.eval is None:
        return None
    if options.eval == "digits":
        from nets.targets.files import digits_split

        data = digits_split()
        x, y = data.x_test, data.y_test
    else:
        from nets.data.mnist import load_mnist

        x, y = load_mnist(options.eval[6:], pixels=options.pixels)
    if x.shape[1] != target.input_dim:
        raise cli.UsageError(
            f"--eval {options.eval} has {x.shape[1]} pixels, the target takes {target.input_dim} inputs"
        )
    if int(y.max()) >= target.widths[-1]:
        raise cli.UsageError(
            f"--eval {options.eval} has labels up to {int(y.max())}, the target {target.widths[-1]} outputs"
        )
    return target.lift(x), y


@dataclass(frozen=True, eq=False)
class Solved:
    """The pruned network: effective weights in the target's units, kept values a layer, and what makes the ticket."""

    effective: Effective
    kept: list[int]
    scale: tuple[float, ...]
    signs: str
    network: Any


def solve(target: Target, options: Settings, advance: cli.Advance) -> Solved:
    """Prune the source that the options name."""
    if options.source == "layered":
        return _solve_layered(target, options, advance)
    import torch

    from nets.construction.value_sets import ValueSets

    size = max(float(w.abs().max()) for w in target.weights)
    sets = ValueSets(options.source, seed=options.seed, n=options.n, R=options.R, size=size)
    chosen = []
    for i, weight in enumerate(target.weights, 1):
        label = f"layer {i}"
        chosen.append(
            sets.solve(
                i, weight.numpy(), device=options.device, jobs=options.jobs,
                tick=partial(advance, label=label),
            )
        )  # fmt: skip
    effective = [(made, made) for made in (torch.from_numpy(part.effective) for part in chosen)]
    return Solved(effective, [part.kept for part in chosen], (size,) * target.depth, "open", (sets, chosen))


def layer_scales(target: Target) -> tuple[float, ...]:
    """The least power of two >= 1 for every layer that its weights do not exceed.

    Examples
    --------
    >>> import torch
    >>> from nets.targets.target import Target
    >>> layer_scales(Target([torch.tensor([[0.3]]), torch.tensor([[-2.5]]), torch.tensor([[2.0]])]))
    (1.0, 4.0, 2.0)
    """
    sizes = [float(w.abs().max()) for w in target.weights]
    return tuple(max(1.0, math.ldexp(1.0, math.frexp(size)[1] - (math.frexp(size)[0] == 0.5))) for size in sizes)


def _solve_layered(target: Target, options: Settings, advance: cli.Advance) -> Solved:
    from nets.construction.prune_approx import check_construction, prune
    from nets.construction.source import Source

    scale = layer_scales(target)
    source = Source(target.widths, options.n, seed=options.seed, R=options.R)
    done = 0

    def report(now: int, total: int) -> None:
        nonlocal done
        advance((now - done) * sum(w.numel() for w in target.weights) / total)
        done = now

    pruned = prune(
        [weight / c for weight, c in zip(target.weights, scale, strict=True)],
        source,
        construction=options.construction,
        eta=[min(options.eta / c, 1.0) for c in scale],
        halves="needed",
        device=options.device,
        jobs=options.jobs,
        progress=report,
    )
    signs = check_construction(options.construction, signs=None, halves="needed", R=options.R, sampler="draws")
    effective = [(c * plus, c * minus) for c, (plus, minus) in zip(scale, pruned.effective(), strict=True)]
    counts = pruned.n_keep_layers
    kept = [counts[i] + counts[i + 1] for i in range(0, len(counts), 2)]
    return Solved(effective, kept, scale, signs, pruned)


def accuracy(outputs: torch.Tensor, labels: torch.Tensor) -> float:
    """Part of the images whose largest output is the label's."""
    return float((outputs.argmax(-1) == labels).double().mean())


def work(argv: Sequence[str] | None) -> int:
    """Parse, load, prune, certify, write, print; returns the exit code."""
    started = time.monotonic()
    flags = cli.parse(Approximate, argv, prog="python -m nets.approximate")
    options = settings(flags)
    check_output("--out", flags.out)
    check_output("--csv", flags.csv)
    from nets.certificate import certify
    from nets.targets.files import load_target
    from nets.tickets.file import write_bytes
    from nets.tickets.make import layered_ticket, measured, missed_weights, sets_ticket
    from nets.tickets.rebuilt import evaluate

    begun = time.monotonic()
    target = load_target(options.target)
    images = load_images(options, target)
    needed = predicted_bytes(target, options)
    if needed > available_bytes() // 2:
        raise ValueError(
            f"{options.source} with n={options.n} needs about {readable(needed)} of memory for {target.widths}, "
            f"the limit is {readable(available_bytes() // 2)}"
        )
    times = {"load": time.monotonic() - begun}
    begun = time.monotonic()
    with cli.progress(sum(w.numel() for w in target.weights), quiet=flags.quiet or flags.json) as advance:
        found = solve(target, options, advance)
    times["solve"] = time.monotonic() - begun
    begun = time.monotonic()
    certificate = certify(target, found.effective, domain=options.domain, device=options.device)
    numbers = measured(target, found.effective, found.kept, eta=options.eta)
    times["certify"] = time.monotonic() - begun
    recorded: dict[str, Any] = {"eta": options.eta, "numbers": numbers, "certificate": certificate}
    if options.source == "layered":
        ticket = layered_ticket(target, found.network, found.scale, signs=found.signs, **recorded)
    else:
        ticket = sets_ticket(target, *found.network, **recorded)
    content = ticket.to_bytes()
    if flags.out is not None:
        write_bytes(flags.out, content)
    accuracies: dict[str, float | None] = {"target": None, "pruned": None}
    if images is not None:
        accuracies["target"] = accuracy(target(images[0]), images[1])
        accuracies["pruned"] = accuracy(evaluate(found.effective, images[0]), images[1])
    times["total"] = time.monotonic() - started
    summary = {
        "weights": numbers["weights"],
        "n": options.n,
        "eta": options.eta,
        "within_eta": numbers["within_eta"],
        "max_weight_error": numbers["max_weight_error"],
        "kept": numbers["kept"],
        "kept_per_weight": numbers["kept"] / numbers["weights"],
        "seconds": {name: round(value, 4) for name, value in times.items()},
        "error": ticket.numbers["error"],
        "accuracy": accuracies,
        "bits_per_weight": 8 * len(content) / numbers["weights"],
        "scale": list(found.scale),
        "missed": missed_weights(target, found.effective, options.eta),
    }
    result = Result(
        command="nets.approximate",
        params=asdict(options),
        rows=_rows(target, numbers),
        provenance=provenance(
            seed=options.seed, threads=options.jobs, seconds=times["total"], **machine(options.device)
        ),
        summary=[summary],
    )
    if flags.csv is not None:
        write_text(flags.csv, result.to_csv())
    if flags.json:
        document = json_text.loads(result.to_json())
        sys.stdout.write(json_text.dumps({**document, **document["summary"][0]}, indent=1, allow_nan=False) + "\n")
    elif not flags.quiet:
        _print_table(result, flags.out, target.has_bias)
    return 1 if flags.check and numbers["within_eta"] < numbers["weights"] else 0


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
