"""Callbacks that tell a search of the steps and epochs of other libraries' training loops, one library a file."""
