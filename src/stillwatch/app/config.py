"""Settings: read here, from one optional TOML file and the command's options, and nowhere else."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from stillwatch.model.errors import InputError

LOG_FORMATS = ("auto", "litellm", "otlp", "openai", "anthropic", "envoy", "ndjson", "parquet")
LogFormat = Literal["auto", "litellm", "otlp", "openai", "anthropic", "envoy", "ndjson", "parquet"]
ENGINES = ("duckdb", "spark")
Engine = Literal["duckdb", "spark"]

Share = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
Level = Annotated[float, msgspec.Meta(gt=0.0, lt=1.0)]
Count = Annotated[int, msgspec.Meta(ge=1, le=1024)]

Section = TypeVar("Section", bound=msgspec.Struct)

_PATHS = ("accounts", "enforcement", "store", "key_file")


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that a run can be told; each field is a key of the TOML file and an option of the command.

    Attributes:
        format: Log format; `auto` recognises it file by file.
        accounts: The operator's records of accounts (NDJSON, CSV or Parquet).
        enforcement: The operator's record of limits, bans and appeals.
        store: Where exchanges are kept; None puts it beside the report.
        engine: What runs the relational part.
        fdr: Level of the false-discovery rate of coordinated groups; None leaves it to the detector.
        key_file: The deployment's fingerprint key; None keeps one in the store.
        account_fields: Log attributes that hold the account, where the format has no fixed place for it.
        max_bad_share: Share of bad lines in one file above which the run stops.
        skip_bad_files: Go on after a file that cannot be read at all.
        threads: Threads for fingerprinting; at first as many as the process may use.
        skeletons: Read the prompts of campaigns again in the logs and show the words that nearly all accounts
            share; no prompt word is ever written without it.
        detect: Settings of the detector, only in the file, as a table `[detect]`.
    """

    format: LogFormat = "auto"
    accounts: Path | None = None
    enforcement: Path | None = None
    store: Path | None = None
    engine: Engine = "duckdb"
    fdr: Level | None = None
    key_file: Path | None = None
    account_fields: tuple[str, ...] = ()
    max_bad_share: Share = 0.1
    skip_bad_files: bool = False
    threads: Count = msgspec.field(default_factory=_cores)
    skeletons: bool = False
    detect: dict[str, Any] = {}


def load_settings(config: Path | None, options: dict[str, Any]) -> Settings:
    """Join the file `config` and the command's `options`; an option that is not None wins.

    Paths in the file are relative to the file, paths among the options to the working directory.

    Raises:
        InputError: The file cannot be read, is no TOML, or a value is not allowed.
    """
    values = _read(config) if config else {}
    values |= {name: value for name, value in options.items() if value is not None}
    return section(values, Settings, str(config) if config else "options")


def section(values: dict[str, Any], kind: type[Section], where: str) -> Section:
    """Return `values` as the settings object `kind`.

    Raises:
        InputError: A name is unknown or a value not allowed; `where` says in which place.
    """
    try:
        return msgspec.convert(values, kind, dec_hook=_path)
    except msgspec.ValidationError as error:
        what, _, name = str(error).removesuffix("`").partition(" - at `$.")
        if name:
            raise InputError(where, f"{name}: {what}", "docs/cli.md says what it may be") from None
        known = ", ".join(field.name for field in msgspec.structs.fields(kind))
        raise InputError(where, what, f"the settings are {known}") from None


def _path(kind: type, value: object) -> Path:
    if kind is Path and isinstance(value, (str, Path)):
        return Path(value)
    raise ValueError("Expected a path")


def _read(config: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(config.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            str(config), error.strerror or "cannot be read", "check the path given to --config"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        raise InputError(str(config), "is not a TOML file", "write one `name = value` a line") from None
    for name in _PATHS:
        if isinstance(values.get(name), str):
            values[name] = str(config.parent / values[name])
    return values
