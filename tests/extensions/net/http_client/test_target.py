"""Where a call goes: what a Spec fixes, and what a packet may add."""

from typing import Any

import pytest

from heddle.extensions.extension import NodeError
from heddle.extensions.net.http_client.target import Base, target


@pytest.mark.parametrize(
    ("base", "asked", "found"),
    [
        ("http://a", {}, "http://a/"),
        ("http://a/v1", {}, "http://a/v1"),
        ("http://a/v1", {"path": "/"}, "http://a/v1"),
        ("http://a/v1/", {"path": "/x"}, "http://a/v1/x"),
        ("http://a/v1", {"path": "x"}, "http://a/v1/x"),
        ("http://a", {"path": "//evil.example/x"}, "http://a//evil.example/x"),
        ("http://a", {"path": "/a b/ü?#"}, "http://a/a%20b/%C3%BC%3F%23"),
        ("http://a", {"host": "evil.example", "scheme": "https"}, "http://a/"),
        ("http://a?k=1", {}, "http://a/?k=1"),
        ("http://a?k=1", {"query": {"q": ["x", "y z"]}}, "http://a/?q=x&q=y+z&k=1"),
        ("http://a", {"query": {"n": 1, "b": True, "none": None}}, "http://a/?n=1&b=true"),
        ("http://a", {"query": "q=1"}, "http://a/?q=1"),
        (None, {"url": "https://b/x?y=1#part"}, "https://b/x?y=1"),
        (None, {"url": "https://b/x?y=1", "query": {"z": 2}}, "https://b/x?y=1&z=2"),
        (None, {"host": "b:8080", "path": "/x"}, "http://b:8080/x"),
        (None, {"scheme": "https", "host": "b"}, "https://b/"),
    ],
)
def test_a_packet_adds_to_the_url_of_its_spec(base: str | None, asked: Any, found: str) -> None:
    assert target(Base(base) if base else None, asked) == found


@pytest.mark.parametrize(
    ("base", "asked"),
    [
        ("http://a/v1", {"path": "/../admin"}),
        ("http://a/v1", {"path": "/x/.."}),
        ("http://a/v1", {"path": "./x"}),
        ("http://a/v1", {"path": 7}),
        ("http://a/v1", {"url": "http://b"}),
        ("http://a/v1", {"query": 7}),
        (None, {}),
        (None, {"url": "ftp://b"}),
        (None, {"url": "http://"}),
        (None, {"url": "http://b\r\nX: y"}),
        (None, {"url": 7}),
    ],
)
def test_a_packet_that_asks_for_no_target_fails(base: str | None, asked: Any) -> None:
    with pytest.raises(NodeError) as raised:
        target(Base(base) if base else None, asked)
    assert raised.value.error.code == "request"
    assert "expected" in raised.value.error.message
