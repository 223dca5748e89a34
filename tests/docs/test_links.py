"""Links, paths and commands in the documentation lead somewhere."""

import re
import shlex
from pathlib import Path

import click
import pytest

from stillwatch.cli import main

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
OWN = ("src/", "tests/", "docs/", "benchmarks/", "examples/")


def named(page):
    return str(page.relative_to(ROOT))


def anchors(page):
    """Return the anchors that a renderer makes of the headings of `page` (GitHub's rule)."""
    headings = re.findall(r"^#+ (.+)$", CODE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in headings}


def links(page):
    prose = re.sub(r"`[^`\n]*`", "", CODE.sub("", page.read_text(encoding="utf-8")))
    return re.findall(r"\]\(([^)\s]+)\)", prose)


def calls(page):
    """Return the command lines of `page`: indented or fenced lines, and inline code."""
    text = page.read_text(encoding="utf-8")
    program = r"((?:stillwatch|make|python) .*)$"
    lines = re.findall(r"^ {4}" + program, CODE.sub("", text), re.MULTILINE)
    lines += [
        line for block in CODE.findall(text) for line in re.findall(r"^" + program, block, re.MULTILINE)
    ]
    lines += re.findall(r"`((?:stillwatch|make|python) [^`\n]*[^`\n ])`", text)
    return [shlex.split(line, comments=True) for line in lines]


def require_stillwatch(words):
    command = main
    words = list(words)
    while isinstance(command, click.Group) and words and re.fullmatch("[a-z]+", words[0]):
        assert words[0] in command.commands, words
        command = command.commands[words.pop(0)]
    given = {word.split("=")[0].strip("[]") for word in words if word.lstrip("[").startswith("--")}
    known = {name for parameter in command.params for name in parameter.opts} | {"--version", "--help"}
    assert given <= known, words


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_relative_links_lead_somewhere(page):
    for link in links(page):
        if re.match("[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_paths_of_the_repository_exist(page):
    inline = re.findall(r"`([\w./-]+)`", CODE.sub("", page.read_text(encoding="utf-8")))
    for path in inline:
        if path.startswith(OWN):
            assert (ROOT / path).exists(), path


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_modules_that_are_named_exist(page):
    for dotted in re.findall(
        r"`((?:detect|stats|store|ingest|model|cases|worlds|app|cli)(?:/\w+)+\.py)`", page.read_text()
    ):
        assert (ROOT / "src/stillwatch" / dotted).is_file(), dotted


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_commands_exist(page):
    for program, *words in calls(page):
        if program == "make":
            assert {word for word in words if "=" not in word} <= TARGETS, words
        elif program == "stillwatch":
            require_stillwatch(words)
        elif words[0] == "-m":
            module = ROOT / "src" / words[1].replace(".", "/")
            assert words[1] == "pytest" or module.is_dir() or module.with_suffix(".py").is_file(), words
        else:
            assert (ROOT / words[0]).is_file(), words


def test_every_page_can_be_reached_from_the_index():
    index = ROOT / "docs/index.md"
    reached, waiting = set(), [index]
    while waiting:
        page = waiting.pop()
        if page in reached:
            continue
        reached.add(page)
        if page.is_dir():
            waiting += page.glob("*.md")
            continue
        targets = [
            (page.parent / link.partition("#")[0]).resolve() for link in links(page) if ":" not in link
        ]
        waiting += [target for target in targets if target.suffix == ".md" or target.is_dir()]
    assert {named(page) for page in PAGES} <= {named(page) for page in reached}
