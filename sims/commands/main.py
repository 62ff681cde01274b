"""``strong-tickets NAME ...``: one entry point to every command; ``python -m MODULE`` stays the same."""

from __future__ import annotations

from sims import _early as _early  # isort: skip

import difflib
import importlib
import sys
from collections.abc import Sequence

from sims.commands import cli
from sims.registry import QUESTIONS

COMMANDS = {
    **{module.rpartition(".")[2].replace("_", "-"): (module, text) for module, text in QUESTIONS.values()},
    "tail": ("sims.tail", "how rare is a failure of subset sums, down to 1e-12 and below?"),
    "budget": ("sims.budget", "which n, R and eps a budget of bits buys, for how many draws"),
    "width": ("nets.width", "how wide a random network must be to contain yours, by every theorem"),
    "constants": ("sims.constants", "the constants of the O(.) results, measured"),
    "verify": ("sims.verify", "does every claim survive simulation, and do wrong ones not?"),
    "sweep": ("sims.sweep.command", "thousands of questions: resumable, in shards, on Dask"),
    "store": ("sims.store", "look into the stores of sweeps, merge them, export them"),
    "approximate": ("nets.approximate", "prune a random network until it is yours, and certify the error"),
    "ticket": ("nets.ticket", "rebuild such a ticket from its seed and check every number"),
    "bits": ("nets.bits", "how many bits a weight costs: the limit, a plain quantiser, the codes of tickets"),
    "gallery": ("nets.gallery.__main__", "published networks inside random ones: their jobs before and after"),
    "train": ("nets.train", "find a ticket by Edge-Popup, Biprop, IteRand or recycling"),
    "train-mlp": ("nets.train_mlp", "train a dense network, to be approximated"),
    "found-ticket": ("nets.found_ticket", "rebuild a found ticket and say what it costs to store"),
    "similarity": ("nets.similarity", "do tickets agree more than chance makes them?"),
    "compare": ("nets.compare", "one table of any training runs: accuracy, density, bits, seconds"),
    "federated": ("nets.federated", "clients find a ticket together by bits of masks, which are counted"),
    "experiments": ("nets.experiments", "a table of accuracies: methods x networks x densities x seeds"),
    "figure": ("figures.figure", "one figure for your own parameters, for a paper"),
    "figures": ("figures.__main__", "draw all figures, from their committed numbers"),
    "report": ("figures.report", "everything on one page"),
    "completion": ("sims.commands.completion", "a script that completes commands and flags in bash, zsh or fish"),
}
"""Name, module with ``main(argv)``, and what it answers."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that the first word names; returns its exit code."""
    return cli.run(_run, argv)


def _run(argv: Sequence[str] | None) -> int:
    args = list(sys.argv[1:] if argv is None else argv)
    word = args[0] if args else "--help"
    if word in ("-h", "--help"):
        width = max(map(len, COMMANDS))
        lines = [f"  {name:{width}}  {text}" for name, (_, text) in COMMANDS.items()]
        print("usage: strong-tickets COMMAND [--help] ...\n\n" + "\n".join(lines))
        print("\nexamples:\n  strong-tickets subset-sum --R 5 --eps 0.01\n  strong-tickets approximate --help")
        return 0
    if word == "--version":
        from importlib.metadata import version

        print(f"strong-tickets {version('strong-tickets')}")
        return 0
    name = word.replace("_", "-").removeprefix("sims.").removeprefix("nets.")
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, n=1)
        meant = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"there is no command {word}{meant} (see strong-tickets --help)")
    try:
        command = importlib.import_module(COMMANDS[name][0])
    except ModuleNotFoundError as missing:
        extra = cli.EXTRAS.get((missing.name or "").split(".")[0])
        if extra is None:
            raise
        raise ValueError(f"{name} needs {missing.name}: pip install 'strong-tickets[{extra}]'") from None
    return int(command.main(args[1:]))


if __name__ == "__main__":
    sys.exit(main())
