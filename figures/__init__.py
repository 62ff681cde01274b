"""One script, one figure: ``compute()`` gathers the numbers, ``plot()`` draws them, ``main()`` is the command."""

import sims as sims
