"""A page that shows an OpenAPI document: made here, whole in itself, so it works without the network."""

import json
from collections.abc import Iterator
from html import escape
from typing import Any, Final

from heddle.schemas.ascii import upper

_STYLE: Final = """
:root{color-scheme:light dark;--line:#8884;--soft:#8881}
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
h1 small{font-weight:400;opacity:.6}h2{margin:2rem 0 .5rem;font-size:1.1rem}
details{border:1px solid var(--line);border-radius:6px;margin:.5rem 0}
summary{cursor:pointer;padding:.5rem .75rem;display:flex;gap:.75rem;align-items:baseline}
details>div{padding:0 .75rem .75rem}summary span{opacity:.75}.old code{text-decoration:line-through}
b.method{min-width:4.2rem;text-align:center;border-radius:4px;color:#fff;font:600 12px/1.8 monospace}
.get{background:#2f7fd6}.post{background:#2a8a4a}.put,.patch{background:#b06f00}.delete{background:#c22f45}
.head,.options,.trace{background:#666}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.25rem .5rem;border-top:1px solid var(--line);vertical-align:top}
pre{background:var(--soft);padding:.5rem;overflow:auto;border-radius:4px;margin:.25rem 0}h3{font-size:.9rem;margin:.75rem 0 .25rem}
"""


def page_of(document: dict[str, Any], source: str) -> str:
    """Return the HTML of a document; `source` is the address of the document itself."""
    info = document["info"]
    title = escape(info["title"])
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>",
        '<meta name=viewport content="width=device-width,initial-scale=1">',
        f"<title>{title}</title><style>{_STYLE}</style>",
        f"<h1>{title} <small>{escape(str(info['version']))}</small></h1>",
        f"<p>{escape(info.get('description', ''))}</p>",
        f'<p><a href="{escape(source)}">OpenAPI {escape(document["openapi"])}</a></p>',
    ]
    groups: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            tag = (operation.get("tags") or [""])[0]
            groups.setdefault(tag, []).append("".join(_operation(path, method, operation)))
    for tag, operations in groups.items():
        parts += [f"<h2>{escape(tag)}</h2>" if tag else "", *operations]
    schemas = document["components"]["schemas"]
    if schemas:
        parts.append("<h2>Schemas</h2>")
        parts += [
            f'<details id="{escape(name)}"><summary><code>{escape(name)}</code></summary>'
            f"<div>{_code(schema)}</div></details>"
            for name, schema in schemas.items()
        ]
    return "".join(parts)


def _operation(path: str, method: str, operation: dict[str, Any]) -> Iterator[str]:
    """Yield the parts of one operation."""
    old = " class=old" if operation.get("deprecated") else ""
    yield (
        f'<details id="{escape(operation["operationId"])}"{old}><summary>'
        f'<b class="method {escape(method)}">{escape(upper(method))}</b>'
        f"<code>{escape(path)}</code><span>{escape(operation.get('summary', ''))}</span></summary><div>"
    )
    if operation.get("description"):
        yield f"<p>{escape(operation['description'])}</p>"
    if operation.get("security"):
        ways = " or ".join(
            " and ".join(way) or "nobody in particular" for way in operation["security"]
        )
        yield f"<p>Authentication: {escape(ways)}</p>"
    if operation.get("parameters"):
        yield "<h3>Parameters</h3><table>"
        for each in operation["parameters"]:
            must = " (required)" if each.get("required") else ""
            yield (
                f"<tr><td><code>{escape(each['name'])}</code><br>{escape(each['in'])}{must}</td>"
                f"<td>{escape(each.get('description', ''))}{_code(each['schema'])}</td></tr>"
            )
        yield "</table>"
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        yield f"<h3>Body: {escape(media)}</h3>{_code(content['schema'])}"
    yield "<h3>Responses</h3><table>"
    for status, response in operation["responses"].items():
        contents = response.get("content", {}).items()
        shown = "".join(f"{escape(media)}{_code(each['schema'])}" for media, each in contents)
        yield f"<tr><td>{escape(status)}</td><td>{escape(response['description'])} {shown}</td></tr>"
    yield "</table></div></details>"


def _code(schema: Any) -> str:
    return f"<pre>{escape(json.dumps(schema, indent=2, ensure_ascii=False))}</pre>"
