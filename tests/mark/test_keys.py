"""The hierarchy of keys: derivation as documented, separation, and secrets that never show."""

import hashlib
import hmac
import logging
import pickle
import stat
from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.mark import commitments
from stillwatch.mark.keys import LEVELS, EpochKeys, MasterKey
from stillwatch.model.errors import InputError

MASTER = MasterKey(bytes(range(32)))
EPOCH = MASTER.epoch("2026-11")
NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=20)


def test_derivation_is_as_documented():
    epoch = hmac.new(bytes(range(32)), b"stillwatch mark 1\0epoch\x002026-11", hashlib.sha256).digest()
    key = hmac.new(epoch, b"key\0account\0acc-1", hashlib.sha256).digest()[:8]
    name = hmac.new(epoch, b"id\0account\0acc-1", hashlib.sha256).digest()[:8]
    assert EPOCH.secret == epoch
    assert EPOCH.key("account", "acc-1") == int.from_bytes(key, "big")
    assert EPOCH.key_id("account", "acc-1") == f"2026-11:account:{name.hex()}"
    assert EPOCH.key("global") == int.from_bytes(
        hmac.new(epoch, b"key\0global\0", hashlib.sha256).digest()[:8], "big"
    )


@given(NAMES, NAMES, NAMES)
def test_keys_differ_by_name_level_and_epoch(first, second, epoch):
    other = MASTER.epoch(epoch)
    assert (EPOCH.key("account", first) == EPOCH.key("account", second)) == (first == second)
    assert EPOCH.key("account", first) != EPOCH.key("cohort", first)
    assert (other.key("account", first) == EPOCH.key("account", first)) == (epoch == "2026-11")
    assert EPOCH.key_id("account", first) != EPOCH.key_id("cohort", first)


def test_keys_of_many_accounts_need_no_table():
    names = [f"acc-{i}" for i in range(100_000)]
    keys = EPOCH.keys("account", names)
    assert keys.dtype == np.uint64
    assert len(np.unique(keys)) == len(names)
    assert int(keys[77_777]) == EPOCH.key("account", "acc-77777")
    bits = np.unpackbits(keys.view(np.uint8)).mean()
    assert abs(bits - 0.5) < 5 * 0.5 / np.sqrt(64 * len(names))


def test_a_key_file_is_private_and_never_overwritten(tmp_path):
    path = tmp_path / "master"
    MASTER.save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert MasterKey.load(path) == MASTER
    with pytest.raises(InputError, match="cannot be written"):
        MasterKey(bytes(range(1, 33))).save(path)
    assert MasterKey.load(path) == MASTER


def test_a_key_file_open_to_others_is_refused(tmp_path):
    path = tmp_path / "master"
    MASTER.save(path)
    path.chmod(0o640)
    with pytest.raises(InputError, match="chmod 600"):
        MasterKey.load(path)


@pytest.mark.parametrize("content", [b"", bytes(31), bytes(32)], ids=["empty", "short", "zeros"])
def test_what_is_no_key_is_refused_without_showing_it(tmp_path, content):
    path = tmp_path / "master"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(InputError, match="mark key"):
        MasterKey.load(path)


def test_a_missing_key_file_is_named(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        MasterKey.load(tmp_path / "none")


@pytest.mark.parametrize(
    "ask",
    [
        lambda: EPOCH.key("account"),
        lambda: EPOCH.key("account", "a\0b"),
        lambda: EPOCH.key("global", "a"),
        lambda: MASTER.epoch(""),
        lambda: EPOCH.subkey(""),
    ],
    ids=["nameless account", "nul", "named global", "nameless epoch", "nameless purpose"],
)
def test_names_that_could_be_confused_are_refused(ask):
    with pytest.raises(InputError):
        ask()


def _secrets_of(keys: EpochKeys) -> list[str]:
    found = [MASTER.secret.hex(), keys.secret.hex(), repr(MASTER.secret)[2:-1], repr(keys.secret)[2:-1]]
    for level in LEVELS:
        key = keys.key(level, "" if level == "global" else "acc-1")
        found += [str(key), f"{key:x}", f"{key:016x}"]
    return found


def test_no_secret_stands_in_repr_log_error_or_publication(caplog):
    made = datetime(2026, 11, 22, tzinfo=UTC)
    wanted = [("global", ""), ("cohort", "acc-1"), ("account", "acc-1")]
    published = commitments.publish(EPOCH, "gumbel", wanted, made)
    shown = commitments.opening(EPOCH, "account", "acc-1")
    logger = logging.getLogger("test")
    logger.warning("%r %s %r %r %s", MASTER, EPOCH, shown, published, [EPOCH, MASTER])
    with pytest.raises(InputError) as refused:
        EPOCH.key("account", "")
    text = " ".join(
        [caplog.text, str(refused.value), msgspec.json.encode(published).decode(), f"{EPOCH}{MASTER}{shown}"]
    )
    assert "2026-11" in text
    for secret in _secrets_of(EPOCH):
        assert secret not in text
    assert pickle.loads(pickle.dumps(MASTER)) == MASTER  # noqa: S301 - workers may be handed the key
