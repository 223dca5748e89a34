"""Keys of marks and the search for marks in text, from the command line."""

from __future__ import annotations

import hashlib
import os
import secrets
from codecs import BOM_UTF8
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Literal, get_args

import msgspec
import numpy as np

from stillwatch.ingest.csvrows import csv_rows
from stillwatch.mark import commitments
from stillwatch.mark.detection import documents, evidence, keyfile, search
from stillwatch.mark.epochs import EpochPlan
from stillwatch.mark.keys import SECRET_BYTES, MasterKey
from stillwatch.mark.prf import MISSING
from stillwatch.mark.schemes import DualKeyGumbel, GreenList, GumbelMax, SynthId
from stillwatch.model.errors import BAD_JSON, InputError
from stillwatch.model.wholefile import write_once

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from stillwatch.mark.commitments import Publication
    from stillwatch.mark.detection.documents import Cut
    from stillwatch.mark.detection.report import MarkReport, Settings
    from stillwatch.mark.keys import Level
    from stillwatch.mark.prf import Tokens
    from stillwatch.mark.schemes import Scheme

SchemeName = Literal["gumbel", "dual_key_gumbel", "greenlist", "synthid"]
SCHEMES: tuple[SchemeName, ...] = get_args(SchemeName)


def make_scheme(
    name: SchemeName, width: int | None = None, alpha: float | None = None, gamma: float | None = None
) -> Scheme:
    """Build a scheme; what is not given has the default of the scheme.

    Raises:
        InputError: A parameter does not belong to the scheme or is out of range.
    """
    given = {"context_width": width, "alpha": alpha, "gamma": gamma}
    chosen = {key: value for key, value in given.items() if value is not None}
    kinds = {
        "gumbel": GumbelMax,
        "dual_key_gumbel": DualKeyGumbel,
        "greenlist": GreenList,
        "synthid": SynthId,
    }
    kind: Callable[..., Scheme] = kinds[name]
    strange = set(chosen) - {one.name for one in fields(kinds[name])}
    if strange:
        option = min(strange).replace("_", "-")
        raise InputError(f"--{option}", f"scheme {name} has no such parameter", "leave the option out")
    try:
        return kind(**chosen)
    except ValueError as error:
        raise InputError(f"scheme {name}", str(error), "correct the option") from None


def init_keys(master: Path, plan: Path, epoch: str, starts: datetime) -> None:
    """Make a master key from the system's random source, and a plan with its first epoch.

    Raises:
        InputError: A file exists, cannot be written, or the epoch is refused.
    """
    first = EpochPlan().rotated(epoch, starts)
    if plan.exists():
        raise InputError(str(plan), "there is an epoch plan already", "use `mark keys rotate`")
    if os.path.realpath(master) == os.path.realpath(plan):
        raise InputError(str(plan), "is named for the master key too", "give key and plan a file each")
    MasterKey(secrets.token_bytes(SECRET_BYTES)).save(master)
    _saved(first, plan)


def rotate_keys(plan: Path, epoch: str, starts: datetime) -> EpochPlan:
    """Add an epoch to a plan; older ones stay, so that what they marked remains testable.

    Raises:
        InputError: The plan cannot be read or written, or the epoch is refused.
    """
    extended = EpochPlan.load(plan).rotated(epoch, starts)
    _saved(extended, plan)
    return extended


def derive_keys(master: Path, epoch: str, accounts: Path | None, out: Path) -> int:
    """Write the key table of one epoch and return its number of keys.

    Raises:
        InputError: A file cannot be read or written.
    """
    table = keyfile.derive_table(MasterKey.load(master).epoch(epoch), read_accounts(accounts))
    keyfile.write_table(table, out)
    return len(table)


def commit_keys(
    master: Path, epoch: str, accounts: Path | None, scheme: Scheme, made: datetime, out: Path
) -> Publication:
    """Write the promises about all keys of an epoch, to be published before any test.

    Raises:
        InputError: A file cannot be read, or `out` exists or cannot be written.
    """
    members = read_accounts(accounts)
    cohorts = sorted({cohort for _, cohort in members if cohort})
    names: list[tuple[Level, str]] = [("global", "")]
    names += [("cohort", cohort) for cohort in cohorts]
    names += [("account", account) for account, _ in members]
    keys = MasterKey.load(master).epoch(epoch)
    promised = commitments.publish(keys, f"{scheme.name} {scheme.version}", names, made)
    try:
        write_once(out, msgspec.json.format(msgspec.json.encode(promised), indent=1) + b"\n")
    except OSError as error:
        raise InputError(str(out), f"cannot be written ({error.strerror})", "name a new file") from None
    return promised


def read_accounts(path: Path | None) -> list[tuple[str, str]]:
    """Read accounts and their cohorts: CSV with a header, or one JSON object a line.

    Returns:
        (`account_id`, `cohort`) of each line; the cohort is empty where there is none.

    Raises:
        InputError: The file cannot be read, a line has no `account_id`, or one stands there twice.
    """
    if path is None:
        return []
    try:
        content = path.read_bytes().removeprefix(BOM_UTF8)
    except OSError:
        raise InputError(str(path), "cannot be read", "give a CSV or NDJSON file with account_id") from None
    is_json = content.lstrip()[:1] in (b"{", b"[")
    rows = _json_rows(content) if is_json else csv_rows(str(path), content, "account_id")
    result: dict[str, str] = {}
    for number, row in rows:
        known = row if isinstance(row, dict) else {}
        account, cohort = known.get("account_id"), known.get("cohort") or ""
        where = f"{path}, line {number}"
        if not isinstance(account, str) or not account or not isinstance(cohort, str):
            raise InputError(where, "has no account_id in words", "give each account its id as text")
        if account in result:
            raise InputError(where, "repeats an account", "give each account once")
        result[account] = cohort
    if not result:
        raise InputError(str(path), "has no account in it", "give a CSV or NDJSON file with account_id")
    return list(result.items())


def read_documents(
    paths: Sequence[Path], scheme: Scheme, tokenizer: Path | None = None, other: Path | None = None
) -> Cut:
    """Read documents as token ids, or as text that `tokenizer` cuts; `other` is the writer's own tokenizer.

    Raises:
        InputError: A file cannot be read.
        MissingExtra: A tokenizer file is given and the package for it is not installed.
    """
    if tokenizer is None:
        if other is not None:
            raise InputError("--other-tokenizer", "compares cuts of text", "give --tokenizer as well")
        return documents.read_tokens(paths)
    marking = documents.load_tokenizer(tokenizer)
    writer = documents.load_tokenizer(other) if other is not None else None
    texts, names = documents.read_texts(paths)
    cut = documents.cut_texts(texts, names, marking, writer, scheme.context_width)
    return replace(cut, tokenizer=hashlib.sha256(tokenizer.read_bytes()).hexdigest())


def detect_marks(
    cut: Cut,
    scheme: Scheme,
    keys: Sequence[Path],
    settings: Settings,
    *,
    prompts: Cut | None = None,
    reference: Cut | None = None,
    threads: int = 1,
) -> MarkReport:
    """Test documents under all keys of the tables; contexts that stand in `prompts` are left out.

    A `reference` corpus, such as answers that were served, lets the report say whether a mark looks forged.

    Raises:
        InputError: A key table cannot be read, or a setting is out of range.
    """
    if not 0.0 < settings.level < 1.0 or settings.decoys < 20:
        raise InputError(
            "--level, --decoys", "out of range", "give a level inside (0, 1) and 20 or more decoys"
        )
    table = keyfile.read_table(keys)
    known, learned = (_whole_contexts(one, scheme) for one in (prompts, reference))
    return search.detect(
        cut.documents,
        scheme,
        table,
        settings,
        exclude=known,
        reference=learned,
        probabilities=cut.probabilities,
        alignment=cut.alignment,
        tokenizer=cut.tokenizer,
        threads=threads,
    )


def _whole_contexts(cut: Cut | None, scheme: Scheme) -> Tokens | None:
    """Contexts of a text, without those at the beginning of a document that lack history."""
    if cut is None:
        return None
    contexts = evidence.windows(cut.documents, scheme.context_width)[0]
    whole: Tokens = contexts[np.all(contexts != MISSING, axis=1)]
    return whole


def _json_rows(content: bytes) -> Iterator[tuple[int, object]]:
    for number, line in enumerate(content.splitlines(), 1):
        if line.strip():
            try:
                yield number, msgspec.json.decode(line)
            except BAD_JSON:
                yield number, None


def _saved(plan: EpochPlan, path: Path) -> None:
    try:
        plan.save(path)
    except OSError as error:
        raise InputError(
            str(path), f"cannot be written ({error.strerror})", "check path and rights"
        ) from None
