"""What can be swept: how each command is cut into cells, counted in chunks, and put together again.

Counting goes through the command's own counters and finishing through the command's own tables, so that rows, verdicts
and summaries cannot differ from the command's. A command is loaded when it is asked for.
"""

from __future__ import annotations

import dataclasses
import importlib
import itertools
import json
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from sims.commands import cli
from sims.commands.table import Cell, Experiment, Settings, default_sizes, settings
from sims.coverage import QUANTILE_TRIALS, Coverage, CoverageCounter, Setting
from sims.statistics.result import Result
from sims.statistics.trials import Count, Counts, count_trials
from sims.sweep.plan import WHOLE, ChunkCounter, Finished, Plan, Replay, Sweepable, Tick


class TableSweep(Sweepable):
    """The commands that are an ``Experiment`` of ``sims.commands.table``."""

    def __init__(self, name: str, config: str, experiment: str) -> None:
        self.name = name
        self._config, self._experiment = config, experiment

    def _load(self) -> tuple[type[Any], Experiment]:
        module = importlib.import_module(f"sims.{self.name}")
        return getattr(module, self._config), getattr(module, self._experiment)()

    def config(self) -> type[Any]:
        return self._load()[0]

    def plan(self, flags: Any) -> Plan:
        experiment = self._load()[1]
        options = settings(flags)
        kind = getattr(flags, experiment.kind_name)
        cells = []
        for R, eps, alpha in itertools.product(options.R, options.eps, options.alpha):
            cell = Cell(R, eps, alpha, kind)
            sizes = options.n or default_sizes(experiment.predicted_n(cell, options.delta) + 2)
            experiment.counter(cell, sizes, options.seed, options.jobs)
            cells.append(json.dumps({"R": R, "eps": eps, "alpha": alpha, "kind": kind, "n": list(sizes)}))
        return Plan(self.name, {**_plain(options), "kind": kind}, cells)

    def counter(self, cell: Mapping[str, Any], seed: int, jobs: int = 1) -> ChunkCounter:
        experiment = self._load()[1]
        return _plain_chunks(*experiment.counter(_cell(cell), cell["n"], seed, jobs))

    def finish(self, plan: Plan, replays: Sequence[Replay], seconds: float) -> Finished:
        from sims.commands.table import print_tables, simulate

        experiment = self._load()[1]
        options, kind = _settings(plan.options), plan.options["kind"]
        cells = [json.loads(text) for text in plan.cells]
        rows = [(_cell(cell), cell["n"], replay, WHOLE) for cell, replay in zip(cells, replays, strict=True)]
        result = simulate(experiment, options, rows, kind, quiet=True, started=time.monotonic() - seconds)
        return Finished(result, lambda path: experiment.draw(result, path), lambda: print_tables(experiment, result))


def _plain_chunks(count: Count, piece: int) -> ChunkCounter:
    """Chunks that are nothing but counts."""

    def chunk(first: int, trials: int, tick: Tick) -> tuple[Counts, bytes]:
        return count_trials(count, first, trials, piece=piece, jobs=1, advance=tick), b""

    return chunk


def _cell(cell: Mapping[str, Any]) -> Cell:
    return Cell(cell["R"], cell["eps"], cell["alpha"], cell["kind"])


def _plain(options: Any) -> dict[str, Any]:
    """A dataclass as JSON would give it back."""
    found: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(options)))
    return found


def _settings(options: Mapping[str, Any]) -> Settings:
    names = [field.name for field in dataclasses.fields(Settings)]
    return Settings(**{name: _tuple(options[name]) for name in names})


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


class _CoverageChunks(CoverageCounter):
    """Counts chunk by chunk, with the largest gaps of each."""

    def chunk(self, first: int, trials: int, keep: int, tick: Tick) -> tuple[Counts, bytes]:
        """A chunk's counts and the gaps of its first ``keep`` trials."""
        self._first, self.gaps = first, np.full(keep, np.nan)
        counts = count_trials(self, first, trials, piece=self.piece, jobs=1, advance=tick)
        return counts, self.gaps.astype("<f8").tobytes()


class _CoverageReplay(CoverageCounter):
    """Reads chunks where its parent would measure."""

    def __init__(self, replay: Replay) -> None:
        self.piece = WHOLE
        self._replay = replay
        self.gaps: npt.NDArray[np.float64] = np.empty(0)

    def __call__(self, first: int, trials: int) -> Counts:
        read = [np.frombuffer(chunk.extra, "<f8") for chunk in self._replay.used(first, trials)]
        self.gaps = np.concatenate([self.gaps, *read])
        return self._replay(first, trials)


class CoverageSweep(Sweepable):
    """``sims.coverage``: a cell is one value set size with all its eps."""

    name = "coverage"
    partial_by = "R"

    def config(self) -> type[Any]:
        return Coverage

    def plan(self, flags: Any) -> Plan:
        from sims.coverage import plan

        options = settings(flags)
        last = options.first_trial + QUANTILE_TRIALS
        cells = [
            json.dumps({**dataclasses.asdict(setting), "eps": list(eps), "gaps_before": last})
            for setting, eps in plan(flags, options)
        ]
        found = _plain(options)
        low, high = (json.loads(cells[0])[key] for key in ("low", "high"))
        return Plan(self.name, {**found, "interval": [low, high], "method": flags.method, "bits": flags.bits}, cells)

    def counter(self, cell: Mapping[str, Any], seed: int, jobs: int = 1) -> ChunkCounter:
        counter = _CoverageChunks(_setting(cell), cell["eps"], seed, jobs=jobs)

        def chunk(first: int, trials: int, tick: Tick) -> tuple[Counts, bytes]:
            keep = max(0, min(trials, cell["gaps_before"] - first))
            return counter.chunk(first, trials, keep, tick)

        return chunk

    def finish(self, plan: Plan, replays: Sequence[Replay], seconds: float) -> Finished:
        from sims.coverage import print_tables, simulate

        cells = [json.loads(text) for text in plan.cells]
        stored = iter(replays)
        result = simulate(
            [(_setting(cell), tuple(cell["eps"])) for cell in cells],
            _settings(plan.options),
            quiet=True,
            started=time.monotonic() - seconds,
            counters=lambda *args, **kwargs: _CoverageReplay(next(stored)),
        )

        return Finished(result, partial(_save, "coverage", result), lambda: print_tables(result))


def _setting(cell: Mapping[str, Any]) -> Setting:
    return Setting(*(cell[key] for key in ("n", "R", "low", "high", "bits")))


class RecyclingSweep(Sweepable):
    """``sims.recycling``: a cell is one eps and alpha with all n, by recycling or with R fresh draws a slot."""

    name = "recycling"
    partial_by = "eps"

    def config(self) -> type[Any]:
        from sims.recycling import Recycling

        return Recycling

    def plan(self, flags: Any) -> Plan:
        from sims.recycling import plan

        options = settings(flags)
        cells = []
        for one in plan(options):
            for R, kind in ((1, "recycling"), *((R, "choice") for R in options.R)):
                cell = {"R": R, "eps": one.eps, "alpha": one.alpha, "kind": kind, "n": list(one.sizes)}
                cells.append(json.dumps(cell))
        return Plan(self.name, _plain(options), cells)

    def counter(self, cell: Mapping[str, Any], seed: int, jobs: int = 1) -> ChunkCounter:
        from sims.recycling import recycling_counter
        from sims.subset_sum import subset_sum_counter

        if cell["kind"] == "recycling":
            return _plain_chunks(*recycling_counter(cell["n"], _cell({**cell, "kind": "choice"}), seed, jobs))
        return _plain_chunks(*subset_sum_counter(cell["n"], _cell(cell), seed, jobs))

    def finish(self, plan: Plan, replays: Sequence[Replay], seconds: float) -> Finished:
        from sims import recycling

        options, tables = _settings(plan.options), []
        each = 1 + len(options.R)
        for at in range(0, len(plan.cells), each):
            cell = json.loads(plan.cells[at])
            counters = tuple((replay, WHOLE) for replay in replays[at : at + each])
            tables.append(recycling.Plan(cell["eps"], cell["alpha"], tuple(cell["n"]), counters))
        result = recycling.simulate(tables, options, quiet=True, started=time.monotonic() - seconds)
        return Finished(result, partial(_save, "recycling", result), lambda: recycling.print_tables(result))


def _save(figure: str, result: Result, path: str) -> None:
    """Draw; the figure is loaded by name, as sims may know no figures outside the commands' own --plot."""
    importlib.import_module(f"figures.{figure}").save(result, path)


class MainTheoremSweep(Sweepable):
    """``nets.main_theorem``: a cell is one eps and R; its chunks keep every certified error.

    Loaded by name, and only here: nothing else under sims may know nets, whose PyTorch it must do without.
    """

    name = "main_theorem"
    partial_by = "eps"

    def _load(self) -> Any:
        try:
            importlib.import_module("torch")
        except ImportError:
            raise cli.UsageError("main_theorem needs PyTorch: pip install 'strong-tickets[nets]'") from None
        return importlib.import_module("nets.main_theorem")

    def config(self) -> type[Any]:
        config: type[Any] = self._load().MainTheorem
        return config

    def plan(self, flags: Any) -> Plan:
        nets = self._load()
        options = nets.settings(flags)
        shared = {k: v for k, v in _plain(options).items() if k not in ("eps", "R", "n", "trials", "seed", "jobs")}
        cells = [
            json.dumps({"R": R, "eps": eps, "n": list(nets.neurons(options, eps, R)), **shared})
            for eps in options.eps
            for R in options.R
        ]
        return Plan(self.name, _plain(options), cells)

    def counter(self, cell: Mapping[str, Any], seed: int, jobs: int = 1) -> ChunkCounter:
        nets = self._load()
        fixed = {key: _tuple(value) for key, value in cell.items()}
        for key in ("eps", "R"):
            fixed[key] = (cell[key],)

        def chunk(first: int, trials: int, tick: Tick) -> tuple[Counts, bytes]:
            options = nets.Settings(**{**fixed, "first_trial": first, "trials": trials, "seed": seed, "jobs": 1})
            errors = nets.certified_errors(
                options, cell["eps"], cell["R"], fixed["n"], lambda amount, label=None: tick(amount)
            )
            both = np.array([errors.lower, errors.upper])
            counts = [(both[1] <= cell["eps"]).sum(), (both[0] > cell["eps"]).sum()]
            return np.array(counts, np.int64), both.astype("<f8").tobytes()

        return chunk

    def finish(self, plan: Plan, replays: Sequence[Replay], seconds: float) -> Finished:
        nets = self._load()
        options = nets.Settings(**{key: _tuple(value) for key, value in plan.options.items()})
        errors, spent = [], []
        for replay in replays:
            used = replay.used(options.first_trial, options.trials)
            both = np.concatenate([np.frombuffer(chunk.extra, "<f8").reshape(2, -1) for chunk in used], axis=1)
            errors.append(nets.Errors(*both.tolist()))
            spent.append(sum(chunk.seconds for chunk in used))
        sizes = [tuple(json.loads(text)["n"]) for text in plan.cells]
        result = nets.tabulate(options, sizes, errors, spent, total=seconds)
        return Finished(result, lambda path: nets.draw(result, errors, path), lambda: nets.print_table(result))


SWEEPABLE: Mapping[str, Sweepable] = {
    one.name: one
    for one in (
        TableSweep("subset_sum", "SubsetSum", "SubsetSumExperiment"),
        TableSweep("single_weight", "SingleWeight", "SingleWeightExperiment"),
        CoverageSweep(),
        RecyclingSweep(),
        MainTheoremSweep(),
    )
}
