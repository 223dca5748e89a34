"""Sources that the cards stand on, and the facts that several cards share."""

from __future__ import annotations

from stillwatch.worlds.cards.card import Fact, Mark

FEBRUARY = (
    "Anthropic, 23 February 2026, anthropic.com/news/detecting-and-preventing-distillation-attacks; "
    "MITRE ATLAS AML.CS0056"
)
JUNE = "Anthropic's letter to the Senate Banking Committee, 10 June 2026, in the press of 24 June"
SEPTEMBER = "Anthropic, threat intelligence report, 10 September 2026, PDF pages 143-154, from notes"
GOOGLE = "Google GTIG AI Threat Tracker, 12 February 2026"
ADVISORY = "NSA, CISA and FBI, AA26-251A, 8 September 2026"
ARITHMETIC = "arithmetic on the published figures"
CHOICE = "chosen here"


def assumed(says: str, *about: str) -> Fact:
    """Return a statement that has no public source."""
    return Fact(about, says, CHOICE, Mark.ASSUMED)


def inferred(says: str, *about: str) -> Fact:
    """Return a statement that follows from published figures."""
    return Fact(about, says, ARITHMETIC, Mark.INFERENCE)


def february(says: str, *about: str) -> Fact:
    """Return a statement of the disclosure of February 2026."""
    return Fact(about, says, FEBRUARY, Mark.SECONDARY)


def september(says: str, *about: str) -> Fact:
    """Return a statement of the report of September 2026."""
    return Fact(about, says, SEPTEMBER, Mark.NOTES)


EVERYDAY = (
    assumed(
        "a fifth to a third of six-hour blocks idle, volumes of the accounts spread lognormally, "
        "two or three client programs, a batch of accounts opened within hours",
        "idle_share",
        "volume_spread",
        "clients",
        "sign_up_bursts",
        "aged_share",
        "rhythm",
        "repeats",
        "models",
        "turns",
        "exits_per_account",
        "uniform_sampling",
        "input_tokens",
        "output_tokens",
        "languages",
    ),
)
"""What no source tells about any campaign and every card has to choose."""
