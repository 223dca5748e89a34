"""Tier 1a in a session: what a provider keeps of a marked epoch, and what the suspect says behind it.

marks/publication.json   promises about keys, as `stillwatch mark keys commit` wrote and you published them
marks/opening.json       {"key_id", "key", "salt"}: what fulfils the promise about the key that is tested
marks/scheme.json        {"name": "gumbel", "context_width": 4}
marks/tokenizer.json     tokenizer of the marking model
marks/served.jsonl       marked answers as served: one JSON list of token ids a line
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import numpy as np

from stillwatch.lineage.chain import digest, plain
from stillwatch.lineage.evidence_marks import MarkData, SchemeData, scheme_of
from stillwatch.lineage.radioactivity import context_level
from stillwatch.lineage.radioactivity_contexts import grouped, not_copied, occurs, places_of, summed
from stillwatch.lineage.session_plan import MarkPlan
from stillwatch.lineage.suspect import Query, Reply
from stillwatch.mark.commitments import Opening, Publication
from stillwatch.mark.detection.documents import load_tokenizer, read_tokens
from stillwatch.model.errors import BAD_JSON, InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from stillwatch.lineage.session_plan import Plan
    from stillwatch.mark.detection.documents import Tokenizer

TIER = "1a"
_Record = TypeVar("_Record")


@dataclass(frozen=True)
class MarkMaterial:
    """A marked epoch; the key is in no representation."""

    publication: Publication
    opening: Opening = field(repr=False)
    scheme: SchemeData
    tokenizer: Tokenizer = field(repr=False)
    tokenizer_digest: str
    contexts: NDArray[np.int64] = field(repr=False)


def read_marks(folder: Path) -> MarkMaterial:
    """Read the directory `marks`.

    Raises:
        InputError: A file is missing or damaged, or the scheme is unknown.
        MissingExtra: The package that reads tokenizers is not installed.
    """
    scheme = _record(folder / "scheme.json", SchemeData)
    try:
        width = scheme_of(scheme).context_width
    except ValueError as error:
        raise InputError(str(folder / "scheme.json"), str(error), "see docs/evidence.md") from None
    path = folder / "tokenizer.json"
    tokenizer = load_tokenizer(path)
    rows = read_tokens([folder / "served.jsonl"]).documents
    tokens, given = _padded([(np.zeros(0, dtype=np.int64), row) for row in rows])
    served, _ = grouped(places_of(tokens, given == 2, width).contexts)
    return MarkMaterial(
        publication=_record(folder / "publication.json", Publication),
        opening=_record(folder / "opening.json", Opening),
        scheme=scheme,
        tokenizer=tokenizer,
        tokenizer_digest=hashlib.sha256(path.read_bytes()).hexdigest(),
        contexts=served[(served >= 0).all(axis=1)],
    )


def plan_marks(marks: MarkMaterial, asked: Sequence[str], samples: int) -> MarkPlan:
    """Return the registration of the test of the opened key on the prompts `asked`."""
    served = np.ascontiguousarray(marks.contexts, dtype="<i8").tobytes()
    return MarkPlan(
        scheme=msgspec.to_builtins(marks.scheme),
        commitment=marks.publication.digest,
        key_id=marks.opening.key_id,
        tokenizer=marks.tokenizer_digest,
        contexts_digest=hashlib.sha256(served).hexdigest(),
        prompts=len(asked),
        prompts_digest=digest(list(asked)),
        samples=samples,
    )


@dataclass
class MarkChannel:
    """Asks the suspect what was asked of us, and listens behind the contexts that we served.

    Attributes:
        plan: The registration.
        marks: The marked epoch.
        prompts: The registered prompts by id, in order.
    """

    plan: Plan
    marks: MarkMaterial
    prompts: Mapping[str, str] = field(repr=False)
    tier: str = TIER

    @cached_property
    def groups(self) -> Sequence[Sequence[Query]]:
        """The draws for each prompt."""
        samples = self.plan.mark.samples if self.plan.mark else 1
        return [
            [self._query(number, draw, text) for draw in range(samples)]
            for number, text in enumerate(self.prompts.values())
        ]

    def enough(self, replies: Mapping[str, Reply]) -> bool:
        """Say no: this tier is computed once."""
        del replies
        return False

    def data(self, replies: Mapping[str, Reply]) -> dict[str, Any]:
        """Return the weighted pairs of context and token."""
        asked = [query for group in self.groups for query in group]
        said = [
            (query.prompt, reply.text) for query in asked if (reply := replies.get(query.id)) and reply.text
        ]
        contexts, tokens, weights, heard = self._pairs(said)
        data = MarkData(
            publication=self.marks.publication,
            opening=self.marks.opening,
            scheme=self.marks.scheme,
            contexts=contexts,
            tokens=tokens,
            weights=weights,
            heard=heard,
            answers=len(said),
            unanswered=len(asked) - len(said),
        )
        body: dict[str, Any] = plain(data)
        return body

    def _pairs(self, said: Sequence[tuple[str, str]]) -> tuple[Any, Any, Any, int]:
        """Pairs behind served contexts, kept by context alone and never by the token that follows."""
        if not said:
            return (), (), (), 0
        prompts, answers = (self._cut([pair[place] for pair in said]) for place in (0, 1))
        tokens, part = _padded(list(zip(prompts, answers, strict=True)))
        places = places_of(tokens, part == 2, self.marks.scheme.context_width)
        kept = occurs(places.contexts, self.marks.contexts) & not_copied(places, tokens, part == 1)
        chosen = places.where(kept)
        if not len(chosen):
            return (), (), (), 0
        contexts, groups = grouped(chosen.contexts)
        evidence = context_level(summed(contexts, groups, chosen.tokens, np.ones(len(chosen))))
        return evidence.contexts.tolist(), evidence.tokens.tolist(), evidence.weights.tolist(), evidence.heard

    def _cut(self, texts: Sequence[str]) -> list[NDArray[np.int64]]:
        cut = self.marks.tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return [np.array(each.ids, dtype=np.int64) for each in cut]

    def _query(self, number: int, draw: int, text: str) -> Query:
        return Query(
            id=f"{TIER}/{number}/{draw}",
            kind="sample",
            prompt=text,
            temperature=self.plan.temperature,
            max_tokens=self.plan.max_tokens,
            seed=self.plan.seed + draw,
        )


def _padded(
    rows: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Prompt and answer of each row side by side: tokens, and 1 at prompts, 2 at answers, 0 beyond."""
    length = max((len(prompt) + len(answer) for prompt, answer in rows), default=0)
    tokens, part = (
        np.zeros((len(rows), length), dtype=np.int64),
        np.zeros((len(rows), length), dtype=np.int64),
    )
    for number, (prompt, answer) in enumerate(rows):
        end = len(prompt) + len(answer)
        tokens[number, :end] = np.concatenate([prompt, answer])
        part[number, :end] = np.repeat([1, 2], [len(prompt), len(answer)])
    return tokens, part


def _record(path: Path, kind: type[_Record]) -> _Record:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, *BAD_JSON):
        raise InputError(str(path), "is missing or damaged", "see docs/evidence.md for its form") from None
