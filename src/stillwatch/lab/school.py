"""One teacher with everything a run needs: tokenizer, requests, keys, and the answers it gave."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from stillwatch.lab import corpus
from stillwatch.lab.answering import answer
from stillwatch.lab.choosing import Chooser, Free, Marked, Rewriting
from stillwatch.lab.network import Network, Shape
from stillwatch.lab.settings import MARK_WIDTH, Condition, Setting
from stillwatch.lab.tokens import Rows, rows_of, train_bpe
from stillwatch.lab.training import Schedule, train
from stillwatch.lineage.twins import TwinSeed
from stillwatch.mark.schemes import DualKeyGumbel, GumbelMax
from stillwatch.model.errors import InputError
from stillwatch.model.progress import Progress, Silent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from tokenizers import Tokenizer

    from stillwatch.lab.shelf import Shelf

GUILTY: Final = 4
"""Accounts that share the training set in traitor tracing."""
_BLOCK: Final = 512
"""Rows answered at once: their keys and values stay in the processor's cache."""


@dataclass
class School:
    """A teacher, its rival, the requests and the answers to them.

    Attributes:
        setting: Sizes.
        seed: All randomness follows from it.
        tokenizer: BPE of the lab.
        teacher: The network whose answers are served.
        rival: A second network, trained on other documents: the second teacher, and the rewriting model.
        held_out: Documents that nobody was trained on.
        requests: Prompts as rows; what stands behind a prompt is the corpus's own answer and never used.
        keys: Our 64-bit key, somebody else's, and those of all accounts behind them, (2 + accounts,).
    """

    setting: Setting
    seed: int
    tokenizer: Tokenizer
    teacher: Network
    rival: Network
    held_out: Rows
    requests: Rows
    keys: NDArray[np.uint64]
    _given: dict[str, Rows] = field(default_factory=dict)

    @property
    def shape(self) -> Shape:
        """Shape of teacher and students."""
        return shape_of(self.setting)

    def scheme(self, condition: Condition) -> GumbelMax | DualKeyGumbel:
        """The scheme under which `condition` is marked, and tested."""
        return DualKeyGumbel() if condition.mark == "dual" else GumbelMax(MARK_WIDTH)

    def guilty(self) -> NDArray[np.int64]:
        """The accounts, (4,), whose keys mark the condition `four-accounts`."""
        return np.sort(stream(self.seed, "guilty").choice(self.setting.accounts, GUILTY, replace=False))

    def served_first(self) -> NDArray[np.bool_]:
        """(requests,) whether the first of two unmarked draws was served; the seed of the twins decides."""
        secret = TwinSeed(hashlib.sha256(f"lab twins {self.seed}".encode()).digest())
        return np.array([secret.served(f"r{row}", 2) == 0 for row in range(len(self.requests))])

    def given(self, name: str) -> Rows:
        """Answers of one kind to all requests, drawn once.

        Args:
            name: `first` and `second` (unmarked, of which one is served and the other its twin), `ours`,
                `dual`, `other key`, `accounts` (marked), `rival` (by the second teacher).
        """
        if name not in self._given:
            network = self.rival if name == "rival" else self.teacher
            self._given[name] = self.ask(network, self.requests, name)
        return self._given[name]

    def served(self) -> Rows:
        """The unmarked answers that were served: of each pair of draws the one that the twin seed names."""
        first, second = self.given("first"), self.given("second")
        return Rows(np.where(self.served_first()[:, None], first.tokens, second.tokens), first.starts)

    def shares(self, condition: Condition) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which requests, (requests,) each, `condition` takes marked, and which from the rival teacher."""
        order = stream(self.seed, "mix").permutation(len(self.requests)) / len(self.requests)
        return order < condition.share, order >= 1.0 - condition.rival

    def lessons(self, condition: Condition) -> Rows:
        """What the student of `condition` is trained on."""
        marked, rival = self.shares(condition)
        tokens = self.served().tokens
        if condition.mark != "none":
            tokens = np.where(marked[:, None], self.given(condition.mark).tokens, tokens)
        if condition.rival:
            tokens = np.where(rival[:, None], self.given("rival").tokens, tokens)
        rows = Rows(tokens, self.requests.starts)
        if condition.own:
            rows = self.ask(self.rival, rows, f"rewriting {condition.id}", rewrite=condition.own)
        return rows

    def ask(self, network: Network, asked: Rows, name: str, rewrite: float = 0.0) -> Rows:
        """Answers of `network` to the prompts of `asked`, drawn as `name` says, in blocks of rows."""
        rng = stream(self.seed, f"answers {name}")
        parts = []
        for at in range(0, len(asked), _BLOCK):
            some = asked.take(np.arange(at, min(at + _BLOCK, len(asked))))
            chooser = (
                Rewriting(some.tokens, rewrite, rng) if rewrite else self._chooser(name, at, len(some), rng)
            )
            parts.append(answer(network, some, chooser))
        return Rows(np.concatenate([part.tokens for part in parts]), asked.starts)

    def _chooser(self, name: str, at: int, count: int, rng: np.random.Generator) -> Chooser:
        if name == "accounts":
            whose = self.guilty()[np.arange(at, at + count) % GUILTY]
            return Marked(GumbelMax(MARK_WIDTH), self.keys[2 + whose], rng)
        if name not in {"ours", "dual", "other key"}:
            return Free(rng)
        key = self.keys[1 if name == "other key" else 0]
        scheme = DualKeyGumbel() if name == "dual" else GumbelMax(MARK_WIDTH)
        return Marked(scheme, np.full(count, key), rng)


def stream(seed: int, name: str) -> np.random.Generator:
    """The generator of one purpose: independent of what else was drawn before."""
    return np.random.default_rng([seed, int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")])


def shape_of(setting: Setting) -> Shape:
    """Shape of the networks of `setting`."""
    return Shape(setting.vocabulary, setting.length, setting.width, setting.layers)


def found(
    setting: Setting,
    seed: int,
    shelf: Shelf,
    documents: Sequence[corpus.Document] | None = None,
    progress: Progress | None = None,
) -> School:
    """Train tokenizer, teacher and rival, and draw requests and keys.

    Args:
        setting: Sizes.
        seed: All randomness follows from it.
        shelf: Where trained networks are kept between runs.
        documents: Documents to use instead of generated ones; needs enough for teacher, rival and requests.
        progress: Told of each training step.

    Raises:
        InputError: There are too few `documents`.
    """
    progress = progress or Silent()
    wanted = 2 * setting.documents + setting.requests + setting.requests // 8
    texts = corpus.generate(wanted, stream(seed, "corpus")) if documents is None else list(documents)
    if len(texts) < wanted // 4:
        raise InputError(
            "corpus",
            f"has {len(texts)} documents",
            f"give at least {wanted // 4} for the setting {setting.name}",
        )
    tokenizer = train_bpe((f"{one.prompt} {one.answer}" for one in texts), setting.vocabulary)
    rows = rows_of(texts, tokenizer, setting.length)
    parts = _split(rows, setting, wanted)

    def trained(name: str, lessons: Rows) -> Network:
        progress.start(f"train {name}", setting.teacher_steps)
        schedule = Schedule(setting.teacher_steps, setting.batch)
        return shelf.network(
            name,
            shape_of(setting),
            lambda: train(lessons, shape_of(setting), schedule, seed, tick=progress.advance),
        )

    keys = stream(seed, "keys").integers(0, 2**64, size=2 + setting.accounts, dtype=np.uint64)
    teacher = trained("teacher", parts[0])
    rival = trained("rival", parts[1])
    return School(setting, seed, tokenizer, teacher, rival, parts[3], parts[2], keys)


def _split(rows: Rows, setting: Setting, wanted: int) -> list[Rows]:
    """Rows for teacher, rival, requests and held-out text, in the proportions of `setting`."""
    sizes = np.array([setting.documents, setting.documents, setting.requests, setting.requests // 8])
    ends = np.cumsum(sizes) * len(rows) // wanted
    parts = np.split(np.arange(len(rows)), ends[:-1])
    return [rows.take(part) for part in parts]
