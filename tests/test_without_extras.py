"""Without the optional packages every command still says what it does, or in one line what it needs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sims.commands import main

HIDDEN = (
    "torch",
    "constriction",
    "safetensors",
    "sklearn",
    "onnx",
    "onnxscript",
    "pooch",
    "dask",
    "distributed",
    "jinja2",
)
TRIED = [
    ("nets.ticket", ["info", "t.safetensors"]),
    ("nets.ticket", ["verify", "t.safetensors"]),
    ("nets.bits", ["digits"]),
    ("nets.width", ["digits"]),
    ("nets.gallery.__main__", []),
    ("figures.bits", ["--eta", "0.3"]),
    ("figures.report", ["--out", "r.html"]),
]
SCRIPT = """
import contextlib, importlib, io, json, sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in HIDDEN:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

HIDDEN, asked = json.loads(sys.argv[1])
sys.meta_path.insert(0, Hidden())
found = []
for module, args in asked:
    out, err = io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = importlib.import_module(module).main(args)
    except SystemExit as stop:
        code = stop.code or 0
    except BaseException as problem:
        code = repr(problem)
    found.append([module, args, code, out.getvalue(), err.getvalue()])
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[list]:
    helps = [(module, ["--help"]) for module, _ in main.COMMANDS.values()]
    asked = json.dumps([HIDDEN, [*helps, *TRIED]])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, asked],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        cwd=tmp_path_factory.mktemp("without"),
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_every_help_is_help_or_one_line(found: list[list]) -> None:
    for module, args, code, out, err in found:
        if args == ["--help"]:
            helped = code == 0 and "usage: " in out
            assert helped or (code == 2 and err.startswith("error: this needs ") and err.count("\n") == 1), (
                module,
                code,
            )


def test_what_is_missing_is_named_with_its_extra(found: list[list]) -> None:
    tried = [one for one in found if one[1] != ["--help"]]
    assert len(tried) == len(TRIED)
    for module, _, code, out, err in tried:
        assert (code, out, err.count("\n")) == (2, "", 1), (module, code, err)
        assert err.startswith("error: ")
        assert f"strong-tickets[{'report' if module == 'figures.report' else 'nets'}]" in err
