"""``python -m sims.sweep``."""

import sys

from sims.sweep.command import main

if __name__ == "__main__":
    sys.exit(main())
