"""The names that the author of an extension needs, in one place.

    from heddle.extensions.extension import Extension, about, node

Kinds with ports of their own are built from Schema, Port, Kind, Build and Node.
"""

from heddle.runtime.assembly.codec import Build, Codec, Kind
from heddle.runtime.assembly.duty import Actor, Duty, Singleton
from heddle.runtime.assembly.extension import Extension
from heddle.runtime.assembly.kind import node
from heddle.runtime.assembly.language import (
    CompileError,
    Language,
    MissingExtraError,
    OptionError,
    Options,
    Program,
)
from heddle.runtime.flow.contracts import Host, Process
from heddle.runtime.flow.errors import NOTHING, Answer, Error, NodeError, Payload
from heddle.runtime.flow.flow import Flow
from heddle.runtime.flow.node import Action, Choice, Conversation, Handler, Node, Visit
from heddle.runtime.flow.reader import Reader
from heddle.runtime.flow.source import Source
from heddle.runtime.flow.stream import ByteStream, Stream
from heddle.runtime.flow.tasks import Tasks
from heddle.schemas.code import Code, Expression, LanguageName, Text
from heddle.schemas.field import FieldError, Fields, FieldType, about
from heddle.schemas.port import ERROR, IN, OUT, Port
from heddle.schemas.schema import Schema, TypeOfCode
from heddle.schemas.units import Duration, Interval, Size

__all__ = [
    "ERROR",
    "IN",
    "NOTHING",
    "OUT",
    "Action",
    "Actor",
    "Answer",
    "Build",
    "ByteStream",
    "Choice",
    "Code",
    "Codec",
    "CompileError",
    "Conversation",
    "Duration",
    "Duty",
    "Error",
    "Expression",
    "Extension",
    "FieldError",
    "FieldType",
    "Fields",
    "Flow",
    "Handler",
    "Host",
    "Interval",
    "Kind",
    "Language",
    "LanguageName",
    "MissingExtraError",
    "Node",
    "NodeError",
    "OptionError",
    "Options",
    "Payload",
    "Port",
    "Process",
    "Program",
    "Reader",
    "Schema",
    "Singleton",
    "Size",
    "Source",
    "Stream",
    "Tasks",
    "Text",
    "TypeOfCode",
    "Visit",
    "about",
    "node",
]
