"""What `heddle graph` draws: Specs become a Picture, a Picture becomes text that shows it."""

from heddle.cli.drawing.draw import Form, draw
from heddle.cli.drawing.figure import Direction
from heddle.cli.drawing.picture import Picture, PictureEdge, PictureNode

__all__ = ["Direction", "Form", "Picture", "PictureEdge", "PictureNode", "draw"]
