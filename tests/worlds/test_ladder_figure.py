from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.worlds.ladder_figure import WIDTH, Outcome, ladder_svg
from stillwatch.worlds.prices import Range

SVG = "{http://www.w3.org/2000/svg}"


def ranges(low, high):
    ends = st.lists(st.floats(low, high), min_size=3, max_size=3).map(sorted)
    return ends.map(lambda three: Range(*three))


outcomes = st.lists(
    st.tuples(
        st.text("ab<&>\"' ", min_size=1, max_size=20),
        ranges(0.01, 1e6),
        ranges(0, 1),
        st.floats(0, 1),
        st.booleans(),
    ).map(lambda fields: Outcome(*fields)),
    min_size=1,
    max_size=25,
)


@given(outcomes, st.text("ab<&> ", max_size=30))
def test_any_ladder_is_well_formed_and_inside_its_frame(drawn, title):
    root = ET.fromstring(ladder_svg(drawn, title))  # noqa: S314 - our own text
    height = float(root.attrib["viewBox"].split()[3])
    assert len(root.findall(f"{SVG}circle")) == len(drawn)
    for element in root.iter():
        for name in ("x", "x1", "x2", "cx"):
            assert -1 <= float(element.attrib.get(name, 0)) <= WIDTH
        for name in ("y", "y1", "y2", "cy"):
            assert -1 <= float(element.attrib.get(name, 0)) <= height


def test_dearer_is_further_right_and_found_is_further_up():
    cheap = Outcome("cheap", Range(1, 2, 3), Range(0.9, 1, 1), 1.0)
    dear = Outcome("dear", Range(100, 200, 300), Range(0, 0.1, 0.2), 0.5)
    root = ET.fromstring(ladder_svg([cheap, dear], "t"))  # noqa: S314
    first, second = root.findall(f"{SVG}circle")
    assert float(first.attrib["cx"]) < float(second.attrib["cx"])
    assert float(first.attrib["cy"]) < float(second.attrib["cy"])


def test_says_in_words_what_it_shows():
    text = ladder_svg([Outcome("own address", Range(30, 40, 50), Range(0, 0.5, 1), 1.0)], "How dear")
    assert "own address: $40, 50% named, 100% named or undecided" in text


def test_nothing_to_draw_is_refused():
    with pytest.raises(ValueError, match="nothing"):
        ladder_svg([], "t")
