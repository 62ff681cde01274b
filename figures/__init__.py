"""One script, one figure: ``compute()`` gathers the numbers, ``plot()`` draws them, ``main()`` is the command."""

from sims import _early as _early
