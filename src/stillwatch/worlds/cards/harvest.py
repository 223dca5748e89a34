"""The templates of a campaign: what stands around its questions, by the capability that it is after."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np

from stillwatch.worlds.cards.operation import Capability, Wording
from stillwatch.worlds.grammar import Grammar

if TYPE_CHECKING:
    from collections.abc import Sequence

RULES = {
    Capability.REASONING: ("inline_prompt", "p_backfill"),
    Capability.GRADING: ("p_grade",),
    Capability.REWRITING: ("p_rewrite",),
    Capability.AGENTS: ("h_agent",),
    Capability.CODING: ("h_code",),
    Capability.TOOLS: ("h_agent",),
    Capability.DATA: ("h_data",),
    Capability.VISION: ("h_vision",),
    Capability.KERNELS: ("h_kernel",),
    Capability.CLEANING: ("h_trace",),
    Capability.SECURITY: ("h_security",),
    Capability.CHAT: ("h_replay",),
}
"""Rules of the lexicon that write templates for each capability."""
TAGS = ("thinking", "reasoning", "scratchpad", "analysis", "thoughts", "work")


@cache
def grammar() -> Grammar:
    """Load the rules of all harvests."""
    folder = resources.files("stillwatch.worlds") / "lexicon"
    rules: dict[str, list[str]] = {}
    for name in ("en", "templates", "harvest"):
        rules |= tomllib.loads((folder / f"{name}.toml").read_text(encoding="utf-8"))
    return Grammar(rules)


def write_templates(
    wording: Wording, wants: Sequence[Capability], count: int, rng: np.random.Generator
) -> list[str]:
    """Write `count` templates, in turn for each capability wanted.

    Args:
        wording: With `Wording.FIXED` every template forces the reasoning into inline tags; with
            `Wording.SESSIONS` it asks for what was thought in an earlier session.
        wants: What the campaign is after.
        count: How many.
        rng: Source of randomness.
    """
    if wording is Wording.FIXED:
        rules: list[str] = ["inline_prompt"]
    elif wording is Wording.SESSIONS:
        rules = ["h_replay"]
    else:
        rules = [rule for capability in wants for rule in RULES[capability]]
    which = np.arange(count) % len(rules)
    written = [""] * count
    for place, rule in enumerate(rules):
        rows = np.flatnonzero(which == place)
        texts = grammar().expand(rule, len(rows), rng).to_pylist()
        tags = rng.integers(0, len(TAGS), len(rows)).tolist()
        for row, text, tag in zip(rows.tolist(), texts, tags, strict=True):
            written[row] = text.replace("TAG", TAGS[tag])
    return written
