"""The languages javascript and typescript, run by QuickJS inside this process.

Their machinery is imported when the first text is compiled.
"""

from typing import Final

from heddle.runtime.assembly.language import Language, Options, Program


def _script(code: str, options: Options, typescript: bool) -> Program:
    if options.isolation is not None:
        from heddle.extensions.languages.workers import isolated

        _script(code, Options(timeout=options.timeout, memory=options.memory), typescript)
        return isolated("typescript" if typescript else "javascript", code, options)
    from heddle.extensions.languages.javascript.program import compile_script

    return compile_script(code, options, typescript=typescript)


def _javascript(code: str, options: Options) -> Program:
    return _script(code, options, False)


def _typescript(code: str, options: Options) -> Program:
    return _script(code, options, True)


JAVASCRIPT: Final = Language(
    name="javascript",
    summary="an expression over payload, or a module with export default; limited",
    compile=lambda code: _javascript(code, Options()),
    tuned=_javascript,
)
TYPESCRIPT: Final = Language(
    name="typescript",
    summary="JavaScript with types, which are erased and not checked; limited",
    compile=lambda code: _typescript(code, Options()),
    tuned=_typescript,
)
