"""The form of benchmark results."""

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import harness

FORM = {"id", "value", "unit", "bar", "holds", "seeds", "command"}


@given(
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["<=", ">=", "<", ">"]),
)
def test_a_bar_holds_exactly_when_the_order_does(value: float, limit: float, sign: str) -> None:
    expected = {"<=": value <= limit, ">=": value >= limit, "<": value < limit, ">": value > limit}[sign]
    assert harness.holds(value, f"{sign} {limit!r}") is expected


def test_nothing_is_said_without_a_bar_or_a_value() -> None:
    assert harness.holds(1.0, None) is None
    assert harness.holds(None, "<= 1") is None


def test_a_number_that_is_not_a_number_keeps_no_bar() -> None:
    assert harness.holds(math.nan, "<= 1") is False
    assert harness.holds(math.nan, ">= 1") is False


@pytest.mark.parametrize("bar", ["at most 3", "3", "", "== 3", "<=3"])
def test_an_unknown_bar_is_refused(bar: str) -> None:
    with pytest.raises(ValueError, match="begin with one of"):
        harness.holds(1.0, bar)


def test_the_file_is_a_list_of_rows_in_the_agreed_form(tmp_path: Path) -> None:
    rows = [
        harness.row("a/one", 3, "s", "<= 4", seeds=(1, 2), command="python benchmarks/x.py"),
        harness.row("a/two", None, "s", "<= 4", note="no disk"),
    ]
    written = json.loads(harness.write("a", rows, tmp_path).read_text())
    assert all(set(one) >= FORM for one in written)
    assert written[0]["value"] == 3.0
    assert written[0]["holds"] is True
    assert written[0]["seeds"] == [1, 2]
    assert written[1]["holds"] is None


def test_a_broken_bar_is_named_and_counts_only_when_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [harness.row("slow", 9.0, "s", "<= 4"), harness.row("fast", 1.0, "s", "<= 4")]
    assert harness.finish("b", rows, folder=tmp_path) == 0
    said = capsys.readouterr().out
    assert "does not hold: slow is 9 s, bar <= 4" in said
    assert "does not hold: fast" not in said
    assert harness.finish("b", rows, strict=True, folder=tmp_path) == 1


def test_a_bar_that_was_not_measured_is_not_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [harness.row("peak", None, "GiB", "< 8", note="only with --full")]
    assert harness.finish("c", rows, strict=True, folder=tmp_path) == 1
    said = capsys.readouterr().out
    assert "not measured: peak, bar < 8; only with --full" in said
    assert "all bars hold" not in said


def test_it_says_when_all_bars_hold(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert harness.finish("d", [harness.row("x", 1.0, "s", "<= 4")], strict=True, folder=tmp_path) == 0
    assert "all bars hold" in capsys.readouterr().out


def test_the_command_names_no_place_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", [str(harness.ROOT / "benchmarks" / "speed_x.py"), "--full"])
    assert harness.own_command() == "python benchmarks/speed_x.py --full"
    monkeypatch.setattr("sys.argv", ["/somewhere/else/run.py"])
    assert harness.own_command() == "python run.py"
