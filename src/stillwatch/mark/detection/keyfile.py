"""The table of keys that a text is tested under: one JSON object a line, readable by its owner alone.

Derived once from the master key (`stillwatch mark keys derive`), so that whoever runs detection needs the
keys of some epochs and not the master. A key never appears in a report; its public id does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from stillwatch.mark.keys import Level  # noqa: TC001 - msgspec reads the types of fields
from stillwatch.model.errors import BAD_JSON, InputError
from stillwatch.model.secretfile import read_secret, write_secret

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from stillwatch.mark.keys import EpochKeys
    from stillwatch.mark.prf import Keys

_WHAT = "key table"


class _Line(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    key_id: str
    level: Level
    key: str
    name: str = ""
    cohort: str = ""


@dataclass(frozen=True)
class KeyTable:
    """Keys with what they belong to.

    Attributes:
        key_ids: Public names of the keys.
        levels: Global, cohort or account.
        names: Name of the cohort or account; empty for a global key.
        cohorts: Cohort that an account belongs to; empty where there is none.
        values: The keys, shape (k,); never printed.
    """

    key_ids: tuple[str, ...]
    levels: tuple[Level, ...]
    names: tuple[str, ...]
    cohorts: tuple[str, ...]
    values: Keys = field(repr=False)

    def __len__(self) -> int:
        """Number of keys."""
        return len(self.key_ids)

    def rows(self, chosen: Sequence[int]) -> KeyTable:
        """Return the table of the `chosen` rows only."""
        return KeyTable(
            tuple(self.key_ids[i] for i in chosen),
            tuple(self.levels[i] for i in chosen),
            tuple(self.names[i] for i in chosen),
            tuple(self.cohorts[i] for i in chosen),
            self.values[np.asarray(chosen, dtype=np.int64)],
        )


def derive_table(keys: EpochKeys, accounts: Sequence[tuple[str, str]]) -> KeyTable:
    """Derive the keys of one epoch: the global one, one for each cohort, one for each account.

    Args:
        keys: The epoch.
        accounts: Account and its cohort (empty for none), each account once.

    Raises:
        InputError: A name is empty or holds a NUL character.
    """
    cohorts = sorted({cohort for _, cohort in accounts if cohort})
    members: list[tuple[Level, str, str]] = [("global", "", "")]
    members += [("cohort", cohort, "") for cohort in cohorts]
    members += [("account", account, cohort) for account, cohort in accounts]
    return KeyTable(
        tuple(keys.key_id(level, name) for level, name, _ in members),
        tuple(level for level, _, _ in members),
        tuple(name for _, name, _ in members),
        tuple(cohort for _, _, cohort in members),
        np.array([keys.key(level, name) for level, name, _ in members], dtype=np.uint64),
    )


def write_table(table: KeyTable, path: Path) -> None:
    """Write the table to the new file `path`, mode 0600.

    Raises:
        InputError: The file exists or cannot be written.
    """
    rows = zip(table.key_ids, table.levels, table.values.tolist(), table.names, table.cohorts, strict=True)
    lines = [
        _Line(key_id, level, f"{value:016x}", name, cohort) for key_id, level, value, name, cohort in rows
    ]
    write_secret(path, msgspec.json.Encoder().encode_lines(lines), _WHAT)


def read_table(paths: Sequence[Path]) -> KeyTable:
    """Read one or several key tables as one; several epochs are one family of tests.

    Raises:
        InputError: A file cannot be read, may be read by others, holds a line that is no key, or a key twice.
    """
    lines = [line for path in paths for line in _lines(path)]
    seen: set[str] = set()
    for line in lines:
        if line.key_id in seen:
            raise InputError(
                ", ".join(map(str, paths)), f"the key {line.key_id} stands there twice", "give each once"
            )
        seen.add(line.key_id)
    return KeyTable(
        tuple(line.key_id for line in lines),
        tuple(line.level for line in lines),
        tuple(line.name for line in lines),
        tuple(line.cohort for line in lines),
        np.array([int(line.key, 16) for line in lines], dtype=np.uint64),
    )


def _lines(path: Path) -> list[_Line]:
    content = read_secret(path, _WHAT)
    decoder = msgspec.json.Decoder(_Line)
    result = []
    for number, raw in enumerate(content.splitlines(), start=1):
        try:
            line = decoder.decode(raw)
            ok = len(line.key) == 16 and int(line.key, 16) >= 0
        except (*BAD_JSON, ValueError):
            ok = False
        if not ok:
            raise InputError(
                f"{path}, line {number}", "this is no key", "write the table with `mark keys derive`"
            )
        result.append(line)
    if not result:
        raise InputError(str(path), "holds no key", "write the table with `mark keys derive`")
    return result
