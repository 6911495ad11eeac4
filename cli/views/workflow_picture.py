"""A workflow as a Picture: its tasks, the dataflows between them, and how a run of it stands."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from heddle.cli.views.run_progress import is_inner
from heddle.cli.views.run_texts import seconds_text
from heddle.extensions.drawing import Picture, PictureEdge, PictureNode

if TYPE_CHECKING:
    from heddle.cli.views.run_view import RunPage
    from heddle.extensions.tasks.graph.outline import Outline


def picture_of(
    outline: "Outline", namespace: str, states: Mapping[str, str] | None = None
) -> Picture:
    """Return the Picture of a workflow. `states` are texts by task that stand in the place of its work."""
    ins: dict[int, dict[str, None]] = {}
    edges = []
    for flow in outline.joins:
        port = flow.input or "after"
        ins.setdefault(flow.target, {})[port] = None
        edges.append(PictureEdge(source=flow.source, out="out", target=flow.target, port=port))
    sources = {flow.source for flow in outline.joins}
    nodes = [
        PictureNode(
            label=name,
            kind=(states or {}).get(name) or outline.works[number] or "task",
            namespace=namespace,
            id=f"{namespace}/{name}",
            outs=("out",) if number in sources else (),
            ins=tuple(ins.get(number, ())),
        )
        for number, name in enumerate(outline.names)
    ]
    return Picture(nodes=tuple(nodes), edges=tuple(edges))


def states_of(page: "RunPage") -> dict[str, str]:
    """Return how each task of a run stands: `completed, 0.51 s`."""
    states = {}
    for task in page.view.tasks:
        if is_inner(task.task):
            continue
        seconds = page.seconds_of(task)
        parts = [task.status, "" if seconds is None else seconds_text(seconds)]
        parts.append(f"attempt {task.attempts}" if task.attempts > 1 else "")
        states[task.task] = ", ".join(part for part in parts if part)
    return states
