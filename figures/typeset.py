"""Statements as they stand in theory/claims.py, plain text, set as mathematics in HTML."""

from __future__ import annotations

import re
from html import escape

_GREEK = {"eps": "ε", "alpha": "α", "delta": "δ", "eta": "η", "lambda": "λ", "mu": "μ", "phi": "φ", "pi": "π"}
_SIGNS = {
    "&gt;=": "≥", "&lt;=": "≤", "-&gt;": "→", "+-": "±", "||": "‖", "sqrt ": "√", "sqrt(": "√(", "sum_": "Σ_",
    " - ": " − ", "l_inf": "l<sub>∞</sub>", "l2 ball": "l<sub>2</sub> ball", "log2(": "log<sub>2</sub>(",
}  # fmt: skip
_PATTERNS = (
    (r"\b1e-(\d+)", r"10<sup>−\1</sup>"),
    (r"(?<![^\W\d_]{2})(?<=[\w)|])-(?=[\d(]|[^\W\d_]\b|[^\W\d_]_|exp)", "−"),  # a minus sign, no hyphen
    (r"(^|[\s(\[{^/])-(?=[\w(])", r"\1−"),
    (r"\b([^\W\d_])_(?:\(([^()]*)\)|(\w))", r"\1<sub>\2\3</sub>"),
    (r"\^−\(([^()]*)\)", r"<sup>−(\1)</sup>"),
    (r"\^(?:\(([^()]*)\)|(−?\w+))", r"<sup>\1\2</sup>"),
    (r"(?<!<)/(?=\S)", "/\N{WORD JOINER}"),
)


def mathematics(text: str) -> str:
    """A statement's plain text as HTML: Greek letters, indices, powers, and papers as links within the page.

    Examples
    --------
    >>> mathematics("n >= C log(eps), (1-q_i^2)^(n_i), d_(i-1), 2^-n")
    'n ≥ C log(ε), (1−q<sub>i</sub><sup>2</sup>)<sup>n<sub>i</sub></sup>, d<sub>i−1</sub>, 2<sup>−n</sup>'
    """
    from theory.bibliography import PAPERS

    text = escape(text, quote=False)
    for plain, sign in _SIGNS.items():
        text = text.replace(plain, sign)
    text = re.sub(rf"\b({'|'.join(_GREEK)})(?=\b|_)", lambda found: _GREEK[found[1]], text)
    for pattern, replacement in _PATTERNS:
        text = re.sub(pattern, replacement, text)
    for paper in PAPERS:
        text = text.replace(paper.key, f'<a href="#paper-{paper.key}">{paper.authors} {paper.year}</a>')
    return text


def slug(text: str) -> str:
    """Letters, digits and hyphens, for an id.

    Examples
    --------
    >>> slug("4.5 (c)")
    '4-5-c'
    """
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-")
