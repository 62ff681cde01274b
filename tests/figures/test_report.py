"""The report: complete, self-contained, well-formed HTML that shows the committed numbers and says on whose word."""

import copy
import doctest
import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

pytest.importorskip("jinja2", reason="Jinja2 is not installed (extra: report)")

from figures import explorer_table, inline_svg, report, typeset, verdicts
from figures.recipe import load
from figures.registry import recipe, recipes
from theory.claims import CLAIMS
from theory.subset_sum import log_failure_prob_bound

VOID = {"meta", "link", "input", "br", "hr", "img", "source", "wbr"}
LOADING = {"src", "srcset", "href", "xlink:href", "data", "poster", "action", "formaction", "background", "manifest"}


class Page(HTMLParser):
    """Collects ids, references, loads and mistakes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.ids: list[str] = []
        self.references: set[str] = set()
        self.mistakes: list[str] = []
        self.loads: list[str] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        self.mistakes += [f"<{tag}> is not closed" for tag in self.open]
        self.mistakes += [f"id {name} twice" for name in set(self.ids) if self.ids.count(name) > 1]
        self.mistakes += [f"no id {name}" for name in self.references - set(self.ids)]

    def handle_startendtag(self, tag, attrs):
        self.look(tag, attrs)

    def handle_starttag(self, tag, attrs):
        self.look(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.mistakes.append(f"</{tag}> closes something else, line {self.getpos()[0]}")

    def handle_data(self, data):
        if self.open and self.open[-1] == "style":
            self.style(data)
        elif not self.open or self.open[-1] != "script":
            self.text.append(data)

    def look(self, tag, attrs):
        if len({name for name, _ in attrs}) < len(attrs):
            self.mistakes.append(f"<{tag}> has an attribute twice")
        for name, value in attrs:
            value = value or ""
            if name == "id":
                self.ids.append(value)
            if name in ("for", "aria-labelledby", "aria-describedby"):
                self.references.update(value.split())
            if name in LOADING:
                if value.startswith("#"):
                    self.references.add(value[1:])
                elif not value.startswith("data:") and not (tag == "a" and value.startswith("https://arxiv.org/")):
                    self.loads.append(f"{tag} {name}={value}")
            if name == "style" or "url(" in value:
                self.style(value)
        if tag in ("link", "iframe", "object", "embed", "base"):
            self.loads.append(tag)

    def style(self, text):
        self.references.update(re.findall(r"url\(#([^)]*)\)", text))
        self.loads += re.findall(r"url\((?!#|data:)[^)]*\)|@import[^;]*", text)


@pytest.fixture(scope="module")
def found() -> dict:
    return verdicts.load()


@pytest.fixture(scope="module")
def html(found: dict) -> str:
    return report.page(found)


@pytest.fixture
def one_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "recipes", lambda: (recipe("theorem_corner"),))


def words_of(html: str) -> str:
    return " ".join(" ".join(Page(html).text).split())


def test_well_formed_and_self_contained(html: str) -> None:
    page = Page(html)
    assert page.mistakes == []
    assert page.loads == []
    assert len(page.ids) > 200
    assert len(page.references) > 100
    assert html.startswith("<!DOCTYPE html>\n<html lang=")
    assert "default-src 'none'" in html  # the browser is told so too
    assert '<div id="x-live" hidden>' in html  # the explorer appears with JavaScript only
    assert "<noscript>" in html
    assert len(html.encode()) < 3_000_000


@pytest.mark.parametrize(
    ("planted", "kind"),
    [
        ('<img alt="" src="https://example.org/a.png">', "loads"),
        ('<link rel="stylesheet" href="a.css">', "loads"),
        ('<script src="a.js"></script>', "loads"),
        ('<p style="background: url(http://example.org/b)"></p>', "loads"),
        ("<style>@import 'x.css';</style>", "loads"),
        ('<a href="https://example.org">x</a>', "loads"),
        ('<a href="#nowhere">x</a>', "mistakes"),
        ('<p id="cite"></p>', "mistakes"),
        ("<p><b>x</p></b>", "mistakes"),
        ("<div>", "mistakes"),
        ('<label for="nothing">x</label>', "mistakes"),
        ('<g clip-path="url(#gone)"></g>', "mistakes"),
    ],
)
def test_the_checker_sees_mistakes(html: str, planted: str, kind: str) -> None:
    assert getattr(Page(html.replace("</main>", planted + "</main>")), kind) != []


def test_every_claim_with_its_word_and_verdict(html: str, found: dict) -> None:
    verdicts = {entry["claim"]: entry["verdict"] for entry in found["summary"]}
    assert set(verdicts) == {claim.id for claim in CLAIMS}  # else: python -m figures.report --compute
    for claim in CLAIMS:
        before, _, after = html.partition(f'<article id="claim-{typeset.slug(claim.id)}"')
        line = words_of(before.rpartition('<details class="statement">')[2])
        article = after.split("</article>")[0]
        text = words_of(article.split(">", 1)[1])
        assert text.startswith(f"{claim.id} {claim.status} ")
        assert line.startswith(claim.id)
        assert line.endswith(f"{claim.status} {verdicts[claim.id]}")
        for name in (*claim.functions, f"tests/{claim.test}"):
            assert name in text
        if claim.figure and claim.figure in {str(one.number) for one in recipes()}:
            assert f'href="#figure-{claim.figure}"' in article
        rows = [row for row in found["rows"] if row["claim"] == claim.id and not row["control"]]
        checks = sum(row["kind"] != "none" for row in rows)
        assert article.count("<tr>") == checks + bool(checks)  # with the headings
        controls = sum(row["claim"] == claim.id for row in found["rows"]) - len(rows)
        assert (f"controls {controls} control" in text) == (controls > 0)
    assert re.findall(r'<span class="no">([^<]+)</span>', html) == [claim.id for claim in CLAIMS]


def test_proofs_are_linked_where_the_docs_are(found: dict, one_figure: None) -> None:
    html = report.page(found, docs="../site/")
    headings = verdicts.proof_headings()
    proved = [claim for claim in CLAIMS if claim.status == "proved"]
    assert len(proved) > 50
    for claim in proved:
        link = f'<a href="../site/proofs.html#{headings[claim.id]}">proof, {claim.id}</a>'
        assert (link in html) == (claim.source == "theory/PROOFS.md"), claim.id
    assert "proofs.html" not in report.page(found)


def test_anchors_of_proofs_are_those_of_docutils() -> None:
    make_id = pytest.importorskip("docutils.nodes", reason="docutils is not installed (extra: docs)").make_id
    text = (Path(report.__file__).parents[1] / "theory" / "PROOFS.md").read_text(encoding="utf-8")
    numbered = [line.lstrip("# ") for line in text.splitlines() if re.match(r"#+ \d", line)]
    assert list(verdicts.proof_headings().values()) == [make_id(title) for title in numbered]


def test_the_explorers_table_is_what_is_proved() -> None:
    table = explorer_table.load()
    assert {name: tuple(table[name]) for name in ("alphas", "draws", "epsilons")} == {
        "alphas": explorer_table.ALPHAS,
        "draws": explorer_table.DRAWS,
        "epsilons": explorer_table.EPSILONS,
    }
    for a, r, e in ((0, 5, 1), (2, 0, 0), (3, 3, 2), (5, 2, 4)):
        alpha, R, eps = table["alphas"][a], table["draws"][r], table["epsilons"][e]
        known = table["rows"][a][r][e]
        assert known == sorted(known)
        for n in (1, 3, 5):
            proved = max(-log_failure_prob_bound(m, R, eps=eps, alpha=alpha) / math.log(10) for m in range(1, n + 1))
            assert 0 <= proved - known[n - 1] <= 0.0101


def test_the_counts_at_the_top(html: str, found: dict) -> None:
    text = words_of(html.split("<header>")[1].split("</header>")[0])
    checks = [row for row in found["rows"] if row["kind"] != "none" and not row["control"]]
    trials = sum(row["trials"] for row in checks if row["trials"] is not None)
    assert f"lists {len(CLAIMS)} statements" in text
    assert f"{len(checks)} checks in all read {trials:,} trials" in text
    assert f"{sum(row['verdict'] == 'measured' for row in checks)} of them measure" in text
    proved = [row["claim"] for row in checks if row["status"] == "proved"]
    assert f"{len(set(proved))} proved statements were held against {len(proved)} checks: 0 refuted" in text
    weak = sum(row["verdict"] == "no power" for row in checks)
    assert f"{weak} of {len(checks)} checks had less than an even chance" in words_of(html)


def test_every_figure_with_caption_words_and_command(html: str) -> None:
    for one in recipes():
        figure = html.split(f'<figure id="figure-{one.number}"')[1].split("</figure>")[0]
        text = words_of(figure.split(">", 1)[1])
        data = load(one)
        assert f"Figure {one.number}. {one.title}" in text
        assert " ".join(one.caption(data).split()) in text
        assert f"python -m figures.{one.name} --compute" in text
        assert f"commit {data['provenance']['commit']}" in text
        assert f"numpy {data['provenance']['numpy']}" in text
        assert re.search(r'<svg [^>]*role="img" aria-labelledby="([\w-]+)-title \1-desc"><title', figure)
        assert len(re.search(r"<desc[^>]*>([^<]*)</desc>", figure)[1]) > 60


def test_controls_and_findings(html: str, found: dict) -> None:
    text = words_of(html)
    controls = [row for row in found["rows"] if row["control"]]
    refuted = sum(row["verdict"] == "refuted" for row in controls)
    assert refuted == len(controls) > 20
    assert f"{refuted} of {len(controls)} were refuted" in text
    section = words_of(html.split('<section id="controls"')[1].split("</section>")[0].split(">", 1)[1])
    assert all(" ".join(row["control"].split()) in section for row in controls)
    findings = words_of(html.split('<section id="findings"')[1].split("</section>")[0].split(">", 1)[1])
    assert "recalled here, not checked against the published text" in findings
    for row in found["rows"]:
        if row["verdict"] == "refuted" and not row["control"]:
            assert row["status"] != "proved"
            assert row["margin"] in findings
    assert "Failures" not in findings


def test_the_corner_is_read_off_the_figure(html: str) -> None:
    rows = load(recipe("theorem_corner"))["promises"]
    for name in ("recalled", "designated"):
        missed = [row for row in rows if 10.0 ** row[name] > 10.0 ** row["log10_delta"]]
        first = max(missed, key=lambda row: row["log10_delta"])
        assert f"exceeds δ at {len(missed)} of the {len(rows)} powers of ten" in words_of(html)
        assert f"δ = 10<sup>−{-first['log10_delta']}</sup>, where it is 10<sup>−{-first[name]:.2f}</sup>" in html
    assert -24 <= max(row["log10_delta"] for row in rows if row["recalled"] > row["log10_delta"]) <= -20


@pytest.mark.usefixtures("one_figure")
def test_a_refuted_proof_and_a_passing_control_are_shown(found: dict) -> None:
    changed = copy.deepcopy(found)
    proved = next(row for row in changed["rows"] if row["status"] == "proved" and row["verdict"] == "consistent")
    control = next(row for row in changed["rows"] if row["control"])
    proved |= {"verdict": "refuted", "failed": True, "margin": "off by a MILE"}
    control |= {"verdict": "consistent", "failed": True}
    html = report.page(changed)
    text = words_of(html)
    assert '<span class="verdict bad">refuted</span>' in html
    assert '<span class="verdict bad">PASSES, but must not</span>' in html
    assert "2 failed: a proved statement was refuted or a wrong one passed" in text
    assert "Failures" in text
    assert text.count("off by a MILE") == 2  # in the findings and with the statement
    assert "PASSES, but must not" in text
    assert "checks: 1 refuted." in text
    controls = sum(bool(row["control"]) for row in changed["rows"])
    assert f"{controls - 1} of {controls} wrong statements were refuted" in text
    assert "failed: a proved" not in words_of(report.page(found))


@pytest.mark.usefixtures("one_figure")
def test_claims_that_were_not_run_say_so(found: dict) -> None:
    changed = copy.deepcopy(found)
    changed["rows"] = [row for row in changed["rows"] if row["claim"] != "2.1"]
    changed["summary"] = [entry for entry in changed["summary"] if entry["claim"] != "2.1"]
    assert words_of(report.page(changed)).count("not in this run") == 1


@pytest.mark.usefixtures("one_figure")
def test_the_same_bytes_again_from_the_command(
    found: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    assert report.main([]) == 0
    assert capsys.readouterr().out == "figures/out/report.html\n"
    assert (tmp_path / "figures/out/report.html").read_text(encoding="utf-8") == report.page(found)


@pytest.mark.usefixtures("one_figure")
def test_verdicts_from_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: dict) -> None:
    monkeypatch.setattr(verdicts, "VERDICTS", tmp_path / "verdicts.json")
    whole = verdicts.compute
    monkeypatch.setattr(verdicts, "compute", lambda **flags: whole(**flags, only=("2.5", "5.1", "6.1")))
    argv = ["--compute", "--budget", "5s", "--seed", "7", "--out", str(tmp_path / "a.html"), "--quiet"]
    assert report.main(argv) == 0
    kept = json.loads((tmp_path / "verdicts.json").read_text(encoding="utf-8"))
    assert set(kept["rows"][0]) == set(verdicts.KEPT) == set(found["rows"][0])
    assert {row["claim"] for row in kept["rows"]} == {"2.5", "5.1", "6.1"}
    assert kept["params"]["seed"] == 7
    assert "--seed 7 --budget 5s" in words_of((tmp_path / "a.html").read_text(encoding="utf-8"))
    again = ["--verdicts", str(tmp_path / "verdicts.json"), "--out", str(tmp_path / "b.html")]
    assert report.main(again) == 0
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_mistakes_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setattr(verdicts, "VERDICTS", tmp_path / "verdicts.json")  # whatever happens, the committed file stays
    wrong = tmp_path / "wrong.json"
    wrong.write_text('{"schema": "other"}', encoding="utf-8")
    short = tmp_path / "short.json"
    short.write_text('{"schema": "strong-tickets/sims.verify/1"}', encoding="utf-8")
    broken = tmp_path / "broken.json"
    broken.write_text("{", encoding="utf-8")
    out = ["--out", str(tmp_path / "a.html")]
    assert report.main(["--verdicts", str(tmp_path / "none.json"), *out]) == 2
    assert report.main(["--verdicts", str(wrong), *out]) == 2
    assert report.main(["--verdicts", str(short), *out]) == 2
    assert report.main(["--verdicts", str(broken), *out]) == 2
    assert report.main(["--verdicts", str(wrong), "--compute", *out]) == 2
    assert report.main(["--out", str(tmp_path / "no" / "a.html")]) == 2
    assert report.main(["--seed", "x", *out]) == 2
    assert report.main(["--compute", "--budget", "x", *out]) == 2
    said = ["none.json is missing", "wrong.json: not what", "short.json: not what", "not JSON", "exclude each other"]
    said += ["--out", "--seed", "--budget"]
    for line, words in zip(capsys.readouterr().err.splitlines(), said, strict=True):
        assert line.startswith("error: ")
        assert words in line
    assert not (tmp_path / "a.html").exists()


def test_statements_as_mathematics() -> None:
    for module in (report, typeset, verdicts):
        assert doctest.testmod(module).failed == 0
    cases = {
        "|alpha| <= 1": "|α| ≤ 1",
        "re-sampling, random-energy": "re-sampling, random-energy",
        "(1-p)^(nR)": "(1−p)<sup>nR</sup>",
        "n^-(D-1)": "n<sup>−(D−1)</sup>",
        "a reachable sum": "a reachable sum",
        "sum_i d_i": "Σ<sub>i</sub> d<sub>i</sub>",
        "the l_inf ball": "the l<sub>∞</sub> ball",
        "1e-60 <= eps": "10<sup>−60</sup> ≤ ε",
        "a < b & c": "a &lt; b &amp; c",
        "of pensia2020": 'of <a href="#paper-pensia2020">Pensia et al. 2020</a>',
    }
    assert {plain: typeset.mathematics(plain) for plain in cases} == cases
    for claim in CLAIMS:  # nothing is lost but marks
        for text in (claim.statement, *claim.assumptions):
            assert not re.search(r"\^|\w_\w|>=|<=", typeset.mathematics(text)), text


def test_a_figure_inside_a_page() -> None:
    svg = (
        '<?xml version="1.0"?><!DOCTYPE svg><svg width="1pt" height="1pt" viewBox="0 0 1 1" version="1.1">'
        '<metadata>x</metadata><defs><style type="text/css">*{color: red}</style></defs><g id="a" clip-path="url(#c)">'
        '<path id="b" style="font: 8px \'DejaVu Sans\', Arial"/><use xlink:href="#b"/></g><clipPath id="c"/></svg>'
    )
    assert inline_svg.cleaned(svg, "f", "T<", "D") == (
        '<svg viewBox="0 0 1 1" role="img" aria-labelledby="f-title f-desc"><title id="f-title">T&lt;</title>'
        '<desc id="f-desc">D</desc><g clip-path="url(#f-c)"><path id="f-b" '
        "style=\"font: 8px 'DejaVu Sans', Verdana, sans-serif\"/>"
        '<use href="#f-b"/></g><clipPath id="f-c"/></svg>'
    )
    one = recipe("subset_sum")
    said = inline_svg.described(one.plot(load(one)))
    assert "Horizontal axis: number of variables n (" in said
    assert "Vertical axis: probability of success (" in said
    assert said.endswith("prediction (heuristic).")
    panels = recipe("phase_diagram")
    said = inline_svg.described(panels.plot(load(panels)))
    assert said.startswith("Panel 1: R = 1. Horizontal axis: n (")
    assert said.count("log10 eps") == 1  # shared by three panels
    assert said.count("Vertical axis") == 2  # and that of the colours
