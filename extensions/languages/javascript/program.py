"""A ScriptProgram is compiled JavaScript: it enters the realm of its thread for each payload."""

from typing import Any

from heddle.extensions.languages.javascript import realm as realms
from heddle.extensions.languages.javascript.source import Shape, shaped
from heddle.extensions.languages.limits import memory_of, timeout_of
from heddle.runtime.language import Options


class ScriptProgram:
    """Maps one payload to another; what it raises tells the line inside the code."""

    __slots__ = ("_handle", "_memory", "_realm", "_say", "_shape", "_timeout")

    def __init__(self, shape: Shape, options: Options) -> None:
        self._shape = shape
        self._timeout = timeout_of(options)
        self._memory = memory_of(options)
        self._say = options.say
        self._realm: realms.Realm | None = None
        self._handle: Any = None

    def __call__(self, payload: Any) -> Any:
        realm = realms.current()
        if self._realm is not realm:
            self._handle = realm.load(*self._shape)
            self._realm = realm
        return realm.run(self._handle, payload, self._timeout, self._memory, self._say)


def compile_script(code: str, options: Options, *, typescript: bool) -> ScriptProgram:
    """The program of a text; CompileError where it is wrong, or where the engine is missing."""
    realms.engine()
    shape = shaped(code, typescript, timeout_of(options), memory_of(options))
    return ScriptProgram(shape, options)
