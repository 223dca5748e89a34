"""What a search for marks says: whose mark a text carries, at which error over all that was tried."""

from __future__ import annotations

import msgspec

from stillwatch.mark.detection.alignment import Alignment  # noqa: TC001 - msgspec reads the types of fields
from stillwatch.mark.detection.decoys import DecoyPanel  # noqa: TC001 - as above
from stillwatch.mark.detection.evidence import Rule  # noqa: TC001 - as above
from stillwatch.mark.detection.manykeys import WeakSignals  # noqa: TC001 - as above
from stillwatch.mark.detection.spoofing import SpoofingCheck  # noqa: TC001 - as above
from stillwatch.mark.keys import Level  # noqa: TC001 - as above

REPORT_VERSION = 1

DOES_NOT_PROVE = (
    "This is evidence that the text holds output marked under a key, not of who passed it on, who published "
    "it or who paid for it. Somebody who learned the rule from many marked answers can forge a mark; keys "
    "that leaked can be used by others. That no key was found does not show that the text is not ours: "
    "short, paraphrased, low-entropy and greedily decoded text carries little or no mark."
)


class Settings(msgspec.Struct, frozen=True):
    """What must be fixed before the text is looked at.

    Attributes:
        level: Family-wise error over all keys tried.
        rule: Rule of de-duplication.
        whole: Whether documents are whole answers (else fragments, whose first tokens lack context).
        decoys: Number of decoy keys.
        seed: Seed of the decoys and of the simulations.
    """

    level: float = 0.01
    rule: Rule = "pair"
    whole: bool = True
    decoys: int = 100
    seed: int = 0


class Stretch(msgspec.Struct, frozen=True):
    """Where in a document a named key's mark stands: tokens `start` to `end` of document `document`."""

    document: int
    start: int
    end: int
    log10_error: float


class KeyResult(msgspec.Struct, frozen=True):
    """What one key says.

    Attributes:
        key_id: Public name of the key.
        level: Global, cohort or account.
        name: Name of the cohort or account.
        cohort: Cohort of the account.
        total: Total score.
        z: Standardised total, for showing only.
        log10_p: Exact p-value of this key's total alone, as a power of ten.
        log10_family_error: Holm's family-wise error over all keys tried, as a power of ten; where likelihood
            ratios were computed, from the smaller of p / 0.9 and 10 / e.
        discovery_rate: Benjamini-Hochberg's false-discovery rate at which the key enters a watch list.
        log10_e: Evidence (e-value) of a test that may be continued with more text, as a power of ten.
        stretches: Where the mark stands, for named keys.
    """

    key_id: str
    level: Level
    name: str
    cohort: str
    total: float
    z: float
    log10_p: float
    log10_family_error: float
    discovery_rate: float
    log10_e: float
    stretches: tuple[Stretch, ...] = ()


class CohortResult(msgspec.Struct, frozen=True):
    """Whether the accounts of a cohort are together too good, though none of them need stand out.

    Attributes:
        cohort: The cohort.
        signals: Its statistics.
        family_error: Holm's family-wise error of higher criticism over all cohorts.
    """

    cohort: str
    signals: WeakSignals
    family_error: float


class MarkReport(msgspec.Struct, frozen=True):
    """Everything that one run of detection says; holds no text and no key.

    Attributes:
        scheme: Name of the scheme.
        prf: Version of its pseudo-random function.
        context_width: Tokens that make a context.
        settings: What was fixed beforehand.
        documents: Number of documents.
        tokens_read: Tokens before de-duplication.
        scored: Distinct scores after it.
        repeated: Tokens that were left out as repeats.
        excluded: Tokens left out because their context stands in text that could have been copied.
        unkeyed: Tokens left out because their score does not depend on a key or their context is unknown.
        keys_tried: Number of keys, all of which the family-wise error counts.
        named: Keys at or below the level, best first.
        watch: Further keys at a false-discovery rate of 0.1, best first.
        best: The best key, named or not.
        panel: What decoys say about the same evidence.
        cohorts: Cohorts of two or more accounts, best first.
        alignment: How the text's cuts compare with those of another tokenizer.
        tokenizer: SHA-256 of the tokenizer file; empty where token ids were given.
        spoofing: Whether the mark of the first named key looks forged, if a reference corpus was given.
        sentence: The result in words.
        does_not_prove: What it does not show.
        schema_version: Version of this form.
    """

    scheme: str
    prf: str
    context_width: int
    settings: Settings
    documents: int
    tokens_read: int
    scored: int
    repeated: int
    excluded: int
    unkeyed: int
    keys_tried: int
    named: tuple[KeyResult, ...]
    watch: tuple[KeyResult, ...]
    best: KeyResult | None
    panel: DecoyPanel
    cohorts: tuple[CohortResult, ...]
    alignment: Alignment | None
    tokenizer: str
    spoofing: SpoofingCheck | None
    sentence: str
    does_not_prove: str = DOES_NOT_PROVE
    schema_version: int = REPORT_VERSION
