"""The language jsonata: queries over JSON, by the reference implementation, run in QuickJS."""

from typing import TYPE_CHECKING, Final

import msgspec

from heddle.runtime.assembly.language import CompileError, Language, Options, Program

if TYPE_CHECKING:
    from heddle.extensions.languages.javascript.program import RealmProgram
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
      const result = await expression.evaluate(payload ?? undefined);
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


def compile_query(code: str, options: Options) -> "RealmProgram":
    """Return the program of a query; raise CompileError if it is wrong, or where the engine is missing."""
    from heddle.extensions.languages.javascript.program import RealmProgram
    from heddle.extensions.languages.javascript.realm import ABOVE, current, engine, reserve
    from heddle.extensions.languages.offload import leave_of

    engine("JSONata", "jsonata")
    if len(code) > MAX_CODE:
        raise CompileError(f"the text is too long (expected: at most {MAX_CODE:,} characters)")

    def load(realm: "Realm") -> int:
        made = realm.call(realm.library("jsonata", _MAKE), code, ABOVE)
        if isinstance(made, str):
            message, line, column = msgspec.json.decode(made)
            raise CompileError(message, line=line, column=column)
        return realm.keep(made)

    leave = leave_of("jsonata", code, options)
    program = RealmProgram(load, options, leave, longs=False)
    program.enter(current())
    if leave is not None:
        reserve()
    return program


def _tuned(code: str, options: Options) -> Program:
    program = compile_query(code, options)
    if options.isolation is None:
        return program
    from heddle.extensions.languages.workers import isolated

    return isolated("jsonata", code, options)


LANGUAGE: Final = Language(
    name="jsonata",
    summary="a JSONata query over the payload; limited",
    compile=lambda code: _tuned(code, Options()),
    tuned=_tuned,
)
