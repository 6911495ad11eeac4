"""The page of a kind tells all that its declaration says, in Markdown and on a terminal."""

from heddle.schemas.page import by_category, common_page, describe, gaps, index, markdown, terminal
from tests.schemas.kinds import ALL, BATCH, BLOCK, LISTENER, ROUTER, SNIPPET, SWITCH


def test_a_page_as_data_has_every_field_and_port() -> None:
    page = describe(ROUTER)
    assert [(row["path"], row["type"], row["required"]) for row in page["fields"]] == [
        ("routes", "list of mapping", True),
        ("routes[].method", "GET or POST or DELETE", True),
        ("routes[].path", "text", True),
        ("routes[].port", "text", False),
    ]
    assert page["ports"]["out"][0] == {
        "name": "out",
        "indexed": True,
        "help": "Where the chosen packet goes.",
    }
    assert page["example"].startswith("kind: router\n")


def test_defaults_stand_as_people_write_them() -> None:
    rows = {row["path"]: row for row in describe(LISTENER)["fields"]}
    assert rows["timeout"]["default"] == "30s"
    assert rows["port"]["limits"] == "from 0 to 65535"
    assert "default" not in rows["port"]
    assert "default" not in rows["headers"]
    assert describe(SWITCH)["fields"][-1]["limits"] == "more than 0s"
    assert rows["tls.cert"]["help"] == "Certificate, PEM."


def test_nested_fields_are_told_once_even_where_they_hold_themselves() -> None:
    paths = [row["path"] for row in describe(BATCH)["fields"]]
    assert "tree.leaves" in paths
    assert "tree.leaves[].leaves" not in paths
    assert [path for path in paths if path.startswith("window.")] == [
        "window.by",
        "window.size",
        "window.by",
        "window.every",
    ]


def test_the_markdown_page_has_tables_and_the_example() -> None:
    text = markdown(ROUTER)
    assert text.startswith("# router\n\nChooses by method and path.\n")
    assert (
        "| `routes[].path` | text, that matches ^/ | must be written | Pattern of the path. |"
        in text
    )
    assert "| `out[0], out[1], …` | out | Where the chosen packet goes. |" in text
    assert "```yaml\nkind: router\n" in text
    assert text.endswith("A path may hold `:name` and `*`.\n")


def test_a_bar_in_a_cell_is_escaped() -> None:
    for line in markdown(BATCH).splitlines():
        if line.startswith("|"):
            assert line.replace("\\|", "").count("|") in (4, 5)


def test_the_terminal_page_fits_its_width() -> None:
    text = terminal(LISTENER, width=60)
    assert "  port (whole number, from 0 to 65535, must be written)" in text
    assert "  timeout (duration, default 30s)" in text
    assert "      Port to listen on. For example `8000`." in text
    assert "out error: Errors of this node" in text
    assert all(len(line) <= 72 for line in text.splitlines())


def test_ports_that_depend_on_fields_are_said_to() -> None:
    for text in (markdown(BLOCK), terminal(BLOCK)):
        assert "Its ports depend on what is written." in text


def test_kinds_are_listed_by_category() -> None:
    assert {
        name: [schema.kind for schema in group] for name, group in by_category(ALL).items()
    } == {
        "net": ["listener", "router"],
        "other": ["batch", "block", "snippet", "switch"],
    }
    assert "- [router](router.md): Chooses by method and path." in index(ALL)


def test_the_common_fields_have_a_page_too() -> None:
    text = common_page()
    for name in ("kind", "env.*.data", "ports.*[].port", "secret"):
        assert f"| `{name}` |" in text
    assert "- `init`: " in text


def test_what_a_declaration_leaves_unsaid_can_be_asked() -> None:
    assert gaps(ROUTER) == []
    assert gaps(SNIPPET) == ["there is no category", "there is no example"]
