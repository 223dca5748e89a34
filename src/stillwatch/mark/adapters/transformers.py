"""Marks in `transformers.generate`, with a key for each row of the batch.

    marking = GumbelMarking(GumbelMax(), keys, rng)
    model.generate(**inputs, do_sample=True, temperature=0.8, watermarking_config=marking)
    marking.tally.markable, marking.tally.marked     # for the mark records

Handed over as `watermarking_config`, the mark comes after temperature, top-k and top-p, as it must: it
chooses among what these leave. Greedy decoding and beam search leave nothing to choose; do not mark them.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from stillwatch.mark import gumbel, prf
from stillwatch.mark.contexts import Deduplication, current_contexts
from stillwatch.mark.schemes import DualKeyGumbel, GreenList, GumbelMax, SynthId
from stillwatch.model.errors import InputError, MissingExtra

try:
    import torch
    from transformers import SynthIDTextWatermarkingConfig, WatermarkingConfig
    from transformers.generation.configuration_utils import BaseWatermarkingConfig
    from transformers.generation.logits_process import LogitsProcessor

    from stillwatch.mark.adapters import torch_ops
    from stillwatch.mark.adapters.decided import DecidedScores
except ImportError as error:
    raise MissingExtra("Marking in Transformers", "transformers") from error

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from stillwatch.mark.prf import Keys


@dataclass(frozen=True)
class Tally:
    """What was marked in each row, for mark records; the counts grow while a batch is generated.

    Attributes:
        counts: Answer tokens, those that could be marked, and those that were, shape (3, rows).
    """

    counts: npt.NDArray[np.int64]

    @classmethod
    def of(cls, rows: int) -> Tally:
        """Start a tally of `rows` rows."""
        return cls(np.zeros((3, rows), dtype=np.int64))

    @property
    def positions(self) -> npt.NDArray[np.int64]:
        """Answer tokens, the end sign included, shape (rows,)."""
        row: npt.NDArray[np.int64] = self.counts[0]
        return row

    @property
    def markable(self) -> npt.NDArray[np.int64]:
        """Those whose context was new and whose likeliest token was not all but certain, shape (rows,)."""
        row: npt.NDArray[np.int64] = self.counts[1]
        return row

    @property
    def marked(self) -> npt.NDArray[np.int64]:
        """Those chosen under the key: every new context, certain or not, shape (rows,)."""
        row: npt.NDArray[np.int64] = self.counts[2]
        return row


class _Marking(BaseWatermarkingConfig):
    """What both kinds share: they are handed over as `watermarking_config` and never show their keys."""

    def __init__(self, scheme: Any, keys: Keys, once: Deduplication, stops: tuple[int, ...]) -> None:
        self.scheme, self.row_keys, self.once = scheme, keys, once
        self.stops = np.array(stops, dtype=np.int64)
        self.tally = Tally.of(len(keys))

    def validate(self) -> None:
        """Accept: the parts were checked when they were made."""

    def to_dict(self) -> dict[str, Any]:
        """Return what may be seen: name and version of the scheme and the number of rows, never a key."""
        return {"scheme": self.scheme.name, "version": self.scheme.version, "rows": len(self.row_keys)}

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        """Yield the items of `to_dict`."""
        yield from self.to_dict().items()

    def to_json_string(self) -> str:
        """Return `to_dict` as text."""
        return str(self.to_dict())

    def __repr__(self) -> str:
        """Name the type and the items of `to_dict`."""
        return f"{type(self).__name__}({self.to_dict()})"

    def __deepcopy__(self, _memo: dict[int, Any]) -> _Marking:
        """Return itself: `generate` copies its settings, but random state and tally must stay one."""
        return self

    def keys_of_rows(self, rows: int) -> Keys:
        """Repeat the keys when `generate` returns several sequences for each prompt; shape (rows,).

        Raises:
            InputError: The rows are no multiple of the keys.
        """
        if rows % len(self.row_keys):
            raise InputError(
                "marking in Transformers",
                f"there are {len(self.row_keys)} keys for {rows} rows",
                "give one key for each prompt of the batch",
            )
        return _of_rows(self.row_keys, rows)


def _of_rows(keys: Keys, rows: int) -> Keys:
    return np.repeat(np.asarray(keys, dtype=np.uint64), rows // len(keys))


@dataclass(frozen=True)
class SecondLevel:
    """Keys of another level in the same answers, such as the deployment's beside the account's.

    Each token follows the second key with probability `share`, drawn anew, else the first. Every key is then
    found as if the answer were diluted by the other: who tests one needs not know the other.

    Attributes:
        keys: One 64-bit key for each prompt, shape (n,); the global key n times, for example.
        share: Share of the tokens that follow them, inside (0, 1).
    """

    keys: Keys = field(repr=False)
    share: float = 0.5


class GumbelMarking(_Marking):
    """Gumbel-max or dual-key Gumbel-max over the rows of a batch.

    Args:
        scheme: `GumbelMax` or `DualKeyGumbel`.
        keys: One 64-bit key for each prompt, shape (n,).
        rng: Draws which of two keys a token follows; unused where there is one.
        once: When a context counts as repeated and stays without a mark.
        stops: Token ids behind which a row is finished (`eos_token_id`); only the tally needs them.
        second: Keys of another level that part of the tokens follow, with `GumbelMax` only.
    """

    def __init__(
        self,
        scheme: GumbelMax | DualKeyGumbel,
        keys: Keys,
        rng: np.random.Generator,
        once: Deduplication | None = None,
        stops: tuple[int, ...] = (),
        second: SecondLevel | None = None,
    ) -> None:
        """Keep the parts; nothing is computed before a batch begins.

        Raises:
            InputError: The second level does not fit the scheme or the first.
        """
        super().__init__(scheme, np.asarray(keys, dtype=np.uint64), once or Deduplication(), stops)
        self.rng, self.second = rng, second
        if second is not None:
            _check_second(scheme, len(keys), second)

    def construct_processor(self, vocab_size: int, device: Any = None) -> GumbelProcessor:
        """Begin a batch; called by `generate`."""
        del vocab_size, device
        return GumbelProcessor(self)


class GreenListMarking(_Marking):
    """Philox green lists over the rows of a batch; adds `delta` to green scores.

    Args:
        scheme: `GreenList` with `philox` seeding.
        keys: One 64-bit key for each prompt, shape (n,).
        once: When a context counts as repeated and stays without a mark.
        stops: Token ids behind which a row is finished; only the tally needs them.
    """

    def __init__(
        self,
        scheme: GreenList,
        keys: Keys,
        once: Deduplication | None = None,
        stops: tuple[int, ...] = (),
    ) -> None:
        """Keep the parts.

        Raises:
            InputError: The scheme is one of Transformers' own, which `packaged` hands over.
        """
        if scheme.seeding != "philox":
            raise InputError("green list", f"seeding {scheme.seeding} is Transformers' own", "use `packaged`")
        super().__init__(scheme, np.asarray(keys, dtype=np.uint64), once or Deduplication(), stops)

    def construct_processor(self, vocab_size: int, device: Any = None) -> GreenListProcessor:
        """Begin a batch; called by `generate`."""
        del vocab_size, device
        return GreenListProcessor(self)


def _check_second(scheme: GumbelMax | DualKeyGumbel, prompts: int, second: SecondLevel) -> None:
    where = "marking with keys of two levels"
    if isinstance(scheme, DualKeyGumbel):
        raise InputError(where, "a dual-key scheme holds two keys already", "use GumbelMax")
    if len(second.keys) != prompts:
        reason = f"there are {len(second.keys)} second keys for {prompts} first ones"
        raise InputError(where, reason, "give one of each for each prompt")
    if not 0.0 < second.share < 1.0:
        raise InputError(where, "the share does not lie inside (0, 1)", "give a share such as 0.5")


def _announced(call: Any) -> Any:
    """Attach its signature to `call`: `generate` asks for it in every step, which is slow to compute.

    Python's `inspect` takes an attached signature as it is.
    """
    call.__signature__ = inspect.signature(call)
    return call


class _Processor(LogitsProcessor):
    """One batch: where answers begin, which rows are finished, and whose key a row has."""

    def __init__(self, marking: Any) -> None:
        self.marking = marking
        self.starts: Any = None

    def _begin(self, rows: int, length: int) -> None:
        self.keys = self.marking.keys_of_rows(rows)
        self.starts = np.full(rows, length, dtype=np.int64)
        self.finished = np.zeros(rows, dtype=np.bool_)
        self.tally = self.marking.tally = Tally.of(rows)

    def _tokens(self, input_ids: torch.Tensor) -> npt.NDArray[np.int64]:
        """Return prompt and answer so far on the host, (rows, length); the first call begins the answers."""
        there = input_ids if input_ids.is_contiguous() else input_ids.contiguous()
        tokens: npt.NDArray[np.int64] = there.numpy(force=there.device.type != "cpu")
        if self.starts is None:
            self._begin(*tokens.shape)
        return tokens

    def _look(self, tokens: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """Return contexts, (rows, w), and which rows stay without a mark, (rows,)."""
        rows, length = tokens.shape
        if length > self.starts[0]:
            self.finished |= (tokens[:, -1:] == self.marking.stops).any(axis=1)
        ends = np.full(rows, length, dtype=np.int64)
        contexts = current_contexts(tokens, self.starts, ends, self.marking.scheme.context_width)
        return contexts, self.marking.once.repeated(tokens, self.starts, ends, contexts) | self.finished

    def _count(self, skip: npt.NDArray[np.bool_], scores: torch.Tensor) -> None:
        unsure = (torch.softmax(scores, -1).amax(-1) < 0.999).numpy(force=True)
        self.tally.counts[:] += np.stack([~self.finished, unsure & ~skip, ~skip])


class GumbelProcessor(_Processor):
    """Leaves to each marked row the token that wins under its key."""

    def _begin(self, rows: int, length: int) -> None:
        super()._begin(rows, length)
        scheme, self.draws = self.marking.scheme, np.zeros(rows)
        self.alpha, self.first, self.second = 0.0, self.keys, self.keys
        if isinstance(scheme, DualKeyGumbel):
            self.alpha = scheme.alpha
            self.first, self.second = prf.dual_keys(self.keys)
        elif self.marking.second is not None:
            self.alpha = self.marking.second.share
            self.second = _of_rows(self.marking.second.keys, rows)
        self.fixed = (
            self.starts, self.marking.stops, self.finished, self.marking.once.search,
            scheme.context_width, self.first, self.second, self.draws, self.alpha,
        )  # fmt: skip

    @_announced
    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Return scores, (rows, vocabulary), that allow the winner alone; other rows as they came."""
        tokens = self._tokens(input_ids)
        if self.alpha > 0.0:
            self.marking.rng.random(out=self.draws)
        if scores.device.type != "cpu":
            return self._choose_on_device(tokens, scores)
        given = scores.detach()
        if given.dtype is not torch.float32 or not given.is_contiguous():
            given = given.float().contiguous()
        out, outcome = torch.empty_like(given), np.empty(len(given), dtype=np.int64)
        gumbel.serve(tokens, *self.fixed, given.numpy(), out.numpy(), outcome, self.tally.counts)
        return DecidedScores.of(out, outcome)

    def _choose_on_device(self, tokens: npt.NDArray[np.int64], scores: torch.Tensor) -> torch.Tensor:
        """Choose in PyTorch operations on the device of `scores`; contexts are looked up on the host."""
        contexts, skip = self._look(tokens)
        self._count(skip, scores)
        keys = gumbel.routed(self.first, self.second, self.draws, self.alpha)
        words = _device_words(contexts, keys, scores)
        chosen = (scores + torch_ops.gumbel_noise(words)).argmax(-1)
        return torch_ops.keep_only(scores, chosen, torch.from_numpy(~skip).to(scores.device))


class GreenListProcessor(_Processor):
    """Adds `delta` to the scores of green tokens."""

    @_announced
    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Return scores, (rows, vocabulary), with green tokens raised in rows that are marked."""
        contexts, skip = self._look(self._tokens(input_ids))
        self._count(skip, scores)
        scheme = self.marking.scheme
        if scores.device.type == "cpu":
            plain = prf.vocabulary_words(contexts, self.keys, scores.shape[1])
            words = torch.from_numpy(plain.astype(np.int64))
        else:
            words = _device_words(contexts, self.keys, scores)
        green = (words < scheme.threshold) & torch.from_numpy(~skip).to(scores.device)[:, None]
        raised: torch.Tensor = scores + scheme.delta * green
        return raised


def _device_words(contexts: npt.NDArray[np.int64], keys: Keys, scores: torch.Tensor) -> torch.Tensor:
    places = torch.from_numpy(contexts).to(scores.device)
    bits = torch.from_numpy(keys.view(np.int64)).to(scores.device)
    return torch_ops.vocabulary_words(places, bits, scores.shape[1])


def packaged(scheme: GreenList | SynthId, key: int) -> WatermarkingConfig | SynthIDTextWatermarkingConfig:
    """Return Transformers' own `watermarking_config` for a scheme that our detector reads.

    These classes know one key for a whole batch. They keep it in plain sight: do not print or save what this
    returns.

    Raises:
        InputError: The scheme is not one of Transformers' own.
    """
    if isinstance(scheme, SynthId):
        layers = scheme.layer_keys(np.array([key], dtype=np.uint64))[0].tolist()
        return SynthIDTextWatermarkingConfig(
            keys=layers,
            ngram_len=scheme.context_width + 1,
            sampling_table_size=scheme.table_size,
            sampling_table_seed=scheme.table_seed,
        )
    if scheme.seeding == "philox":
        raise InputError("green list", "philox seeding is not Transformers' own", "use `GreenListMarking`")
    return WatermarkingConfig(
        greenlist_ratio=scheme.gamma,
        bias=scheme.delta,
        hashing_key=key,
        seeding_scheme=scheme.seeding,
        context_width=scheme.context_width + (scheme.seeding == "selfhash"),
    )
