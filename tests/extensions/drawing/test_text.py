"""Estimated widths are never too small, and what does not fit is cut."""

import pytest

from heddle.extensions.drawing.card import NAME_SIZE, PAD_X, card
from heddle.extensions.drawing.picture import Picture
from heddle.extensions.drawing.text import fit, legal, lines, shown, width
from tests.extensions.drawing import flows

# Advances of DejaVu Sans Bold, the widest font that browsers commonly fall back to, in 2048ths.
ADVANCES = dict(
    zip(
        "abcdefghijklmnopqrstuvwxyz",
        map(
            int,
            [
                "1382",
                "1466",
                "1214",
                "1466",
                "1389",
                "891",
                "1466",
                "1458",
                "702",
                "702",
                "1362",
                "702",
                "2134",
                "1458",
                "1407",
                "1466",
                "1466",
                "1010",
                "1219",
                "979",
                "1458",
                "1335",
                "1892",
                "1321",
                "1335",
                "1192",
            ],
        ),
        strict=True,
    )
)


@pytest.mark.parametrize("word", ["listener", "mmmm", "warm-up", "wow", "illicit", *ADVANCES])
def test_a_word_needs_no_more_than_estimated(word: str) -> None:
    real = sum(ADVANCES.get(char, 850) for char in word) / 2048
    assert real <= width(word, 1.0) <= real * 1.25


def test_wide_characters_take_a_full_square_and_marks_take_nothing() -> None:
    assert width("日本語", 10) >= 30
    assert width("e\u0301", 10) == width("e", 10)
    assert width("ﷺ", 10) > 60


def test_a_long_name_is_broken_where_words_end_and_then_cut() -> None:
    rows = fit("orders-of-the-previous-quarter-by-region-and-by-customer", 14, 216, 2)
    assert len(rows) == 2
    assert rows[0].endswith("-")
    assert rows[1].endswith("…")
    assert all(width(row, 14) <= 216 for row in rows)


@pytest.mark.parametrize("name", ["", "x", "x" * 500, "漢" * 100, "😀" * 60, *flows.NASTY])
def test_every_text_fits_its_card(name: str) -> None:
    for node in Picture.of([flows.spec(1, name, kind=name or "k", out=[name])]).nodes:
        entry = card(node, (name, "error", f"{name}[0]", f"{name}[1]"))
        room = entry.width - 2 * PAD_X + 1e-6
        assert all(width(row, NAME_SIZE) <= room for row in entry.name)
        assert entry.badge_width <= room
        assert entry.foot <= room
        assert entry.width < 250


def test_what_cannot_be_shown_is_replaced() -> None:
    assert legal("a\x00b\ud800c\n") == "a\ufffdb\ufffdc\n"
    assert shown(" two \n words\t") == "two words"


def test_lines_end_in_any_way() -> None:
    assert lines("a\r\nb\rc\u2028d\x85e\n") == ["a", "b", "c", "d", "e", ""]
