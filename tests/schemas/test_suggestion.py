"""A suggestion names a synonym first, then a near word, and nothing if no word is near."""

import re
from pathlib import Path
from zoneinfo import available_timezones

import pytest

from heddle.cli.extensions import installed
from heddle.cli.settings import Settings
from heddle.schemas.suggestion import Sort, candidates, did_you_mean
from heddle.schemas.synonyms import TABLES

LANGUAGES = [
    "cel",
    "javascript",
    "jinja",
    "json",
    "jsonata",
    "python",
    "text",
    "typescript",
    "yaml",
]
FUNCTIONS = [
    "size",
    "contains",
    "lowerAscii",
    "upperAscii",
    "matches",
    "flatten",
    "math.greatest",
    "string",
    "int",
]
FIELDS = [
    "interval",
    "cron",
    "timezone",
    "statement",
    "source",
    "text",
    "retry",
    "timeout",
    "ports",
    "env",
]
ZONES = sorted(available_timezones())
KINDS = [
    "print",
    "log",
    "debounce",
    "timer",
    "snippet",
    "for",
    "http",
    "listener",
    "store",
    "nop",
    "try",
]


@pytest.mark.parametrize(
    ("sort", "known", "word", "meant"),
    [
        ("language", LANGUAGES, "js", "javascript"),
        ("language", LANGUAGES, "JS", "javascript"),
        ("language", LANGUAGES, "ts", "typescript"),
        ("language", LANGUAGES, "py", "python"),
        ("language", LANGUAGES, "yml", "yaml"),
        ("language", LANGUAGES, "pyton", "python"),
        ("language", LANGUAGES, "jq", "jsonata"),
        ("function", FUNCTIONS, "len", "size"),
        ("function", FUNCTIONS, "length", "size"),
        ("function", FUNCTIONS, "includes", "contains"),
        ("function", FUNCTIONS, "toLowerCase", "lowerAscii"),
        ("function", FUNCTIONS, "lowercase", "lowerAscii"),
        ("function", FUNCTIONS, "max", "math.greatest"),
        ("function", FUNCTIONS, "contians", "contains"),
        ("field", FIELDS, "every", "interval"),
        ("field", FIELDS, "query", "statement"),
        ("field", FIELDS, "prots", "ports"),
        ("field", FIELDS, "timeZone", "timezone"),
        ("zone", ZONES, "Europe/Seoul", "Asia/Seoul"),
        ("zone", ZONES, "europe/berlin", "Europe/Berlin"),
        ("zone", ZONES, "Europe/Berln", "Europe/Berlin"),
        ("zone", ZONES, "Asia/Beijing", "Asia/Shanghai"),
        ("kind", KINDS, "inject", "timer"),
        ("kind", KINDS, "foreach", "for"),
        ("kind", KINDS, "redis", "store"),
        ("kind", KINDS, "listner", "listener"),
        ("", ["in", "out"], "inn", "in"),
        ("", ["in", "out"], "ni", "in"),
        ("", ["max_rows"], "maxRows", "max_rows"),
    ],
)
def test_a_word_leads_to_what_was_meant(
    sort: Sort, known: list[str], word: str, meant: str
) -> None:
    assert candidates(word, known, sort) == (meant,)


@pytest.mark.parametrize(
    ("sort", "known", "word"),
    [
        ("", ["timeout"], "ports"),
        ("", ["json"], "js"),
        ("", ["flatten"], "len"),
        ("", ["in"], "on"),
        ("", ["debounce"], "debug"),
        ("", ["retry"], "every"),
        ("zone", ZONES, "Mars/Olympus"),
        ("language", LANGUAGES, "cobol"),
        ("kind", ["nop"], "inject"),
        ("", ["out"], ""),
        ("", ["x" * 5000], "x" * 5000 + "y"),
    ],
)
def test_no_hint_when_nothing_is_near(sort: Sort, known: list[str], word: str) -> None:
    assert did_you_mean(word, known, sort) == ""


def test_several_kinds_for_one_word_are_all_named() -> None:
    assert did_you_mean("debug", KINDS, "kind") == 'Did you mean "print" or "log"?'


def test_kinds_that_synonyms_lead_to_exist() -> None:
    known = set(installed(Settings()).scheme.names)
    assert {kind for meant in TABLES["kind"].values() for kind in meant} <= known


def test_words_of_the_comparison_page_lead_to_its_kinds() -> None:
    known = list(installed(Settings()).scheme.names)
    page = Path("docs/kinds.md").read_text("utf-8")
    lost: list[str] = []
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        ours = set(re.findall(r"\[`([\w-]+)`\]", cells[2])) if len(cells) == 5 else set()
        words = re.findall(r"`([^`]+)`", cells[1]) if ours and "](" not in cells[1] else []
        lost += [
            word
            for word in words
            if word not in known and not ours & set(candidates(word, known, "kind"))
        ]
    assert lost == []
