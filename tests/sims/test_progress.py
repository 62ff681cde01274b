"""Progress bars: on a terminal, with the time left, and never in the way of what is printed."""

import os
import pty
import subprocess
import sys

import pytest

SHOWN = """
import time
from sims.progress import progress
with progress(4.0, after=0.0) as advance:
    for number in range(4):
        time.sleep(0.15)
        print("line", number, flush=True)
        advance(1.0, label=f"step {number}")
"""


def on_terminal(code: str, **streams: object) -> tuple[str, str]:
    """What a program prints into a pipe, and what its standard error shows on a terminal."""
    ours, theirs = pty.openpty()
    env = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "30"}
    env.pop("NO_COLOR", None)
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=theirs, env=env) as running:
        os.close(theirs)
        shown = b""
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            shown += part
        out = running.stdout.read() if running.stdout else b""
    os.close(ours)
    return out.decode(), shown.decode(errors="replace")


def test_a_bar_tells_the_time_left_and_leaves_standard_output_alone() -> None:
    out, shown = on_terminal(SHOWN)
    assert out == "line 0\nline 1\nline 2\nline 3\n"
    assert "step 0" in shown
    assert "25%" in shown
    assert "0:00:0" in shown


@pytest.mark.parametrize("where", ["quiet=True", "after=60.0"])
def test_no_bar_where_none_is_wanted(where: str) -> None:
    assert on_terminal(SHOWN.replace("after=0.0", where))[1] == ""
