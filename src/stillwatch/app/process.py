"""How a process that is ours alone uses memory and cores: for programs, no library may set it for others."""

from __future__ import annotations

import atexit
import ctypes
import gc

import threadpoolctl

_ARENA_MAX = -8
"""`M_ARENA_MAX` of glibc's malloc.h."""
_NEW_OBJECTS = 200_000
"""After so many new objects the garbage collector looks for cycles, of which we make few; Python's 700 is
for all programs."""


def settle() -> None:
    """Set the whole process up for few large arrays in several threads; call it once all is imported.

    What modules hold stays until the end, so the garbage collector is told to look at it no more before. And
    memory that one thread gives back is given to the others: with an arena for each thread, every one of them
    asks the system for pages of its own, and the first touch of each page costs microseconds. Where the C
    library is another, nothing is set. Linear algebra takes one thread: its matrices are small, the other
    cores work already, and its threads wait for each other by spinning, on a busy machine for a tenth of a
    second a product.
    """
    gc.freeze()
    atexit.register(gc.unfreeze)  # libraries complain of what is left when the interpreter ends
    gc.set_threshold(_NEW_OBJECTS)
    threadpoolctl.threadpool_limits(limits=1, user_api="blas")
    set_option = getattr(_c_library(), "mallopt", None)
    if set_option is not None:
        set_option(_ARENA_MAX, 1)


def _c_library() -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL(None)
    except (OSError, TypeError):  # there is none that can be asked, as on Windows
        return None
