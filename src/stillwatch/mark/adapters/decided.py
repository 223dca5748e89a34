"""Scores of a step that leave a marked row one token: drawing from them needs no dice.

`generate` draws by `torch.multinomial`, which makes a random number for every token of the vocabulary, and so
costs more than the whole mark. A row that a keyed choice left one token needs none of them: the draw has one
possible outcome. `DecidedScores` remembers that outcome through the softmax and hands it over; rows without
a mark are drawn as ever. Any other operation sees an ordinary tensor and makes it forget the outcome, since
what it returns, or what it did to these scores, may allow other tokens.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

_SOFTMAX = frozenset({functional.softmax, torch.softmax})


class DecidedScores(Tensor):
    """Scores of shape (rows, vocabulary), or their softmax, that know the outcome of a draw from each row."""

    outcome: npt.NDArray[Any] | None

    @staticmethod
    def of(scores: Tensor, outcome: npt.NDArray[Any]) -> DecidedScores:
        """Let `scores` remember the outcome of a draw.

        Args:
            scores: Shape (rows, vocabulary); a row with an outcome allows that token alone.
            outcome: The token of each row, -1 where the row is still to be drawn, int64, shape (rows,).
        """
        decided: DecidedScores = scores.as_subclass(DecidedScores)
        decided.outcome = outcome
        return decided

    @classmethod
    def __torch_function__(
        cls,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Carry the outcome through a softmax over tokens into a draw; anything else forgets it."""
        del types
        kwargs = kwargs or {}
        given: Any = args[0] if args else None
        outcome = getattr(given, "outcome", None)
        with torch._C.DisableTorchFunctionSubclass():  # noqa: SLF001 - as PyTorch's guide to subclasses does
            if outcome is not None and func in _SOFTMAX and _over_tokens(args, kwargs):
                return cls.of(func(*args, **kwargs).as_subclass(Tensor), outcome)
            if outcome is not None and func is torch.multinomial and _one_each(args, kwargs):
                return _draw(given.as_subclass(Tensor), outcome, kwargs.get("generator"))
            for one in (*args, *kwargs.values()):
                if isinstance(one, cls):
                    one.outcome = None
            return func(*args, **kwargs)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        """Return an ordinary tensor."""
        return copy.deepcopy(self.as_subclass(Tensor), memo)

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Store an ordinary tensor."""
        return self.as_subclass(Tensor).__reduce_ex__(protocol)


def _over_tokens(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    dim = args[1] if len(args) > 1 else kwargs.get("dim")
    return dim in {-1, 1} and kwargs.get("dtype") is None


def _one_each(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    wanted = args[1] if len(args) > 1 else kwargs.get("num_samples")
    return wanted == 1 and kwargs.get("out") is None


def _draw(chances: Tensor, outcome: npt.NDArray[Any], generator: torch.Generator | None) -> Tensor:
    """Return one token of each row, (rows, 1); only rows without an outcome ask the generator."""
    tokens = torch.from_numpy(outcome[:, None])
    if outcome.min(initial=0) < 0:
        tokens, free = tokens.clone(), torch.from_numpy(outcome < 0)
        tokens[free] = torch.multinomial(chances[free], 1, generator=generator)
    return tokens
