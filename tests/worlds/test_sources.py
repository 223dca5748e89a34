from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import zstandard

from stillwatch.model.errors import InputError
from stillwatch.worlds import TINY, build_world, read_sources
from stillwatch.worlds.fit import as_toml, fit
from stillwatch.worlds.sources import (
    GSM8K,
    LIMR,
    SERVEGEN_LENGTHS,
    SERVEGEN_TRACES,
    SHAREGPT,
    T0,
    servegen_clients,
    servegen_lengths,
    traffic_tables,
)


def put(folder: Path, name: str, content: bytes) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(zstandard.compress(content))


def lines(*records: object) -> bytes:
    return b"\n".join(msgspec.json.encode(record) for record in records)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    put(
        tmp_path,
        SHAREGPT,
        lines(
            {"id": "1_0", "h": ["first", "second"], "out_chars": [1, 2]},
            {"id": "2_0", "h": [], "out_chars": []},
        ),
    )
    put(
        tmp_path,
        T0,
        lines(
            {"template": "t", "prompt": "one"},
            {"template": "u", "prompt": "two"},
            {"template": "t", "prompt": "three"},
        ),
    )
    put(tmp_path, GSM8K, lines({"question": "how many?", "answer": "3"}))
    put(
        tmp_path,
        LIMR,
        msgspec.json.encode([{"id": 1, "prompt": "p"}, {"id": 2, "prompt": "p"}, {"id": 3, "prompt": "q"}]),
    )
    put(
        tmp_path,
        SERVEGEN_TRACES,
        b"pool,client,window_start_s,rate_rps,cv,family,arg1,arg2\na,1,0,0.5,1.2,Gamma,1,1\na,1,600,0.1,,Gamma,1,1\n",
    )
    return tmp_path


def test_public_files_are_read_in_their_own_formats(folder):
    found = read_sources(folder)
    assert found.openers == ("first",)
    assert found.follow_ups == ("second",)
    assert found.bulk == (("one", "three"), ("two",))
    assert found.bench_items == ("how many?",)
    assert found.questions == ("p", "q")
    assert found.clients[0].requests.tolist() == [300.0, 60.0]


def test_an_empty_folder_leaves_everything_generated(tmp_path):
    found = read_sources(tmp_path)
    assert not any(getattr(found, name) for name in found.__struct_fields__)


def test_a_missing_folder_is_told(tmp_path):
    with pytest.raises(InputError, match="is not a folder"):
        read_sources(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        (SHAREGPT, b"{not json", "not JSON"),
        (T0, b'{"template": "t"}', "lacks the text `prompt`"),
        (SERVEGEN_TRACES, b"pool,client\na,1\n", "not a ServeGen window table"),
    ],
)
def test_a_broken_file_is_told(tmp_path, name, content, complaint):
    put(tmp_path, name, content)
    with pytest.raises(InputError, match=complaint):
        read_sources(tmp_path)


def test_a_file_that_is_not_compressed_is_told(tmp_path):
    (tmp_path / "prompts").mkdir()
    (tmp_path / SHAREGPT).write_bytes(b"plain text")
    with pytest.raises(InputError, match="cannot be decompressed"):
        read_sources(tmp_path)


def test_the_shipped_table_is_what_the_fit_prints(public_data):
    tables = fit(
        servegen_clients(public_data / SERVEGEN_TRACES), servegen_lengths(public_data / SERVEGEN_LENGTHS)
    ) | traffic_tables(public_data)
    shipped = Path(__file__).parents[2] / "src" / "stillwatch" / "worlds" / "lexicon" / "traffic.toml"
    assert as_toml(tables) == shipped.read_text(encoding="utf-8")


def test_a_world_uses_the_real_texts(public_data):
    sources = read_sources(public_data)
    world = build_world(msgspec.structs.replace(TINY, fleets=False), 3, sources=sources)
    prompts = set(world.exchanges["prompt"].to_pylist())
    assert len(prompts & set(sources.openers)) > 50
    assert len(prompts & {text for texts in sources.bulk for text in texts}) > 10
