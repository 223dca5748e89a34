"""`python -m stillwatch.cli` is the command `stillwatch`."""

from stillwatch.cli.program import main

main(prog_name="stillwatch")
