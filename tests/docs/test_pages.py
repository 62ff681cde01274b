"""The pages run from top to bottom, their commands too, and what is made from the code is as the code makes it."""

import contextlib
import importlib
import importlib.util
import io
import json
import math
import re
import shlex
import sys
import warnings
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytest.importorskip("torch", reason="PyTorch is not installed (extra: nets)")

DOCS = Path(__file__).parent.parent.parent / "docs"
PLACES = re.compile(r"-?\d[\d.,]*(?:e-?\d+)?")


@pytest.fixture(scope="module")
def blocks() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("blocks", DOCS / "_ext" / "blocks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    before = sys.path.copy()
    spec.loader.exec_module(module)
    yield module
    sys.path[:] = before


def run_page(page: str, names: dict[str, Any]) -> list[tuple[str, str]]:
    """Run the page's Python and its `python -m nets...` lines here; returns the commands and what they print."""
    text = (DOCS / page).read_text(encoding="utf-8")
    printed = []
    for number, (language, block) in enumerate(re.findall(r"^```(\w*)\n(.*?)^```$", text, re.M | re.S), 1):
        if language == "python":
            with warnings.catch_warnings():
                if "torch.onnx" in block or "approximate(model" in block:
                    warnings.simplefilter("ignore")  # the exporter's own
                exec(compile(block, f"{page}, block {number}", "exec"), names)
        for module, rest in re.findall(r"^python -m (nets\.\w+) (.*)$", block, re.M):
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                assert importlib.import_module(module).main(shlex.split(rest)) == 0, (page, module, rest)
            printed.append((f"python -m {module} {rest}", out.getvalue()))
    return printed


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder that holds the weights of a small network, my_network.pt."""
    import torch
    from torch import nn

    monkeypatch.chdir(tmp_path)
    generator = torch.Generator().manual_seed(1)
    model = nn.Sequential(nn.Linear(16, 12), nn.Tanh(), nn.Linear(12, 3))
    state = {name: 0.2 * torch.randn(value.shape, generator=generator) for name, value in model.state_dict().items()}
    torch.save(state, "my_network.pt")
    return tmp_path


def test_the_table_of_masks_is_that_of_its_numbers() -> None:
    from nets.tickets.mask_bits import markdown

    rows = json.loads((DOCS / "data" / "mask_bits.json").read_text(encoding="utf-8"))["rows"]
    text = (DOCS / "results.md").read_text(encoding="utf-8")
    assert f"<!-- masks: begin -->\n\n{markdown(rows)}\n\n<!-- masks: end -->" in text
    for row in rows:
        share = row["density"]
        h2 = -share * math.log2(share) - (1 - share) * math.log2(1 - share)
        assert row["entropy"] == pytest.approx(h2, abs=1e-4)
        assert row["masks"] <= min(row["signs"], 1.001)


def test_real_networks(folder: Path) -> None:
    """The numbers that are shown come from a network whose training differs between machines: words are compared."""
    runs = dict(run_page("real_networks.md", {}))
    text = (DOCS / "real_networks.md").read_text(encoding="utf-8")
    command = next(line for line in runs if "model.onnx --n 28" in line)
    (shown,) = re.findall(rf"{re.escape(command)}\n```\n\nprints\n\n```\n(.*?)```", text, re.S)
    said = {" ".join(PLACES.sub("#", line).split()) for line in runs[command].splitlines()}
    for line in shown.splitlines():
        assert line.startswith(("┏", "┡", "└")) or " ".join(PLACES.sub("#", line).split()) in said, line
    assert "0 differ" in runs["python -m nets.ticket verify ticket.safetensors --target model.onnx"]
    assert (folder / "pruned.onnx").is_file()
    (assumed,) = re.findall(r"^assumed: .*$", text, re.M)
    assert assumed in runs[next(line for line in runs if "--activation tanh" in line)]


def test_hide_your_network(folder: Path) -> None:
    import torch

    names: dict[str, Any] = {"inputs": torch.linspace(-1, 1, 32).reshape(2, 16)}
    runs = run_page("tutorials/hide_your_network.md", names)
    assert [command.split()[2] for command, _ in runs] == ["nets.approximate", "nets.ticket", "nets.ticket"]
    assert "assumed: layers in this order: 0, 2; tanh between them" in runs[0][1]
    assert "0 differ" in runs[2][1]
    assert names["outputs"].shape == (2, 3)


def test_library(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a stand-in for pandas, which the project does not need."""
    import torch
    from torch import nn

    pandas = ModuleType("pandas")
    pandas.DataFrame = list  # type: ignore[attr-defined]
    pandas.__spec__ = ModuleSpec("pandas", None)
    monkeypatch.setitem(sys.modules, "pandas", pandas)
    names: dict[str, Any] = {"torch": torch, "model": nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))}
    names["step"] = 0
    run_page("library.md", names)
    assert names["network"](torch.zeros(5, 64, dtype=torch.float64)).shape == (5, 10)
    assert (folder / "success.png").is_file()
    assert [int(mask.sum()) for mask in names["search"].masks().values()] == [19, 5]


def test_the_page_on_any_model() -> None:
    names: dict[str, Any] = {}
    run_page("howto/any_model.md", names)
    assert int((names["plain"].layers[0].linear1.weight == 0).sum()) == 256
    assert {name: int(mask.sum()) for name, mask in names["search"].masks().items()} == {"0": 128, "1.up": 1024}


def test_blocks_are_what_the_code_makes(blocks: ModuleType) -> None:
    for name, (page, make) in blocks.BLOCKS.items():
        text = (DOCS / page).read_text(encoding="utf-8")
        assert blocks.rewritten(text, name, make()) == text, f"run python docs/_ext/blocks.py: {page}"


def test_proofs_say_what_uses_them(blocks: ModuleType) -> None:
    text = blocks.PROOFS.read_text(encoding="utf-8")
    assert blocks.with_uses(text) == text, "run python docs/_ext/blocks.py: theory/PROOFS.md"
    assert text.count("\n*Used.* ") >= 40


def test_every_operator_has_its_row(blocks: ModuleType) -> None:
    from nets.graph.kinds import kind
    from nets.graph.operators import SUPPORTED

    rows = dict(re.findall(r"^\| (\w+) \| ([A-Z][\w ]*) \|", blocks.operators(), re.M))
    assert {(op, name) for name, ops in rows.items() for op in ops.split()} == {(op, kind(op)) for op in SUPPORTED}
