"""The language jsonata: queries over JSON, by the reference implementation, run in QuickJS."""

from typing import TYPE_CHECKING, Any, Final

import msgspec

from heddle.extensions.languages.limits import memory_of, timeout_of
from heddle.runtime.language import CompileError, Language, Options, Program

if TYPE_CHECKING:
    from heddle.extensions.languages.javascript.realm import Realm

MAX_CODE: Final = 100_000
"""Characters of one text."""

# Gives a function that makes a program of a text, or says what is wrong with the text. An error's
# stack is made to tell the place inside the text, as the errors of other programs do.
_MAKE: Final = """
(jsonata) => (code, above) => {
  const place = (error) => {
    let at = error.position ?? 0;
    const token = String(error.token ?? "");
    if (code.slice(0, at).endsWith(token)) at -= token.length;
    const before = code.trimEnd().slice(0, at);
    const lines = before.split("\\n");
    return [lines.length, lines[lines.length - 1].length + 1];
  };
  const said = (error) => String(error.message ?? error);
  let expression;
  try {
    expression = jsonata(code);
  } catch (error) {
    return JSON.stringify([said(error), ...place(error)]);
  }
  return async (payload) => {
    try {
      const result = await expression.evaluate(payload);
      if (typeof result === "function" || result?._jsonata_lambda || result?._jsonata_function) {
        throw new Error("the result is a function, not data");
      }
      return result;
    } catch (error) {
      // Without memory the engine throws null, at which the library stumbles.
      if (error === null || / of null$/.test(error.message)) throw new InternalError("out of memory");
      if (error instanceof Error && !("position" in error)) throw error;
      const told = new Error(said(error));
      Object.defineProperty(told, "name", { value: error.code ?? "Error" });
      const [line, column] = "position" in error ? place(error) : [-above, 0];
      Object.defineProperty(told, "stack", { value: `<input>:${above + line}:${column}` });
      throw told;
    }
  };
}
"""


class QueryProgram:
    """Maps one payload to another; what it raises tells the line inside the code."""

    __slots__ = ("_code", "_handle", "_memory", "_realm", "_say", "_timeout")

    def __init__(self, code: str, options: Options) -> None:
        self._code = code
        self._timeout = timeout_of(options)
        self._memory = memory_of(options)
        self._say = options.say
        self._realm: Realm | None = None
        self._handle: Any = None
        self._enter()

    def __call__(self, payload: Any) -> Any:
        realm = self._enter()
        return realm.run(self._handle, payload, self._timeout, self._memory, self._say)

    def _enter(self) -> "Realm":
        from heddle.extensions.languages.javascript.realm import ABOVE, current

        realm = current()
        if self._realm is not realm:
            make = realm.library("jsonata", _MAKE)
            handle = realm.call(make, self._code, ABOVE)
            if isinstance(handle, str):
                message, line, column = msgspec.json.decode(handle)
                raise CompileError(message, line=line, column=column)
            self._handle, self._realm = handle, realm
        return realm


def _tuned(code: str, options: Options) -> Program:
    if len(code) > MAX_CODE:
        raise CompileError(f"the text is too long (wanted: at most {MAX_CODE:,} characters)")
    program = QueryProgram(code, options)
    if options.isolation is not None:
        from heddle.extensions.languages.workers import isolated

        return isolated("jsonata", code, options)
    return program


LANGUAGE: Final = Language(
    name="jsonata",
    summary="a JSONata query over the payload; limited",
    compile=lambda code: _tuned(code, Options()),
    tuned=_tuned,
)
