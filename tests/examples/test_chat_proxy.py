"""The streaming proxy of the examples: OpenAI's own client chats through it, and may leave."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from heddle.runtime.runtime import Runtime
from tests.examples.folders import settled, started
from tests.support import fetch, port_of
from tests.waiting import until

pytestmark = pytest.mark.anyio

openai = pytest.importorskip("openai")


class Chat(NamedTuple):
    """The model, the proxy in front of it, and the client of the proxy."""

    model: Runtime
    proxy: Runtime
    client: Any

    async def stream(self, text: str) -> Any:
        """Return the chunks of what the model says to this."""
        asked = [{"role": "user", "content": text}]
        return await self.client.chat.completions.create(model="echo", messages=asked, stream=True)


@asynccontextmanager
async def chatting(folder: Path, monkeypatch: pytest.MonkeyPatch, key: str) -> AsyncIterator[Chat]:
    """Provide model, proxy and client, all running."""
    settled("chat-proxy", folder, monkeypatch)
    async with started("model") as model:
        url = f"http://127.0.0.1:{port_of(model)}"
        async with started(UPSTREAM=url, KEY=key) as proxy:
            base = f"http://127.0.0.1:{port_of(proxy)}/v1"
            async with openai.AsyncOpenAI(base_url=base, api_key="x", max_retries=0) as client:
                yield Chat(model, proxy, client)


async def test_a_chat_goes_through_the_proxy_word_by_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with chatting(tmp_path, monkeypatch, "secret") as chat:
        words = [
            chunk.choices[0].delta.content async for chunk in await chat.stream("what the heck")
        ]
        page = await fetch(port_of(chat.proxy), "/")
    assert words == ["what ", "the ", "**** ", None]
    assert "Chat with a model" in page.text


async def test_a_client_that_leaves_stops_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with chatting(tmp_path, monkeypatch, "secret") as chat:
        chunks = await chat.stream("word " * 10_000)
        assert (await anext(chunks)).choices[0].delta.content == "word "
        assert chat.model.processes
        await chunks.close()
        await until(lambda: not chat.proxy.processes)
        await until(lambda: not chat.model.processes)


async def test_what_the_model_rejects_comes_back_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with chatting(tmp_path, monkeypatch, "wrong") as chat:
        with pytest.raises(openai.AuthenticationError, match="wrong key"):
            await chat.stream("hello")
