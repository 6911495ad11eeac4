"""Languages in flows: conditions in any of them, the default language, consoles, Problems."""

from typing import Any

import pytest

from heddle.runtime.events.events import MASK
from heddle.runtime.flow.errors import Error
from tests.support import running

pytestmark = pytest.mark.anyio

SORTING = """
- kind: if
  name: sort
  when: {when}
  ports:
    out[0]:
      - {{name: large, port: in}}
    out[1]:
      - {{name: small, port: in}}
- {{kind: snippet, name: large, language: text, code: large}}
- {{kind: snippet, name: small, language: text, code: small}}
"""

CONDITIONS = {
    "cel": "self.count > 3",
    "javascript": "payload.count > 3",
    "typescript": "(payload.count as number) > 3",
    "python": "payload['count'] > 3",
    "jsonata": "count > 3",
    "jinja": "count > 3",
}


@pytest.mark.parametrize("language", CONDITIONS)
async def test_a_condition_takes_any_language(language: str) -> None:
    when = {"language": language, "code": CONDITIONS[language]}
    async with running(SORTING.format(when=when)) as rt:
        assert await rt.send("sort", {"count": 5}) == "large"
        assert await rt.send("sort", {"count": 1}) == "small"


@pytest.mark.parametrize("language", ["javascript", "jsonata", "python"])
async def test_the_language_of_conditions_that_name_none_can_be_set(language: str) -> None:
    flow = SORTING.format(when=f'"{CONDITIONS[language]}"')
    async with running(flow, language=language) as rt:
        assert await rt.send("sort", {"count": 5}) == "large"
        assert await rt.send("sort", {"count": 1}) == "small"


async def test_a_condition_that_needs_a_worker_still_decides() -> None:
    when = {"language": "jinja", "code": "{% for x in list %}{{ x }}{% endfor %}"}
    async with running(SORTING.format(when=when)) as rt:
        assert await rt.send("sort", {"list": [1]}) == "large"
        assert await rt.send("sort", {"list": []}) == "small"


SNIPPET = """
- kind: snippet
  name: it
  language: {language}
  {more}
  code: |
    {code}
"""


def snippet(language: str, code: str, more: str = "") -> str:
    return SNIPPET.format(language=language, code=code.replace("\n", "\n    "), more=more)


@pytest.mark.parametrize(
    ("language", "code", "more"),
    [
        ("javascript", "(p) => { console.warn('got', p); return p }", ""),
        ("javascript", "(p) => { console.warn('got', p); return p }", "isolation: process"),
        (
            "python",
            "import sys\ndef main(p):\n    print('got', p, file=sys.stderr)",
            "isolation: process",
        ),
    ],
)
async def test_what_code_prints_is_an_event_of_its_symbol(
    language: str, code: str, more: str
) -> None:
    async with running(snippet(language, code, more)) as rt:
        await rt.send("it", 7)
        [event] = [event for event in rt.events.recent if event.event == "console"]
        assert (event.symbol, event.level, event.data) == ("it", "warning", {"text": "got 7"})


SECRET = """
- kind: snippet
  name: it
  language: javascript
  code: "console.log('{{ .KEY }}') || 1"
  env:
    KEY: {name: key}
"""


async def test_secrets_are_masked_in_what_code_prints() -> None:
    async with running(SECRET, "- {name: key, data: hunter2hunter2, secret: true}") as rt:
        assert await rt.send("it", None) == 1
        [event] = [event for event in rt.events.recent if event.event == "console"]
        assert event.data == {"text": MASK}


PROBLEMS = [
    ("javascript", "const a = 1;\nlet b = ;", "", ":8:13 it.code: unexpected token"),
    ("typescript", "const a: number = 1;\nlet b: = 2;", "", ":8:12 it.code: "),
    ("jsonata", "id +\n[", "", ":8:"),
    ("jinja", "a\n{{ 1 + }}", "", ":8:5 it.code: syntax error"),
    ("python", "x = 1", "isolation: process", "it.code: the code defines no main(payload)"),
    ("python", "payload", "timeout: 1s", ":5:3 it.timeout: Python in this process has no timeout"),
    ("python", "payload", "memory: 1MiB", "it.memory: Python in this process has no memory"),
    ("cel", "self", "isolation: process", "it.isolation: the language cel has no isolation"),
    ("python", "payload", "isolation: thread", "it.isolation"),
    ("javascript", "1", "timeout: 0s", "it.timeout"),
    ("javscript", "1", "", 'unknown language "javscript"'),
]


@pytest.mark.parametrize(
    ("language", "code", "more", "said"), PROBLEMS, ids=[r[3] for r in PROBLEMS]
)
async def test_mistakes_are_problems_at_their_place(
    language: str, code: str, more: str, said: str
) -> None:
    async with running(snippet(language, code, more)) as rt:
        problems = [str(one) for event in rt.events.recent for one in event.problems]
        assert len(problems) == 1, problems
        assert said in problems[0]


async def test_limits_are_taken_by_languages_that_never_reach_them() -> None:
    for language in ("cel", "text"):
        async with running(snippet(language, "1", "timeout: 1s\n  memory: 1MiB")) as rt:
            assert await rt.send("it", None) in (1, "1", "1\n")


async def test_a_memory_limit_of_the_spec_holds() -> None:
    large = "[...Array(200000).keys()].map((n) => 'some text ' + n).length"
    async with running(snippet("javascript", large, "memory: 1MiB")) as rt:
        answer: Any = await rt.send("it", None)
        assert isinstance(answer, Error)
        assert "more than 1MiB of memory" in answer.message
    async with running(snippet("javascript", large)) as rt:
        assert await rt.send("it", None) == 200_000
