"""The drawings of `heddle graph`: Specs become a Picture, a Picture becomes text that shows it."""

from heddle.extensions.drawing.draw import Form, draw
from heddle.extensions.drawing.figure import Direction
from heddle.extensions.drawing.picture import Picture, PictureEdge, PictureNode

__all__ = ["Direction", "Form", "Picture", "PictureEdge", "PictureNode", "draw"]
