"""Drawing a Picture: as Mermaid text, as Graphviz DOT, or as an SVG."""

from typing import Literal, TypeAlias

from heddle.extensions.drawing.dot import dot
from heddle.extensions.drawing.figure import Direction
from heddle.extensions.drawing.mermaid import mermaid
from heddle.extensions.drawing.picture import Picture
from heddle.extensions.drawing.svg import svg

Form: TypeAlias = Literal["mermaid", "dot", "svg"]


def draw(picture: Picture, form: Form, direction: Direction = "right") -> str:
    """Return the text of the drawing, with the flow going right or down.

    It ends in a line break, needs no other program or file to be seen (DOT and Mermaid are for
    those that read them), and is the same for the same Picture.
    """
    drawings = {"mermaid": mermaid, "dot": dot, "svg": svg}
    return drawings[form](picture, direction)
