"""Federated search for a ticket: clients send bits of masks, never weights or gradients (FedPM).

``python -m nets.federated --clients 10 --rounds 20`` shares the training images among clients, and after every round
prints the accuracy of the server's ticket on the test images and the bits that each client has sent. What the server
sends back is not counted.

Source: Isik et al. 2023 (bibliography key ``isik2023``).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from nets.training.settings import Law
from sims.commands import cli, flags
from sims.commands.flags import OptionalFile, OptionalFolder, OptionalInteger, UsageError
from sims.commands.output import check_table, deliver
from sims.commands.prediction import Prediction, announce
from sims.experiment import fresh_seed
from sims.progress import progress
from sims.statistics.result import Result, provenance

if TYPE_CHECKING:
    from nets.search import TicketSearch

_UPLOAD_BYTES = 9
"""Of a weight of a client: its bit, and a number while the server adds them up."""


@dataclass(frozen=True, kw_only=True)
class Federated:
    """Let clients find a ticket together, by bits of sampled masks (FedPM)."""

    examples: ClassVar = (
        "python -m nets.federated --clients 10 --rounds 20 --seed 1",
        "python -m nets.federated --data mnist --data-dir DIR --clients 50 --rounds 30 --csv bits.csv",
    )

    data: Literal["digits", "mnist", "cifar10"] = "digits"
    """Which images."""
    data_dir: OptionalFolder = None
    """Where the files of the data lie."""
    arch: Literal["mlp", "conv2", "conv4", "conv6", "conv8"] = "mlp"
    """The network: one without batch norms."""
    width: flags.Real = 1.0
    """Factor on every hidden width."""
    init: Law = None
    """Law of the random weights. Default: signed-constant, as the authors have it, 1.9 times as large."""
    density: flags.Real = 0.5
    """First probability of keeping a weight, in (0, 1)."""
    clients: flags.Integer = 10
    """Clients among which the training images are shared, in random equal parts."""
    rounds: flags.Integer = 20
    """Rounds; all clients take part in each."""
    epochs: flags.Integer = 3
    """Passes of each client over its images in a round."""
    batch: flags.Integer = 128
    """Images per step."""
    lr: flags.Real = 0.1
    """Learning rate of the clients' Adam."""
    prior: flags.Real = 1.0
    """Parameters of the server's Beta law at the start of each round, >= 1; 1: the mean of the masks."""
    seed: OptionalInteger = None
    """Seed in [0, 2^63). Default: a fresh one, which is printed."""
    max_time: flags.OptionalDuration = None
    """Do not begin what is predicted to take longer. Default: a day."""
    json: bool = False
    """Print the result as JSON and nothing else."""
    csv: OptionalFile = None
    """Also write the rounds as CSV."""
    quiet: bool = False
    """Print nothing."""
    force: bool = False
    """Let --csv replace files of any kind, but for inputs."""


def federate(given: Federated, note: Callable[[str], None] = lambda line: None) -> Result:
    """All rounds; a row each.

    Parameters
    ----------
    note : callable
        Told of every round in one line.

    Raises
    ------
    ValueError
        If a flag is outside its domain, or the data are missing.
    """
    started = time.monotonic()
    for name in ("clients", "rounds", "epochs", "batch"):
        flags.between(f"--{name}", getattr(given, name), 1, 10**6)
    for name, least, most in (("density", 0, 1), ("width", 0, 1e6), ("lr", 0, 1e6)):
        if not least < getattr(given, name) < most:
            raise UsageError(f"--{name} must be a number in ({least}, {most:g}), got {getattr(given, name):g}")
    if not 1 <= given.prior < 1e6:
        raise UsageError(f"--prior must be a number in [1, 1e+06), got {given.prior:g}")
    seed = flags.between("--seed", fresh_seed() if given.seed is None else given.seed, 0, 2**63 - 1)
    import numpy as np
    import torch

    from nets.data import load_data
    from nets.search.federated import Federation
    from nets.threads import few_threads
    from nets.training.memory import training_bytes
    from nets.training.models import make_model

    data = load_data(given.data, given.data_dir, augment="none")
    x, y = next(data.train.batches(len(data.train)))
    if given.clients > len(x):
        raise UsageError(f"--clients must be at most {len(x)}, the number of images, got {given.clients}")
    size: dict[str, Any] = {"width": given.width, "shape": data.shape, "classes": len(data.class_names)}
    with torch.device("meta"):
        hollow = make_model(given.arch, **size)
    weights = sum(parameter.numel() for parameter in hollow.parameters())
    images = min(given.batch, -(-len(x) // given.clients))
    needed = training_bytes(hollow, data.shape, images) + _UPLOAD_BYTES * given.clients * weights
    announce(Prediction(0.0, needed))
    with few_threads(0):
        seconds = given.rounds * given.clients * _client_seconds(given, _search(given, size, seed), data.train, images)
    announce(Prediction(seconds, needed if needed > 2**30 else 0), max_time=given.max_time, quiet=given.quiet)
    search = _search(given, size, seed)
    model = search.model
    order = torch.from_numpy(np.random.Generator(np.random.Philox(seed)).permutation(len(x)))
    parts = [(x[places], y[places]) for places in order.tensor_split(given.clients)]
    federation = Federation(search, parts, epochs=given.epochs, batch=given.batch, lr=given.lr, prior=given.prior)
    tests, labels = next(data.test.batches(len(data.test)))
    rows = []
    with few_threads(0), progress(given.rounds, quiet=given.quiet or given.json) as advance:
        for found in federation.run(given.rounds):
            model.eval()
            with torch.no_grad(), search.hold_masks():
                right = model(tests).argmax(-1) == labels
            row = {
                "round": found.number, "test_accuracy": float(right.double().mean()), "density": found.density,
                "coded_bits": found.coded_bits, "entropy_bits": found.entropy_bits,
            }  # fmt: skip
            rows.append(row)
            note(
                f"round {found.number:3}: test accuracy {100 * row['test_accuracy']:6.2f} %, {found.coded_bits:.4f} "
                f"bits a weight from each client (entropy of the share kept {found.entropy_bits:.4f})"
            )
            advance(1.0, label=f"round {found.number} of {given.rounds}")
    names = ("data", "arch", "width", "density", "clients", "rounds", "epochs", "batch", "lr", "prior")
    total = sum(row["coded_bits"] for row in rows)
    return Result(
        command="nets.federated",
        params={**{name: getattr(given, name) for name in names}, "init": search.init, "seed": seed},
        rows=rows,
        summary=[{"weights": search.numel, "bits_all_rounds": total, "test_accuracy": rows[-1]["test_accuracy"]}],
        provenance=provenance(seed=seed, threads=1, seconds=time.monotonic() - started),
    )


def _search(given: Federated, size: dict[str, Any], seed: int) -> TicketSearch:
    from nets.search import find_tickets
    from nets.training.models import make_model

    return find_tickets(
        make_model(given.arch, **size, seed=seed), method="bernoulli", density=given.density, seed=seed,
        init=given.init or "signed-constant",
        first_probabilities="normal" if given.density == 0.5 else "constant",
    )  # fmt: skip


def _client_seconds(given: Federated, search: TicketSearch, train: Any, images: int) -> float:
    """Measured seconds of a client's round of steps with so many images; the search is used up."""
    import torch

    from nets.search.federated import decode_mask, encode_mask
    from nets.training.cost import step_seconds

    optimiser = torch.optim.Adam(search.parameters(), lr=given.lr)
    step = step_seconds(search.model, train, images, optimiser, search=search)
    begun = time.perf_counter()
    for layer in search.layers.values():
        known = torch.sigmoid(layer.scores.detach()).float()
        decode_mask(encode_mask(known > 0.5, known), known)
    steps = given.epochs * -(-len(train) // (given.clients * images))
    return steps * step + time.perf_counter() - begun


def work(argv: Sequence[str] | None) -> int:
    """Parse, run, print; returns the exit code."""
    given = flags.parse(Federated, argv, prog="python -m nets.federated")
    check_table(given, inputs=[given.data_dir])
    silent = given.json or given.quiet
    result = federate(given, (lambda line: None) if silent else (lambda line: print(line, flush=True)))
    return deliver(result, given, show=lambda: _show(result))


def _show(result: Result) -> None:
    (last,) = result.summary
    print(
        f"seed {result.params['seed']}: {last['weights']} weights, {last['bits_all_rounds']:.3f} bits a weight "
        "from each client in all rounds together; weights in float32 would be 32 in each round"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see ``--help``."""
    return cli.run(work, argv)


if __name__ == "__main__":
    sys.exit(main())
