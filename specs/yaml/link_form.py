"""The canonical form of links: short targets if they say the same, or one mapping a line."""

from typing import Any, Final

from heddle.schemas.link import Link, LinkStyle, parse_target
from heddle.specs.yaml.tree import Entry, Tree, TreeStream

LINK: Final = ("id", "name", "port")
"""The keys of a link, in canonical order."""


class Targets(list[str]):
    """The short targets of one port, which stand in brackets on its line."""


def is_plain(tree: Tree) -> bool:
    """Return whether there is nothing in it that needs a line of its own."""
    return (
        not tree.tail
        and tree.style not in ("|", ">")
        and all(
            not entry.before and not entry.beside and is_plain(entry.value)
            for entry in tree.entries
        )
    )


def is_anchored(tree: Tree) -> bool:
    """Return whether something in it has an anchor, or leads to one: its order is of meaning then."""
    return any(
        each.anchor or each.sort == "alias" or is_anchored(each)
        for entry in tree.entries
        for each in (entry.key, entry.value)
        if each is not None
    )


def arrange_links(port: Entry, links: LinkStyle) -> None:
    """Write the links of a port: short targets on the line of the port, or one link a line, each with its port."""
    value = port.value
    if value.anchor or value.sort == "alias" or is_anchored(value):
        return
    if links != "keep" or value.sort == "mapping" or _is_null(value):
        _enlist(port)
    value = port.value
    if value.sort != "sequence":
        return
    for item in value.entries:
        if links == "short":
            item.value = _shortened(item.value)
        elif links == "long":
            item.value = _lengthened(item.value)
        _arrange_link(item.value)
    if links != "keep" or not all(item.value.sort == "scalar" for item in value.entries):
        value.style = "" if value.entries else "flow"
    if links == "short" and value.entries and is_plain(value):
        _pull_up(port)


def _enlist(port: Entry) -> None:
    """Have the links of a port stand in a list, also one alone or none."""
    value = port.value
    if value.sort == "sequence":
        return
    result = Tree("sequence", value.start, value.start, value.end)
    if _is_null(value):
        result.style = "flow"
    else:
        result.entries = [Entry(None, value, value.start, value.line, 0)]
    port.value = result


def _is_null(value: Tree) -> bool:
    plain = value.sort == "scalar" and not value.tag and not value.style
    return plain and value.text in ("", "null", "~")


def _arrange_link(link: Tree) -> None:
    """Bring a long link into order, with its port."""
    keys = {entry.key.text: entry for entry in link.entries if entry.key is not None}
    if link.sort != "mapping" or not keys.keys() <= set(LINK):
        return
    if "port" not in keys:
        keys["port"] = Entry(_scalar("port"), _scalar("in"), 0, 0, 0)
    link.entries = [keys[name] for name in LINK if name in keys]
    if not link.tail and not any(entry.before or entry.beside for entry in link.entries):
        link.style = "flow"


def _pull_up(port: Entry) -> None:
    """Write short targets on the line of their port: one without its list, several in brackets."""
    links = port.value
    if any(item.value.sort != "scalar" for item in links.entries):
        return
    if len(links.entries) == 1:
        port.value = links.entries[0].value
    else:
        # Without a span it is not taken for a list that goes over several lines.
        links.start = links.end = 0
        links.style = "flow"


def _shortened(link: Tree) -> Tree:
    """Return a link as a short target if that says the same, and no comment is lost."""
    if link.sort == "scalar":
        short = parse_target(link.text).short if not link.tag else None
        return link if short in (None, link.text) else _scalar(str(short))
    values = {entry.key.text: entry.value for entry in link.entries if entry.key is not None}
    if link.sort != "mapping" or link.tag or "name" not in values or not is_plain(link):
        return link
    if not values.keys() <= {"name", "port"} or len(values) != len(link.entries):
        return link
    if any(each.sort != "scalar" or each.tag for each in values.values()):
        return link
    port = values["port"].text if "port" in values else "in"
    short = Link(values["name"].text, None, port).short
    return link if short is None else _scalar(short)


def _lengthened(link: Tree) -> Tree:
    """Return a short target as a mapping."""
    if link.sort != "scalar" or link.tag:
        return link
    target = parse_target(link.text)
    pairs = (("name", target.name or ""), ("port", target.port))
    entries = [Entry(_scalar(key), _scalar(text), 0, 0, 0) for key, text in pairs]
    return Tree("mapping", 0, 0, 0, style="flow", entries=entries)


def _scalar(text: str) -> Tree:
    # With a style it gets the quotes that it needs, and only those.
    return Tree("scalar", 0, 0, 0, text=text, line=0, style='"')


# --- in JSON ---------------------------------------------------------------------------------


def arranged_links(links: Any, style: LinkStyle) -> Any:
    if style == "keep" and isinstance(links, str):
        return links
    values = links if isinstance(links, list) else [links] if links is not None else []
    result = [_arranged_link(link, style) for link in values]
    return result[0] if style == "short" and len(result) == 1 and _is_text(result[0]) else result


def _arranged_link(link: Any, style: LinkStyle) -> Any:
    if isinstance(link, str) and style == "long":
        target = parse_target(link)
        link = {"name": target.name, "port": target.port}
    if isinstance(link, str) and style == "short":
        return parse_target(link).short or link
    if not isinstance(link, dict) or not link.keys() <= set(LINK):
        return link
    short = Link(link["name"], None, link.get("port", "in")).short if "name" in link else None
    if style == "short" and short is not None and "id" not in link:
        return short
    return {key: {"port": "in", **link}[key] for key in LINK if key in link or key == "port"}


def _is_text(data: Any) -> bool:
    return isinstance(data, str)


# --- as they stand in a text ---


def has_short_links(entry: Tree, stream: TreeStream) -> bool:
    """Return whether an entry, or else the first one with links, writes them short; True if none has any."""
    roots = [each.root for each in stream.documents if each.root is not None]
    others = [
        each
        for root in roots
        for each in ([i.value for i in root.entries] if root.sort == "sequence" else [root])
    ]
    for each in (entry, *others):
        links = [
            link
            for field in each.entries
            if field.key is not None and field.key.text == "ports"
            for port in field.value.entries
            for link in _links(port.value)
        ]
        if links:
            return any(link.sort == "scalar" for link in links)
    return True


def _links(value: Tree) -> list[Tree]:
    """Return the links of a port, in whatever form they stand."""
    shown = value.target or value
    if shown.sort == "sequence":
        return [item.value for item in shown.entries]
    return [] if _is_null(shown) else [shown]


# --- in plain data ------------------------------------------------------------------------------


def shortened(data: Any) -> Any:
    """Return links, as a Spec has them, as short targets, as far as those can say it."""
    if isinstance(data, list):
        return _brought_together([shortened(each) for each in data])
    if isinstance(data, dict) and data.keys() <= {"name", "port"} and "name" in data:
        return Link(**data).short or data
    return data


def short_ports(ports: dict[str, list[Any]]) -> dict[str, Any]:
    """Return what stands under `ports` in canonical form."""
    return {
        port: _brought_together(arranged_links(links, "short")) for port, links in ports.items()
    }


def _brought_together(links: Any) -> Any:
    """Return a list of short targets as Targets, and other links as they are."""
    several = isinstance(links, list) and bool(links) and all(map(_is_text, links))
    return Targets(links) if several else links
