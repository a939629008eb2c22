"""`python -m ops` is `elruso`."""

from ops.cli import main

main()
