"""Bodies become data and data becomes bodies, as their type says."""

import gzip
import zlib
from collections.abc import AsyncIterator
from typing import Any

import brotli
import pytest

from heddle.extensions.net.http.bodies import decode, encode
from heddle.extensions.net.http.compression import OFFERS, pack, unpack, unpack_stream
from heddle.extensions.net.http.errors import AnswerError, RequestError
from heddle.extensions.net.http.media import media_type, parameter
from heddle.extensions.net.http.multipart import decode_multipart
from heddle.extensions.net.http.negotiate import accepts, choose_coding
from heddle.runtime.flow.errors import Error


@pytest.mark.parametrize(
    ("data", "content_type", "value"),
    [
        (b'{"a": [1, 2.5, null]}', "application/json", {"a": [1, 2.5, None]}),
        (b"123", "application/json; charset=utf-8", 123),
        (b"{}", "application/problem+json", {}),
        (b"", "application/json", None),
        (
            b"a=1&b=2&a=%203+4&c=",
            "application/x-www-form-urlencoded",
            {"a": ["1", " 3 4"], "b": ["2"], "c": [""]},
        ),
        (b"", "application/x-www-form-urlencoded", {}),
        ("grüß".encode(), "text/plain", "grüß"),
        ("grüß".encode("latin-1"), "text/html; charset=ISO-8859-1", "grüß"),
        (b"x", 'text/plain; charset="utf-8"', "x"),
        (b"\xff\x00", "image/png", b"\xff\x00"),
        (b"<a/>", "application/xml", b"<a/>"),
        (b'{"a": 1}', "", {"a": 1}),
        (b" [1]", "", [1]),
        (b"\xef\xbb\xbf[1]", "", [1]),
        (b"\xef\xbb\xbf{}", "application/problem+json", {}),
        (b"{broken", "", b"{broken"),
        (b"123", "", b"123"),
        (b"a=1", "", b"a=1"),
        (b"\xff", "", b"\xff"),
    ],
)
def test_body_is_decoded_by_its_type(data: bytes, content_type: str, value: Any) -> None:
    assert decode(data, content_type) == value


@pytest.mark.parametrize(
    ("data", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"\xff", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b"\xff", "text/plain", 400),
        (b"x", "text/plain; charset=klingon", 415),
        (b"x", "text/plain; charset=base64", 415),
        (b"x", "text/plain; charset=punycode", 415),
        (b"x", "text/plain; charset=idna", 415),
        (b"x", "text/plain; charset=Unicode_Escape", 415),
        (b"x", "text/plain; charset=UTF7", 415),
        (b"\xff", "application/x-www-form-urlencoded", 400),
        (b"a=%ff", "application/x-www-form-urlencoded", 400),
        (b"%C3=1", "application/x-www-form-urlencoded", 400),
        (b"&" * 20_000, "application/x-www-form-urlencoded", 400),
        (b"x", "multipart/form-data", 400),
    ],
)
def test_body_that_is_not_its_type_is_rejected(data: bytes, content_type: str, status: int) -> None:
    with pytest.raises(RequestError) as rejection:
        decode(data, content_type)
    assert rejection.value.status == status


@pytest.mark.parametrize(
    ("value", "content_type", "data"),
    [
        ({"a": 1}, "", b'{"a":1}'),
        ([1, "x"], "", b'[1,"x"]'),
        (None, "", b"null"),
        (True, "", b"true"),
        (1.5, "", b"1.5"),
        ("x", "", b"x"),
        (b"\x00", "", b"\x00"),
        ("x", "application/json", b'"x"'),
        ("ü", "text/html; charset=latin-1", b"\xfc"),
        ({"a": 1}, "text/plain", b'{"a":1}'),
        ("<p>", "image/svg+xml", b"<p>"),
        (b"{}", "application/json", b"{}"),
        ({"a": [1, 2], "b": "c d"}, "application/x-www-form-urlencoded", b"a=1&a=2&b=c+d"),
        (
            {"t": True, "n": None, "l": ["x", False, [1]], "m": {"k": 1.5}, "e": []},
            "application/x-www-form-urlencoded",
            b"t=true&n=null&l=x&l=false&l=%5B1%5D&m=%7B%22k%22%3A1.5%7D",
        ),
        ({"e": Error("bad"), "b": b"h i"}, "application/x-www-form-urlencoded", b"e=bad&b=h+i"),
        ({"e": Error("bad"), "b": b"hi"}, "", b'{"e":"bad","b":"aGk="}'),
        (Error("bad"), "", b"bad"),
    ],
)
def test_value_is_encoded_by_its_type(value: Any, content_type: str, data: bytes) -> None:
    assert encode(value, content_type)[0] == data


@pytest.mark.parametrize(
    ("value", "accept", "content_type"),
    [
        ("x", "", "text/plain; charset=utf-8"),
        ("x", "*/*", "text/plain; charset=utf-8"),
        ("x", "application/json, text/plain, */*", "text/plain; charset=utf-8"),
        ("x", "application/json", "application/json"),
        ("x", "image/png", "text/plain; charset=utf-8"),
        ({"a": 1}, "text/html", "application/json"),
        ({"a": 1}, "application/x-www-form-urlencoded", "application/x-www-form-urlencoded"),
        ({"a": {"b": 1}}, "application/x-www-form-urlencoded", "application/json"),
        ([1], "text/plain", "application/json"),
        (b"x", "text/plain", "application/octet-stream"),
    ],
)
def test_type_is_negotiated_only_where_there_is_a_choice(
    value: Any, accept: str, content_type: str
) -> None:
    assert encode(value, "", accept)[1] == content_type


@pytest.mark.parametrize(
    ("value", "content_type"),
    [
        (object(), ""),
        ({"a": {1, 2, object()}}, ""),
        ("ü", "text/plain; charset=ascii"),
        ("\ud800", ""),
        ([1], "application/x-www-form-urlencoded"),
        ([1], "multipart/form-data"),
        ({"values": [1]}, "multipart/form-data"),
        ({"a": "\ud800"}, "application/x-www-form-urlencoded"),
        ({"a": object()}, "application/x-www-form-urlencoded"),
    ],
)
def test_value_that_cannot_be_encoded_is_a_bad_answer(value: Any, content_type: str) -> None:
    with pytest.raises(AnswerError):
        encode(value, content_type)


FORM = (
    b"preamble\r\n"
    b"--B\r\n"
    b'Content-Disposition: form-data; name="title"\r\n\r\n'
    b"gr\xc3\xbc\xc3\x9f\r\n"
    b"--B\r\n"
    b'Content-Disposition: form-data; name="title"\r\n\r\n'
    b"two\r\nlines\r\n"
    b"--B \r\n"
    b'Content-Disposition: form-data; name="up"; filename="C:\\\\tmp\\\\a;b.png"\r\n'
    b"Content-Type: image/png\r\n\r\n"
    b"\x00--B\r\n\xff\r\n"
    b"--B--\r\nepilogue"
)


def test_multipart_is_values_and_files() -> None:
    data = decode(FORM, "multipart/form-data; boundary=B")
    assert data["values"] == {"title": ["grüß", "two\r\nlines"]}
    (file,) = data["files"]["up"]
    assert (file["filename"], file["size"], file["data"]) == ("a;b.png", 7, b"\x00--B\r\n\xff")
    assert file["header"]["Content-Type"] == ["image/png"]


def test_multipart_there_and_back() -> None:
    value = {
        "values": {"a": ["1", "2"], "n": 3},
        "files": {"f": [{"filename": 'x"y.txt', "data": b"\r\n--\r\n"}], "g": "text"},
    }
    data, content_type = encode(value, "multipart/form-data")
    back = decode(data, content_type)
    assert back["values"] == {"a": ["1", "2"], "n": ["3"]}
    assert back["files"]["f"][0]["data"] == b"\r\n--\r\n"
    assert back["files"]["f"][0]["filename"] == "x%22y.txt"
    assert back["files"]["g"][0]["data"] == b"text"
    data, content_type = encode({"plain": "fields"}, "multipart/form-data")
    assert decode(data, content_type) == {"values": {"plain": ["fields"]}, "files": {}}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"--C\r\n\r\n--C--",
        FORM[:-20],
        b"--B\r\n\r\nno name\r\n--B--",
        b"--B\r\nContent-Disposition: attachment; name=a\r\n\r\nx\r\n--B--",
        b"--B\r\nContent-Disposition: form-data\r\n\r\nx\r\n--B--",
        b"--B\r\nContent-Disposition: form-data; name=a\r\n--B--",
        b"--Bx\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--B--",
        b"--B\r\n" + b"X: y\r\n" * 50 + b"\r\nx\r\n--B--",
        b"--B\r\n\r\n" * 2000 + b"--B--",
    ],
)
def test_broken_multipart_is_rejected(data: bytes) -> None:
    with pytest.raises(RequestError):
        decode_multipart(data, "B")


def one_part(disposition: str, content: bytes = b"x", more: str = "") -> bytes:
    """Return a body of one part, with the boundary B."""
    head = f"--B\r\nContent-Disposition: {disposition}\r\n{more}\r\n"
    return head.encode() + content + b"\r\n--B--\r\n"


@pytest.mark.parametrize(
    ("parameters", "filename"),
    [
        ("filename*=UTF-8''na%C3%AFve%20x.txt", "naïve x.txt"),
        ("filename=\"=?utf-8?B?eA==?=\"; filename*=utf-8''%E5%A5%BD.txt", "好.txt"),
        ("filename*=utf-8'en'a%2Fb.txt; filename=other.txt", "b.txt"),
        ("filename*=iso-8859-1''%E9.txt", "é.txt"),
        ("FileName*=UTF-8''x", "x"),
        ("filename*=utf-8''%ff; filename=plain.txt", "plain.txt"),
        ("filename*=klingon''a; filename=plain.txt", "plain.txt"),
        ('filename="C:\\Users\\new\\report.txt"', "report.txt"),
        ('filename="a\\"b.txt"', 'a"b.txt'),
        ('filename=""', ""),
        ("filename=my file.txt", "my file.txt"),
    ],
)
def test_a_file_has_the_name_that_its_client_gave(parameters: str, filename: str) -> None:
    body = one_part(f'form-data; name="f"; {parameters}', b"\xff\xfe")
    (file,) = decode_multipart(body, "B")["files"]["f"]
    assert (file["filename"], file["data"]) == (filename, b"\xff\xfe")


def test_a_backslash_in_a_name_comes_back() -> None:
    for name in ("a\\b", "a\\", "\\\\x", "c:\\d"):
        data, content_type = encode({name: "1"}, "multipart/form-data")
        assert decode(data, content_type)["values"] == {name: ["1"]}
    assert decode_multipart(one_part('form-data; name="a\\b"'), "B")["values"] == {"a\\b": ["x"]}


@pytest.mark.parametrize(
    ("coding", "content", "data"),
    [
        ("base64", b"aGVs\r\nbG8=", b"hello"),
        ("Quoted-Printable", b"a=3Db=\r\nc", b"a=bc"),
        ("8bit", b"aGVs", b"aGVs"),
        ("binary", b"\xff", b"\xff"),
    ],
)
def test_a_part_is_taken_out_of_its_transfer_encoding(
    coding: str, content: bytes, data: bytes
) -> None:
    more = f"Content-Transfer-Encoding: {coding}\r\n"
    body = one_part("form-data; name=f; filename=x", content, more)
    (file,) = decode_multipart(body, "B")["files"]["f"]
    assert (file["data"], file["size"]) == (data, len(data))


@pytest.mark.parametrize("line", [b"--Bx", b"--B-", b"--B--x", b"--Bx--", b"--", b"--B x"])
def test_a_line_that_begins_like_the_boundary_is_content(line: bytes) -> None:
    content = b"a\r\n" + line + b"\r\nb"
    found = decode_multipart(one_part("form-data; name=a", content), "B")
    assert found["values"] == {"a": [content.decode()]}


@pytest.mark.parametrize(
    "body",
    [
        b"--X\r\nContent-Disposition: form-data; name=lost\r\n\r\n1\r\n"
        + one_part("form-data; name=a"),
        b"--BB\r\n\r\n" + one_part("form-data; name=a"),
        one_part("form-data; name=a; filename*=utf-8''%ff"),
        one_part("form-data; name=a", b"?", "Content-Transfer-Encoding: base64\r\n"),
        one_part("form-data; name=a", b"?", "Content-Transfer-Encoding: x-uuencode\r\n"),
        b"--B\r\n--B--",
    ],
)
def test_a_part_that_would_be_lost_is_rejected(body: bytes) -> None:
    with pytest.raises(RequestError):
        decode_multipart(body, "B")


def test_parameters_of_a_media_type() -> None:
    header = 'Multipart/Form-Data ; BOUNDARY="a;\\"b" ; x=y'
    assert media_type(header) == "multipart/form-data"
    assert parameter(header, "boundary") == 'a;"b'
    assert parameter(header, "x") == "y"
    assert parameter(header, "z") is None


TEXT = b"heddle " * 20_000


@pytest.mark.parametrize("coding", OFFERS)
def test_codings_there_and_back(coding: str) -> None:
    packed = pack(TEXT, coding)
    assert len(packed) < len(TEXT) / 10
    assert unpack(packed, coding, None) == TEXT
    assert unpack(packed, coding.upper(), len(TEXT)) == TEXT


def test_other_ways_to_pack() -> None:
    raw = zlib.compressobj(wbits=-15)
    assert unpack(raw.compress(TEXT) + raw.flush(), "deflate", None) == TEXT
    assert unpack(gzip.compress(TEXT) + gzip.compress(b"more"), "x-gzip", None) == TEXT + b"more"
    assert unpack(gzip.compress(brotli.compress(TEXT)), "br, gzip", None) == TEXT
    assert unpack(b"as it is", "identity", None) == b"as it is"


@pytest.mark.parametrize("coding", OFFERS)
def test_bombs_are_defused(coding: str) -> None:
    bomb = pack(b"\0" * 50_000_000, coding)
    with pytest.raises(RequestError) as rejection:
        unpack(bomb, coding, 1_000_000)
    assert rejection.value.status == 413


@pytest.mark.parametrize("coding", OFFERS)
def test_cut_or_invalid_data_is_rejected(coding: str) -> None:
    packed = pack(TEXT, coding)
    for data in (packed[:-4], b"\xff\xffnonsense", b"", packed + b"\xffmore"):
        with pytest.raises(RequestError) as rejection:
            unpack(data, coding, None)
        assert rejection.value.status == 400


@pytest.mark.parametrize("header", ["zstd", "gzip, compress", "gzip, gzip, gzip"])
def test_unknown_codings_are_rejected(header: str) -> None:
    with pytest.raises(RequestError) as rejection:
        unpack(b"", header, None)
    assert rejection.value.status == 415


@pytest.mark.anyio
@pytest.mark.parametrize("coding", [*OFFERS, "br, gzip"])
async def test_streams_are_unpacked_as_they_arrive(coding: str) -> None:
    packed = TEXT
    for each in coding.split(", "):
        packed = pack(packed, each)

    async def dribble(data: bytes) -> AsyncIterator[bytes]:
        for at in range(0, len(data), 11):
            yield data[at : at + 11]

    parts = [part async for part in unpack_stream(dribble(packed), coding, None)]
    assert b"".join(parts) == TEXT
    with pytest.raises(RequestError):
        _ = [part async for part in unpack_stream(dribble(packed), coding, 1000)]
    with pytest.raises(RequestError):
        _ = [part async for part in unpack_stream(dribble(packed[:-4]), coding, None)]


@pytest.mark.parametrize(
    ("header", "coding"),
    [
        ("", ""),
        ("gzip", "gzip"),
        ("gzip, deflate, br, zstd", "br"),
        ("deflate, gzip;q=1.0, *;q=0.5", "gzip"),
        ("gzip;q=0.2, deflate;q=0.8", "deflate"),
        ("*", "br"),
        ("br;q=0, *", "gzip"),
        ("identity", ""),
        ("identity;q=0.5, gzip;q=0.4", ""),
        ("identity;q=0.5, gzip", "gzip"),
        ("gzip;q=0", ""),
        ("gzip;q=nonsense", ""),
        ("gzip;Q=1", "gzip"),
        ("zstd, compress", ""),
        ("*;q=0", ""),
    ],
)
def test_coding_that_the_client_likes(header: str, coding: str) -> None:
    assert choose_coding(header, OFFERS) == coding


@pytest.mark.parametrize(
    ("header", "kind", "quality"),
    [
        ("", "text/plain", 1.0),
        ("*/*", "text/plain", 1.0),
        ("text/*;q=0.3, text/plain;q=0.7", "text/plain", 0.7),
        ("text/*;q=0.3", "text/plain", 0.3),
        ("text/plain;format=flowed;q=0.5", "text/plain", 0.5),
        ("application/json, text/plain;q=0", "text/plain", 0.0),
        ("application/json", "text/plain", 0.0),
    ],
)
def test_quality_of_a_media_type(header: str, kind: str, quality: float) -> None:
    assert accepts(header, kind) == quality
