"""The numbers of the page of bits: ``python docs/_ext/bits.py [NAME ...]`` computes docs/data/bits.json (an hour).

Every network of the gallery whose package is installed is stored within eta = 0.01; networks that are not named keep
their rows.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
DATA = ROOT / "docs" / "data" / "bits.json"
ETA, SEED = 0.01, 1

ASKED: dict[str, tuple[str, ...]] = {
    "digits": ("pool", "block", "draw", "rank"),
    "pesto": ("pool", "block", "draw", "rank"),
    "crepe-tiny": ("pool", "block", "draw", "rank"),
    "silero-vad": ("pool", "block", "draw", "rank"),
    "rxnmapper": ("pool", "block", "draw", "rank"),
    "efficientnet-lite0": ("pool", "block"),
    "crepe-full": ("pool",),
}
"""Networks and codes; those that take too long are left out."""


def main() -> None:
    """Compute the rows of the networks that are named, or of all, and write them."""
    sys.path.insert(0, str(ROOT))
    from nets.bits import Bits, measure

    kept = json.loads(DATA.read_text(encoding="utf-8"))["networks"] if DATA.exists() else {}
    for name in sys.argv[1:] or ASKED:
        found = measure(Bits(name, eta=(ETA,), codes=ASKED[name], seed=SEED)).to_dict()
        kept[name] = {key: found[key] for key in ("params", "rows", "provenance")}
        print(name, flush=True)
        content = {"eta": ETA, "networks": {one: kept[one] for one in ASKED if one in kept}}
        DATA.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
