"""The picture of the README can be taken again, and what is missing for it is told."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SPEC = importlib.util.spec_from_file_location("generate_picture", ROOT / "docs/generate_picture.py")
generate_picture = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(generate_picture)


@pytest.mark.parametrize(
    ("found", "said"), [(None, "install the package chromium"), ("/bin/chromium", "run `make demo` first")]
)
def test_what_is_missing_is_told(tmp_path, monkeypatch, found, said):
    monkeypatch.setattr(generate_picture.shutil, "which", lambda _: found)
    assert said in generate_picture.main([str(tmp_path / "report.html")])


def test_the_picture_has_the_size_that_the_script_gives_it():
    head = generate_picture.PICTURE.read_bytes()[:24]
    size = int.from_bytes(head[16:20]), int.from_bytes(head[20:24])
    assert size == (generate_picture.WIDTH, generate_picture.HEIGHT)
