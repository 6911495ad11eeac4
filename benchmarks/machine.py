"""The machine: which core a program runs on, how much of it it uses, and what both are called."""

import asyncio
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any


def cores() -> tuple[int | None, int | None]:
    """Return a core for the server and another for the load; None if there is no choice."""
    if not hasattr(os, "sched_getaffinity"):
        return None, None
    usable = sorted(os.sched_getaffinity(0))
    return (usable[0], usable[-1]) if len(usable) > 1 else (None, None)


def launch(argv: Sequence[str], core: int | None = None, **options: Any) -> "subprocess.Popen[str]":
    """Start a program with pipes of text; every thread of it stays on the core, if one is given."""
    process = subprocess.Popen(
        list(argv),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
        **options,
    )
    if core is not None:
        os.sched_setaffinity(process.pid, {core})
    return process


def environment() -> dict[str, str]:
    """Return the environment, without any settings of Heddle's."""
    return {name: text for name, text in os.environ.items() if not name.startswith("HEDDLE_")}


def cpu_seconds(pid: int) -> float | None:
    """Return the processor time, user and system, that a process used; None if that cannot be known."""
    try:
        # Nanoseconds, if the clock ticks of `stat` are ten milliseconds each.
        tasks = Path(f"/proc/{pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9
    except (OSError, ValueError):
        pass
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def fastest_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return what makes uvloop's loops; None, which stands for asyncio's own, if there is no uvloop."""
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def allow_many_files() -> None:
    """Let this process, and those that it starts, open as many connections as it may."""
    try:
        import resource
    except ImportError:
        return
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def described() -> dict[str, Any]:
    """Return what the figures were measured on."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "python": platform.python_version(),
        "implementation": sys.implementation.name,
        "system": platform.platform(),
        "processor": _processor(),
        "cores": usable,
        "load average": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    for line in lines:
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def resident(pid: int) -> int:
    """Return the memory of a process that is in use, in bytes; 0 if that cannot be known."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    line = next((line for line in text.splitlines() if line.startswith("VmRSS")), "VmRSS: 0 kB")
    return int(line.split()[1]) * 1024
