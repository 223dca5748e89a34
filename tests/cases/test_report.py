"""The page: structure, escaping, policy; any Detection at all gives a page."""

import base64
import hashlib
import re
import typing
from datetime import UTC, datetime
from enum import Enum
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stillwatch.cases import render_report
from stillwatch.cases.report import FIRST_ACCOUNTS, MOST_ACCOUNTS, ladder
from stillwatch.model.coverage import CoverageCard, SourceCoverage, card
from stillwatch.model.findings import Detection, Verdict

NOW = datetime(2026, 11, 21, 6, 30, tzinfo=UTC)
VOID = {"meta", "br", "img"}
ALLOWED = {
    "html", "head", "meta", "title", "style", "body", "header", "main", "footer", "section", "nav", "h1", "h2", "h3",
    "p", "a", "b", "em", "strong", "span", "code", "bdi", "ol", "ul", "li", "dl", "dt", "dd", "div", "table",
    "caption", "thead", "tbody", "tr", "th", "td", "details", "summary", "figure", "figcaption", "br",
    "img", "svg", "rect", "line", "path", "circle", "text", "desc",
}  # fmt: skip


class Page(HTMLParser):
    """Collects what the tests ask for, and fails on tags that do not nest."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[tuple[str, ...], str]] = []
        self.stack: list[str] = []
        self.feed(html)
        self.close()
        assert not self.stack

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.stack, tag
        assert self.stack.pop() == tag

    def handle_data(self, data):
        self.texts.append((tuple(self.stack), data))

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]

    def text(self, within="body"):
        return " ".join("".join(data for stack, data in self.texts if within in stack).split())


def sources(page: Page) -> list[str | None]:
    """Whatever the page would load, one entry each."""
    return [attributes["src"] for _, attributes in page.tags if "src" in attributes]


def render(detection: Detection, cards: tuple[CoverageCard, ...] = ()) -> str:
    return render_report(detection, cards, NOW, "0.1.0")


def test_summary_comes_first_and_says_what_was_found_and_how_sure(found):
    page = Page(render(found))
    text = page.text("main")
    assert text.startswith("One distillation campaign was found")
    assert "18,000 coordinated exchanges" in text
    assert "34.5 million" in text
    assert "about 1 in 71" in text
    assert text.index("What to do next") < text.index("Evidence")


def test_nothing_found_is_said_and_the_floor_is_named(make_detection):
    text = Page(render(make_detection())).text("main")
    assert text.startswith("No distillation campaign was found")
    assert "A clean report is not proof of absence" in text


def test_honest_groups_are_listed_with_a_reason_and_their_accounts_are_not_named(make_group, make_detection):
    page = Page(render(make_detection(make_group("g-app", Verdict.APPLICATION))))
    assert "Nothing was asked twice." in page.text()
    assert "acct-" not in page.text()


def test_failed_audit_warns_before_anything_else(make_detection, campaign):
    text = Page(render(make_detection(campaign, sound=False))).text("main")
    assert text.index("The error rates of this report do not hold") < text.index("Campaign 1")
    assert "Do not act on this report" in text


def test_page_is_self_contained(found):
    html = render(found)
    page = Page(html)
    assert {tag for tag, _ in page.tags} <= ALLOWED
    assert "script" not in {tag for tag, _ in page.tags}
    assert sources(page) == [ladder().source]
    assert ladder().source.startswith("data:image/svg+xml;base64,")
    for _, attributes in page.tags:
        assert not {"srcset", "style", "action", "data"} & attributes.keys()
        assert not any(name.startswith("on") for name in attributes)
        assert attributes.get("href", "#").startswith("#")
    style = "".join(data for stack, data in page.texts if stack[-1:] == ["style"] or "style" in stack)
    assert "url(" not in style
    assert "@import" not in style
    assert "@font-face" not in style


def test_policy_forbids_everything_but_the_one_style_sheet(found):
    metas = Page(render(found)).all("meta")
    policy = next(meta["content"] for meta in metas if meta.get("http-equiv") == "Content-Security-Policy")
    assert re.fullmatch(
        r"default-src 'none'; style-src 'sha256-[A-Za-z0-9+/]{43}='; img-src data:; base-uri 'none'; "
        r"form-action 'none'",
        policy,
    )


def test_what_staying_unseen_costs_is_drawn_and_told(found):
    (image,) = Page(render(found)).all("img")
    drawn = ET.fromstring(base64.b64decode(image["src"].partition(",")[2]))  # noqa: S314 - our own text
    assert drawn.tag == "{http://www.w3.org/2000/svg}svg"
    assert image["alt"] == ladder().words
    assert "own address: $" in image["alt"]
    assert "&" not in image["alt"]


def test_style_hash_of_the_policy_is_that_of_the_sheet(found):

    html = render(found)
    sheet = re.search(r"<style>(.*?)</style>", html, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(sheet.encode()).digest()).decode()
    assert f"sha256-{digest}" in html


def test_tables_and_drawings_are_accessible(found):
    page = Page(render(found))
    assert page.all("html")[0]["lang"] == "en"
    assert all("scope" in attributes for attributes in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table"))
    ids = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    for svg in page.all("svg"):
        if svg.get("aria-hidden") != "true":
            assert svg["role"] == "img"
            assert set(svg["aria-labelledby"].split()) <= ids


def test_ids_are_unique_and_links_lead_somewhere(make_group, make_detection, campaign):
    page = Page(render(make_detection(campaign, make_group("g-two", campaign.verdict))))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {link["href"] for link in page.all("a")} <= {f"#{name}" for name in ids}


HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'; --></style><script>",
    "{{ 7*7 }}",
    "&lt;b&gt;",
    "a\u202eb\u0000c\nd",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_values_stay_text(text, campaign, make_detection):
    member = msgspec.structs.replace(campaign.members[0], account_id=text, share=1.0)
    finding = msgspec.structs.replace(campaign.evidence[0], sentence=text, measure=text, method=text)
    hostile = msgspec.structs.replace(
        campaign,
        id=text,
        members=(member, *campaign.members[1:]),
        evidence=(finding,),
        capabilities=(text,),
        models=(text,),
        atlas_ids=(text,),
        advisory_ids=(text,),
        would_settle=(text,),
    )
    source = card(SourceCoverage(text, text, 5, 1, {}), {})
    html = render(make_detection(hostile), (source,))
    page = Page(html)
    assert {tag for tag, _ in page.tags} <= ALLOWED
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert sources(page) == [ladder().source]
    assert not any(character in html for character in "\u202e\u0000")
    if text.isprintable():
        assert text in page.text()
    else:
        assert r"a\u{202e}b\u{0}c\u{a}d" in page.text()


def test_many_accounts_are_paged_and_the_rest_counted(make_group, make_detection):
    many = make_group("g-many", Verdict.CAMPAIGN, accounts=3_000)
    page = Page(render(make_detection(many)))
    cells = [data for stack, data in page.texts if stack[-1:] == ("bdi",)]
    assert len(cells) == MOST_ACCOUNTS
    assert f"{3_000 - MOST_ACCOUNTS:,} further accounts" in page.text()
    first = next(i for i, (stack, data) in enumerate(page.texts) if "more accounts" in data)
    assert sum(stack[-1:] == ("bdi",) for stack, _ in page.texts[:first]) == FIRST_ACCOUNTS


def test_same_input_gives_the_same_page(found):
    assert render(found) == render(found)


# --- any Detection at all ---------------------------------------------------------------------------------

MARK = "<q>"
TEXTS = st.text(st.characters(exclude_categories=[]), max_size=12).map(lambda text: MARK + text)
TIMES = st.integers(0, 253_402_300_799).map(lambda second: datetime.fromtimestamp(second, UTC))
PLAIN = {
    str: TEXTS,
    int: st.integers(-3, 10**12),
    float: st.floats(),
    bool: st.booleans(),
    datetime: TIMES,
}


def of(kind: typing.Any) -> st.SearchStrategy:
    """Values of the type `kind`, as the wire form allows them and worse."""
    origin, inside = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple:
        return st.lists(of(inside[0]), max_size=3).map(tuple)
    if origin is dict:
        return st.dictionaries(of(inside[0]), of(inside[1]), max_size=3)
    if inside:
        return st.one_of(*(st.none() if part is type(None) else of(part) for part in inside))
    if issubclass(kind, msgspec.Struct):
        hints = typing.get_type_hints(kind)
        return st.deferred(
            lambda: st.builds(kind, **{name: of(hints[name]) for name in kind.__struct_fields__})
        )
    if issubclass(kind, Enum):
        return st.sampled_from(list(kind))
    return PLAIN[kind]


@settings(suppress_health_check=list(HealthCheck))
@given(of(Detection), st.lists(of(CoverageCard), max_size=2), TIMES)
def test_any_detection_gives_a_sound_page(detection, cards, now):
    html = render_report(detection, cards, now, MARK)
    html.encode()
    page = Page(html)
    assert {tag for tag, _ in page.tags} <= ALLOWED
    assert MARK not in html


@settings(suppress_health_check=list(HealthCheck))
@given(of(Detection))
def test_figures_in_drawings_are_numbers(detection):
    for _, attributes in Page(render(detection)).tags:
        for name in {
            "x",
            "y",
            "x1",
            "x2",
            "y1",
            "y2",
            "cx",
            "cy",
            "r",
            "width",
            "height",
        } & attributes.keys():
            assert float(attributes[name]) == pytest.approx(float(attributes[name]))
