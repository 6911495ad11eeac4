"""What is well formed: one declaration a kind gives checks, defaults, editors' help and the docs."""

from heddle.schemas.check import check, decode, in_order, unknown_kind
from heddle.schemas.code import Code, Expression, LanguageName, Text
from heddle.schemas.field import Fields, FieldType, Unfit, about
from heddle.schemas.port import ERROR, IN, LIFECYCLE, OUT, Port, canonical, find_port, parse_port
from heddle.schemas.schema import Ports, Schema
from heddle.schemas.units import Duration, Interval, Size

__all__ = [
    "ERROR",
    "IN",
    "LIFECYCLE",
    "OUT",
    "Code",
    "Duration",
    "Expression",
    "FieldType",
    "Fields",
    "Interval",
    "LanguageName",
    "Port",
    "Ports",
    "Schema",
    "Size",
    "Text",
    "Unfit",
    "about",
    "canonical",
    "check",
    "decode",
    "find_port",
    "in_order",
    "parse_port",
    "unknown_kind",
]
