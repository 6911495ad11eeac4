"""A Realm is the JavaScript world of one thread: all programs run in it, and none leaves a trace.

Everything that programs can reach in it is frozen, and each run begins with fresh variables, so one
realm serves them all: entering it costs a microsecond, if making one costs milliseconds. A realm
in which a program was stopped half-way is thrown away.
"""

import re
import sys
from collections import deque
from functools import cache
from importlib.resources import files
from itertools import count
from threading import local
from time import process_time
from typing import Any, Final

import msgspec

from heddle.extensions.languages.errors import ProgramError
from heddle.extensions.languages.javascript.bridge import from_text, to_text
from heddle.extensions.languages.limits import out_of_memory, timed_out
from heddle.runtime.assembly.language import CompileError, MissingExtraError, Output
from heddle.runtime.flow.errors import Error, NodeError

ABOVE: Final = 10_000
"""How many lines stand above the first line of every program, so that its lines are known."""

SPACE: Final = "\n" * ABOVE

_NULL: Final = '{"thrown":true,"message":"null","data":null}'
"""The text that the engine throws if it lacks the memory to make an error."""

_STACK: Final = 1 << 20
_PREPARING: Final = 10.0
"""Seconds that compiling may take."""
_ROOM: Final = 128 << 20
"""Bytes that compiling may take."""
_FRAME: Final = re.compile(r"<input>:(\d+):(\d+)")


class Realm:
    """Runs programs; `taken` is how many bytes it took when nothing ran."""

    def __init__(self) -> None:
        self.context = engine().Context()
        self.context.set_max_stack_size(_STACK)
        hand = self.context.eval(resource("prelude.js"))
        self._run, self._probe, self._take_lines, self._outcome, self._keep, self._drop = (
            hand(name) for name in ("run", "probe", "takeLines", "outcome", "keep", "drop")
        )
        self._kinds = {kind: hand(kind) for kind in ("expression", "module")}
        self._libraries: dict[str, Any] = {}
        self.libraries: dict[str, str] = {}
        self.taken = 0
        self._limits = (0.0, 0)
        self.id = next(_ids)
        self._dropped = _dropped[self.id] = deque[int]()
        self._measure()

    def load(self, kind: str, text: str) -> int:
        """Take in an `expression` or `module`: its number. Raise JavaScriptSyntaxError if the text is none."""
        self._limit(_PREPARING, _ROOM)
        number: int = self._kinds[kind](self._function(kind, text))
        self._settle()
        return number

    def check(self, kind: str, text: str) -> None:
        """SyntaxFault if the text is not an `expression` or `module`."""
        self._limit(_PREPARING, _ROOM)
        self._function(kind, text)

    def keep(self, function: Any) -> int:
        """Take in a function that a library has made: its number."""
        number: int = self._keep(function)
        self._settle()
        return number

    def probe(self, text: str, timeout: float, memory: int) -> bool:
        """Run the statements of a module once: whether they leave something to call or to give."""
        self._limit(_PREPARING, _ROOM)
        raw = self._function("module", text)
        out = self._guarded(timeout, memory, lambda: self._probe(raw))
        self._rest(timeout)
        if out[0] == "e":
            raise _failure(out[2:])
        return bool(out[0] == "y")

    def library(self, name: str, make: str) -> Any:
        """Return what `make` gives of a library: a function of its exports, as JavaScript."""
        library = self._libraries.get(name)
        self.libraries[name] = make
        if library is None:
            self._limit(_PREPARING, _ROOM)
            text = resource(f"vendor/{name}.js")
            library = self._libraries[name] = self.context.eval(
                f"(function(module,window){{(function(exports){{{text}\n}})(module.exports);"
                f"return ({make})(module.exports)}})({{exports:{{}}}},{_WINDOW})"
            )
            self._measure()
        return library

    def run(
        self,
        number: int,
        payload: Any,
        timeout: float,
        memory: int,
        send: Output,
        *,
        longs: bool = True,
    ) -> Any:
        """Return the result of a program; ProgramError or NodeError says what went wrong.

        `longs` gives it integers from 2^53 on as BigInt, not as the nearest number.
        """
        text, marked = to_text(payload, longs=longs)
        out = self._guarded(timeout, memory, lambda: self._run(number, text, marked))
        rested = self._rest(timeout)
        if out[0] == "p":
            out = self._outcome()
            if not out:
                # It may be the lack of memory that has ended its jobs.
                forget()
                raise ProgramError("the promise of the result never settles")
        if rested or out[1] == "!":
            self._set_output(send)
        kind = out[0]
        if kind == "e":
            failure = _failure(out[2:])
            if "out of memory" in str(failure) or out[2:] == _NULL:
                forget()
                raise out_of_memory(memory, getattr(failure, "line", 0))
            raise failure
        return from_text(out[2:], kind == "m")

    def call(self, function: Any, *args: Any, timeout: float = _PREPARING) -> Any:
        """Call a function of a library that works on texts."""
        return self._guarded(timeout, _ROOM, lambda: function(*args))

    def _function(self, kind: str, text: str) -> Any:
        try:
            return self.context.eval(_WRAPPERS[kind](text))
        except engine().JSException as error:
            raise JavaScriptSyntaxError(str(error), text) from None
        except ValueError as error:
            # A NUL, or half of a character pair.
            raise JavaScriptSyntaxError(f"the code cannot be read: {error}", text) from None

    def _guarded(self, timeout: float, memory: int, call: Any) -> Any:
        self._limit(timeout, memory)
        try:
            return call()
        except engine().JSException as error:
            forget()
            raise _stopped(str(error), timeout, memory) from None

    def _rest(self, timeout: float) -> bool:
        """Let everything that a run began come to its end; whether there was anything."""
        job = self.context.execute_pending_job
        try:
            if not job():
                return False
            end = process_time() + timeout
            while job():
                if process_time() > end:
                    forget()
                    raise timed_out(timeout)
        except engine().JSException as error:
            forget()
            raise _stopped(str(error), timeout, self._limits[1] - self.taken) from None
        return True

    def _set_output(self, send: Output) -> None:
        for level, text in msgspec.json.decode(self._take_lines()):
            send(level, text)

    def _limit(self, timeout: float, memory: int) -> None:
        limits = (timeout, self.taken + memory)
        if limits != self._limits:
            self.context.set_time_limit(timeout)
            self.context.set_memory_limit(limits[1])
            self._limits = limits

    def _settle(self) -> None:
        """Let go of programs that nobody has any more, and see what the others take."""
        while self._dropped:
            self._drop(self._dropped.popleft())
        self._measure()

    def _measure(self) -> None:
        self.taken = self.context.memory()["malloc_size"]


class JavaScriptSyntaxError(Exception):
    """Text that does not compile: the message, and the place inside the code."""

    def __init__(self, words: str, text: str) -> None:
        message, _, rest = words.partition("\n")
        super().__init__(message.removeprefix("SyntaxError: "))
        match = _FRAME.search(rest)
        self.line = int(match[1]) - ABOVE if match else 0
        self.column = int(match[2]) if match and self.line > 0 else 0
        lines = text.split("\n")
        if self.line > len(lines):
            # What follows the code is ours: the code itself ends too early.
            self.args = ("the code ends too early",)
            self.line, self.column = len(lines), len(lines[-1]) + 1
        self.line = max(self.line, 0)

    @property
    def error(self) -> CompileError:
        """The same for users."""
        return CompileError(str(self), line=self.line, column=self.column)


# What libraries look for in a browser. Base64 is read as Node reads it: both alphabets, and nothing
# of what belongs to neither.
_WINDOW: Final = r"""
((encode, decode) => ({
  btoa: (text) => {
    if (/[^\x00-\xff]/.test(text)) throw new RangeError("only characters up to U+00FF can be base64");
    return encode(text);
  },
  atob: (text) => {
    let clean = text.replace(/=[^]*$/, "").replace(/-/g, "+").replace(/_/g, "/").replace(/[^A-Za-z0-9+/]/g, "");
    if (clean.length % 4 === 1) clean = clean.slice(0, -1);
    return decode(clean + "=".repeat((4 - (clean.length % 4)) % 4));
  },
}))(btoa, atob)
"""

_WRAPPERS: Final = {
    "expression": lambda text: f'(function(payload,self){{"use strict";return ({SPACE}{text}\n)}})',
    "module": lambda text: (
        f'(function(module,exports,require){{"use strict";{SPACE}{text}\n'
        'return typeof main==="undefined"?undefined:main})'
    ),
}


def engine(language: str = "JavaScript", extra: str = "javascript") -> Any:
    """Return the module of QuickJS; MissingExtra if it is not installed."""
    module = sys.modules.get("_quickjs")
    if module is not None:
        return module
    try:
        # Not `quickjs`: that starts a thread, which nobody here needs.
        import _quickjs
    except ImportError:
        raise MissingExtraError(language, extra) from None
    return _quickjs


@cache
def resource(name: str) -> str:
    """Return the text of a file beside this one."""
    return files("heddle.extensions.languages.javascript").joinpath(name).read_text("utf-8")


_here: Final = local()
_ids: Final = count(1)
_dropped: Final[dict[int, deque[int]]] = {}
"""For each realm, the numbers of programs that are not needed any more."""


def current() -> Realm:
    """Return the realm of this thread; a fresh one if there is none, or the last was thrown away."""
    realm: Realm | None = getattr(_here, "realm", None)
    if realm is None:
        spare: Realm | None = getattr(_here, "spare", None)
        realm = spare or Realm()
        _here.spare = None
        _here.realm = realm
    return realm


def reserve() -> None:
    """Have a realm at hand for when this thread's has to be thrown away: making one takes a while."""
    spare: Realm | None = getattr(_here, "spare", None)
    if spare is None:
        spare = _here.spare = Realm()
    for name, make in current().libraries.items():
        spare.library(name, make)


def forget() -> None:
    """Throw the realm of this thread away: a program was stopped in it."""
    realm: Realm | None = getattr(_here, "realm", None)
    if realm is not None:
        _dropped.pop(realm.id, None)
        _here.realm = None


def drop(realm: int, number: int) -> None:
    """Drop a program that is not needed any more; any thread may call it."""
    numbers = _dropped.get(realm)
    if numbers is not None:
        numbers.append(number)


def line_of(stack: str) -> int:
    """Return the line inside the code if an error arose; 0 if the stack does not tell."""
    for match in _FRAME.finditer(stack):
        line = int(match[1]) - ABOVE
        if line > 0:
            return line
    # What begins with a constant is told to stand where our own first line does.
    return 1 if "(<input>:1:" in stack else 0


def _stopped(text: str, timeout: float, memory: int) -> ProgramError:
    line = line_of(text)
    if "interrupted" in text:
        return timed_out(timeout, line)
    if "out of memory" in text or text.startswith("null"):
        return out_of_memory(memory, line)
    return ProgramError(text.partition("\n")[0], line=line)


def _failure(text: str) -> ProgramError | NodeError:
    """Return what a program threw; what has a code or data of its own is an Error of its making."""
    value = msgspec.json.decode(text)
    line = line_of(value.get("stack", ""))
    if "code" in value or "data" in value:
        message = value.get("plain") or value["message"]
        return NodeError(Error(message, code=value.get("code", "thrown"), data=value.get("data")))
    return ProgramError(value["message"], line=line)
