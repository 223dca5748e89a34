import errno
import os
from datetime import UTC, datetime, timedelta

import pytest

from stillwatch.lineage.twins import TwinDesign, TwinSeed, make_item
from stillwatch.model.errors import InputError

pytest.importorskip("rfc8785", reason="needs the extra stillwatch[lineage]")

from stillwatch.lineage.chain import merkle_levels, merkle_path, proves
from stillwatch.lineage.twins_store import (
    ITEMS,
    SEED,
    append_items,
    erase_expired,
    item_leaf,
    leaf_content,
    open_epoch,
    read_epoch,
    seal_epoch,
)

NOW = datetime(2026, 11, 22, tzinfo=UTC)
LATER = NOW + timedelta(days=30)
RANDOM = bytes(range(32))
DESIGN = TwinDesign(lifetime_days=10)


def made(number, served_at=NOW):
    return make_item(
        TwinSeed(RANDOM), DESIGN, request_id=f"r{number}", account_id="acme", answers=[f"one {number}", "two"],
        served_at=served_at, temperature=1.0, log_probs=[-1.0, -2.0],
    )  # fmt: skip


@pytest.fixture
def epoch(tmp_path):
    place = tmp_path / "epoch"
    open_epoch(place, "2026-w47", DESIGN, RANDOM, NOW)
    append_items(place, [made(number) for number in range(5)], LATER)
    append_items(place, [made(5, LATER)], LATER)
    return place


def test_what_is_written_is_read_again_and_proved_by_the_seal(epoch):
    seal = seal_epoch(epoch, LATER)
    found = read_epoch(epoch)
    assert found.seal == seal
    assert found.items == (*map(made, range(5)), made(5, LATER))
    for place, item in zip(found.places, found.items, strict=True):
        path = merkle_path(merkle_levels(found.leaves), place)
        assert proves(item_leaf(item), place, seal.items, path, bytes.fromhex(seal.root))


def test_what_was_served_before_the_commitment_is_refused_whole(epoch):
    before = read_epoch(epoch).items
    with pytest.raises(InputError, match=r"'r7'.*between the opening of its epoch and now, nor were 0 more"):
        append_items(epoch, [made(6), made(7, NOW - timedelta(seconds=1))], LATER)
    assert read_epoch(epoch).items == before


def test_what_is_served_after_now_is_neither_added_nor_sealed(epoch):
    before = read_epoch(epoch).items
    with pytest.raises(InputError, match=r"'r7'.*between the opening of its epoch and now"):
        append_items(epoch, [made(6), made(7, LATER + timedelta(seconds=1))], LATER)
    assert read_epoch(epoch).items == before
    with pytest.raises(InputError, match="has items served after now"):
        seal_epoch(epoch, LATER - timedelta(seconds=1))
    assert read_epoch(epoch).seal is None


def test_a_full_disk_adds_all_or_nothing(epoch, monkeypatch):
    before = (epoch / ITEMS).read_bytes()

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", full)
        for act in (
            lambda: append_items(epoch, [made(8)], LATER),
            lambda: seal_epoch(epoch, LATER),
            lambda: erase_expired(epoch, NOW + timedelta(days=11)),
        ):
            with pytest.raises(InputError, match="No space left on device; mend that and run again"):
                act()
    assert (epoch / ITEMS).read_bytes() == before
    append_items(epoch, [made(8)], LATER)
    assert seal_epoch(epoch, LATER).items == 7


def test_a_seed_that_others_may_read_is_refused(epoch):
    (epoch / SEED).chmod(0o644)
    with pytest.raises(InputError, match="the twin seed may be read by other users; run `chmod 600"):
        read_epoch(epoch)


def test_the_secret_is_for_its_owner_and_in_no_public_file(epoch):
    seal_epoch(epoch, LATER)
    assert (epoch / SEED).stat().st_mode & 0o077 == 0
    for public in ("opening.json", "seal.json", ITEMS):
        assert RANDOM.hex() not in (epoch / public).read_text()


def test_erased_items_leave_the_seal_whole(epoch):
    seal_epoch(epoch, LATER)
    assert erase_expired(epoch, NOW + timedelta(days=11)) == 5
    found = read_epoch(epoch)
    assert [item.id for item in found.items] == ["r5"]
    assert found.places == (5,)
    assert "digest" not in (epoch / ITEMS).read_text().splitlines()[0]
    assert erase_expired(epoch, NOW + timedelta(days=11)) == 0


def test_no_content_is_in_what_may_be_shown():
    shown = str(leaf_content(made(1)))
    assert "acme" not in shown
    assert "one 1" not in shown


@pytest.mark.parametrize("damage", ["change", "drop", "swap"])
def test_a_damaged_epoch_is_refused(epoch, damage):
    seal_epoch(epoch, LATER)
    lines = (epoch / ITEMS).read_text().splitlines(keepends=True)
    damaged = {
        "change": [lines[0].replace("-1.0", "-1.5"), *lines[1:]],
        "drop": lines[1:],
        "swap": [lines[1], lines[0], *lines[2:]],
    }[damage]
    (epoch / ITEMS).write_text("".join(damaged))
    with pytest.raises(InputError, match="does not fit the seal"):
        read_epoch(epoch)


def test_another_seed_is_refused(epoch):
    (epoch / SEED).write_text(bytes(32).hex())
    with pytest.raises(InputError, match="not the seed that was committed"):
        read_epoch(epoch)


def test_order_of_events(epoch, tmp_path):
    with pytest.raises(InputError, match="holds an epoch already"):
        open_epoch(epoch, "again", DESIGN, RANDOM, NOW)
    seal_epoch(epoch, LATER)
    with pytest.raises(InputError, match="is sealed"):
        append_items(epoch, [made(9)], LATER)
    with pytest.raises(InputError, match="sealed already"):
        seal_epoch(epoch, LATER)
    with pytest.raises(InputError, match="epoch"):
        read_epoch(tmp_path / "nowhere")


def test_one_request_twice_is_refused(epoch):
    append_items(epoch, [made(1)], LATER)
    with pytest.raises(InputError, match="two items of one request"):
        seal_epoch(epoch, LATER)


def test_a_broken_line_is_named_by_its_number(epoch):
    with (epoch / ITEMS).open("a") as file:
        file.write("{ broken\n")
    with pytest.raises(InputError, match=r"items\.jsonl:7: is not a twin item"):
        read_epoch(epoch)
