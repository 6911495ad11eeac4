"""A RealmProgram is compiled code that enters the realm of its thread for each payload."""

from collections.abc import Callable
from typing import Any, Final

from heddle.extensions.languages.errors import ProgramTimeoutError
from heddle.extensions.languages.javascript import realm as realms
from heddle.extensions.languages.javascript.realm import Realm
from heddle.extensions.languages.javascript.source import shaped
from heddle.extensions.languages.limits import memory_of, timeout_of
from heddle.extensions.languages.offload import HOLD, Leave, leave_of
from heddle.runtime.assembly.language import Options

STATEMENTS: Final = 0.05
"""Seconds that the statements of a module may take when its text is compiled."""


class RealmProgram:
    """Maps one payload to another; what it raises tells the line inside the code.

    `load` takes the code into a realm and gives its number there; it is asked once for each realm.
    """

    __slots__ = ("_hold", "_leave", "_load", "_loaded", "_longs", "_memory", "_output", "leaves")

    def __init__(
        self,
        load: Callable[[Realm], int],
        options: Options,
        leave: Leave | None = None,
        *,
        longs: bool = True,
    ) -> None:
        """`leave` is how it goes on in a worker when it would hold the event loop.

        `longs` gives it integers from 2^53 on as BigInt, not as the nearest number.
        """
        self._leave = leave
        self._longs = longs
        self.leaves = leave is not None
        self._loaded = (0, 0)
        self._load = load
        self._hold = timeout_of(options) if leave is None else HOLD
        self._memory = memory_of(options)
        self._output = options.output

    def __call__(self, payload: Any) -> Any:
        leave = self._leave
        if leave is not None and leave.away:
            return leave(payload)
        realm = realms.current()
        # Read once: another thread may enter its own realm meanwhile.
        place, number = self._loaded
        if place != realm.id:
            number = self.enter(realm)
        try:
            return realm.run(
                number, payload, self._hold, self._memory, self._output, longs=self._longs
            )
        except ProgramTimeoutError:
            if leave is None:
                raise
        return leave(payload)

    def close(self) -> None:
        """Let go of the worker, if there is one."""
        if self._leave is not None:
            self._leave.close()

    def enter(self, realm: Realm) -> int:
        """Take the code into a realm: its number there."""
        number = self._load(realm)
        before, self._loaded = self._loaded, (realm.id, number)
        # Not earlier: the thread of that realm may be about to run it.
        realms.drop(*before)
        return number

    def __del__(self) -> None:
        realms.drop(*self._loaded)


def compile_script(code: str, options: Options, *, typescript: bool) -> RealmProgram:
    """Return the program of a text; raise CompileError if it is wrong, or where the engine is missing."""
    realms.engine()
    # A text is compiled on the event loop; in a worker, there is none.
    limit = min(timeout_of(options), STATEMENTS) if options.leaves else timeout_of(options)
    shape = shaped(code, typescript, limit, memory_of(options))
    leave = leave_of("typescript" if typescript else "javascript", code, options)
    if leave is not None:
        realms.reserve()
    return RealmProgram(lambda realm: realm.load(*shape), options, leave)
