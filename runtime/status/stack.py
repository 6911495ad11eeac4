"""A Running says which node a stack of Python frames works for, and at which line of its author.

No packet pays for it: the frames of the machine, of fused trees and of nodes tell by what they hold.
"""

import os
import sys
import traceback
from collections.abc import Iterator
from operator import length_hint
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec

from heddle.runtime.assembly.codec import Build
from heddle.runtime.assembly.host import SymbolHost
from heddle.runtime.flow import fusion as fuse
from heddle.runtime.flow import machine, process
from heddle.runtime.flow.node import Node
from heddle.runtime.flow.step import NodeStep, RunStep, Step

SNIPPET = "<python"
"""How the file names of Python snippets begin."""

_OURS = str(Path(machine.__file__).parent.parent)
_STANDARD = str(Path(os.__file__).parent)
_DEEPEST = 2_000
_SHOWN = 20


class RunningNode(msgspec.Struct, frozen=True, kw_only=True):
    """The subject of a stack: the label of a node, and the line of its author; empty if unknown."""

    symbol: str = ""
    file: str = ""
    line: int = 0
    function: str = ""
    stack: str = ""


def running(frame: FrameType | None) -> RunningNode:
    """Return what the stack of this innermost frame works for."""
    frames = list(_outward(frame))
    symbol, at = "", len(frames)
    for index, each in enumerate(frames):
        symbol = _symbol(each)
        if symbol:
            at = index
            break
    place = _author(frames[: at + 1]) or (frames[0] if frames else None)
    code = place.f_code if place is not None else None
    shown = frames[: max(at + 1, _SHOWN)][:_SHOWN]
    return RunningNode(
        symbol=symbol,
        file=code.co_filename if code is not None else "",
        line=place.f_lineno if place is not None else 0,
        function=code.co_name if code is not None else "",
        stack="".join(traceback.format_list([_summary(each) for each in reversed(shown)])),
    )


def frame_of(thread: int) -> FrameType | None:
    """Return the innermost frame of a thread."""
    return sys._current_frames().get(thread)


def _outward(frame: FrameType | None) -> Iterator[FrameType]:
    for _ in range(_DEEPEST):
        if frame is None:
            return
        yield frame
        frame = frame.f_back


def _summary(frame: FrameType) -> traceback.FrameSummary:
    code = frame.f_code
    return traceback.FrameSummary(code.co_filename, frame.f_lineno, code.co_name)


def _author(frames: list[FrameType]) -> FrameType | None:
    """Return the innermost frame in the file that the node's author wrote."""
    snippet = next(
        (frame for frame in frames if frame.f_code.co_filename.startswith(SNIPPET)), None
    )
    if snippet is not None:
        return snippet
    # The outermost file that is not ours is the author's; what it calls is a library.
    file = next((frame.f_code.co_filename for frame in reversed(frames) if _foreign(frame)), None)
    return next((frame for frame in frames if frame.f_code.co_filename == file), None)


def _foreign(frame: FrameType) -> bool:
    file = frame.f_code.co_filename
    if file.startswith("<"):
        return False
    return not file.startswith(_OURS) and (
        "site-packages" in file or not file.startswith(_STANDARD)
    )


def _symbol(frame: FrameType) -> str:
    """Return the label of the node that this frame works for; empty if it does not tell."""
    try:
        held = frame.f_locals
        code = frame.f_code
        if code is machine.drive.__code__:
            return _of_drive(held)
        if code is process.LiveProcess.run.__code__:
            return _of_run(held.get("step"), held.get("actions"))
        if code.co_filename == fuse.__file__ and "fail" in held:
            return _of_fused(held["fail"])
        return _of_owner(held.get("self")) or _of_step(held.get("step"))
    except Exception:
        # A frame that runs on meanwhile may hold anything.
        return ""


def _of_drive(held: dict[str, Any]) -> str:
    visit = held.get("running")
    if getattr(visit, "cr_running", False) or getattr(visit, "gi_running", False):
        return _of_step(held.get("owner"))
    near = held.get("near")
    if not held.get("forward") and type(near) is RunStep:
        return _of_run(near, held.get("actions"))
    step = held.get("step")
    if type(step) is RunStep:
        return _of_run(step, held.get("actions"))
    return _of_step(step)


def _of_run(run: Any, actions: Any) -> str:
    """Return the label of the action that a straight run is at."""
    if type(run) is not RunStep:
        return ""
    return run.labels[len(run.actions) - length_hint(actions) - 1]


def _of_fused(fail: Any) -> str:
    for cell in fail.__closure__ or ():
        if type(cell.cell_contents) is str:
            names = fail.__code__.co_freevars
            return str(fail.__closure__[names.index("label")].cell_contents)
    return ""


def _of_step(step: Any) -> str:
    return step.label if isinstance(step, Step) and isinstance(step, NodeStep) else ""


def _of_owner(owner: Any) -> str:
    if isinstance(owner, Node):
        return owner.voice.label if owner.voice is not None else ""
    if isinstance(owner, Build):
        return owner.spec.label
    host = owner if isinstance(owner, SymbolHost) else getattr(owner, "host", None)
    host = host if isinstance(host, SymbolHost) else getattr(owner, "_host", None)
    return host.label if isinstance(host, SymbolHost) else ""
