"""Kernels use nothing that takes Numba long to compile: it is what a first table from an empty cache waits for."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = [file for file in (ROOT / "sims").rglob("*.py") if "njit" in file.read_text(encoding="utf-8")]


def jitted(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    """Functions that are decorated by njit, or handed to it."""
    handed = {
        ast.unparse(node.args[0])
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and node.args and "njit" in ast.unparse(node.func)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and (
            node.name in handed or any("njit" in ast.unparse(one) for one in node.decorator_list)
        ):
            yield node


def slow(source: str) -> list[str]:
    """Arrays assigned to slices (their shapes are compared, and the error formatted: a second), and Numba's sorts."""
    found = []
    for function in jitted(ast.parse(source)):
        for node in ast.walk(function):
            match node:
                case ast.Assign(targets=[ast.Subscript(slice=place)], value=value) if any(
                    isinstance(part, ast.Slice) for part in ast.walk(place)
                ) and not isinstance(value, ast.Constant):
                    found.append(ast.unparse(node))
                case ast.Call(func=ast.Attribute(attr="sort" | "argsort")):
                    found.append(ast.unparse(node))
    return found


def test_the_rule_sees_what_it_is_about() -> None:
    source = "@njit(cache=True)\ndef f(a, b):\n    a[:3] = 0\n    a[:] = b\n    b.sort()\n    b[1] = a[0]\n"
    assert slow(source) == ["a[:] = b", "b.sort()"]
    assert slow(source.replace("@njit(cache=True)\n", "")) == []
    assert slow(source.replace("@njit(cache=True)\n", "") + "g = njit(cache=True)(f)\n") == ["a[:] = b", "b.sort()"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_kernels_assign_no_arrays_and_sort_nothing(file: Path) -> None:
    assert slow(file.read_text(encoding="utf-8")) == []


COMPILED = """
import collections, sys
from numba.core import event
names = collections.Counter()
class Listener(event.Listener):
    def on_start(self, one):
        names[one.data["dispatcher"].py_func.__module__ + "." + one.data["dispatcher"].py_func.__name__] += 1
    def on_end(self, one):
        pass
event.register("numba:compile", Listener())
from sims.subset_sum import main
main(["--R", "5", "--trials", "10", "--quiet", "--seed", "1", "--n", "1:3"])
print(*sorted(f"{name} {times}" for name, times in names.items() if name.startswith("sims.")), sep="\\n")
"""


def test_a_first_table_compiles_each_kernel_once(tmp_path: Path) -> None:
    """A constant as a first value makes a specialisation of its own of whatever it is passed to."""
    told = subprocess.run(
        [sys.executable, "-c", COMPILED],
        cwd=ROOT,
        env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    times = dict(line.split() for line in told.stdout.splitlines())
    assert {"sims.solver.philox._fill", "sims.solver.kernels.curve._sweep_stretches"} <= set(times)
    assert set(times.values()) == {"1"}, times
