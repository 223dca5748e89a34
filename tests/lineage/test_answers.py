import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.lineage.answers import Answers, Grid
from stillwatch.model.errors import InputError

names = st.text(st.characters(codec="utf-8"), max_size=6)
cells = st.dictionaries(st.tuples(names, names, st.integers(0, 2)), names, min_size=1, max_size=25)


def of(table):
    keys = list(table)
    return Answers.of([k[0] for k in keys], [k[1] for k in keys], list(table.values()), [k[2] for k in keys])


@given(cells)
def test_keeps_every_cell_in_an_order_of_its_own(table):
    rows = of(table).table.to_pylist()
    assert {(r["prompt_id"], r["model"], r["run"]): r["text"] for r in rows} == table
    assert of(dict(reversed(table.items()))).table.equals(of(table).table)


@given(cells)
def test_a_grid_holds_each_shared_prompt_and_no_other(table):
    answers = of(table)
    models = {m for p, m, r in table if r == 0}
    shared = {p for p, _, _ in table if all((p, m, 0) in table for m in models)}
    if not models or not shared:
        return
    assert set(answers.shared_prompts(sorted(models))) == shared
    grid = answers.grid(sorted(models))
    for row, prompt in enumerate(grid.prompts):
        for column, model in enumerate(grid.models):
            assert grid.texts[row * len(models) + column] == table[prompt, model, 0]


@given(cells)
def test_runs_become_models_and_lose_nothing(table):
    one = {(p, r): t for (p, _, r), t in table.items()}
    split = of({(p, "m", r): t for (p, r), t in one.items()}).runs_as_models()
    expected = {(p, "m" if r == 0 else f"m@run{r}"): t for (p, r), t in one.items()}
    rows = split.table.to_pylist()
    assert {(r["prompt_id"], r["model"]): r["text"] for r in rows} == expected
    assert {r["run"] for r in rows} == {0}


def test_a_cell_is_filled_once():
    with pytest.raises(InputError, match="1 answers stand in a cell"):
        Answers.of(["q", "q"], ["m", "m"], ["a", "b"])
    one = Answers.of(["q"], ["m"], ["a"])
    with pytest.raises(InputError):
        one.and_also(one)


def test_a_missing_answer_is_told():
    answers = Answers.of(["q", "r", "q"], ["a", "a", "b"], ["x", "y", "z"])
    assert answers.shared_prompts() == ("q",)
    assert answers.only(["a"]).prompts == ("q", "r")
    with pytest.raises(InputError, match="1 of the prompts"):
        answers.grid(prompts=["q", "r"])
    with pytest.raises(InputError, match="no prompt"):
        Answers.of(["q", "r"], ["a", "b"], ["x", "y"]).grid()


def test_text_is_never_shown():
    answers = Answers.of(["q"], ["m"], ["a secret"])
    for shown in (repr(answers), str(answers), repr(answers.grid())):
        assert "secret" not in shown


def test_grids_are_complete_and_can_be_cut():
    with pytest.raises(ValueError, match="one text"):
        Grid(("p",), ("a", "b"), ("x",))
    grid = Grid(("p", "q"), ("a", "b"), ("1", "2", "3", "4"))
    assert grid.restricted([1]).texts == ("3", "4")
    assert grid.positions(["b"]) == (1,)
    with pytest.raises(ValueError, match="not in the grid"):
        grid.positions(["c"])
    with pytest.raises(ValueError, match="one length"):
        Answers.of(["p"], ["m"], [])
