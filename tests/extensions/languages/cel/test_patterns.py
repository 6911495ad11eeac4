"""The patterns of `matches` read as RE2's do, and no text makes them slow."""

import time

import pytest

from heddle.extensions.languages.cel.errors import CelError
from heddle.extensions.languages.cel.matching import Matcher
from heddle.extensions.languages.cel.patterns import search

# pattern, texts that match, texts that do not
PATTERNS: list[tuple[str, list[str], list[str]]] = [
    ("b", ["abc"], ["ac", ""]),
    ("", ["", "a"], []),
    ("^a|b$", ["ab", "cb", "ac"], ["ca", "b\n"]),
    ("^$", [""], ["\n", "a"]),
    ("(?m)^b$", ["a\nb\nc", "b"], ["ab"]),
    ("a.c", ["abc", "aéc"], ["a\nc", "ac"]),
    ("(?s)a.c", ["a\nc"], ["ac"]),
    ("(?i)ab(?-i)c", ["ABc", "abc"], ["ABC"]),
    ("(?i:k)s", ["\u212as", "Ks"], ["kS"]),
    ("(?i)[^a]", ["b"], ["A", "a"]),
    ("(?U)a+?b", ["aab"], ["b"]),
    (r"\d\D\w\W\s\S", ["1a_- x"], ["٣a_- x"]),
    (r"\bfoo\b", ["a foo.", "foo"], ["afoo", "foo_"]),
    (r"\Boo", ["foo"], ["oo"]),
    (r"\B", [""], ["a"]),
    (r"\Aab\z", ["ab"], ["ab\n", "xab"]),
    (r"\x41\x{1F600}\101\07\t", ["A😀A\x07\t"], ["A"]),
    (r"\Q.*\E+", [".**"], ["ab"]),
    (r"[a-c\]\-x]+$", ["abc]-x"], ["d"]),
    ("[]a]", ["]", "a"], ["b"]),
    ("[^]a]", ["b"], ["]"]),
    (r"^[\d\pL]+$", ["1éa"], ["1-"]),
    (r"^\p{Lu}\P{Lu}\p{^Lu}$", ["Éab"], ["éAb"]),
    ("^[[:alpha:][:^digit:]]$", ["a", "-"], ["1"]),
    ("^a{2}b{1,2}c{2,}$", ["aabcc", "aabbccc"], ["aabc", "abcc", "aabbbcc"]),
    ("a{,2}b{", ["a{,2}b{"], ["aab"]),
    ("^(?:a|b)*$", ["abba", ""], ["abc"]),
    ("^(a|ab)(c|bcd)$", ["abcd", "ac", "abc"], ["abd"]),
    ("(?P<first>a)(?<second>b)", ["ab"], ["ba"]),
    ("^x*?y", ["xxy", "y"], ["xz"]),
    ("a||b", ["", "c"], []),
    ("()", [""], []),
    ("^(a*)*$", ["", "aaa"], ["b"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("pattern", "match", "fail"), PATTERNS, ids=[row[0] or "empty" for row in PATTERNS]
)
def test_pattern_matches_as_in_re2(pattern: str, match: list[str], fail: list[str]) -> None:
    find = search(pattern)
    padding = "\x01" * 400_000
    anchored = any(mark in pattern for mark in ("^", "$", "\\A", "\\z", "\\b", "\\B"))
    for text in match:
        assert find(text), text
        # A long text is left to RE2, which must see what Python's engine sees.
        if not anchored:
            assert find(padding + text), text
    for text in fail:
        assert not find(text), text


REFUSED = [
    ("(a", '")" is missing'),
    ("a)", '")" without "("'),
    ("[a", '"]" is missing'),
    ("*a", "nothing to repeat"),
    ("a**", "cannot be repeated"),
    ("a*+", "cannot be repeated"),
    ("a{1001}", "at most 1000"),
    ("a{3,2}", "ascend"),
    ("((a{100}){100}){10}", "too large"),
    ("(a{40}){40}", "too large"),
    (r"(\pL{500}){2}", "too large"),
    ("(?=a)", "looking ahead or behind"),
    ("(?<!a)b", "looking ahead or behind"),
    (r"(a)\1", "backreferences"),
    ("(?>a)", "not part of RE2"),
    ("(?P<1 a>b)", "name of a group"),
    (r"\q", "not an escape"),
    (r"\Z", "not an escape"),
    (r"\p{Greek}", "unknown class"),
    ("[[:word:][:what:]]", "unknown class"),
    ("[z-a]", "range"),
    (r"[a-\d]", "range"),
    ("a\\", "backslash"),
    (r"\x{110000}", "no such character"),
    (r"\xg1", "two digits"),
    ("(" * 200 + ")" * 200, "nest more than"),
    ("a" * 10_001, "characters long"),
]


@pytest.mark.parametrize(("pattern", "said"), REFUSED, ids=[row[0][:20] for row in REFUSED])
def test_pattern_that_re2_rejects_is_rejected(pattern: str, said: str) -> None:
    with pytest.raises(CelError) as caught:
        search(pattern)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "pattern",
    [
        "^(a+)+$",
        "(a|aa)+$",
        "(.*)*x",
        "a*a*a*a*b",
        "(?:a?){30}a{30}b",
        r"^(\w+\s?)*$",
        "(a|a)(a|a)(a|a)(a|a)(a|a)(a|a)(a|a)(a|a)(a|a)(a|a)b",
        ".*.*=.*",
    ],
)
def test_time_grows_no_faster_than_the_text(pattern: str) -> None:
    find = search(pattern)
    start = time.process_time()
    for size in (30, 1_000, 50_000):
        assert not find("a" * size + "!")
    assert time.process_time() - start < 20


def test_half_a_surrogate_pair_is_a_character_like_any_other() -> None:
    for text in ("\ud800", "\ud800" * 400_000):
        assert search("^.")(text)
        assert search("b$")(f"{text}b")


def test_re2_and_python_agree() -> None:
    pattern = r"(?i)^(?:get|post)\s+/[a-z0-9/_-]*(?:\?\w+=\w*(?:&\w+=\w*)*)?$"
    find: Matcher = search(pattern)
    for path in ("/x", "/a/b?c=d&e=f", "/a?b", "/" + "y" * 500, "/ x"):
        text = f"GET {path}"
        assert find(text) == (path not in ("/a?b", "/ x")), path
