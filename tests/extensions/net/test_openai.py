"""An endpoint like OpenAI's, written in YAML, is read by OpenAI's own client."""

from typing import Any

import pytest

from tests.support import port_of, running
from tests.waiting import until

pytestmark = pytest.mark.anyio

# A large package that nothing else here needs: who has not installed it yet can run all other tests.
openai = pytest.importorskip("openai")

FLOW = """
- {kind: listener, name: listener, port: 0, ports: {out: router}}
- kind: router
  name: router
  routes:
    - {method: POST, path: /v1/chat/completions, to: wanted}
- kind: if
  name: wanted
  when: has(self.body.stream) && self.body.stream
  ports: {out[0]: words, out[1]: whole}
- kind: snippet
  name: words
  language: python
  code: |
    def main(request):
        for word in request["body"]["messages"][-1]["content"].split():
            choice = {"index": 0, "delta": {"content": word}, "finish_reason": None}
            yield {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "echo", "choices": [choice]}
        if request["body"]["model"] == "broken":
            raise RuntimeError("no more words")
        yield "[DONE]"
  ports: {out: events}
- {kind: sse, name: events, ports: {error: sorry}}
- kind: snippet
  name: sorry
  language: cel
  code: "{'error': {'message': self.message, 'type': 'server_error'}}"
- kind: snippet
  name: whole
  language: python
  code: |
    {"id": "1", "object": "chat.completion", "created": 0, "model": "echo",
     "choices": [{"index": 0, "finish_reason": "stop",
                  "message": {"role": "assistant", "content": payload["body"]["messages"][-1]["content"]}}]}
""".replace("{out[0]: words, out[1]: whole}", "{'out[0]': words, 'out[1]': whole}")

ASKED: Any = [{"role": "user", "content": "one two three"}]


def client_of(port: int) -> Any:
    """Return the official client, asking at this port."""
    return openai.AsyncOpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="none", max_retries=0)


async def test_the_official_client_reads_a_streaming_endpoint() -> None:
    async with running(FLOW) as rt, client_of(port_of(rt)) as client:
        chunks = await client.chat.completions.create(model="m", messages=ASKED, stream=True)
        words = [chunk.choices[0].delta.content async for chunk in chunks]
        assert words == ["one", "two", "three"]
        await until(lambda: not rt.processes)


async def test_the_official_client_reads_a_whole_answer() -> None:
    async with running(FLOW) as rt, client_of(port_of(rt)) as client:
        answer = await client.chat.completions.create(model="m", messages=ASKED)
        assert answer.choices[0].message.content == "one two three"


async def test_a_failure_in_the_middle_is_an_error_of_the_client() -> None:
    async with running(FLOW) as rt, client_of(port_of(rt)) as client:
        chunks = await client.chat.completions.create(model="broken", messages=ASKED, stream=True)
        for word in ("one", "two", "three"):
            assert (await anext(chunks)).choices[0].delta.content == word
        with pytest.raises(openai.APIError, match="no more words"):
            await anext(chunks)


async def test_a_client_that_stops_reading_ends_the_process() -> None:
    async with running(FLOW) as rt, client_of(port_of(rt)) as client:
        many: Any = [{"role": "user", "content": "word " * 200_000}]
        chunks = await client.chat.completions.create(model="m", messages=many, stream=True)
        assert (await anext(chunks)).choices[0].delta.content == "word"
        assert rt.processes
        await chunks.close()
        await until(lambda: not rt.processes)


async def test_an_unknown_path_is_an_error_with_its_status() -> None:
    async with running(FLOW) as rt, client_of(port_of(rt)) as client:
        with pytest.raises(openai.APIStatusError) as caught:
            await client.models.list()
        assert caught.value.status_code == 404
