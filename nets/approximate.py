"""Find a given network inside a random one: prune, certify, compare, and write a ticket.

``python -m nets.approximate model.onnx --n 24 --eta 0.01 --inputs data.npy`` loads a trained network, prunes a random
source until every weight is within eta of the network's, says how far the outputs can differ and how far they did on
the data given, and writes a file from which anyone can rebuild the pruned random network. From Python:
`nets.tickets.approximate`.
"""

from __future__ import annotations

import json as json_text
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import tyro

from nets.accuracy import accuracy, images_named, load_images
from sims.commands import cli, flags
from sims.commands.output import Delivery, check_table, console, deliver
from sims.commands.prediction import Prediction, announce
from sims.files import OutputFile
from sims.plain_text import counted, one_line
from sims.progress import progress
from sims.statistics.result import Result, provenance

if TYPE_CHECKING:
    from nets.certificate import Domain
    from nets.graph.parts import Part
    from nets.tickets.approximation import Approximation, ApproximationSettings
    from nets.tickets.coding import CodeSettings

_MAX_ROWS = 40


@dataclass(frozen=True)
class Approximate:
    """Prune a random network until it is a given one, certify the difference and write a ticket.

    ONNX files say what the network is. A file of weights (.pt .pth .safetensors .npz) does not: it is taken for a chain
    of dense layers with the activation that --activation names.
    """

    examples: ClassVar[tuple[str, ...]] = (
        "python -m nets.approximate digits --n 28 --eta 0.01 --seed 1 --out ticket.safetensors",
        "python -m nets.approximate model.onnx --source shared --inputs data.npy --out ticket.safetensors",
        "python -m nets.approximate model.onnx --code pool --eta 0.01 --out ticket.safetensors",
        "python -m nets.approximate mlp.pt --activation relu --data mnist --data-dir DIR --check",
    )
    renamed: ClassVar[dict[str, str]] = {"--eval": "--data"}

    target: Annotated[flags.File, tyro.conf.Positional]
    """A network on disk (.onnx, or .pt .pth .safetensors .npz with --activation), or digits."""
    n: flags.OptionalInteger = None
    """Random values per weight or output; layered: neurons per input channel and sign. Default: 21; --code rank: 18."""
    eta: flags.Real = 0.01
    """Largest error of one weight; with --code, unless mask, as a share of its layer's largest weight."""
    absolute: bool = False
    """With --code: --eta is the largest error itself."""
    source: Literal["layered", "private", "shared"] | None = None
    """layered (default): products of two random layers. private, shared: values of each weight's, each output's own."""
    R: flags.OptionalInteger = None
    """Draws that each random value may take in total. Default: 1; with --code, what nearly always suffices."""
    code: Literal["mask", "draw", "block", "pool", "rank"] = "mask"
    """How the ticket names what is kept. mask: a bit for each random value. The others keep one random value for each
    weight and name it in few bits. draw: the first of its own draws within eta. block: the first draw of --d weights at
    once. pool: a few of the draws that a layer shares. rank: the first sum of some of n values."""
    d: flags.OptionalInteger = None
    """block: weights in a block, 1 to 4. Default: 4."""
    draws: Literal["even", "independent"] | None = None
    """draw, block: draws of one weight are spread evenly over all values (default), or independent."""
    law: Literal["matched", "uniform"] | None = None
    """draw, block: law of the draws, matched (default) to each layer's weights or uniform."""
    construction: Literal["window", "best", "halves", "thirds", "quarters", "subset-sum"] | None = None
    """layered only. window: the proof's choice. best: one product. halves, thirds, quarters: 2, 3, 4 products, of a
    neuron each. subset-sum (default): a sum of several."""
    activation: flags.OptionalName = None
    """What stands between the layers of a file of weights: relu leaky_relu relu6 gelu elu sigmoid tanh none."""
    fix: flags.Fixed = ()
    """Give inputs of an ONNX file a constant value, as sr=16000."""
    seed: flags.OptionalInteger = None
    """Seed in [0, 2^64). Default: a fresh one, which is printed."""
    out: flags.OptionalFile = None
    """Write the ticket (.safetensors)."""
    inputs: flags.OptionalFile = None
    """Examples on which the outputs of both networks are compared: .npy, or .npz with an array for each input."""
    data: flags.OptionalName = None
    """Test images on which both networks are run: digits or mnist. Default: digits where the target is digits."""
    data_dir: flags.OptionalFolder = None
    """Folder of the MNIST files."""
    pixels: Literal["unit", "standard"] = "unit"
    """MNIST inputs: x / 255, or (x / 255 - 0.1307) / 0.3081. As the target was trained."""
    domain: Literal["l2", "linf"] = "l2"
    """Inputs for which the difference is bounded: a ball in this norm about 0."""
    radius: flags.OptionalReal = None
    """Of the ball. Default: the least that holds the examples, or 1 without any."""
    box: flags.OptionalInterval = None
    """Inputs for which the difference is bounded: all entries in [LOW, HIGH], instead of a ball."""
    jobs: flags.OptionalInteger = None
    """Threads. Default: all available cores."""
    device: Literal["auto", "cpu", "cuda"] = "cpu"
    """Where the search and the certificate run; the masks do not depend on it."""
    max_time: flags.OptionalDuration = None
    """Refuse what is predicted to take longer than this. Default: a day."""
    json: bool = False
    """Print the result as JSON and nothing else."""
    csv: flags.OptionalFile = None
    """Also write the rows as CSV."""
    check: bool = False
    """Exit with 1 if a weight misses eta."""
    quiet: bool = False
    """No table and no progress bar."""
    force: bool = False
    """Let --out and --csv replace files of any kind, but for inputs."""

    @property
    def images(self) -> str | None:
        """Where the test images are, as results name it: digits, mnist:DIR, or None."""
        if self.data is None:
            return "digits" if self.target == "digits" and self.inputs is None else None
        return images_named(self.data, self.data_dir)


def work(argv: Sequence[str] | None) -> int:
    """Parse, load, prune, certify, write, print; returns the exit code."""
    started = time.monotonic()
    given = flags.parse(Approximate, argv, prog="python -m nets.approximate")
    if given.out is not None and not given.out.lower().endswith(".safetensors"):
        raise flags.UsageError(f"--out takes a .safetensors file, got {given.out}")
    if given.box is not None and (given.radius is not None or given.domain != "l2"):
        raise flags.UsageError("--box says the inputs by itself: leave --radius and --domain out")
    tests = given.images
    from nets.tickets.file import TICKET

    inputs = (given.target, given.inputs, given.data_dir)
    check_table(given, OutputFile("--out", given.out, TICKET), inputs=inputs)
    from nets.targets import load_target
    from nets.targets.examples import read_examples
    from nets.tickets.approximation import approximate, approximate_by_code, as_graph, parts_of

    settings = _settings(given)
    begun = time.monotonic()
    with _named(given.target):
        graph = as_graph(load_target(given.target, activation=given.activation, fixed=dict(given.fix)))
        parts = parts_of(graph)
    images = load_images(tests, given.pixels, graph)
    examples: Mapping[str, Any] | None = read_examples(graph, given.inputs) if given.inputs is not None else None
    if examples is None and images is not None:
        examples = {graph.inputs[0].name: images[0]}
    times = {"load": time.monotonic() - begun}
    weights = sum(part.weights for part in parts)
    domain = _domain(given, examples)
    announce(_expected(parts, settings), max_time=given.max_time, quiet=given.quiet)
    store = None if given.out is None or given.code == "mask" else f"{given.out}.unfinished"
    with _named(given.target), progress(weights, quiet=given.quiet or given.json) as advance:
        if given.code == "mask":
            found = approximate(graph, examples, domain=domain, advance=advance, **asdict(settings))
        else:
            found = approximate_by_code(
                graph, examples, domain=domain, advance=advance, store=store, **asdict(settings)
            )
    times |= found.seconds
    failed = _keep(found, given.out, store)
    accuracies: dict[str, float | None] = {"target": None, "pruned": None}
    if images is not None:
        import torch

        from nets.graph import GraphModule

        both = {"target": GraphModule(graph, dtype=torch.float64), "pruned": found.network("float64")}
        accuracies = {name: accuracy(network, graph, *images) for name, network in both.items()}
    total = time.monotonic() - started
    times |= {"other": total - sum(times.values()), "total": total}  # other: start, prediction, test images
    result = _result(given, found, tests, accuracies, times, len(found.ticket.to_bytes()))

    def document() -> None:
        whole = result.to_dict()
        sys.stdout.write(json_text.dumps({**whole, **whole["summary"][0]}, indent=1, allow_nan=False) + "\n")

    where = None if given.out is None else "not written" if failed else f"-> {one_line(given.out)}"
    numbers = found.ticket.numbers
    missed = given.check and numbers["within_eta"] < numbers["weights"]
    code = deliver(result, given, show=lambda: _print_table(result, where), document=document, code=int(missed))
    return failed or code


@contextmanager
def _named(target: str) -> Iterator[None]:
    """Whatever a network is refused for names its file."""
    from nets.graph.graph import GraphError

    try:
        yield
    except GraphError as error:
        name = Path(target).name
        raise GraphError(f"{error}" if str(error).startswith(f"{name}: ") else f"{name}: {error}") from None


def _keep(found: Approximation, out: str | None, store: str | None) -> int:
    """Write the ticket as soon as it is there, and only then remove its parts; returns 2, after a line, if it fails."""
    delivery = Delivery(silent=True)

    def save() -> None:
        from nets.tickets.coding import remove_parts

        found.save(str(out))
        if store is not None:
            remove_parts(store)

    delivery.write("ticket", out, save)
    return delivery.code


def _settings(given: Approximate) -> ApproximationSettings | CodeSettings:
    """The settings that the flags name; those of another code are refused."""
    from nets.tickets import ApproximationSettings, CodeSettings

    common = ("eta", "R", "seed", "jobs")
    masks, draws, ranks = ("source", "construction", "device", "n"), ("draws", "law"), ("n",)
    own = {"mask": masks, "draw": draws, "block": ("d", *draws), "pool": (), "rank": ranks}[given.code]
    for name in ("source", "construction", "n", "d", "draws", "law"):
        if getattr(given, name) is not None and name not in own:
            raise flags.UsageError(f"--{name} is not for --code {given.code}")
    if given.absolute and given.code == "mask":
        raise flags.UsageError("--absolute is not for --code mask, whose eta is the error itself")
    if given.device != "cpu" and given.code != "mask":
        raise flags.UsageError(f"--code {given.code} runs on the CPU, got --device {given.device}")
    chosen = {name: getattr(given, name) for name in (*common, *own) if getattr(given, name) is not None}
    return (
        ApproximationSettings(**chosen)
        if given.code == "mask"
        else CodeSettings(code=given.code, absolute=given.absolute, **chosen)
    )


def _expected(parts: Sequence[Part], settings: ApproximationSettings | CodeSettings) -> Prediction:
    """Time and memory of the work, before it begins."""
    from nets.tickets import ApproximationSettings, approximation, coding

    if isinstance(settings, ApproximationSettings):
        seconds, size = approximation.predicted_seconds(parts, settings), approximation.predicted_bytes(parts, settings)
    else:
        weights = [part.weights for part in parts]
        seconds = coding.predicted_seconds(sum(weights), settings)
        size = coding.predicted_bytes(max(weights), sum(weights), settings)
    return Prediction(seconds, int(size))


def _domain(given: Approximate, examples: Mapping[str, Any] | None) -> Domain | dict[str, Domain] | None:
    """The inputs that the flags speak of; None: what `approximate` takes by default."""
    from nets.certificate import Domain

    if given.box is not None:
        return Domain.box(*given.box)
    if given.radius is not None:
        return Domain.ball(given.radius) if given.domain == "l2" else Domain.box(-given.radius, given.radius)
    if given.domain == "l2":
        return None
    if examples is None:
        return Domain.box(-1.0, 1.0)
    floating = {name: batch for name, batch in examples.items() if batch.is_floating_point()}
    return {name: Domain.box_of(batch.numpy()) for name, batch in floating.items()}


def _result(
    given: Approximate,
    found: Approximation,
    tests: str | None,
    accuracies: dict[str, float | None],
    times: dict[str, float],
    size: int,
) -> Result:
    from nets.device import machine

    one, numbers, ticket = found.settings, found.ticket.numbers, found.ticket
    summary = {
        "weights": numbers["weights"],
        "exact": ticket.exact_numbers,
        "n": one.n,
        "eta": one.eta,
        "within_eta": numbers["within_eta"],
        "max_weight_error": numbers["max_weight_error"],
        "kept": numbers["kept"],
        "kept_per_weight": numbers["kept"] / numbers["weights"],
        "exceptions": numbers.get("exceptions", 0),
        "seconds": {name: round(value, 4) for name, value in times.items()},
        "error": found.certificate.to_dict(),
        "accuracy": accuracies,
        "bits_per_weight": 8 * size / numbers["weights"],
        "assumptions": list(found.target.assumptions),
        "missed": found.missed,
    }
    params = {
        "target": given.target,
        "code": given.code,
        **asdict(one),
        "activation": given.activation,
        "fix": dict(given.fix),
        "inputs": given.inputs,
        "data": tests,
        "pixels": given.pixels,
        "domain": given.domain,
        "radius": given.radius,
        "box": given.box,
        "device": given.device,
    }
    return Result(
        command="nets.approximate",
        params=params,
        rows=found.rows,
        provenance=provenance(seed=one.seed, threads=one.jobs, seconds=times["total"], **machine(params["device"])),
        summary=[summary],
    )


def _print_table(result: Result, ticket: str | None) -> None:
    from rich.table import Table

    params, found = result.params, result.summary[0]
    out = console(least=120)

    def say(text: str) -> None:
        out.print(text, soft_wrap=True)

    held = f"{counted(found['weights'], 'weight')} in {counted(len(result.rows), 'part')}"
    say(f"{one_line(params['target'])}: {held}, {_how(params)}, seed {params['seed']}")
    for text in found["assumptions"]:
        say(f"assumed: {text}")
    table = Table()
    for heading in ("part", "kind", "shape", "weights", "within eta", "largest error", "kept per weight"):
        table.add_column(heading, justify="left" if heading in ("part", "kind") else "right", overflow="ellipsis")
    shown = result.rows if len(result.rows) <= _MAX_ROWS else result.rows[:_MAX_ROWS]
    whole = {**found, "part": "all", "kind": "", "shape": []}
    for row in [*shown, whole] if len(result.rows) > 1 else shown:
        cells = [
            one_line(row["part"])[-36:],
            row["kind"],
            " x ".join(map(str, row["shape"])),
            row["weights"],
            row["within_eta"],
        ]
        table.add_row(*map(str, [*cells, f"{row['max_weight_error']:.3g}", f"{row['kept'] / row['weights']:.2f}"]))
    out.print(table)
    if len(shown) < len(result.rows):
        say(f"{counted(len(result.rows) - len(shown), 'more part')} in --json and --csv")
    say(f"{counted(found['exact'], 'number')} kept as given; the rest comes from the random network")
    if found["exceptions"]:
        say(f"{found['exceptions']} weights have no such random value and stand in the ticket as they are")
    missing = found["weights"] - found["within_eta"]
    if missing:
        worst = found["missed"][0]
        say(
            f"{missing} of {found['weights']} weights miss eta={params['eta']:g}; the worst is {worst['weight']:.4g} "
            f"at {worst['index']} of {one_line(worst['part'])}, best error {worst['error']:.3g}"
        )
        say("a larger --n or --eta reaches more of them" + (", so does --R" if params["R"] == 1 else ""))
    for line in certificate_lines(found["error"]):
        say(line)
    if found["accuracy"]["target"] is not None:
        before, after = (100 * found["accuracy"][name] for name in ("target", "pruned"))
        say(f"accuracy on {params['data']}: target {before:.2f} %, pruned {after:.2f} %")
    times = ", ".join(f"{name} {value:.2f} s" for name, value in found["seconds"].items())
    say(f"{times}; ticket {found['bits_per_weight']:.2f} bits per weight {ticket or '(not written: no --out)'}")


def _how(params: Mapping[str, Any]) -> str:
    """How the network was looked for, in one line."""
    if params["code"] == "mask":
        how = f", {params['construction']}" if params["source"] == "layered" else ""
        return f"source {params['source']}{how}, n={params['n']}, R={params['R']}, eta={params['eta']:g}"
    own = {"block": f" of d={params['d']}", "rank": f" of n={params['n']}"}.get(params["code"], "")
    law = f", {params['draws']} draws, {params['law']} law" if params["code"] in ("draw", "block") else ""
    share = "" if params["absolute"] else " of each part's largest weight"
    draws = "" if params["code"] == "rank" else f", R={params['R']}"
    return f"code {params['code']}{own}{law}{draws}, eta={params['eta']:g}{share}"


def certificate_lines(error: Mapping[str, Any]) -> list[str]:
    """What a certificate says, in sentences: how far the outputs can differ, and how far they did."""
    size = error["size"]
    domain, lower = error["domain"], f"{_said(error['lower'])} ({error['lower_word']}"
    if error["upper"] is None:
        share = _share(size, error["relative_lower"])
        lines = [f"outputs can differ by {lower}; {share}) where {domain}; no upper bound: {error['reason']}"]
    else:
        share = _share(size, error["relative_lower"], error["relative_upper"], between=" to ")
        lines = [
            f"largest difference of the outputs where {domain}: between {lower}) and {_said(error['upper'])} (proved); "
            f"{share}"
        ]
    if error["data"] is not None:
        data = error["data"]
        share = _share(size, data["relative_largest"], data["relative_median"], between=" and ")
        lines.append(
            f"on the {data['examples']} examples given they differ by {_said(data['largest'])} at most, "
            f"{_said(data['median'])} in the median ({share}); the largest entry by {_said(data['entry'])}"
        )
    return lines


def _said(number: float | None) -> str:
    return "a number that is not finite" if number is None else f"{number:.3g}"


def _share(size: float | None, *relative: float | None, between: str = "") -> str:
    """Parts of the outputs' size, or only that where it has none."""
    if None in relative:
        return f"their size is {_said(size)}"
    return f"{between.join(map(_said, relative))} of their size"


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see ``--help``."""
    return cli.run(work, argv)


if __name__ == "__main__":
    sys.exit(main())
