"""The language jinja: templates over the payload, by MiniJinja, without any way into Python.

A template that cannot grow beyond its payload renders in this process; any other in a worker, for
nothing else can stop it from taking all the memory there is.
"""

from typing import Final

from heddle.runtime.assembly.language import CompileError, Language, Options, Program

MAX_CODE: Final = 100_000
"""Characters of one template."""


def _tuned(code: str, options: Options) -> Program:
    from heddle.extensions.languages.jinja.output_bound import calm
    from heddle.extensions.languages.jinja.template import TemplateProgram

    if len(code) > MAX_CODE:
        raise CompileError(f"the template is too long (expected: at most {MAX_CODE:,} characters)")
    program = TemplateProgram(code, options.condition)
    if options.isolation is None and calm(program.parts):
        return program
    from heddle.extensions.languages.workers import isolated

    return isolated("jinja", code, options)


LANGUAGE: Final = Language(
    name="jinja",
    summary="a template over the payload; a lone {{ expression }} gives its value; limited",
    compile=lambda code: _tuned(code, Options()),
    condition=lambda code: _tuned(code, Options(condition=True)),
    tuned=_tuned,
)
