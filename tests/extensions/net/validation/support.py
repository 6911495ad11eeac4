"""The Problems of a text."""

from heddle.cli.extensions import installed
from heddle.cli.options import settings_of
from heddle.runtime.assembly.check import check_specs
from heddle.schemas.problem import Problem
from heddle.specs.binding.bind import ValueSet
from heddle.specs.yaml.document import read_text


def problems_of(text: str) -> list[Problem]:
    """Return the Problems of a text."""
    reading = read_text(text, file="flow.yaml")
    registry = installed(settings_of(None, ()))
    return list(check_specs(reading.specs, ValueSet(reading.values), registry).problems)
