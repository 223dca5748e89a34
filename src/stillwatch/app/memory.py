"""How a process that is ours alone handles memory. For programs: a library must not set this for others."""

from __future__ import annotations

import atexit
import ctypes
import gc

_ARENA_MAX = -8
"""`M_ARENA_MAX` of glibc's malloc.h."""


def settle() -> None:
    """Set the whole process up for few large arrays in several threads; call it once all is imported.

    What modules hold stays until the end, so the garbage collector is told to look at it no more before. And
    memory that one thread gives back is given to the others: with an arena for each thread, every one of them
    asks the system for pages of its own, and the first touch of each page costs microseconds. Where the C
    library is another, nothing is set.
    """
    gc.freeze()
    atexit.register(gc.unfreeze)  # libraries complain of what is left when the interpreter ends
    set_option = getattr(_c_library(), "mallopt", None)
    if set_option is not None:
        set_option(_ARENA_MAX, 1)


def _c_library() -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL(None)
    except (OSError, TypeError):  # there is none that can be asked, as on Windows
        return None
