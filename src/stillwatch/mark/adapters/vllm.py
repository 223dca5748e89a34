"""Marks in vLLM's V2 model runner with a key for each request, which vLLM's own watermark does not have.

vLLM's built-in watermark knows one key for an engine. This logits processor speaks the same format and takes
the key of each request's account, cohort, or the whole deployment. It is loaded by name:

    vllm serve MODEL --logits-processors stillwatch.mark.adapters.vllm_plugin:StillwatchMarking \
        --additional-config '{"stillwatch": {"key_file": "mark.key", "epoch": "2026-11"}}'

The gateway names the key in `vllm_xargs`: {"stillwatch_level": "account", "stillwatch_name": "acc-1"}. It
must be the only writer of these fields: whoever may write them chooses whose key marks an answer.

A logits processor sees scores before temperature and truncation, so this one applies both itself before it
chooses, and then leaves the chosen token alone. Greedy requests and draft positions of speculative decoding
stay without a mark. This module knows vLLM's interface by its published form and does not import vLLM.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import numpy as np

from stillwatch.mark.contexts import Deduplication
from stillwatch.mark.keys import LEVELS, MasterKey
from stillwatch.mark.schemes import GreenList, GumbelMax
from stillwatch.model.errors import InputError, MissingExtra

try:
    import torch
    from torch import Tensor

    from stillwatch.mark.adapters import torch_ops
except ImportError as error:
    raise MissingExtra("Marking in vLLM", "vllm") from error

if TYPE_CHECKING:
    from stillwatch.mark.keys import EpochKeys

LEVEL, NAME = "stillwatch_level", "stillwatch_name"


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `--additional-config` says under `stillwatch`.

    Attributes:
        key_file: Path of the master key.
        epoch: Name of the epoch whose keys mark.
        scheme: `gumbel` or `greenlist` (Philox seeding).
        context_width: Number of tokens in a context.
        gamma: Green share.
        delta: What is added to green scores.
        scope: Where repeated contexts are looked for.
        most: Number of newest places looked through.
    """

    key_file: str
    epoch: str
    scheme: Literal["gumbel", "greenlist"] = "gumbel"
    context_width: int = 4
    gamma: float = 0.25
    delta: float = 2.0
    scope: Literal["none", "single_turn", "all"] = "single_turn"
    most: int = 8192


@dataclass(frozen=True)
class _Rows:
    """One step's logits rows: their request slots, history, contexts, and which stay without a mark."""

    slots: Tensor
    contexts: Tensor
    skip: Tensor


class MarkingProcessor:
    """The processor; `vllm_plugin.StillwatchMarking` is the same under vLLM's base class."""

    def __init__(self, vllm_config: Any, req_states: Any) -> None:
        """Read the settings and the key once; called by vLLM.

        Raises:
            InputError: The settings are missing or wrong, or the key cannot be read.
        """
        settings = read_settings(vllm_config)
        self.epoch: EpochKeys = MasterKey.load(Path(settings.key_file)).epoch(settings.epoch)
        self.once = Deduplication(settings.scope, settings.most)
        self.scheme: GumbelMax | GreenList = (
            GumbelMax(settings.context_width)
            if settings.scheme == "gumbel"
            else GreenList(settings.gamma, settings.delta, settings.context_width)
        )
        self.states = req_states
        slots = req_states.max_num_reqs
        self.keys = np.zeros(slots, dtype=np.uint64)
        self.sampling = np.zeros((4, slots), dtype=np.float32)  # temperature, top-k, top-p, min-p
        self.on = np.zeros(slots, dtype=np.bool_)
        self.apply_staged_writes()

    @classmethod
    def validate_params(cls, sampling_params: Any) -> None:
        """Refuse a request whose key is badly named; called by vLLM at admission.

        Raises:
            ValueError: Level and name do not fit together.
        """
        level, name = _named(sampling_params)
        if level not in LEVELS or (level == "global") == bool(name) or "\0" in name:
            raise ValueError(f"{LEVEL} must be account or cohort with a {NAME}, or global without one")

    def add_request(self, req_idx: int, sampling_params: Any) -> bool:
        """Derive the request's key into its slot; says whether the request is marked at all."""
        self.keys[req_idx] = self.epoch.key(*_named(sampling_params))
        self.sampling[:, req_idx] = (
            sampling_params.temperature,
            max(sampling_params.top_k, 0),
            sampling_params.top_p,
            sampling_params.min_p,
        )
        greedy = sampling_params.temperature == 0.0
        self.on[req_idx] = not greedy or isinstance(self.scheme, GreenList)
        return bool(self.on[req_idx])

    def apply_staged_writes(self) -> None:
        """Bring keys and sampling settings to the device; called by vLLM once a step."""
        device = self.states.device
        self.keys_there = torch.from_numpy(self.keys.view(np.int64).copy()).to(device)
        self.sampling_there = torch.from_numpy(self.sampling.copy()).to(device)
        self.on_there = torch.from_numpy(self.on.copy()).to(device)

    def apply(self, logits: Tensor, ctx: Any) -> Tensor:
        """Return logits, (rows, vocabulary): marked rows allow the chosen token alone, or favour green."""
        rows = self._rows(ctx)
        keys = self.keys_there[rows.slots]
        words = torch_ops.vocabulary_words(rows.contexts, keys, logits.shape[1])
        if isinstance(self.scheme, GreenList):
            green = (words < self.scheme.threshold) & ~rows.skip[:, None]
            raised: Tensor = logits + self.scheme.delta * green
            return raised
        scores = truncated(logits, *self.sampling_there[:, rows.slots])
        chosen = (scores + torch_ops.gumbel_noise(words)).argmax(-1)
        return torch_ops.keep_only(logits, chosen, ~rows.skip)

    def _rows(self, ctx: Any) -> _Rows:
        """Look up each row's newest history; rows of padding, drafts and unmarked requests are skipped."""
        slots = ctx.expanded_idx_mapping.to(torch.int64)
        used, slots = slots >= 0, slots.clamp_min(0)
        starts = self.states.prompt_len.gpu[slots].to(torch.int64)
        ends = self.states.total_len.gpu[slots].to(torch.int64)
        everything, width = self.states.all_token_ids.gpu, self.scheme.context_width
        window = min(everything.shape[1], (self.once.most or everything.shape[1]) + width)
        offset = (ends - window).clamp_min(0)
        places = offset[:, None] + torch.arange(window, device=slots.device)
        tokens = everything[slots[:, None], places.clamp_max(everything.shape[1] - 1)].to(torch.int64)
        contexts = torch_ops.current_contexts(tokens, starts - offset, ends - offset, width)
        skip = ~used | ~self.on_there[slots] | (ctx.expanded_local_pos > 0)
        if self.once.scope != "none":
            prompt_too = self.once.scope == "all"
            skip |= torch_ops.repeated(
                tokens, starts - offset, ends - offset, contexts, prompt_too=prompt_too, most=self.once.most
            )
        return _Rows(slots, contexts, skip)


def read_settings(vllm_config: Any) -> Settings:
    """Read `--additional-config`.

    Raises:
        InputError: There are no settings, or they are wrong.
    """
    given = getattr(vllm_config, "additional_config", None) or {}
    where = "--additional-config of vLLM"
    if "stillwatch" not in given:
        raise InputError(where, "nothing stands under `stillwatch`", "give key_file and epoch there")
    try:
        return msgspec.convert(given["stillwatch"], Settings)
    except msgspec.ValidationError as error:
        raise InputError(where, f"the marking settings are wrong ({error})", "see docs/marking.md") from error


def truncated(logits: Tensor, temperature: Tensor, top_k: Tensor, top_p: Tensor, min_p: Tensor) -> Tensor:
    """Apply temperature, then min-p, top-k and top-p, each a number a row, in vLLM's order.

    Args:
        logits: Shape (n, vocabulary).
        temperature: 0 is taken as 1, since greedy rows are not marked, shape (n,).
        top_k: 0 keeps all, shape (n,).
        top_p: 1 keeps all, shape (n,).
        min_p: 0 keeps all, shape (n,).

    Returns:
        Scores with -inf for what is cut away, shape (n, vocabulary).
    """
    scores = logits / torch.where(temperature > 0, temperature, 1.0)[:, None]
    least = scores.amax(-1, keepdim=True) + torch.log(min_p)[:, None]
    scores = scores.masked_fill(scores < least, -torch.inf)
    ordered, order = scores.sort(dim=-1, descending=True, stable=True)
    rank = torch.arange(scores.shape[1], device=scores.device)
    beyond = (top_k[:, None] > 0) & (rank >= top_k[:, None])
    chances = torch.softmax(ordered.masked_fill(beyond, -torch.inf), -1)
    beyond |= (chances.cumsum(-1) - chances >= top_p[:, None]) & (rank > 0)
    cut = torch.zeros_like(beyond).scatter_(1, order, beyond)
    return scores.masked_fill(cut, -torch.inf)


def _named(sampling_params: Any) -> tuple[Any, str]:
    given = sampling_params.extra_args or {}
    return given.get(LEVEL, "global"), str(given.get(NAME, ""))
