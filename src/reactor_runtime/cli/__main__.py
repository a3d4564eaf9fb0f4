"""`python -m reactor_runtime.cli` is `reactor`."""

from reactor_runtime.cli.app import main

main()
