"""Served and never served: what is kept at serving time so that a later test has an exact null.

For a keyed sample of requests the provider draws k + 1 answers at the same settings. A committed secret seed,
not the content, says which of them is served; the others, the *twins*, are never shown to anybody. Whoever
did not train on what was served cannot prefer it to its twins, except by chance of exactly known size.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from stillwatch.model.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

SEED_BYTES = 32
_WORDS = re.compile(r"\w+|[^\w\s]")

_LONGEST = 36_500
"""Days; a date far ahead is no date any more."""


class TwinDesign(msgspec.Struct, frozen=True, kw_only=True):
    """What is decided before the first request.

    Attributes:
        rate: Share of requests for which twins are drawn, inside (0, 1].
        twins: Answers drawn beside the served one (k).
        gram: Words in an n-gram of the keyed hashes.
        keep_text: Whether the operator asked to keep the text of the answers; otherwise only hashes stay.
        lifetime_days: Days after which the content of an item is erased.
    """

    rate: float = 0.01
    twins: int = 1
    gram: int = 4
    keep_text: bool = False
    lifetime_days: int = 730

    def __post_init__(self) -> None:
        """Refuse a design that cannot be carried out."""
        for name, holds, remedy in (
            ("rate", 0.0 < self.rate <= 1.0, "give a share above 0 and at most 1"),
            ("twins", 1 <= self.twins <= 64, "draw 1 to 64 twins"),
            ("gram", 1 <= self.gram <= 16, "use 1 to 16 words"),
            ("lifetime_days", 1 <= self.lifetime_days <= _LONGEST, "keep items for 1 to 36,500 days"),
        ):
            if not holds:
                raise InputError(f"twin design, {name}", "is out of range", remedy)


class Choices:
    """Which requests get twins and which candidate is served: HMAC-SHA-256 of a secret key.

    The key is committed before the first request and revealed with the evidence, so that anybody can repeat
    every choice. It opens nothing else.
    """

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        """Hold `key`, 32 bytes."""
        self._key = bytes(key)

    def __repr__(self) -> str:
        """Return a text without the key."""
        return "Choices(secret)"

    def reveal(self) -> str:
        """Return the key in hexadecimal, for the evidence file."""
        return self._key.hex()

    def commitment(self) -> str:
        """Return the SHA-256 of the labelled key; its 256 random bits hide it. For publication."""
        return hashlib.sha256(b"stillwatch twin choices v1\0" + self._key).hexdigest()

    def sampled(self, request_id: str, design: TwinDesign) -> bool:
        """Say whether twins are drawn for the request."""
        return _number(self._key, b"sample", request_id) < int(design.rate * 2**128)

    def served(self, request_id: str, candidates: int) -> int:
        """Return the position, among `candidates` in order of drawing, of the answer that is served.

        The position is decided before anything is drawn: a gateway can stream that answer and draw the others
        aside. Its bias is below 2^-120.
        """
        return _number(self._key, b"serve", request_id) % candidates

    def place(self, request_id: str) -> int:
        """Return a number by which items are put into the order of the test."""
        return _number(self._key, b"order", request_id)


class TwinSeed:
    """The secret of one epoch: the choices, and the keys under which content and accounts are hashed."""

    __slots__ = ("_secret", "choices")

    def __init__(self, secret: bytes) -> None:
        """Hold `secret`, at least 32 bytes of randomness.

        Raises:
            InputError: It is shorter.
        """
        if len(secret) < SEED_BYTES:
            raise InputError("twin seed", "is shorter than 32 bytes", "take it from a random source")
        self._secret = bytes(secret)
        self.choices = Choices(_digest(self._secret, b"choices", ""))

    def __repr__(self) -> str:
        """Return a text without the secret."""
        return "TwinSeed(secret)"

    def commitment(self) -> str:
        """Return the commitment to the choices, see `Choices.commitment`."""
        return self.choices.commitment()

    def sampled(self, request_id: str, design: TwinDesign) -> bool:
        """Say whether twins are drawn for the request."""
        return self.choices.sampled(request_id, design)

    def served(self, request_id: str, candidates: int) -> int:
        """Return the position of the answer that is served, see `Choices.served`."""
        return self.choices.served(request_id, candidates)

    def salt(self, request_id: str) -> bytes:
        """Return the salt under which the texts of the item are hashed."""
        return _digest(self._secret, b"salt", request_id)[:16]

    def gram_key(self) -> bytes:
        """Return the key of the n-gram hashes."""
        return _digest(self._secret, b"grams", "")

    def pseudonym(self, account_id: str) -> str:
        """Return what stands for the account in items and evidence."""
        return _digest(self._secret, b"account", account_id).hex()[:16]


def _digest(secret: bytes, label: bytes, text: str) -> bytes:
    return hmac.digest(secret, b"stillwatch twin v1\0" + label + b"\0" + text.encode(), "sha256")


def _number(secret: bytes, label: bytes, text: str) -> int:
    return int.from_bytes(_digest(secret, label, text)[:16], "big")


class Candidate(msgspec.Struct, frozen=True, omit_defaults=True):
    """One answer that could have been served.

    Attributes:
        digest: Salted SHA-256 of the text, hexadecimal.
        words: Length of the text in words.
        grams: Keyed hashes of its distinct n-grams, little-endian 64-bit numbers, sorted.
        log_prob: Log-probability under the provider's own model at serving time, in nats, if known.
        text: The text, where the operator asked to keep it.
    """

    digest: str
    words: int
    grams: bytes = b""
    log_prob: float | None = None
    text: str | None = None


class TwinItem(msgspec.Struct, frozen=True, omit_defaults=True):
    """One sampled request with all its candidates.

    Attributes:
        id: Request identifier.
        account: Pseudonym of the account, see `TwinSeed.pseudonym`.
        served_at: When the answer was served, UTC.
        expires_at: When the content is erased, UTC.
        temperature: Sampling temperature of all candidates.
        candidates: The k + 1 answers in order of drawing; which one was served follows from the seed.
        source_ref: Where the prompt can be read again in the operator's own log.
        prompt: The prompt, where the operator asked to keep text.
    """

    id: str
    account: str
    served_at: datetime
    expires_at: datetime
    temperature: float
    candidates: tuple[Candidate, ...]
    source_ref: str = ""
    prompt: str | None = None


def make_item(
    seed: TwinSeed,
    design: TwinDesign,
    *,
    request_id: str,
    account_id: str,
    answers: Sequence[str],
    served_at: datetime,
    temperature: float,
    log_probs: Sequence[float] | None = None,
    source_ref: str = "",
    prompt: str | None = None,
) -> TwinItem:
    """Build the item of one sampled request; text goes no further unless the design keeps it.

    Args:
        seed: Secret of the epoch.
        design: What was decided beforehand.
        request_id: Identifier of the request; no other item of the epoch may have it.
        account_id: Account that asked; only its pseudonym is kept.
        answers: The k + 1 candidates in order of drawing; `seed.served(request_id, k + 1)` is the served one.
        served_at: Time of serving, with a time zone.
        temperature: Sampling temperature; at 0 the candidates are equal and the item will be dropped.
        log_probs: Log-probability of each candidate under our model, in nats.
        source_ref: Where the prompt can be read again.
        prompt: The prompt; kept only if the design keeps text.

    Raises:
        InputError: The number of answers or log-probabilities does not fit the design.

    Example:
        >>> from datetime import UTC
        >>> item = make_item(TwinSeed(bytes(32)), TwinDesign(gram=2), request_id="r1", account_id="a",
        ...     answers=["one two three", "one two four"], served_at=datetime(2026, 1, 1, tzinfo=UTC),
        ...     temperature=1.0)
        >>> [candidate.words for candidate in item.candidates], item.candidates[0].text
        ([3, 3], None)
    """
    if len(answers) != design.twins + 1 or (log_probs is not None and len(log_probs) != len(answers)):
        raise InputError(
            f"twin item {request_id!r}",
            f"has {len(answers)} answers",
            f"the design asks for {design.twins + 1}, each with its log-probability or none with one",
        )
    if served_at.tzinfo is None:
        raise InputError(f"twin item {request_id!r}", "has a time without zone", "give the time in UTC")
    salt, key = seed.salt(request_id), seed.gram_key()
    try:
        moment = served_at.astimezone(UTC)
        expires_at = moment + timedelta(days=design.lifetime_days)
    except OverflowError:
        raise InputError(f"twin item {request_id!r}", "has a time in no calendar", "correct it") from None
    return TwinItem(
        id=request_id,
        account=seed.pseudonym(account_id),
        served_at=moment,
        expires_at=expires_at,
        temperature=temperature,
        candidates=tuple(
            Candidate(
                digest=text_digest(salt, answer),
                words=len(words(answer)),
                grams=gram_hashes(answer, key, design.gram).tobytes(),
                log_prob=None if log_probs is None else float(log_probs[position]),
                text=answer if design.keep_text else None,
            )
            for position, answer in enumerate(answers)
        ),
        source_ref=source_ref,
        prompt=prompt if design.keep_text else None,
    )


def words(text: str) -> list[str]:
    """Return the words and punctuation marks of `text`, in lower case."""
    return _WORDS.findall(text.lower())


def text_digest(salt: bytes, text: str) -> str:
    """Return the salted SHA-256 of `text`, hexadecimal."""
    return hashlib.sha256(b"stillwatch twin text v1\0" + salt + text.encode()).hexdigest()


def gram_hashes(text: str, key: bytes, gram: int) -> NDArray[np.uint64]:
    """Return the keyed 64-bit hashes (BLAKE2b) of the distinct n-grams of `text`, sorted.

    A text shorter than `gram` words is one n-gram.

    Example:
        >>> gram_hashes("a b c a b", b"k", 2).size
        3
    """
    parts = words(text)
    width = min(gram, len(parts))
    grams = {" ".join(parts[start : start + width]) for start in range(len(parts) - width + 1)} - {""}
    hashed = [hashlib.blake2b(each.encode(), digest_size=8, key=key[:64]).digest() for each in grams]
    return np.unique(np.frombuffer(b"".join(hashed), dtype="<u8"))


def served_positions(choices: Choices | TwinSeed, items: Iterable[TwinItem]) -> NDArray[np.int64]:
    """Return the served position of each item, shape (items,)."""
    return np.array([choices.served(item.id, len(item.candidates)) for item in items], dtype=np.int64)


def has_choice(item: TwinItem) -> bool:
    """Say whether all candidates of the item differ; greedy decoding and short answers make equal ones.

    The rule looks at the candidates and not at which one was served, so dropping items by it keeps the null.
    """
    return len({candidate.digest for candidate in item.candidates}) == len(item.candidates)
