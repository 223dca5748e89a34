"""Files that hold a secret: written once, for their owner alone, and refused when others may read them."""

from __future__ import annotations

import os
from pathlib import Path

from stillwatch.model.errors import InputError
from stillwatch.model.wholefile import write_once

_OTHERS = 0o077
_OWNER = 0o600


def write_secret(path: Path, secret: bytes, what: str) -> None:
    """Write `secret` to the new file `path`, readable by its owner alone (mode 0600), and wait for the disk.

    An existing file is never overwritten: what was made with the secret in it would be lost with it.

    Args:
        path: The file.
        secret: Its content.
        what: Names the content in errors, such as `fingerprint key`.

    Raises:
        InputError: The file exists or cannot be written.
    """
    try:
        write_once(path, secret, _OWNER)
    except OSError as error:
        raise InputError(
            str(path),
            f"the {what} cannot be written ({error.strerror})",
            "name a new file in a folder that you may write to",
        ) from error


def read_secret(path: Path, what: str) -> bytes:
    """Return the content of the file `path`, whose rights are looked at before anything is read.

    Args:
        path: The file.
        what: Names the content in errors.

    Raises:
        InputError: The file cannot be read, or others than its owner have rights to it.
    """
    try:
        with Path(path).open("rb") as file:
            if os.fstat(file.fileno()).st_mode & _OTHERS:
                raise InputError(
                    str(path), f"the {what} may be read by other users", f"run `chmod 600 {path}`"
                )
            return file.read()
    except OSError as error:
        raise InputError(
            str(path), f"the {what} cannot be read ({error.strerror})", "check path and rights"
        ) from error
