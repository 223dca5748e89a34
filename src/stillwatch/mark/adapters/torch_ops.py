"""The keyed choice in PyTorch operations, for accelerators: a key for each row, no loop over rows.

On the CPU the compiled kernels of `stillwatch.mark.gumbel` are faster; both give the same words bit for bit.
64-bit keys travel as int64 with the same bits. A product of two 32-bit words may wrap in int64; its upper
half is still right, since the shift's copies of the sign are masked away.
"""

from __future__ import annotations

import torch
from torch import Tensor

from stillwatch.mark.prf import (
    CONTEXT_DOMAIN,
    MISSING,
    MULTIPLIER_0,
    MULTIPLIER_1,
    TOKEN_DOMAIN,
    WEYL_0,
    WEYL_1,
)

_MASK = 0xFFFFFFFF
_M0, _M1, _W0, _W1 = int(MULTIPLIER_0), int(MULTIPLIER_1), int(WEYL_0), int(WEYL_1)
Block = tuple[Tensor, Tensor, Tensor, Tensor]


def philox(counter: Block, key: tuple[Tensor, Tensor]) -> Block:
    """Apply Philox4x32-10 to words kept in int64 tensors that broadcast against each other."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        p0, p1 = c0 * _M0, c2 * _M1
        c0, c1, c2, c3 = (p1 >> 32) & _MASK ^ c1 ^ k0, p1 & _MASK, (p0 >> 32) & _MASK ^ c3 ^ k1, p0 & _MASK
        k0, k1 = (k0 + _W0) & _MASK, (k1 + _W1) & _MASK
    return c0, c1, c2, c3


def vocabulary_words(contexts: Tensor, keys: Tensor, size: int) -> Tensor:
    """Return the 32-bit words of all tokens after each context, each under its own key.

    Args:
        contexts: Tokens before, -1 where there is none, int64, shape (n, w).
        keys: 64-bit keys by their bits, int64, shape (n,).
        size: Number of tokens of the vocabulary.

    Returns:
        Words as int64 in [0, 2**32), shape (n, size).
    """
    k0, k1 = keys & _MASK, (keys >> 32) & _MASK
    state = _context_state(contexts & _MASK, k0, k1)
    s0, s1, s2, s3 = (word[:, None] for word in state)
    groups = torch.arange((size + 3) // 4, device=contexts.device)[None, :]
    key = (k0[:, None] ^ s3, k1[:, None] ^ int(TOKEN_DOMAIN))
    block = philox((groups.expand(len(contexts), -1), s0, s1, s2), key)
    return torch.stack(block, dim=-1).reshape(len(contexts), -1)[:, :size]


def _context_state(words: Tensor, k0: Tensor, k1: Tensor) -> Block:
    rows, width = words.shape
    fill = _MASK - torch.arange(4, device=words.device)
    short = -width % 4
    padded = torch.cat([words, fill[4 - short :].expand(rows, -1)], dim=1) if short else words
    zero = torch.zeros_like(k0)
    state: Block = (zero + int(CONTEXT_DOMAIN), zero + width, zero, zero)
    for offset in range(0, width, 4):
        s0, s1, s2, s3 = (one ^ padded[:, offset + i] for i, one in enumerate(state))
        state = philox((s0, s1, s2, s3), (k0 ^ offset, k1))
    return state


def gumbel_noise(words: Tensor) -> Tensor:
    """Turn words into standard Gumbel noise, float32, through a double-precision uniform."""
    uniform = ((words >> 8).double() + 1.0) / 16777217.0
    return -torch.log(-torch.log(uniform)).float()


def current_contexts(tokens: Tensor, starts: Tensor, ends: Tensor, width: int) -> Tensor:
    """Return the answer tokens before the next one, -1 where the answer had not begun, shape (n, width).

    Args:
        tokens: Prompt and answer so far, shape (n, length).
        starts: Place of the first answer token in each row, shape (n,).
        ends: Place of the next token in each row, shape (n,).
        width: Number of tokens before.
    """
    places = ends[:, None] + torch.arange(-width, 0, device=tokens.device)
    seen = tokens.gather(1, places.clamp(0, tokens.shape[1] - 1))
    return torch.where(places >= starts[:, None], seen, MISSING)


def repeated(
    tokens: Tensor, starts: Tensor, ends: Tensor, contexts: Tensor, *, prompt_too: bool, most: int | None
) -> Tensor:
    """Say for each row whether its context stood there before, as `Deduplication` in `contexts` does."""
    width, length = contexts.shape[1], tokens.shape[1]
    first = torch.zeros_like(starts) if prompt_too else starts
    places = torch.arange(length, device=tokens.device)[None, :]
    oldest = first if most is None else torch.maximum(first, ends - most)
    same = (places >= oldest[:, None]) & (places < ends[:, None])
    for back in range(1, width + 1):
        shifted = torch.roll(tokens, back, dims=1)
        seen = torch.where(places - back >= first[:, None], shifted, MISSING)
        same &= seen == contexts[:, width - back, None]
    found = same.any(dim=1)
    return found | (ends - starts < width) if prompt_too else found


def keep_only(scores: Tensor, chosen: Tensor, marked: Tensor) -> Tensor:
    """Return scores in which marked rows allow their chosen token alone, so that any sampler takes it."""
    alone = torch.full_like(scores, -torch.inf)
    alone.scatter_(1, chosen[:, None], 0.0)
    return torch.where(marked[:, None], alone, scores)
