"""Write the tables of `docs/method.md` that repeat what the code says: settings, priors and terms.

    python docs/generate_terms.py

A table stands between `<!-- NAME: begin -->` and `<!-- NAME: end -->`. The test
`tests/docs/test_method_terms.py` fails when the page is not what this script would write.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from stillwatch.detect.config import DetectConfig
from stillwatch.detect.terms import PRIORS, RULES

PAGE = Path(__file__).with_name("method.md")


def tables() -> dict[str, str]:
    """Return every generated table by the name of its markers."""
    return {"settings": settings_table(), "priors": priors_table(), "terms": terms_table()}


def settings_table() -> str:
    """Return the defaults of `DetectConfig` with the meanings in its docstring."""
    text = (inspect.getdoc(DetectConfig) or "").split("Attributes:\n")[1]
    meanings = dict(re.findall(r"^ {4}(\w+): (.+(?:\n {8}.+)*)", text, re.MULTILINE))
    values = DetectConfig()
    rows = [(name, getattr(values, name), meanings[name]) for name in DetectConfig.__struct_fields__]
    return _table(
        ("setting", "default", "meaning"),
        [(f"`{name}`", _value(value), " ".join(meaning.split())) for name, value, meaning in rows],
    )


def priors_table() -> str:
    """Return the log weight of each kind before anything is known."""
    return _table(("kind", "prior, nats"), [(kind.value, _signed(points)) for kind, points in PRIORS.items()])


def terms_table() -> str:
    """Return one row a rule: the knots of its feature and, for each kind, the nats at the knots."""
    rows = [
        (
            f"`{rule.feature}`",
            " / ".join(f"{knot:g}" for knot in rule.knots),
            *(" / ".join(map(_signed, rule.points.get(kind, ()))) for kind in PRIORS),
        )
        for rule in RULES
    ]
    return _table(("feature", "at", *(kind.value for kind in PRIORS)), rows)


def updated(page: str) -> str:
    """Return `page` with every table between its markers replaced.

    Raises:
        ValueError: A marker is missing or not unique.
    """
    for name, table in tables().items():
        begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
        if (page.count(begin), page.count(end)) != (1, 1):
            raise ValueError(f"{PAGE.name} needs the markers of `{name}` exactly once")
        page = page.partition(begin)[0] + begin + table + end + page.partition(end)[2]
    return page


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _value(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(_value, value))
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def _signed(points: float) -> str:
    return f"{points:+g}".replace("-", "\N{MINUS SIGN}") if points else "0"


if __name__ == "__main__":
    PAGE.write_text(updated(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
