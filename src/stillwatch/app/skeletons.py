"""The words that the accounts of a campaign share, read again from the operator's own logs on demand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from stillwatch.ingest import Excerpts, IngestOptions, read_again, shared_words
from stillwatch.ingest.fingerprint import FingerprintKey, fingerprint
from stillwatch.model.columns import TEXT_SCHEMA
from stillwatch.model.findings import Detection, Group, Skeleton, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

ASKED = (
    "The operator asked for words (--skeletons): shared prompts of campaigns show the words that at least "
    "90 % of the sampled accounts use in the same order; all others are masked."
)
_SYSTEM_KINDS = {"system"}
_KEY_MASK = 0xFFFF_FFFF_FFFF_FFFF


def with_words(
    detection: Detection, formats: Mapping[str, str], key: FingerprintKey, options: IngestOptions
) -> Detection:
    """Fill `Skeleton.text` of all campaigns; groups that are not accused stay without words.

    A skeleton whose logs are gone, or hold something else now, stays without text; a note says which log
    could not be read.
    """
    skeletons = [each for group in detection.campaigns for each in group.skeletons]
    excerpts = read_again((ref for each in skeletons for ref in each.sample_refs), formats, options)
    carried = _keys(excerpts, key)
    groups = tuple(_worded(group, excerpts, carried) for group in detection.groups)
    return msgspec.structs.replace(detection, groups=groups, notes=(*detection.notes, ASKED, *excerpts.notes))


def _worded(group: Group, excerpts: Excerpts, carried: Mapping[str, frozenset[str]]) -> Group:
    if group.verdict is not Verdict.CAMPAIGN:
        return group
    filled = tuple(
        msgspec.structs.replace(each, text=_text(each, excerpts, carried)) for each in group.skeletons
    )
    return msgspec.structs.replace(group, skeletons=filled)


def _text(skeleton: Skeleton, excerpts: Excerpts, carried: Mapping[str, frozenset[str]]) -> str | None:
    """Return the shared words of the prompts that (still) carry a key of the skeleton."""
    column = "system" if set(skeleton.kinds) <= _SYSTEM_KINDS else "prompt"
    wanted, keys = set(skeleton.sample_refs), set(skeleton.keys)
    chosen = [row for row, ref in enumerate(excerpts.refs) if ref in wanted and keys & carried[ref]]
    texts = {excerpts.accounts[row]: excerpts.text[column][row].as_py() for row in chosen}
    return shared_words({account: text for account, text in texts.items() if text})


def _keys(excerpts: Excerpts, key: FingerprintKey) -> dict[str, frozenset[str]]:
    """Return the keys of each exchange as it stands in the log now, which tells another log of that name."""
    if not excerpts.refs:
        return {}
    text = excerpts.text.select(TEXT_SCHEMA.names).combine_chunks().to_batches()[0]
    prints = fingerprint(text, key)
    columns = [prints.column(name).to_pylist() for name in ("keys", "system_fp", "tools_fp")]
    return {
        ref: frozenset(
            f"{value & _KEY_MASK:016x}" for value in [*(keys or ()), system, tools] if value is not None
        )
        for ref, keys, system, tools in zip(excerpts.refs, *columns, strict=True)
    }


__all__ = ["ASKED", "with_words"]
