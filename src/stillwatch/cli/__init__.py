"""The command line: reads arguments, shows results, and decides nothing.

Exit status: 0 nothing found (or done), 3 campaigns found, 2 bad input or usage, 1 a fault of stillwatch
itself, 130 interrupted, 141 the reader of the output went away.
"""

from stillwatch.cli.program import main

__all__ = ["main"]
