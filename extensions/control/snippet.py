"""snippet: runs a piece of code on each packet."""

from typing import Annotated

from heddle.extensions.extension import (
    ERROR,
    IN,
    OUT,
    Action,
    Build,
    Code,
    Fields,
    Handler,
    Kind,
    LanguageName,
    Node,
    Program,
    Schema,
    about,
)


class Snippet(Fields):
    """What a snippet says."""

    language: Annotated[
        LanguageName,
        about("The language of the code.", examples=["text", "json", "yaml", "cel", "python"]),
    ]
    code: Annotated[Code, about("The code; it is given the payload and gives the new one.")]


class SnippetNode(Node):
    """Maps payloads with one program."""

    def __init__(self, program: Program) -> None:
        self._action = Action(program)

    def handler(self, port: str) -> Handler | None:
        """Its only in port."""
        return self._action if port == "in" else None


def compile_snippet(fields: Snippet, build: Build) -> Node:
    """Compile the code once; a mistake in it is a Problem at its line."""
    return SnippetNode(build.code(fields.language, fields.code, "code"))


SNIPPET = Kind(
    Schema(
        kind="snippet",
        fields=Snippet,
        summary="Runs a piece of code on each packet.",
        category="control",
        ins=(IN,),
        outs=(OUT, ERROR),
        example="""\
- kind: snippet
  name: greet
  language: cel
  code: "'Hello, ' + self.name + '!'"
""",
        details="""\
The program is given the payload and its result goes to `out`; with nothing linked there, the result
is the answer. `text`, `json` and `yaml` are constants: the code itself is the result. An exception
goes to `error`, with its line in the code.

Code is compiled when the spec is loaded: a mistake in it refuses the change, at its line.
""",
    ),
    compile_snippet,
)
