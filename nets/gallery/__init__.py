"""Published networks whose weights come inside packages on the Python index, and the real job of each."""
