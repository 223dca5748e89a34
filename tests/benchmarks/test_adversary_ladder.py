"""The figure that reports show is that of the stored results."""

import json
import re

import adversary_ladder
import publish_quality
from stillwatch.worlds.ladder import cumulative


def test_the_shipped_figure_says_what_is_stored():
    drawn = adversary_ladder.SHIPPED.read_text()
    told = re.findall(r"\$([\d,]+), (\d+)% named, ", drawn[drawn.index("<desc") : drawn.index("</desc>")])
    stored = json.loads((publish_quality.ROWS / "adversary_ladder.json").read_text())["rows"]
    value = {row["id"]: row["value"] for row in stored}
    rungs = [rung.operation.id for rung in cumulative()]
    assert told == [(f"{value[f'{one}/cost']:,.0f}", f"{value[f'{one}/found'] * 100:.0f}") for one in rungs]
