"""A published figure: numbers computed once and committed, drawn from their file in three formats.

Every figure module has a ``RECIPE``, whose ``main`` is its command. Drawing simulates nothing; ``--compute`` makes the
numbers anew and ``--smoke`` makes a few of them and draws those, to show that the whole way works.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

from figures.style import save_figure
from sims.commands import cli, flags
from sims.files import PICTURE, OutputFile, check_outputs, write_text
from sims.statistics.result import Result, provenance

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Data = dict[str, Any]

FOLDER = Path(__file__).parent / "data"
"""Where the committed numbers lie, one small JSON file per figure."""

Format = Literal["pdf", "svg", "png"]

FORMATS: tuple[Format, ...] = get_args(Format)

SEED = 1
"""Seed of the committed numbers."""


@dataclass(frozen=True)
class Recipe:
    """How one figure is made.

    Attributes
    ----------
    name : str
        Of its module, its data file and its pictures.
    number : int
        As papers and the report count it.
    title : str
        A few words.
    compute : callable (smoke, seed) -> dict
        The numbers as JSON can hold them; with ``smoke`` as few as will do.
    plot : callable (dict) -> Figure
        Draws them and simulates nothing.
    caption : callable (dict) -> str
        Says what is seen, with the trials and the seed.
    """

    name: str
    number: int
    title: str
    compute: Callable[[bool, int], Data]
    plot: Callable[[Data], Figure]
    caption: Callable[[Data], str]

    @property
    def data_file(self) -> Path:
        """Where its committed numbers lie."""
        return FOLDER / f"{self.name}.json"

    @property
    def schema(self) -> str:
        """Name and version of the data's layout."""
        return f"strong-tickets/figures.{self.name}/1"

    @property
    def command(self) -> str:
        """What makes its numbers anew."""
        return f"python -m figures.{self.name} --compute"

    def main(self, argv: Sequence[str] | None = None) -> int:
        """The command ``python -m figures.NAME``; returns the exit code."""

        def work(args: Sequence[str] | None) -> int:
            chosen = flags.parse(Draw, args, prog=f"python -m figures.{self.name}")
            seed = flags.between("--seed", chosen.seed, 0, 2**53 - 1)
            if chosen.compute and chosen.smoke:
                raise flags.UsageError("--compute and --smoke exclude each other")
            check_pictures(self, Path(chosen.out), chosen.format, force=chosen.force)
            data = make(self, smoke=chosen.smoke, seed=seed) if chosen.compute or chosen.smoke else load(self)
            if chosen.compute:
                FOLDER.mkdir(exist_ok=True)
                write_text(self.data_file, compact(data))
            for path in write_pictures(self, data, Path(chosen.out), chosen.format):
                if not chosen.quiet:
                    print(path)
            return 0

        return cli.run(work, argv)


def recipe_of_result(
    name: str,
    number: int,
    title: str,
    simulate: Callable[[bool, int], Result],
    plot: Callable[..., Figure],
    caption: Callable[[Result], str],
) -> Recipe:
    """A figure that draws one result and nothing else, without the note under its axis: the caption says that."""
    return Recipe(
        name,
        number,
        title,
        lambda smoke, seed: {"result": simulate(smoke, seed).to_dict()},
        lambda data: plot(Result.from_dict(data["result"]), note=False),
        lambda data: caption(Result.from_dict(data["result"])),
    )


def load(recipe: Recipe) -> Data:
    """The committed numbers of a figure.

    Raises
    ------
    ValueError
        If there are none, or the file is another figure's.
    """
    try:
        data: Data = json.loads(recipe.data_file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"figures/data/{recipe.name}.json is missing: make it with {recipe.command}") from None
    except ValueError as problem:
        raise ValueError(f"figures/data/{recipe.name}.json: not JSON ({problem})") from None
    if not isinstance(data, dict) or data.get("schema") != recipe.schema:
        raise ValueError(f"figures/data/{recipe.name}.json: not the numbers of this figure ({recipe.schema})")
    return data


def make(recipe: Recipe, *, smoke: bool = False, seed: int = SEED) -> Data:
    """Compute the numbers of a figure, as the committed file would hold them."""
    computed = recipe.compute(smoke, seed)
    origin = provenance(seed=seed, threads=1, seconds=0.0)
    # as JSON reads it back: integer keys and tuples do not survive a file
    return dict(json.loads(json.dumps({"schema": recipe.schema, "provenance": origin, **computed}, allow_nan=False)))


@dataclass(frozen=True)
class Draw:
    """Draw this figure from its committed numbers."""

    examples: ClassVar[tuple[str, ...]] = (
        "python -m figures.subset_sum --format png --out pictures",
        "python -m figures.subset_sum --smoke --seed 2",
    )

    compute: bool = False
    """Compute the numbers anew and keep them in figures/data."""
    smoke: bool = False
    """Compute a few numbers, draw those, keep nothing: a quick test of the whole way."""
    out: flags.Folder = "figures/out"
    """Folder of the pictures; it is made if it is missing."""
    format: tuple[Format, ...] = FORMATS
    """Kinds of pictures."""
    seed: flags.Integer = SEED
    """Seed of the numbers, with --compute or --smoke."""
    quiet: bool = False
    """Do not name the files."""
    force: bool = False
    """Replace files of any kind."""


def compact(data: Data) -> str:
    """The text of a committed file: JSON, a row a line."""
    return json.dumps(data, separators=(",", ":")).replace("},{", "},\n{") + "\n"


def check_pictures(recipe: Recipe, folder: Path, formats: Sequence[Format], *, force: bool) -> None:
    """Make the folder, and refuse pictures that could not be written, before any work."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{recipe.name}.{kind}" for kind in dict.fromkeys(formats)]
    check_outputs(*(OutputFile("--out", path, PICTURE) for path in paths), force=force)


def write_pictures(recipe: Recipe, data: Data, folder: Path, formats: Sequence[Format] = FORMATS) -> list[Path]:
    """Draw a figure into ``folder`` in several formats, each file whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    figure = recipe.plot(data)
    written = []
    for kind in formats:
        path = folder / f"{recipe.name}.{kind}"
        save_figure(figure, str(path))
        written.append(path)
    return written
