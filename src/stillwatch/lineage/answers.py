"""Answers of models to prompts, in columns: what every test of a suspect starts from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.model.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

ANSWER_SCHEMA = pa.schema(
    [
        pa.field("prompt_id", pa.string(), nullable=False),
        pa.field("model", pa.string(), nullable=False),
        pa.field("run", pa.int32(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
    ]
)
"""Columns of `Answers`: which prompt, which model, which independent run, and what it said."""

_RUN_MARK = "@run"


@dataclass(frozen=True, repr=False)
class Grid:
    """Answers of all `models` to all `prompts`, complete: what a scorer reads.

    Attributes:
        prompts: Prompt ids, P of them.
        models: Model names, M of them.
        texts: P * M answers; the answer of model m to prompt p stands at p * M + m.
    """

    prompts: tuple[str, ...]
    models: tuple[str, ...]
    texts: tuple[str, ...]

    def __post_init__(self) -> None:
        """Check that no cell is missing."""
        if len(self.texts) != len(self.prompts) * len(self.models):
            raise ValueError("a grid needs one text for each prompt and model")

    def __repr__(self) -> str:
        return f"Grid({len(self.prompts)} prompts, {len(self.models)} models)"

    def positions(self, models: Sequence[str]) -> tuple[int, ...]:
        """Where `models` stand in this grid.

        Raises:
            ValueError: A model is not in the grid.
        """
        where = {name: index for index, name in enumerate(self.models)}
        missing = [name for name in models if name not in where]
        if missing:
            raise ValueError(f"not in the grid: {', '.join(missing)}")
        return tuple(where[name] for name in models)

    def restricted(self, prompts: Sequence[int] | NDArray[np.int64]) -> Grid:
        """The same models on the prompts at the positions `prompts`, in that order."""
        width = len(self.models)
        texts = tuple(self.texts[p * width + m] for p in prompts for m in range(width))
        return Grid(tuple(self.prompts[p] for p in prompts), self.models, texts)


@dataclass(frozen=True, repr=False)
class Answers:
    """Answers of several models to shared prompts.

    The prompts themselves are not kept: an id joins the answers of different models. The text stays in
    memory for as long as the test runs and is never shown.

    Attributes:
        table: Columns of `ANSWER_SCHEMA`; at most one row for each prompt, model and run.

    Example:
        >>> answers = Answers.of(["q1", "q1"], ["ours", "suspect"], ["yes", "no"])
        >>> answers.models, answers.prompts
        (('ours', 'suspect'), ('q1',))
    """

    table: pa.Table

    @classmethod
    def of(
        cls,
        prompt_ids: Sequence[str],
        models: Sequence[str],
        texts: Sequence[str],
        runs: Sequence[int] | None = None,
    ) -> Answers:
        """Build from columns of equal length; without `runs` each answer belongs to run 0.

        Raises:
            InputError: A model has two answers to one prompt in one run.
            ValueError: The columns differ in length.
        """
        numbers = [0] * len(texts) if runs is None else list(runs)
        columns: list[list[object]] = [list(prompt_ids), list(models), list(numbers), list(texts)]
        return cls.from_table(
            pa.Table.from_arrays([pa.array(c, f.type) for c, f in _paired(columns)], schema=ANSWER_SCHEMA)
        )

    @classmethod
    def from_table(cls, table: pa.Table) -> Answers:
        """Take a table of `ANSWER_SCHEMA` and check that no cell is filled twice.

        Raises:
            InputError: A model has two answers to one prompt in one run.
        """
        keys = ["prompt_id", "model", "run"]
        cells = table.group_by(keys).aggregate([]).num_rows
        if cells != table.num_rows:
            raise InputError(
                "answers",
                f"{table.num_rows - cells} answers stand in a cell (prompt, model, run) that is taken",
                "number repeated answers of one model as runs 0, 1, 2",
            )
        return cls(table.select(ANSWER_SCHEMA.names).sort_by([(key, "ascending") for key in keys]))

    def __repr__(self) -> str:
        return (
            f"Answers({self.table.num_rows} answers, {len(self.models)} models, {len(self.prompts)} prompts)"
        )

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models, sorted."""
        return tuple(sorted(pc.unique(self.table["model"]).to_pylist()))

    @property
    def prompts(self) -> tuple[str, ...]:
        """Ids of the prompts, sorted."""
        return tuple(sorted(pc.unique(self.table["prompt_id"]).to_pylist()))

    def only(self, models: Sequence[str]) -> Answers:
        """The answers of `models` alone."""
        return Answers(self.table.filter(pc.is_in(self.table["model"], pa.array(list(models), pa.string()))))

    def and_also(self, other: Answers) -> Answers:
        """These answers and the `other` ones.

        Raises:
            InputError: Both hold an answer for the same prompt, model and run.
        """
        return Answers.from_table(pa.concat_tables([self.table, other.table]))

    def runs_as_models(self) -> Answers:
        """The same answers with each further run as a model of its own, named `MODEL@runN`.

        An independent re-run of a model is what the ceiling of an imitation level is measured on.
        """
        run = self.table["run"]
        later = pc.binary_join_element_wise(self.table["model"], run.cast(pa.string()), _RUN_MARK)
        names = pc.if_else(pc.equal(run, 0), self.table["model"], later)
        zeros = pa.array(np.zeros(self.table.num_rows, dtype=np.int32))
        columns = [self.table["prompt_id"], names, zeros, self.table["text"]]
        return Answers.from_table(pa.Table.from_arrays(columns, schema=ANSWER_SCHEMA))

    def shared_prompts(self, models: Sequence[str] | None = None) -> tuple[str, ...]:
        """Prompts that all `models` (by default: all there are) answered in run 0, sorted."""
        wanted = self.models if models is None else tuple(models)
        first = self.only(wanted).table.filter(pc.equal(self.only(wanted).table["run"], 0))
        counts = first.group_by("prompt_id").aggregate([("model", "count")])
        full = counts.filter(pc.equal(counts["model_count"], len(set(wanted))))
        return tuple(sorted(full["prompt_id"].to_pylist()))

    def grid(self, models: Sequence[str] | None = None, prompts: Sequence[str] | None = None) -> Grid:
        """Complete grid of run 0, on the prompts that all `models` answered unless `prompts` are given.

        Raises:
            InputError: No prompt is shared by all models, or a given prompt was not answered by one of them.
        """
        names = self.models if models is None else tuple(models)
        shared = self.shared_prompts(names)
        asked = shared if prompts is None else tuple(prompts)
        missing = set(asked) - set(shared)
        if not asked or missing:
            what = f"{len(missing)} of the prompts" if missing else "no prompt"
            wrong = (
                f"{what} not answered by each of the {len(names)} models"
                if missing
                else (f"{what} was answered by each of the {len(names)} models")
            )
            raise InputError("answers", wrong, "leave out the models with few answers, or ask them again")
        table = self.table.filter(pc.equal(self.table["run"], 0))
        cells = zip(table["prompt_id"].to_pylist(), table["model"].to_pylist(), strict=True)
        text = dict(zip(cells, table["text"].to_pylist(), strict=True))
        return Grid(asked, names, tuple(text[prompt, model] for prompt in asked for model in names))


def _paired(columns: list[list[object]]) -> list[tuple[list[object], pa.Field]]:
    if len({len(column) for column in columns}) != 1:
        raise ValueError("prompt ids, models, texts and runs must have one length")
    return list(zip(columns, ANSWER_SCHEMA, strict=True))
