"""heddle kinds, schema, graph, version and completion: looking, and changing nothing."""

import json
from pathlib import Path

import pytest

from heddle import __version__
from tests.cli.support import PING, heddle, ran, ran_json


def test_kinds_lists_every_kind_with_what_it_is_for() -> None:
    shown = ran("kinds")
    said = ran_json("kinds")
    for one in said["kinds"]:
        assert one["kind"] in shown
        assert one["summary"] in shown
    assert {"kind", "category", "summary", "extension"} == set(said["kinds"][0])
    assert "text" in [one["language"] for one in said["languages"]]


def test_one_kind_is_shown_with_fields_ports_and_an_example() -> None:
    shown = ran("kinds", "router")
    assert "Fields" in shown
    assert "routes" in shown
    assert "Example" in shown
    said = ran_json("kinds", "router")
    assert said["extension"] == "net"
    assert "routes" in [field["path"] for field in said["fields"]]


@pytest.mark.parametrize("command", ["kinds", "schema"])
def test_an_unknown_kind_names_the_nearest(command: str) -> None:
    result = heddle(command, "ruter")
    assert result.exit_code == 1
    assert 'no kind "ruter". Did you mean "router"?' in result.stderr


def test_schema_is_of_whole_files_or_of_one_kind(tmp_path: Path) -> None:
    whole = json.loads(ran("schema"))
    assert "kind.router" in whole["definitions"]
    assert json.loads(ran("schema", "router"))["title"] == "router"
    file = tmp_path / "heddle.schema.json"
    assert ran("schema", "-o", file) == ""
    assert json.loads(file.read_text()) == whole


def test_graph_draws_in_the_form_that_is_asked_for(tmp_path: Path) -> None:
    flow = tmp_path / "ping.yaml"
    flow.write_text(PING)
    assert ran("graph", flow).startswith("flowchart LR")
    assert ran("graph", flow, "--direction", "down").startswith("flowchart TB")
    assert ran("graph", "-", "--format", "dot", stdin=PING).startswith("digraph")
    picture = tmp_path / "flow.svg"
    ran("graph", flow, "-o", picture)
    assert picture.read_text().lstrip().startswith("<svg")


def test_graph_does_not_write_mermaid_into_a_picture(tmp_path: Path) -> None:
    (tmp_path / "ping.yaml").write_text(PING)
    result = heddle("graph", tmp_path / "ping.yaml", "-o", tmp_path / "ping.png")
    assert result.exit_code == 2
    assert "cannot be drawn as .png: give a name that ends in .svg" in result.stderr
    assert not (tmp_path / "ping.png").exists()


def test_graph_draws_what_can_be_read_and_tells_the_rest(tmp_path: Path) -> None:
    result = heddle("graph", "-", stdin=PING + "- name: half\n")
    assert result.exit_code == 1
    assert "pong" in result.stdout
    assert "error[shape]" in result.stderr


def test_a_file_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    result = heddle("schema", "-o", tmp_path / "none" / "file.json")
    assert result.exit_code == 1
    assert "no such file or directory" in result.stderr
    assert result.stderr.count("\n") == 1


def test_version_tells_what_a_bug_report_needs() -> None:
    said = ran_json("version")
    assert said["version"] == __version__
    assert set(said) == {"version", "python", "platform", "extensions"}
    assert "net" in [one["name"] for one in said["extensions"]]
    assert f"heddle {__version__}" in ran("version")
    assert __version__ in ran("--version")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_ask_heddle(shell: str) -> None:
    script = ran("completion", shell)
    assert "_HEDDLE_COMPLETE" in script
    assert f"{shell}_complete" in script


def test_completion_completes_commands_and_flags() -> None:
    def complete(words: str, number: int) -> list[str]:
        env = {"_HEDDLE_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(number)}
        return [line.partition(",")[2] for line in heddle(env=env).stdout.splitlines()]

    assert complete("heddle ch", 1) == ["check"]
    assert complete("heddle get sp", 2) == ["specs"]
    assert "--json" in complete("heddle get specs --j", 3)


def test_graph_gives_its_nodes_and_links_to_programs(tmp_path: Path) -> None:
    text = "- {kind: nop, name: a, ports: {out: [{name: b, port: in}, {name: nobody, port: in}]}}\n"
    said = ran_json("graph", "-", stdin=text + "- {kind: nop, name: b}\n")
    a, b, nobody = said["nodes"]
    assert [(one["name"], one["kind"], one["waiting"]) for one in said["nodes"]] == [
        ("a", "nop", False),
        ("b", "nop", False),
        ("nobody", "waiting", True),
    ]
    assert said["links"] == [
        {"from": a["id"], "port": "out", "to": b["id"], "in": "in"},
        {"from": a["id"], "port": "out", "to": nobody["id"], "in": "in"},
    ]
    assert nobody["id"] == "default/nobody"


def test_graph_labels_the_edges_of_a_router_with_its_routes() -> None:
    text = (
        "- kind: router\n  name: r\n  routes:\n"
        "    - {method: GET, path: '/tasks/{id:integer}', to: a}\n"
        "    - {method: put, path: '/tasks/:id', to: a}\n"
        "    - {method: GET, path: '/files/*', port: 'out[0]'}\n"
        "  ports: {'out[0]': {name: a}}\n"
        "- {kind: nop, name: a}\n"
    )
    links = ran_json("graph", "-", stdin=text)["links"]
    assert [(one["port"], one["label"]) for one in links] == [
        ("out[0]", "GET /files/*"),
        ("to", "GET /tasks/{id}, PUT /tasks/{id}"),
    ]
    assert '|"GET /tasks/{id}, PUT /tasks/{id}"|' in ran("graph", "-", stdin=text)
    assert 'label="GET /files/*"' in ran("graph", "-", "--format", "dot", stdin=text)
    assert ">GET /files/*</text>" in ran("graph", "-", "--format", "svg", stdin=text)
    assert "r.to (GET /tasks/{id}, PUT /tasks/{id})" in ran(
        "graph", "-", "--format", "svg", stdin=text
    )


def test_graph_draws_nothing_where_nothing_can_be_read() -> None:
    result = heddle("graph", "nope.yaml")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "nope.yaml" in result.stderr
    said = ran_json("graph", "nope.yaml")
    assert said["ok"] is False
    assert said["problems"][0]["file"] == "nope.yaml"


def test_completion_gives_its_script_as_json() -> None:
    said = ran_json("completion", "bash")
    assert said["shell"] == "bash"
    assert "_HEDDLE_COMPLETE" in said["script"]


@pytest.mark.parametrize(
    ("words", "error", "code"),
    [
        (("get", "specs", "--store", "nope"), "nope", 1),
        (("kinds", "nopp"), 'no kind "nopp"', 1),
        (("schema", "nopp"), 'no kind "nopp"', 1),
        (("get", "specs", "--yaml"), "give --json or --yaml", 2),
        (("get", "specs", "-n", "no such"), "is not a namespace", 2),
    ],
)
def test_failures_are_json_where_json_is_wanted(
    words: tuple[str, ...], error: str, code: int
) -> None:
    result = heddle(*words, "--json")
    said = json.loads(result.stdout)
    assert said["ok"] is False
    assert error in said["error"]
    assert result.exit_code == code
    assert heddle(*words).stdout == "" or "--yaml" in words


BROKEN = """\
from heddle.extensions.extension import Extension

def register(extension: Extension) -> None:
    extension.kinds("no_such_package", {"crooked": "module:KIND"})
"""


def test_a_broken_kind_of_an_extension_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "crooked_kinds.py").write_text(BROKEN)
    monkeypatch.syspath_prepend(str(tmp_path))
    told = "extension crooked_kinds, kind crooked: cannot be described: ModuleNotFoundError"
    for words in (["kinds"], ["schema"], ["kinds", "--json"]):
        result = heddle(*words, "-x", "crooked_kinds")
        assert result.exit_code == 1
        assert told in result.stderr
        assert "router" in result.stdout
    [broken] = ran_json("kinds", "-x", "crooked_kinds")["broken"]
    assert (broken["extension"], broken["kind"]) == ("crooked_kinds", "crooked")
    for words in (["kinds", "crooked"], ["schema", "crooked"]):
        result = heddle(*words, "-x", "crooked_kinds")
        assert (result.exit_code, result.stdout) == (1, "")
        assert told in result.stderr
    assert heddle("kinds", "router", "-x", "crooked_kinds").exit_code == 0
