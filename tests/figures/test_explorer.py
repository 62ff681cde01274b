"""The report's explorer in a real browser: every number is the Python function's; nothing is loaded or complains."""

import base64
import html as entities
import json
import math
import re
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import pytest

pytest.importorskip("jinja2", reason="Jinja2 is not installed (extra: report)")

from figures import explorer_table, report, verdicts
from figures.registry import recipe
from theory import single_weight, subset_sum
from theory.network import width as network_width

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine: the explorer is not tested")

SHOWN = {"n": 7, "R": 1, "eps": 0.01, "alpha": 0.5, "delta": 0.05, "widths": [4, 8, 3]}
MAX_N = 64


def grid() -> list[dict]:
    """Settings all over the explorer's ranges, with the corners."""
    rng = np.random.default_rng(20)
    points = [
        SHOWN,
        {"n": 6, "R": 7, "eps": 0.02, "alpha": -0.75, "delta": 1e-6, "widths": [1, 1]},
        {"n": 60, "R": 100, "eps": 1e-5, "alpha": 1.0, "delta": 1e-20, "widths": [1, 1]},
        {"n": 2, "R": 4, "eps": 0.15, "alpha": 0.25, "delta": 0.5, "widths": [1, 1]},
        {"n": 1, "R": 1, "eps": 1.0, "alpha": 0.0, "delta": 0.9, "widths": [1, 1]},
        {"n": 60, "R": 1, "eps": 1e-8, "alpha": 1.0, "delta": 1e-30, "widths": [1, 1]},
        {"n": 60, "R": 10**9, "eps": 1e-8, "alpha": -1.0, "delta": 1e-30, "widths": [1000000, 1, 1000000]},
        {"n": 3, "R": 5, "eps": 0.3, "alpha": 0.7, "delta": 0.5, "widths": [784, 500, 10]},
        {"n": 2, "R": 7, "eps": 0.1, "alpha": -0.9, "delta": 0.2, "widths": [3, 2, 1]},
        {"n": 5, "R": 3, "eps": 0.5, "alpha": 0.5, "delta": 0.01, "widths": [2, 2]},
        {"n": 9, "R": 10000, "eps": 0.5, "alpha": 0.75, "delta": 0.01, "widths": [3, 2, 1]},
        {"n": 2, "R": 1, "eps": 1e-8, "alpha": 1.0, "delta": 0.05, "widths": [1, 1]},  # a window at the edge
        {
            "n": 4,
            "R": 270,
            "eps": 0.1,
            "alpha": 0.5,
            "delta": 0.1,
            "widths": [1, 1],
        },  # K L < R < K (L + log 2) in 4.5 (d)
        {"n": 4, "R": 296, "eps": 0.1, "alpha": 0.5, "delta": 0.1, "widths": [1, 1]},
        {"n": 1, "R": 599, "eps": 0.1, "alpha": 0.5, "delta": 1e-24, "widths": [1, 1]},
    ]
    for _ in range(40):
        R, eps = int(10 ** rng.uniform(0, rng.choice([1, 3, 9]))), float(10 ** rng.uniform(-8, 0))
        near = int(subset_sum.threshold_n(eps, R) * rng.uniform(0.4, 1.3))
        points.append(
            {
                "n": max(1, near),
                "R": R,
                "eps": eps,
                "alpha": float(rng.uniform(-1, 1)),
                "delta": float(min(0.9, 10 ** rng.uniform(-30 if rng.random() < 0.2 else -4, 0))),
                "widths": [int(10 ** rng.uniform(0, 3)) for _ in range(rng.integers(2, 6))],
            }
        )
    return points


DRIVE = """
<script>
const get = (id) => document.getElementById(id);
const seen = {};
const change = (id, value, event) => { get(id).value = value; get(id).dispatchEvent(new Event(event || "input")); };
const look = (name) => { seen[name] = Object.fromEntries([...document.querySelectorAll("[id^=x-]")].map((one) =>
  [one.id, one.tagName === "INPUT" ? one.value : one.tagName === "path" ? one.getAttribute("d") : one.textContent])); };
const steps = [
  () => look("start"),
  () => { change("x-eps-slider", -3); change("x-n", 21); change("x-widths", "2, 5 1"); },
  () => look("moved"),
  () => { change("x-R", "2.5"); change("x-eps", "7"); change("x-widths", "4"); },
  () => { look("wrong"); seen.invalid = [...document.querySelectorAll("[aria-invalid=true]")].map((one) => one.id);
          seen.marked = [...document.querySelectorAll(".range.wrong")].map((one) => one.id); },
  () => { change("x-R", "2.5", "change"); change("x-alpha", "0"); },
  () => { look("certain"); seen.link = get("x-link").getAttribute("href"); seen.hidden = get("x-live").hidden;
          const named = (one) => one.labels.length || one.getAttribute("aria-label");
          const inputs = [...document.querySelectorAll("#x-live input")];
          seen.types = inputs.map((one) => one.type).join(" ");
          seen.names = inputs.filter((one) => !named(one)).map((one) => one.id);
          const out = document.createElement("pre"); out.id = "driven"; out.textContent = JSON.stringify(seen);
          document.body.append(out); },
];
// one after the other, however slow the machine: the page answers to an event a moment later
const next = (i) => setTimeout(() => { steps[i](); if (i + 1 < steps.length) next(i + 1); }, 100);
next(0);
</script>
"""


def browse(page: Path, folder: Path, fragment: str = "") -> tuple[str, list[str], list[str]]:
    """The page's DOM after its scripts, what the console said, and what the page asked the network for."""
    log = folder / "net.json"
    command = [
        str(BROWSER), "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        "--host-resolver-rules=MAP * ~NOTFOUND", "--proxy-server=127.0.0.1:9", f"--user-data-dir={folder / 'profile'}",
        "--enable-logging=stderr", "--v=0", f"--log-net-log={log}", "--virtual-time-budget=3000", "--dump-dom",
        page.as_uri() + fragment,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    console = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
    text = log.read_text(encoding="utf-8").rstrip()
    events = json.loads(text if text.endswith("}") else text.rstrip(",") + "]}")["events"]
    asked = [one["params"] for one in events if "initiator" in one.get("params", {}) and "url" in one["params"]]
    return done.stdout, console, [one["url"] for one in asked if one["initiator"] != "not an origin"]


def printed(dom: str, name: str):
    found = re.search(rf'<pre id="{name}">(.*?)</pre>', dom, re.S)
    assert found, f"the page did not print {name}"
    return json.loads(entities.unescape(found[1]))


@pytest.fixture(scope="module")
def page() -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report, "recipes", lambda: (recipe("theorem_corner"),))
        return report.page(verdicts.load())


@pytest.fixture(scope="module")
def visit(page: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[str], list[str]]:
    folder = tmp_path_factory.mktemp("browser")
    file = folder / "report.html"
    file.write_text(page.replace("</body>", DRIVE + "</body>"), encoding="utf-8")
    settings = {**SHOWN, "widths": "4 8 3", "selftest": json.dumps(grid())}
    return browse(file, folder, "#" + urlencode(settings))


def same_count(here: str | None, there: int) -> bool:
    """Exactly; beyond 2^36 up to the last digits of one logarithm."""
    return here is not None and (int(here) == there if there < 2**36 else abs(int(here) - there) <= 1e-11 * there)


def close(here: float | str, there: float, rel: float) -> bool:
    return math.isclose(float(str(here).replace("Infinity", "inf")), there, rel_tol=rel, abs_tol=0.0)


def test_every_number_is_the_functions(visit: tuple[str, list[str], list[str]]) -> None:
    points = grid()
    numbers = printed(visit[0], "selftest")
    assert len(numbers) == len(points)
    for point, here in zip(points, numbers, strict=True):
        n, R, eps, alpha, delta, widths = point.values()
        one, both = {"eps": eps, "alpha": alpha}, {"R": R, "alpha": alpha}
        assert close(here["hit_prob"], single_weight.hit_prob(alpha, eps), 1e-15), point
        assert close(here["log_miss_prob_exact"], single_weight.log_miss_prob_exact(n, R, **one), 1e-14), point
        assert close(here["log_miss_prob_bound"], single_weight.log_miss_prob_bound(n, R, eps=eps), 1e-15), point
        assert same_count(here["required_n"], single_weight.required_n(eps, delta, R=R)), point
        assert same_count(here["required_n_exact"], single_weight.required_n_exact(eps, delta, **both)), point
        assert close(here["success_prob_upper"], subset_sum.success_prob_upper(n, R, **one), 1e-12), point
        necessary = subset_sum.necessary_n(eps, delta, **both)
        assert here["necessary_n"] == (necessary if necessary <= MAX_N else None), point
        assert here["necessary_n_closed_form"] == subset_sum.necessary_n_closed_form(eps, delta, **both), point
        assert close(here["success_prediction"], subset_sum.success_prediction(n, R, **one), 1e-9), point
        failure = subset_sum.failure_prediction(n, R, **one)
        if failure > 1e-100 or failure == 0.0:
            assert close(here["failure_prediction"], failure, 1e-9), point
        assert here["predicted_n"] == subset_sum.predicted_n(eps, delta, **both), point
        assert close(here["threshold_n"], subset_sum.threshold_n(eps, R), 1e-14), point
        etas = network_width.layer_etas(widths, eps)
        assert all(close(a, b, 1e-14) for a, b in zip(here["layer_etas"], etas, strict=True)), point
        bound = network_width.log_failure_bound(widths, eps, R=R, n=n)
        assert math.isclose(here["log_failure_bound"], bound, rel_tol=1e-12, abs_tol=1e-12), point
        asked = {"delta": delta, "R": R}
        for name in ("ours", "repaired", "recalled"):
            there = getattr(network_width, f"required_n_{name}")(widths, eps, **asked)
            counts = here[f"required_n_{name}"]
            assert len(counts) == len(there)
            if name == "ours" and max(there) >= 2**36:  # a small share hangs on the others' last digits
                assert same_count(str(sum(map(int, counts))), sum(there)), point
                reached = network_width.log_failure_bound(widths, eps, R=R, n=list(map(int, counts)))
                assert reached <= math.log(delta) + 1e-9, point
            else:
                assert all(map(same_count, counts, there)), (name, point)
        R_alone = network_width.required_R_for_minimal_width(widths, eps, delta=delta)
        assert same_count(here["required_R_for_minimal_width"], R_alone), point


def test_the_upper_bound_is_rounded_up(visit: tuple[str, list[str], list[str]]) -> None:
    tried = 0
    for point, here in zip(grid(), printed(visit[0], "selftest"), strict=True):
        n, R, alpha, eps = point["n"], point["R"], Fraction(point["alpha"]), Fraction(point["eps"])
        if here["success_prob_upper"] in (0, 1):
            continue
        exact = sum(  # Irwin and Hall's alternating sums, exactly
            math.comb(n, k) * R**k * window(k, alpha, eps) for k in range(1, n + 1)
        )
        assert Fraction(here["success_prob_upper"]) <= exact * (1 + Fraction(1, 10**12))
        if exact > 0.1 or n * R > 5000:
            continue  # given the total of the draws the bound may be less
        all_too_small = ((1 + abs(alpha) - eps) / 2) ** (n * R)  # at least P(the positive values add up to too little)
        if exact <= 1 - all_too_small:
            assert exact <= Fraction(here["success_prob_upper"])
            tried += 1
    assert tried >= 10


def window(k: int, alpha: Fraction, eps: Fraction) -> Fraction:
    """P(|S_k - alpha| <= eps) of k uniforms from [-1, 1]."""

    def below(x: Fraction) -> Fraction:
        y = (x + k) / 2  # sum of k uniforms from [0, 1]
        terms = ((-1) ** j * math.comb(k, j) * (y - j) ** k for j in range(k + 1) if j < y)
        return sum(terms, Fraction(0)) / math.factorial(k)

    return below(min(alpha + eps, Fraction(k))) - below(max(alpha - eps, Fraction(-k)))


def test_nothing_is_loaded_and_nothing_complains(visit: tuple[str, list[str], list[str]]) -> None:
    _, console, asked = visit
    assert console == []
    assert asked == []


def test_a_page_that_loads_or_complains_is_caught(tmp_path: Path) -> None:
    page = tmp_path / "bad.html"
    page.write_text('<img src="http://example.org/a.png"><script>nothing()</script>', encoding="utf-8")
    _, console, asked = browse(page, tmp_path)
    assert asked == ["http://example.org/a.png"]
    assert "nothing is not defined" in console[0]


def test_what_people_see(visit: tuple[str, list[str], list[str]]) -> None:
    seen = printed(visit[0], "driven")
    assert seen["hidden"] is False
    assert seen["names"] == []  # every input has a label
    assert seen["types"] == "range number " * 5 + "text range number"
    start = seen["start"]
    shown = {name: start[f"x-{name}"] for name in ("n", "R", "eps", "alpha", "delta", "widths")}
    assert shown == {"n": "7", "R": "1", "eps": "0.01", "alpha": "0.5", "delta": "0.05", "widths": "4 8 3"}
    assert start["x-required_n"] == "600"
    assert start["x-required_n_exact"] == f"{math.ceil(math.log(0.05) / math.log(0.99))}"
    assert start["x-miss_prob_exact"] == f"{0.99**7:.4f}"
    assert start["x-miss_prob_bound"] == "0.9657"  # exp(-0.035) = 0.965605..., rounded up
    upper = subset_sum.success_prob_upper(7, 1, eps=0.01, alpha=0.5)
    assert start["x-success_prob_upper"] == f"{math.ceil(upper * 1e4) / 1e4}"
    lower = subset_sum.success_prob_lower(7, 1, eps=0.01, alpha=0.5)
    assert lower - 0.03 <= float(start["x-success_prob_lower"]) <= lower  # an exponent of two digits, rounded down
    assert start["x-sufficient_n"] == str(subset_sum.required_n(0.01, 0.05, R=1, alpha=0.5).n)
    assert start["x-table-note"] == "2.2 and 2.3 are read at R = 1, \u03b5 = 0.01, |\u03b1| = 0.5."
    sufficient = {R: subset_sum.required_n(0.01, 0.05, R=R, alpha=0.5).n for R in explorer_table.DRAWS}
    fits = {R: n * R for R, n in sufficient.items() if n * math.log2(R + 1) <= 20}
    cheapest = min(fits, key=lambda R: fits[R])
    assert start["x-budget"].startswith(
        f"Fewest draws with at most 20 bits: R = {cheapest}, n = {sufficient[cheapest]}, "
    )
    assert start["x-budget"].endswith(f" bits, {fits[cheapest]} draws.")
    assert start["x-required_n_recalled"] == "2,571,554,829 \u00b7 3,715,930,751"
    assert float(start["x-eps-slider"]) == pytest.approx(-2, abs=1e-6)
    assert start["x-command"] == "python -m sims.subset_sum --R 1 --eps 0.01 --alpha 0.5 --delta 0.05 --n 1:7"
    moved = seen["moved"]
    assert moved["x-eps"] == "0.001"
    assert moved["x-n-slider"] == "21"
    assert moved["x-required_n"] == f"{single_weight.required_n(0.001, 0.05, R=1):,}"
    counts = network_width.required_n_ours([2, 5, 1], 0.001, delta=0.05, R=1)
    assert moved["x-required_n_ours"] == " \u00b7 ".join(f"{count:,}" for count in counts)
    assert moved["x-curve-upper"] != start["x-curve-upper"]
    assert seen["invalid"] == ["x-R", "x-eps", "x-widths"]
    assert seen["marked"] == ["x-R-range", "x-eps-range", "x-widths-range"]
    assert {name: text for name, text in seen["wrong"].items() if text != moved[name]} == {
        "x-R": "2.5", "x-eps": "7", "x-widths": "4",
    }  # fmt: skip
    certain = seen["certain"]
    assert certain["x-R"] == "1"  # what was wrong is put back
    assert "succeeds for certain" in certain["x-note"]
    assert certain["x-success_prediction"] == "1"
    assert certain["x-sufficient_n"] == "0"
    assert certain["x-budget"] == "The empty sum suffices: 0 bits."
    assert seen["link"] == "#n=21&R=1&eps=0.001&alpha=0&delta=0.05&bits=20&widths=2+5+1"


def test_a_phone_need_not_scroll_sideways(page: str, tmp_path: Path) -> None:
    framed = """<!DOCTYPE html><body><script>
      const f = document.createElement("iframe");
      f.style = "width: 360px; height: 800px; border: 0";
      f.onload = () => {
        const { scrollWidth, clientWidth } = f.contentDocument.documentElement, seen = document.createElement("pre");
        seen.id = "wide";
        seen.textContent = JSON.stringify([scrollWidth, clientWidth]);
        document.body.prepend(seen);
      };
      f.srcdoc = new TextDecoder().decode(Uint8Array.from(atob("PAGE"), (c) => c.charCodeAt(0)));
      document.body.append(f);
    </script></body>"""
    file = tmp_path / "phone.html"
    file.write_text(framed.replace("PAGE", base64.b64encode(page.encode()).decode()), encoding="utf-8")
    needed, there = printed(browse(file, tmp_path)[0], "wide")
    assert needed <= there <= 360


def test_the_curve_is_the_bound(visit: tuple[str, list[str], list[str]]) -> None:
    path = printed(visit[0], "driven")["start"]["x-curve-upper"]
    heights = [float(point.split(",")[1]) for point in path[1:].split("L")]
    assert len(heights) > 9
    for n, height in enumerate(heights):
        assert height == pytest.approx(248 - 236 * subset_sum.success_prob_upper(n, 1, eps=0.01, alpha=0.5), abs=0.051)


def test_proved_lower_bounds_are_those_of_the_table_at_a_setting_that_is_no_easier(
    visit: tuple[str, list[str], list[str]],
) -> None:
    table = explorer_table.load()
    given = 0
    for point, here in zip(grid(), printed(visit[0], "selftest"), strict=True):
        n, R, eps, alpha, delta, _ = point.values()
        finer = [e for e in table["epsilons"] if e <= eps]
        if abs(alpha) <= eps:
            assert (here["failure_prob_bound"], here["sufficient_n"]) == (0, 0)
            continue
        if abs(alpha) not in table["alphas"] or not finer:
            assert here["failure_prob_bound"] is here["sufficient_n"] is None
            continue
        place = (abs(alpha), max(r for r in table["draws"] if r <= R), max(finer))
        known = table["rows"]
        for names, value in zip(("alphas", "draws", "epsilons"), place, strict=True):
            known = known[table[names].index(value)]
        assert close(here["failure_prob_bound"], 10 ** -known[min(n, len(known)) - 1], 1e-12), point
        enough = [m for m, exponent in enumerate(known, 1) if exponent >= -math.log10(delta)]
        assert here["sufficient_n"] == (enough[0] if enough else None), point
        given += 1
    assert given >= 4
