"""Sphinx configuration; ``make docs`` builds the site, without a network and with warnings as errors."""

from __future__ import annotations

import os
import sys
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "docs" / "_ext")]
os.environ["COLUMNS"] = "100"  # the width of tables that notebooks print

project = "Strong Tickets"
author = "The Strong Tickets authors"
copyright = author
release = version = installed("strong-tickets")

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "mathml",
    "gallery",
]
exclude_patterns = ["_build", "_ext"]
html_theme = "furo"
html_title = "Strong Tickets"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"
html_show_sphinx = False
html_copy_source = False
html_show_sourcelink = False

myst_enable_extensions = ["dollarmath", "deflist", "colon_fence", "attrs_inline"]
myst_heading_anchors = 3
# Names of attributes in docstrings (n, seed) are no references, and several classes have them.
suppress_warnings = ["myst.xref_missing_source", "ref.python"]

nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_execution_show_tb = True
nb_merge_streams = True

autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "undoc-members": True, "inherited-members": "tuple,dict,Module"}
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
napoleon_use_param = False
napoleon_custom_sections = ["Source", "Assumptions"]
# Docstrings put names of code into single backquotes; shown as code, without a search for a target.
default_role = "code"


def _repository_links(app: Any, doctree: Any) -> None:
    """Links from a page to a file of the repository become the file's name, as code: the site stands alone."""
    from docutils import nodes

    for link in list(doctree.findall(nodes.reference)):
        target = link.get("refuri", "")
        if target.startswith("../") and not target.endswith(".html"):
            link.replace_self(nodes.literal("", link.astext()))


def _breakable(app: Any, doctree: Any) -> None:
    """Names of code in tables may break after a dot, an underscore or a slash, and nowhere else."""
    import html
    import re

    from docutils import nodes

    for entry in doctree.findall(nodes.entry):
        for code in list(entry.findall(nodes.literal)):
            text = re.sub(r"(?<=[._/])(?=\w)", "<wbr>", html.escape(code.astext()))
            code.replace_self(nodes.raw("", f'<code class="docutils literal">{text}</code>', format="html"))


def _plain_bars(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Docstrings write absolute values as |x|, which would be substitutions: bars outside code are escaped."""
    example = False
    for number, line in enumerate(lines):
        example = line.lstrip().startswith(">>>") or (example and bool(line.strip()))
        if not example:
            parts = line.split("`")
            parts[::2] = [part.replace("|", "\\|") for part in parts[::2]]
            lines[number] = "`".join(parts)


def setup(app: Any) -> None:
    """Hooks of this site."""
    app.connect("autodoc-process-docstring", _plain_bars)
    app.connect("doctree-read", _repository_links)
    app.connect("doctree-read", _breakable)
