"""Which prompts to put to a suspect: those after which a mark could show most.

The choice must not depend on the key. It rests on what our unmarked model would say (its twins, never
served) and how sure it is there, both of which the key has no part in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stillwatch.lineage.radioactivity_contexts import counts_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stillwatch.lineage.radioactivity_contexts import Floats, Ints, Places

_OFTEN = 20.0
"""Times a context must be met before a student has learned half of what it can there."""


def prompt_information(
    prompts: int, twins: Places, repeats: Floats, logged: Ints | None = None
) -> NDArray[np.float64]:
    """Expected information of asking each prompt again, shape (prompts,), in units that only compare.

    A place informs where our model was unsure (else nothing could be marked) and its context was common
    (else no student remembers it).

    Args:
        prompts: Number of prompts.
        twins: Places of one unmarked, never served answer to each prompt; `rows` are the prompts.
        repeats: (m,) at each place, the sum of squares of our unmarked model's distribution.
        logged: (s, w) contexts of more unmarked answers by which to count how common a context is; those of
            `twins` if not given.

    Example:
        >>> from stillwatch.lineage.radioactivity_contexts import places_of
        >>> twins = places_of(np.array([[1, 2], [1, 3]]), np.ones((2, 2), bool), 1)
        >>> prompt_information(2, twins, np.array([1.0, 1.0, 0.2, 1.0])).round(3).tolist()
        [0.0, 0.073]
    """
    among = twins.contexts if logged is None else logged
    common = counts_of(twins.contexts, among).astype(np.float64)
    value = (1.0 - repeats) * common / (common + _OFTEN)
    return np.asarray(np.bincount(twins.rows, value, prompts), dtype=np.float64)


def most_informative(information: NDArray[np.float64], budget: int) -> NDArray[np.int64]:
    """Indices of the `budget` prompts of most information, best first.

    Example:
        >>> most_informative(np.array([0.1, 0.9, 0.5]), 2).tolist()
        [1, 2]
    """
    return np.argsort(-information, kind="stable")[:budget]
