"""The child of a Killer: it waits for a signal of its parent, and then for signs of life.

It is run by its path and imports nothing of Heddle, and before it is needed nothing but what the
interpreter has loaded anyway: it stays small, and costs the start of its parent next to nothing.
"""

import os
import select
import sys
import time


def main() -> None:
    """Kill the parent if it was told to end and gives no sign of life for so many seconds."""
    source, patience = int(sys.argv[1]), float(sys.argv[2])
    parent = os.getppid()
    stack = b""
    notified = False
    while select.select([source], [], [], patience if notified else None)[0]:
        data = os.read(source, 1 << 16)
        if not data:
            return  # it has ended
        notified = True
        # Dots are signs of life, all else is a dump, which comes in pieces.
        dump = data.strip(b".")
        stack = (stack + dump)[-(1 << 16) :] if dump else b""
    if os.getppid() != parent:
        return
    _report(patience, sys.argv[3] == "json", sys.argv[4], stack.decode(errors="replace"))
    import signal

    os.kill(parent, signal.SIGKILL)


def _report(patience: float, as_json: bool, namespace: str, stack: str) -> None:
    import json

    reason = f"a call into C held the event loop for {patience:g} s after a signal to end"
    now = time.time()
    at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1000):03d}Z"
    event = {
        "time": at,
        "level": "error",
        "event": "runtime cut",
        "namespace": namespace,
        "reason": reason,
        "detail": stack.strip(),
    }
    line = json.dumps(event) if as_json else f"error: runtime cut: {reason}\n{stack.strip()}"
    try:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    except OSError:
        pass  # nobody reads the log any more


if __name__ == "__main__":
    main()
