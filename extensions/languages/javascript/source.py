"""Source finds out what a text is: one expression, or statements that export something."""

import re
from threading import local
from typing import Any, Final, NamedTuple

from heddle.extensions.languages.errors import ProgramError, ProgramTimeoutError
from heddle.extensions.languages.javascript import realm as realms
from heddle.extensions.languages.javascript.realm import JavaScriptSyntaxError
from heddle.runtime.assembly.language import CompileError
from heddle.runtime.flow.errors import NodeError
from heddle.schemas.errors import without_frames
from heddle.schemas.sentences import lower_first
from heddle.schemas.units import Duration

_MODULE: Final = re.compile(r"\b(?:export|import)\b")
_EXPORTS: Final = re.compile(r"\b(?:export|import|exports|require)\b")
_PLACE: Final = re.compile(r" \((\d+):(\d+)\)$")
HINT: Final = "Write export default function (payload) { … }, or one expression over payload"


class ProgramForm(NamedTuple):
    """The result of reading a text: an `expression` or a `module`, in JavaScript that the engine takes."""

    kind: str
    text: str


def shaped(code: str, typescript: bool, timeout: float, memory: int) -> ProgramForm:
    """Return the Shape of a text; CompileError at the place where it is none.

    `timeout` bounds the statements of a module, which run once here.
    """
    fault: JavaScriptSyntaxError | None = None
    if not _EXPORTS.search(code):
        try:
            return _expression(code, typescript)
        except JavaScriptSyntaxError as error:
            fault = without_frames(error)
    try:
        text = _erased(code, typescript) if typescript or _MODULE.search(code) else code
        realms.current().check("module", text)
    except JavaScriptSyntaxError as error:
        # The reading that got further is the one that was meant.
        further = fault is not None and (fault.line, fault.column) > (error.line, error.column)
        raise (fault if fault is not None and further else error).error from None
    try:
        if realms.current().probe(text, timeout, memory):
            return ProgramForm("module", text)
    except ProgramTimeoutError as error:
        raise CompileError(
            f"the statements of the module ran for longer than {Duration(timeout)}",
            line=error.line,
            hint="Move the slow code into the function: the statements run again for each packet.",
        ) from None
    except ProgramError as error:
        raise CompileError(error.message, line=error.line) from None
    except NodeError as error:
        raise CompileError(str(error)) from None
    raise CompileError("the code exports nothing", hint=HINT)


def _expression(code: str, typescript: bool) -> ProgramForm:
    body = code.rstrip().rstrip(";")
    if typescript:
        # In brackets, for what stands alone may look like a block.
        body = _erased(f"({body}\n)", True, module=False)
    realm = realms.current()
    realm.check("expression", body)
    # `1) ; (2` would fit into our brackets, but into no others.
    realm.check("expression", f"[{body}\n]")
    return ProgramForm("expression", body)


class _Eraser:
    """Sucrase, in a context of its own: it erases types, and makes exports of `export`."""

    def __init__(self) -> None:
        self._context = realms.engine().Context()
        self._context.set_max_stack_size(4 << 20)
        self._context.eval(realms.resource("vendor/sucrase.js"))
        self._transform = self._context.eval("transform")
        self._context.set_time_limit(10)
        self._context.set_memory_limit(256 << 20)

    def erased(self, code: str, typescript: bool, module: bool) -> str:
        """Return the text in JavaScript, line by line where it was; raise JavaScriptSyntaxError if it cannot be read."""
        try:
            text: str = self._transform(code, typescript, module)
        except realms.engine().JSException as error:
            _here.eraser = None
            message = str(error).partition("\n")[0]
            place = _PLACE.search(message)
            line, column = (int(place[1]), int(place[2])) if place else (0, 0)
            if place:
                message = message.removesuffix(place[0])
            at = f"\n<input>:{realms.ABOVE + line}:{column}" if line else ""
            raise JavaScriptSyntaxError(
                lower_first(message.removeprefix("SyntaxError: ")) + at, code
            ) from None
        return text


_here: Final = local()


def _erased(code: str, typescript: bool, *, module: bool = True) -> str:
    eraser: Any = getattr(_here, "eraser", None)
    if eraser is None:
        eraser = _here.eraser = _Eraser()
    text: str = eraser.erased(code, typescript, module)
    return text
