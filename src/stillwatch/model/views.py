"""Views: the independent sides from which a link between two accounts can be seen."""

from __future__ import annotations

from enum import IntEnum, IntFlag, StrEnum

KIND_BITS = 4
KIND_MASK = (1 << KIND_BITS) - 1


class View(StrEnum):
    """One side of an account's behaviour; evidence from two views is worth more than twice one."""

    TEXT = "text"
    SAMPLING = "sampling"
    INFRASTRUCTURE = "infrastructure"
    IDENTITY = "identity"
    TIMING = "timing"
    CAPABILITY = "capability"


class KeyKind(IntEnum):
    """What a 64-bit key was computed from; stored in the key's four lowest bits."""

    PREFIX_SHORT = 1
    PREFIX_MEDIUM = 2
    PREFIX_LONG = 3
    SHINGLE = 4
    SUFFIX = 5
    FORMAT = 6
    SYSTEM = 7
    TOOLS = 8
    SAMPLING = 9
    CLIENT = 10
    ACCOUNT = 11
    PAYMENT = 12
    DEVICE = 13
    ADDRESS = 14
    REASONING_BLOCK = 15

    @property
    def view(self) -> View:
        """The view that a key of this kind belongs to."""
        if self <= KeyKind.TOOLS:
            return View.TEXT
        if self is KeyKind.SAMPLING:
            return View.SAMPLING
        if self in (KeyKind.CLIENT, KeyKind.ADDRESS):
            return View.INFRASTRUCTURE
        return View.IDENTITY


class Elicitation(IntFlag):
    """What the wording of a prompt asks a model to give away; a feature of groups, never a verdict."""

    REASONING = 1
    """Asks for the steps before or beside the answer."""
    INLINE_TAGS = 2
    """Forces reasoning into tags inside the answer."""
    BACKFILL = 4
    """Asks for the reasoning behind an answer that is already finished."""
    GRADING = 8
    """Scores answers against a rubric, as a reward model would."""
    REWRITING = 16
    """Asks for a cleaned or reworded version of text that was given."""
    PERSONA = 32
    """Puts the model into a role."""
    ENUMERATION = 64
    """Asks for many items, tasks or variations at once."""
    FORMAT = 128
    """Demands one machine-readable output format."""
    SYNTHESIS = 256
    """Asks for training examples, instructions or question-answer pairs."""
