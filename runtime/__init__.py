"""What runs: packets between nodes, and the loader that keeps them as the store says.

The names are loaded when they are first asked for, so that entering the room costs nothing.
The decorator `node` is had from `heddle.runtime.kind`: here its name would be that of a module.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heddle.runtime.agent import Agent, Frame, Watch
    from heddle.runtime.codec import Build, Codec, Kind
    from heddle.runtime.errors import NOTHING, Answer, Error, Failure, Payload
    from heddle.runtime.events import Event, Events
    from heddle.runtime.extension import Extension, ExtensionError, Registry, registry
    from heddle.runtime.flow import Flow
    from heddle.runtime.generation import Generation
    from heddle.runtime.host import Host
    from heddle.runtime.language import CompileError, Language, Languages, Program
    from heddle.runtime.machine import Pending
    from heddle.runtime.node import Action, Choice, Conversation, Handler, Node, Visit
    from heddle.runtime.packet import Packet, join
    from heddle.runtime.process import Process, finish, settle
    from heddle.runtime.reader import Reader
    from heddle.runtime.runtime import NoSymbol, Runtime, Status
    from heddle.runtime.scheme import Scheme
    from heddle.runtime.shapes import many_to_one, one_to_many, one_to_one
    from heddle.runtime.shift import ShiftError
    from heddle.runtime.stream import ByteStream
    from heddle.runtime.symbol import Symbol, SymbolStatus
    from heddle.runtime.table import SymbolTable
    from heddle.runtime.tried import Loaded
    from heddle.runtime.wiring import Wired, Wiring
    from heddle.runtime.writer import Closed, Writer

_HOMES = {
    "agent": ("Agent", "Frame", "Watch"),
    "codec": ("Build", "Codec", "Kind"),
    "errors": ("NOTHING", "Answer", "Error", "Failure", "Payload"),
    "events": ("Event", "Events"),
    "extension": ("Extension", "ExtensionError", "Registry", "registry"),
    "flow": ("Flow",),
    "generation": ("Generation",),
    "host": ("Host",),
    "language": ("CompileError", "Language", "Languages", "Program"),
    "tried": ("Loaded",),
    "machine": ("Pending",),
    "node": ("Action", "Choice", "Conversation", "Handler", "Node", "Visit"),
    "packet": ("Packet", "join"),
    "process": ("Process", "finish", "settle"),
    "reader": ("Reader",),
    "runtime": ("NoSymbol", "Runtime", "Status"),
    "scheme": ("Scheme",),
    "shapes": ("many_to_one", "one_to_many", "one_to_one"),
    "shift": ("ShiftError",),
    "stream": ("ByteStream",),
    "symbol": ("Symbol", "SymbolStatus"),
    "table": ("SymbolTable",),
    "wiring": ("Wired", "Wiring"),
    "writer": ("Closed", "Writer"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "NOTHING",
    "Action",
    "Agent",
    "Answer",
    "Build",
    "ByteStream",
    "Choice",
    "Closed",
    "Codec",
    "CompileError",
    "Conversation",
    "Error",
    "Event",
    "Events",
    "Extension",
    "ExtensionError",
    "Failure",
    "Flow",
    "Frame",
    "Generation",
    "Handler",
    "Host",
    "Kind",
    "Language",
    "Languages",
    "Loaded",
    "NoSymbol",
    "Node",
    "Packet",
    "Payload",
    "Pending",
    "Process",
    "Program",
    "Reader",
    "Registry",
    "Runtime",
    "Scheme",
    "ShiftError",
    "Status",
    "Symbol",
    "SymbolStatus",
    "SymbolTable",
    "Visit",
    "Watch",
    "Wired",
    "Wiring",
    "Writer",
    "finish",
    "join",
    "many_to_one",
    "one_to_many",
    "one_to_one",
    "registry",
    "settle",
]


def __getattr__(name: str) -> Any:
    """A public name, from the file that it lives in."""
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f'heddle.runtime has no public name "{name}"')
    found = globals()[name] = getattr(import_module(f"heddle.runtime.{home}"), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
