"""A figure: the numbers of its committed parameters lie in figures/data, those of others are computed when asked for.

Every figure module has a ``RECIPE``, whose ``main`` is its command and whose ``figure`` is its function. Drawing
simulates nothing; what was drawn, with its parameters and its provenance, is written beside the pictures.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from figures.settings import SEED, OptionalLength, changed, length
from figures.style import Style, StyleName, house_style, save_figure
from figures.tables import table_text, tables
from figures.work import Work
from sims.commands import cli, flags
from sims.commands.output import Delivery
from sims.files import PICTURE, TABLE, OutputFile, beginning_with, check_outputs, write_text
from sims.statistics.result import Result, provenance

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "FOLDER",
    "FORMATS",
    "SEED",
    "Data",
    "Recipe",
    "check_files",
    "check_source_tree",
    "command_of",
    "load",
    "make",
    "recipe_of_result",
    "write_pictures",
]

Data = dict[str, Any]

FOLDER = Path(__file__).parent / "data"
"""Where the committed numbers lie, one small JSON file per figure."""

PACKAGE = Path(__file__).parent

Format = Literal["pdf", "svg", "png"]

FORMATS: tuple[Format, ...] = get_args(Format)

NUMBERS = beginning_with("numbers of a figure", b'{"schema":"strong-tickets/figures.')


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
    settings : dataclass instance
        What may be set, with the values of the committed numbers.
    smoke : mapping
        Settings of which little work is made, for tests.
    compute : callable (settings, Work) -> dict
        The numbers as JSON can hold them.
    plot : callable (dict) -> Figure
        Draws them and simulates nothing.
    caption : callable (dict) -> str
        Says what is seen, with the trials and the seed.
    example : str
        Flags for the help: parameters of one's own.
    """

    name: str
    number: int
    title: str
    settings: Any
    smoke: Mapping[str, Any]
    compute: Callable[[Any, Work], Data]
    plot: Callable[[Data], Figure]
    caption: Callable[[Data], str]
    example: str = ""

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

    def figure(
        self,
        *,
        style: StyleName = "screen",
        width: float | str | None = None,
        height: float | str | None = None,
        progress: bool = False,
        max_time: float | None = None,
        jobs: int | None = None,
        **settings: Any,
    ) -> Figure:
        """Draw this figure: committed numbers where the settings are theirs, else computed now.

        Parameters
        ----------
        style : {"screen", "paper", "rc"}
            paper: 8 points, fonts embedded as Type 42. rc: your own rcParams; the others ignore them.
        width, height : float, str or None
            Inches, or a length such as "84mm". Default: 3.3 inches on paper, 5.5 to 7 on a screen.
        progress : bool
            Say on standard error what the work will take, and show a bar.
        max_time, jobs
            Of `figures.work.Work`.
        **settings
            Those of this figure: see ``strong-tickets figure NAME --help``. What is not given is as committed.

        Returns
        -------
        matplotlib.figure.Figure
            With the data as its attribute ``data`` and the caption as ``caption``.

        Raises
        ------
        ValueError, TypeError
            One line: a setting that the figure does not have, or outside its domain; work that takes too long.
        """
        sizes = (inches(one) if isinstance(one, str) else one for one in (width, height))
        look = Style(style, *sizes)
        data = self.data(progress=progress, max_time=max_time, jobs=jobs, **settings)
        return draw(self, data, look)

    def data(
        self, *, progress: bool = False, max_time: float | None = None, jobs: int | None = None, **settings: Any
    ) -> Data:
        """The numbers that `figure` draws, of the same parameters."""
        chosen = changed(self.settings, settings, self.name)
        if chosen == self.settings:
            return load(self)
        return make(self, chosen, Work(jobs, max_time, not progress))

    def main(self, argv: Sequence[str] | None = None) -> int:
        """The command ``python -m figures.NAME``; returns the exit code."""

        def work(args: Sequence[str] | None) -> int:
            command = command_of(self)
            usual = command(**{one.name: getattr(self.settings, one.name) for one in fields(self.settings)})
            chosen = flags.parse(command, args, prog=f"python -m figures.{self.name}", default=usual)
            settings = type(self.settings)(**{one.name: getattr(chosen, one.name) for one in fields(self.settings)})
            return _draw(self, settings, chosen)

        return cli.run(work, argv)


def inches(text: str) -> float:
    """A length in inches; ValueError names it."""
    try:
        return length(text)
    except ValueError as problem:
        raise ValueError(f"width and height: {problem}") from None


@dataclass(frozen=True)
class Look:
    """How pictures look, and where they go."""

    style: StyleName = "screen"
    """screen. paper: 8 points, fonts embedded as Type 42, 3.3in wide. rc: your own Matplotlib settings."""
    width: OptionalLength = None
    """Of the picture: 3.3in, 84mm, 240pt. Default: that of the style."""
    height: OptionalLength = None
    """Likewise. Default: what the figure needs."""
    out: flags.Folder = "figures/out"
    """Folder of the pictures and, beside them, of what they draw as JSON and CSV; it is made if it is missing."""
    format: tuple[Format, ...] = FORMATS
    """Kinds of pictures."""
    quiet: bool = False
    """Do not name the files; no prediction, no progress bar."""
    force: bool = False
    """Replace files of any kind."""


@dataclass(frozen=True)
class Draw(Look):
    """Draw this figure: from its committed numbers, or for parameters of your own, which are computed."""

    compute: bool = False
    """Compute the committed numbers anew and keep them in figures/data of the source tree."""
    smoke: bool = False
    """Compute a few numbers and draw those: a quick test of the whole way."""
    jobs: flags.OptionalInteger = None
    """Threads. Default: all available cores. The numbers do not depend on it."""
    max_time: flags.OptionalDuration = None
    """Do not begin what is predicted to take longer. Default: a day."""


def command_of(recipe: Recipe) -> type[Any]:
    """The flags of a figure's command: its settings, then where pictures go."""
    name = recipe.name.replace("_", "-")
    lines = ("--format png --out pictures", "--style paper --width 7in --format pdf", recipe.example)
    body: dict[str, Any] = {
        "__doc__": f"Figure {recipe.number}: {recipe.title}.\n\n{_ABOUT}",
        "examples": tuple(f"strong-tickets figure {name} {line}" for line in lines if line),
    }
    found: type[Any] = dataclass(frozen=True)(type("Draw", (Draw, type(recipe.settings)), body))
    return found


_ABOUT = "Draws its committed numbers, or computes those of other parameters; writes what it draws beside the pictures."


def _draw(recipe: Recipe, settings: Any, chosen: Any) -> int:
    """The work of a figure's command: numbers, then what is written, then pictures; returns the exit code."""
    if chosen.compute and chosen.smoke:
        raise flags.UsageError("--compute and --smoke exclude each other")
    if chosen.compute and settings != recipe.settings:
        raise flags.UsageError("--compute keeps the committed parameters; others are computed without it")
    if chosen.smoke:
        settings = changed(settings, dict(recipe.smoke), recipe.name)
    if chosen.compute:
        check_source_tree("--compute")
    Style(chosen.style, chosen.width, chosen.height)  # checks them
    check_files(recipe, Path(chosen.out), chosen.format, force=chosen.force)
    delivery = Delivery(silent=chosen.quiet)
    if settings == recipe.settings and not chosen.compute:
        data = load(recipe)
    else:
        data = make(recipe, settings, Work(chosen.jobs, chosen.max_time, chosen.quiet))
    if chosen.compute:
        FOLDER.mkdir(exist_ok=True)
        delivery.write("committed numbers", recipe.data_file, lambda: write_text(recipe.data_file, compact(data)))
    deliver(recipe, data, chosen, delivery)
    return delivery.code


def recipe_of_result(
    name: str,
    number: int,
    title: str,
    settings: Any,
    smoke: Mapping[str, Any],
    simulate: Callable[[Any, Work], Result],
    plot: Callable[..., Figure],
    caption: Callable[[Result], str],
    example: str = "",
) -> Recipe:
    """A figure that draws one result and nothing else, without the note under its axis: the caption says that."""
    return Recipe(
        name,
        number,
        title,
        settings,
        smoke,
        lambda chosen, work: {"result": simulate(chosen, work).to_dict()},
        lambda data: plot(Result.from_dict(data["result"]), note=False),
        lambda data: caption(Result.from_dict(data["result"])),
        example,
    )


def load(recipe: Recipe) -> Data:
    """The committed numbers of a figure.

    Raises
    ------
    ValueError
        If there are none, or the file is another figure's, or of other parameters.
    """
    name = f"figures/data/{recipe.name}.json"
    try:
        data: Data = json.loads(recipe.data_file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{name} is missing: make it with {recipe.command}") from None
    except ValueError as problem:
        raise ValueError(f"{name}: not JSON ({problem})") from None
    if not isinstance(data, dict) or data.get("schema") != recipe.schema:
        raise ValueError(f"{name}: not the numbers of this figure ({recipe.schema})")
    if data.get("settings") != _as_json(asdict(recipe.settings)):
        raise ValueError(f"{name}: computed for other parameters; make it anew with {recipe.command}")
    return data


def make(recipe: Recipe, settings: Any = None, work: Work | None = None, *, smoke: bool = False) -> Data:
    """Compute the numbers of a figure, as a file would hold them; by default those of the committed parameters."""
    settings = recipe.settings if settings is None else settings
    if smoke:
        settings = changed(settings, dict(recipe.smoke), recipe.name)
    work = work or Work()
    computed = recipe.compute(settings, work)
    origin = provenance(seed=getattr(settings, "seed", None), threads=work.threads, seconds=0.0)
    found: Data = _as_json({"schema": recipe.schema, "provenance": origin, "settings": asdict(settings), **computed})
    return found


def _as_json(value: Any) -> Any:
    """As JSON reads it back: integer keys and tuples do not survive a file."""
    return json.loads(json.dumps(value, allow_nan=False))


def draw(recipe: Recipe, data: Data, style: Style | None = None) -> Figure:
    """Draw numbers in a style; the figure carries them, and their caption."""
    with house_style(style or Style()):
        figure = recipe.plot(data)
    figure.data, figure.caption = data, recipe.caption(data)  # type: ignore[attr-defined]
    return figure


def compact(data: Data) -> str:
    """The text of a committed file: JSON, a row a line."""
    return json.dumps(data, separators=(",", ":")).replace("},{", "},\n{") + "\n"


def _names(recipe: Recipe, data: Data) -> dict[str, str]:
    """The CSV file of every table of the numbers."""
    found = tables(data)
    return {table: f"{recipe.name}.csv" if len(found) == 1 else f"{recipe.name}.{table}.csv" for table in found}


def check_source_tree(what: str) -> None:
    """Refuse to keep committed numbers inside an installed package, which commits nothing."""
    if not (PACKAGE.parent / "pyproject.toml").is_file():
        raise flags.UsageError(f"{what} keeps numbers in the source tree, and {PACKAGE} is an installed package")


def check_files(recipe: Recipe, folder: Path, formats: Iterable[Format], *, force: bool) -> None:
    """Make the folder, and refuse files that could not be written, before any work."""
    if folder.resolve() == FOLDER.resolve():
        raise flags.UsageError(f"--out must not be the folder of the committed numbers, got {folder}")
    folder.mkdir(parents=True, exist_ok=True)
    named = [OutputFile("--out", folder / f"{recipe.name}.{kind}", PICTURE) for kind in dict.fromkeys(formats)]
    named.append(OutputFile("--out", folder / f"{recipe.name}.json", NUMBERS))
    with contextlib.suppress(OSError, ValueError):  # whatever its parameters, a figure has the same tables
        committed = json.loads(recipe.data_file.read_text(encoding="utf-8"))
        named += [OutputFile("--out", folder / name, TABLE) for name in _names(recipe, committed).values()]
    check_outputs(*named, force=force)


def write_numbers(recipe: Recipe, data: Data, folder: Path, delivery: Delivery) -> None:
    """Write what is drawn: all of it as JSON, with its parameters, provenance and caption, and its tables as CSV."""
    whole = compact({**data, "caption": recipe.caption(data)})
    delivery.write(
        "numbers", folder / f"{recipe.name}.json", partial(write_text, folder / f"{recipe.name}.json", whole)
    )
    for table, name in _names(recipe, data).items():
        delivery.write("table", folder / name, partial(write_text, folder / name, table_text(tables(data)[table])))


def write_pictures(
    recipe: Recipe, data: Data, folder: Path, formats: Sequence[Format] = FORMATS, style: Style | None = None
) -> list[Path]:
    """Draw a figure into ``folder`` in several formats, each file whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    figure = draw(recipe, data, style)
    written = [folder / f"{recipe.name}.{kind}" for kind in dict.fromkeys(formats)]
    for path in written:
        save_figure(figure, str(path))
    return written


def deliver(recipe: Recipe, data: Data, look: Look, delivery: Delivery) -> None:
    """Write the numbers, then the pictures: one that fails says so in a line and loses nothing else."""
    folder, style = Path(look.out), Style(look.style, look.width, look.height)
    write_numbers(recipe, data, folder, delivery)
    for kind in dict.fromkeys(look.format):
        picture = partial(write_pictures, recipe, data, folder, (kind,), style)
        delivery.write("picture", folder / f"{recipe.name}.{kind}", picture)
