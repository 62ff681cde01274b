"""The registry of claims and the bibliography are consistent with the code and with PROOFS.md."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

import theory
from theory import bibliography, claims, records

PROOFS = (Path(theory.__file__).parent / "PROOFS.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("claim", claims.CLAIMS, ids=lambda claim: claim.id)
def test_claim(claim: claims.Claim) -> None:
    assert claim.functions
    if any(name.startswith("nets.") for name in claim.functions):
        pytest.importorskip("torch", reason="PyTorch is not installed (extra: nets)")
    for name in claim.functions:
        module, function = name.rsplit(".", 1)
        assert callable(getattr(importlib.import_module(module), function))
    assert claim.status in {"proved", "read", "recalled", "heuristic"}
    assert claim.assumptions
    if claim.status == "proved":
        assert claim.source == "theory/PROOFS.md"
        assert re.search(rf"^##+ {re.escape(claim.id)} ", PROOFS, flags=re.MULTILINE)
    elif claim.status in {"read", "recalled"}:
        assert claim.source in bibliography.BY_KEY


def test_ids_are_unique_and_cover_the_headings() -> None:
    ids = [claim.id for claim in claims.CLAIMS]
    assert len(set(ids)) == len(ids)
    headings = re.findall(r"^## (\d+\.\d+) ", PROOFS, flags=re.MULTILINE)
    assert len(set(headings)) == len(headings)
    assert {"1.1", "1.2", "1.3", "2.0", "2.1", "2.2", "2.3"} <= set(headings) & set(ids)


def test_predictions_are_never_called_bounds() -> None:
    for claim in claims.CLAIMS:
        names = [name for name in claim.functions if claim.status == "heuristic"]
        assert not any(word in name for name in names for word in ("bound", "upper", "lower", "required", "necessary"))


def test_bibliography() -> None:
    assert len(bibliography.BY_KEY) == len(bibliography.PAPERS)
    for paper in bibliography.PAPERS:
        assert paper.note
        assert paper.arxiv is None or re.fullmatch(r"\d{4}\.\d{5}", paper.arxiv)
        assert paper.version is not None or paper.arxiv is None or "checked" in paper.note
        assert 1930 < paper.year < 2030
    assert bibliography.paper("pensia2020").arxiv == "2006.07990"
    with pytest.raises(ValueError, match=r"key must be one of .* got key='nobody2000'"):
        bibliography.paper("nobody2000")


GOOD = """
[[claim]]
id = "9.9"
statement = "A statement."
source = "theory/PROOFS.md"
status = "proved"
assumptions = ["none"]
functions = ["theory.claims.Claim"]
test = "theory/test_claims.py"
"""


def test_a_claim_is_validated_as_it_is_read() -> None:
    def read(text: str) -> tuple[claims.Claim, ...]:
        return records.parse(text, "claim", claims.Claim, "x/claims.toml")

    assert read(GOOD)[0].assumptions == ("none",)
    for text, problem in (
        (GOOD + 'picture = "3"', r"x/claims.toml: unknown or missing keys picture in a claim"),
        (GOOD.replace("test =", "tests ="), r"x/claims.toml: unknown or missing keys test, tests in a claim"),
        (GOOD.replace('"proved"', '"certain"'), r"x/claims.toml: status must be one of .* got status='certain'"),
    ):
        with pytest.raises(ValueError, match=problem):
            read(text)
