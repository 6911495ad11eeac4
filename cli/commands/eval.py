"""heddle eval: tries code in any language on a payload."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Never

import click

from heddle.cli.exit_codes import FAILED, CommandError
from heddle.cli.group import ExampleCommand
from heddle.cli.options import EXTENSION, JSON, options, settings_of

if TYPE_CHECKING:
    from heddle.runtime.assembly.extension import Registry
    from heddle.runtime.assembly.language import CompileError, Options

LANGUAGE = click.option(
    "-l",
    "--language",
    metavar="NAME",
    help="The language of the code; see heddle kinds.  [default: of the settings, or cel]",
)
PAYLOAD = click.option(
    "-p",
    "--payload",
    default="null",
    metavar="JSON",
    help="The payload as JSON; @FILE reads a file (JSON, or YAML by its name), - standard input.",
)
CONDITION = click.option(
    "--condition", is_flag=True, help="The code is a condition, as behind `when:`: true or false."
)
ISOLATION = click.option(
    "--isolation", type=click.Choice(["process"]), help="Run it in a worker process."
)
TIMEOUT = click.option(
    "--timeout", metavar="TIME", help="How long it may run: 500ms, 2s.  [default: the language's]"
)
MEMORY = click.option(
    "--memory",
    metavar="SIZE",
    help="How much memory it may take: 64MiB.  [default: the language's]",
)


@click.command(
    cls=ExampleCommand,
    short_help="Try code in any language on a payload.",
    examples=[
        ("An expression", """heddle eval 'self.a + 1' --payload '{"a": 1}'"""),
        ("A condition", """heddle eval --condition 'a == 3' -p '{"a": 1}'"""),
        ("A program in a file", "heddle eval -l javascript @total.js -p @order.json"),
        ("In the middle of a pipe", "curl -s localhost:8000/books | heddle eval 'size(self)' -p -"),
    ],
    shapes=[
        (
            "--json",
            (
                "{ok, language, value?, printed: [{level, text}], "
                "error?: {stage: compile or run, message, code?, data?, line?, column?, hint?}}"
            ),
        )
    ],
)
@click.argument("code", metavar="CODE")
@options(LANGUAGE, PAYLOAD, CONDITION, ISOLATION, TIMEOUT, MEMORY, EXTENSION, JSON)
def command(
    code: str,
    language: str | None,
    payload: str,
    condition: bool,
    isolation: str | None,
    timeout: str | None,
    memory: str | None,
    as_json: bool,
    config: str | None,
    extensions: tuple[str, ...],
) -> None:
    """Compile CODE (@FILE: the code in a file; -: standard input), run it, and print its result.

    A text is printed as it is, anything else as JSON. What the code prints itself goes to standard
    error. The exit code is 1 if the code is wrong or fails, and for a condition that is false.
    """
    from heddle.cli.extensions import installed
    from heddle.runtime.assembly.language import Options

    settings = settings_of(config, extensions, language=language)
    registry = installed(settings)
    if code == payload == "-":
        raise CommandError("code and payload cannot both come from standard input")
    text, file = _text(code)
    printed: list[dict[str, str]] = []

    def print_line(level: str, line: str) -> None:
        printed.append({"level": level, "text": line})
        if not as_json:
            click.echo(line, err=True)

    trial = _Trial(registry, settings.language, text, file, as_json, printed)
    trial.run(
        _payload(registry, payload),
        Options(
            timeout=_measure("--timeout", timeout),
            memory=_measure("--memory", memory),
            isolation=isolation,
            condition=condition,
            output=print_line,
        ),
    )


class _Trial:
    """One text in one language, and how its result or its failure is shown."""

    def __init__(
        self,
        registry: "Registry",
        language: str,
        text: str,
        file: str,
        as_json: bool,
        printed: list[dict[str, str]],
    ) -> None:
        self._registry = registry
        self._language = language
        self._text = text
        self._file = file
        self._as_json = as_json
        self._printed = printed

    def run(self, payload: Any, options: "Options") -> None:
        """Compile, run, show; exits with 1 if either fails, or a condition is false."""
        from heddle.runtime.assembly.language import CompileError, truthy
        from heddle.runtime.flow.step import FAILURES

        try:
            program = self._registry.scheme.languages.get(self._language).program(
                self._text, options
            )
        except CompileError as error:
            self._rejected(error)
        for hint in getattr(program, "hints", ()):
            click.echo(f"hint: {hint.message}. {hint.hint}", err=True)
        try:
            value = program(payload)
        except FAILURES as error:
            self._failed(error)
        finally:
            getattr(program, "close", lambda: None)()
        if options.condition:
            value = truthy(value)
        self._show(value)
        if options.condition and not value:
            raise click.exceptions.Exit(FAILED)

    def _show(self, value: Any) -> None:
        import msgspec

        from heddle.cli.views.output import print_json
        from heddle.runtime.flow.errors import Error

        if isinstance(value, Error):
            value = {"message": value.message, "code": value.code, "data": value.data}
        if self._as_json:
            self._print(ok=True, value=value)
        elif isinstance(value, str):
            click.echo(value)
        elif isinstance(value, bytes):
            sys.stdout.buffer.write(value)
        else:
            try:
                print_json(value)
            except (TypeError, msgspec.MsgspecError) as error:
                raise CommandError(f"the result is not plain data: {error}") from error

    def _rejected(self, error: "CompileError") -> Never:
        from heddle.cli.views.output import print_problems
        from heddle.schemas.problem import Place, Problem

        if self._as_json:
            self._print_error(
                "compile", error.message, line=error.line, column=error.column, hint=error.hint
            )
        else:
            problem = Problem(
                code="code",
                found=error.message,
                hint=error.hint,
                place=Place(self._file, error.line, error.column),
                path=self._language,
            )
            print_problems([problem], source=lambda _: self._text)
        raise click.exceptions.Exit(FAILED)

    def _failed(self, exception: BaseException) -> Never:
        from heddle.cli.views.output import complain
        from heddle.runtime.flow.errors import Error

        error = Error.of(exception)
        place = {name: getattr(exception, name, 0) for name in ("line", "column")}
        if self._as_json:
            message = getattr(exception, "message", error.message)
            self._print_error("run", message, code=error.code, data=error.data, **place)
        else:
            complain(error.message)
        raise click.exceptions.Exit(FAILED)

    def _print_error(self, stage: str, message: str, **more: Any) -> None:
        known = {name: value for name, value in more.items() if value not in (None, 0, "")}
        self._print(ok=False, error={"stage": stage, "message": message, **known})

    def _print(self, *, ok: bool, **more: Any) -> None:
        from heddle.cli.views.output import print_json

        print_json({"ok": ok, "language": self._language, "printed": self._printed, **more})


def _text(given: str) -> tuple[str, str]:
    """Return what stands there, and what to call it: the argument itself, a file, or standard input."""
    if given == "-":
        return sys.stdin.read(), "standard input"
    if given.startswith("@"):
        return Path(given[1:]).read_text("utf-8"), given[1:]
    return given, "code"


def _payload(registry: "Registry", given: str) -> Any:
    """Return the payload; CommandError with its place where it is not data."""
    from heddle.runtime.assembly.language import CompileError
    from heddle.schemas.problem import Place

    text, file = _text(given)
    language = "yaml" if file.endswith((".yaml", ".yml")) else "json"
    try:
        return registry.scheme.languages.get(language).compile(text)(None)
    except CompileError as error:
        name = "payload" if file == "code" else file
        place = Place(name, error.line, error.column)
        raise CommandError(f"{place}: {error.message} (expected: {language.upper()})") from None


def _measure(option: str, text: str | None) -> Any:
    """Return a duration in seconds, or a size in bytes; raise CommandError if it is none."""
    from heddle.schemas.field import FieldError
    from heddle.schemas.units import Duration, Size

    if text is None:
        return None
    kind = Duration if option == "--timeout" else Size
    try:
        return kind.read(text)
    except FieldError as invalid:
        raise CommandError(
            f"{option}: found {invalid.found} (expected: {invalid.expected})"
        ) from None
