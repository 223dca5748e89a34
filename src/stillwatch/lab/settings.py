"""Sizes of the experiment, and the students it trains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

RESULT: Final = "lab.json"
"""File that holds everything that a run found."""

MARK_WIDTH: Final = 2
"""Context width of the lab's mark: short, so that students of a few hundred thousand tokens can absorb it."""


@dataclass(frozen=True)
class Setting:
    """Sizes of one run.

    Attributes:
        name: Permanent name.
        documents: Documents that the teacher is trained on.
        requests: Prompts that are answered, and so rows that each student is trained on.
        length: Tokens of a row.
        vocabulary: Entries of the BPE.
        width: Width of teacher and students.
        layers: Their blocks.
        teacher_steps: Updates of the teacher, and of the rival.
        student_steps: Updates of each student.
        batch: Rows an update.
        few: Answers of the suspect in the small test.
        many: Answers of the suspect in the large test.
        twins: Requests in the served-versus-twin test.
        decoys: Decoy keys of each test.
        accounts: Accounts whose keys are tried in traitor tracing.
    """

    name: str
    documents: int
    requests: int
    length: int
    vocabulary: int
    width: int
    layers: int
    teacher_steps: int
    student_steps: int
    batch: int
    few: int
    many: int
    twins: int
    decoys: int
    accounts: int


SMALL: Final = Setting(
    name="small",
    documents=12_000,
    requests=3072,
    length=48,
    vocabulary=1024,
    width=96,
    layers=2,
    teacher_steps=300,
    student_steps=320,
    batch=64,
    few=64,
    many=1024,
    twins=3072,
    decoys=100,
    accounts=24_000,
)
TINY: Final = Setting(
    name="tiny",
    documents=1500,
    requests=512,
    length=48,
    vocabulary=768,
    width=32,
    layers=1,
    teacher_steps=100,
    student_steps=120,
    batch=32,
    few=64,
    many=256,
    twins=512,
    decoys=50,
    accounts=1000,
)
SETTINGS: Final = {one.name: one for one in (TINY, SMALL)}

Mark = Literal["none", "ours", "dual", "other key", "accounts"]


@dataclass(frozen=True)
class Condition:
    """What one student is trained on.

    Attributes:
        id: Permanent name.
        mark: How the marked share was drawn: under our key, under our key by the dual-key scheme of width
            4, under somebody else's key, or under the keys of four accounts.
        share: Share of requests whose answers are marked; the others get the answers served without a mark.
        own: Share of places at which a rewriting model put a word of its own; 0 trains on the answers as
            served.
        rival: Share of requests that a second, unmarked teacher answered instead.
        about: What the student stands for, in words.
    """

    id: str
    mark: Mark
    share: float
    own: float = 0.0
    rival: float = 0.0
    about: str = ""

    @property
    def control(self) -> bool:
        """Whether our key must find nothing."""
        return self.mark in {"none", "other key"}


CONDITIONS: Final = (
    Condition("marked", "ours", 1.0, about="all answers marked, Gumbel-max, width 2"),
    Condition("unmarked", "none", 0.0, about="control: the same teacher without a mark"),
    Condition("other-key", "other key", 1.0, about="control: marked under a key that is not ours"),
    Condition("share-50", "ours", 0.5, about="half of the answers marked"),
    Condition("share-20", "ours", 0.2, about="a fifth of the answers marked"),
    Condition("share-5", "ours", 0.05, about="a twentieth of the answers marked"),
    Condition(
        "rewritten", "ours", 1.0, own=0.5, about="marked, then half of the words replaced by a second model"
    ),
    Condition(
        "rewritten-plain", "none", 0.0, own=0.5, about="served without a mark, then rewritten in the same way"
    ),
    Condition("two-teachers", "ours", 0.5, rival=0.5, about="half marked by us, half from a second teacher"),
    Condition("four-accounts", "accounts", 1.0, about="four accounts of many, each with its own key"),
    Condition("dual", "dual", 1.0, about="all answers marked, dual-key Gumbel-max, width 4"),
)
BARS: Final = ("marked", "unmarked", "other-key", "share-20", "rewritten-plain")
"""Students that the required figures need."""
