"""Published figures: committed numbers that are what the simulators find, drawn the same way every time."""

import json
from pathlib import Path

import pytest

from figures import explorer_table, report, verdicts
from figures import recipe as recipes
from figures.__main__ import main as draw_all
from figures.registry import NAMES, recipe
from figures.style import Style, house_style
from sims.run import run
from sims.statistics.result import Result
from theory.subset_sum import SubsetSum

NEED_TORCH = {"theorem_corner", "main_theorem", "similarity", "accuracy", "bits", "gallery"}


def test_numbers_and_names_are_one_to_one() -> None:
    found = [recipe(name) for name in NAMES]
    assert [one.name for one in found] == list(NAMES)
    assert len({one.number for one in found}) == len(found)
    stored = {path.stem for path in recipes.FOLDER.glob("*.json")}
    assert stored == set(NAMES)
    with pytest.raises(ValueError, match=r"figure must be one of .* got nothing"):
        recipe("nothing")


@pytest.mark.parametrize("name", NAMES)
def test_committed_numbers_are_drawn_the_same_way_twice(name: str, tmp_path: Path) -> None:
    one = recipe(name)
    data = recipes.load(one)
    assert {"version", "commit", "numpy", "cpu"} <= set(data["provenance"])
    first, second = (recipes.write_pictures(one, data, tmp_path / folder) for folder in ("a", "b"))
    for a, b in zip(first, second, strict=True):
        assert a.read_bytes() == b.read_bytes()
        assert len(a.read_bytes()) > 5000
    caption = one.caption(data)
    assert caption.endswith(".")
    assert 80 < len(caption) < 900


STYLES = (Style(), Style("paper", 3.3))


@pytest.mark.parametrize("style", STYLES, ids=["screen", "3.3in"])
@pytest.mark.parametrize("name", NAMES)
def test_everything_lies_inside_the_picture(name: str, style: Style) -> None:
    one = recipe(name)
    figure = recipes.draw(one, recipes.load(one), style)
    figure.canvas.draw()
    with house_style(style):
        drawn = figure.get_tightbbox()  # of everything visible, in inches
    width, height = figure.get_size_inches()
    assert width <= 7.0  # a text column, at most a page
    assert style.width in (None, width)
    assert drawn.x0 > -0.02
    assert drawn.y0 > -0.02
    assert drawn.x1 < width + 0.02
    assert drawn.y1 < height + 0.02


@pytest.mark.parametrize("name", [name for name in NAMES if name != "gallery"])  # test_parameters.py draws a small one
def test_smoke(name: str, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    if name in NEED_TORCH:
        pytest.importorskip("torch", reason="PyTorch is not installed (extra: nets)")
    before = recipe(name).data_file.read_bytes()
    assert recipe(name).main(["--smoke", "--out", str(tmp_path), "--format", "png"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"picture: {tmp_path / name}.png"
    assert (tmp_path / f"{name}.png").read_bytes()[:4] == b"\x89PNG"
    assert recipe(name).data_file.read_bytes() == before


def test_committed_counts_are_what_the_simulator_finds() -> None:
    committed = recipes.load(recipe("subset_sum"))["result"]
    params = committed["params"]
    fresh = run(SubsetSum(R=5, eps=0.01), n=range(1, 7), trials=params["trials"], seed=params["seed"])
    counts = {(row["R"], row["n"]): row["successes"] for row in committed["rows"]}
    assert [counts[row["R"], row["n"]] for row in fresh.rows] == [row["successes"] for row in fresh.rows]


def test_drawing_uses_the_numbers(tmp_path: Path) -> None:
    one = recipe("subset_sum")
    data = recipes.load(one)
    (before,) = recipes.write_pictures(one, data, tmp_path / "a", ["svg"])
    row = data["result"]["rows"][3]
    row["success"] = row["ci_low"] = row["success"] - 0.1
    (after,) = recipes.write_pictures(one, data, tmp_path / "b", ["svg"])
    assert before.read_bytes() != after.read_bytes()


def test_all_figures_from_one_command(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert draw_all(["--out", str(tmp_path), "--format", "svg"]) == 0
    for name in NAMES:
        assert {"json", "svg"} <= {path.suffix[1:] for path in tmp_path.glob(f"{name}.*")}
        assert list(tmp_path.glob(f"{name}*.csv"))
    assert len(capsys.readouterr().out.splitlines()) == len(NAMES)


def test_mistakes_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    one = recipe("subset_sum")
    assert one.main(["--format", "gif"]) == 2
    assert one.main(["--compute", "--smoke"]) == 2
    monkeypatch.setattr(recipes, "FOLDER", tmp_path)
    assert one.main(["--out", str(tmp_path / "out")]) == 2
    one.data_file.write_text("{", encoding="utf-8")
    assert one.main(["--out", str(tmp_path / "out")]) == 2
    one.data_file.write_text(json.dumps({"schema": "other"}), encoding="utf-8")
    assert one.main(["--out", str(tmp_path / "out")]) == 2
    errors = capsys.readouterr().err.splitlines()
    for line, said in zip(
        errors, ["gif", "exclude each other", "is missing", "not JSON", "not the numbers"], strict=True
    ):
        assert line.startswith("error: ")
        assert said in line


def test_an_installed_package_is_left_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site-packages" / "figures"
    monkeypatch.setattr(recipes, "PACKAGE", package)
    monkeypatch.setattr(recipes, "FOLDER", package / "data")
    monkeypatch.setattr(verdicts, "VERDICTS", package / "verdicts.json")
    monkeypatch.setattr(verdicts, "compute", lambda **_: pytest.fail("computed"))
    monkeypatch.setattr(explorer_table, "compute", lambda: pytest.fail("computed"))
    assert recipe("crossover").main(["--compute", "--out", str(tmp_path / "out")]) == 2
    assert report.main(["--compute", "--out", str(tmp_path / "r.html")]) == 2
    assert explorer_table.main([]) == 2
    for line, what in zip(
        capsys.readouterr().err.splitlines(), ["--compute", "--compute", "this command"], strict=True
    ):
        assert line == f"error: {what} keeps numbers in the source tree, and {package} is an installed package"
    assert list(tmp_path.iterdir()) == []


def test_a_result_comes_back_from_its_json() -> None:
    content = json.loads(run(SubsetSum(), n=[1, 2], trials=100, seed=3).to_json())
    result = Result.from_dict(content)
    assert isinstance(result, Result)
    assert json.loads(result.to_json()) == content
