"""Real prompts and traffic statistics, read from the public files' own formats when a folder has them."""

from __future__ import annotations

import msgspec


class Sources(msgspec.Struct, frozen=True):
    """What was found; empty means that the generated default is used."""

    openers: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()
