"""Check each file of deploy/ with its own tool, if that is on the PATH; exit code 1 if one rejects it."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent


def check_unit(folder: Path) -> list[list[str]]:
    """Return the command that checks the systemd unit, with a program in the place of `heddle`."""
    unit = (ROOT / "deploy" / "systemd" / "heddle.service").read_text(encoding="utf-8")
    copy = folder / "heddle.service"
    # The tool looks for the program; where Heddle will stand is up to whoever installs it.
    text = unit.replace("/srv/heddle/.venv/bin/heddle", "/bin/true").replace("User=heddle\n", "")
    copy.write_text(text, encoding="utf-8")
    return [["systemd-analyze", "verify", "--man=no", str(copy)]]


def commands(folder: Path) -> list[list[str]]:
    """Return every check as a command; the first word is the tool."""
    chart = str(ROOT / "deploy" / "helm" / "heddle")
    return [
        *check_unit(folder),
        ["helm", "lint", "--strict", chart],
        ["helm", "template", "heddle", chart],
        ["helm", "template", "heddle", chart, "--set", "store=postgresql://db/flows"],
        ["hadolint", str(ROOT / "Dockerfile")],
    ]


def main() -> int:
    """Run the checks; return 1 if one failed."""
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        for command in commands(Path(name)):
            shown = " ".join(command[:3])
            if shutil.which(command[0]) is None:
                print(f"skipped  {shown}: {command[0]} is not on the PATH")
                continue
            result = subprocess.run(command, capture_output=True, text=True, check=False)
            print(f"{'ok' if result.returncode == 0 else 'FAILED':8} {shown}")
            if result.returncode != 0:
                failed = 1
                print(result.stdout + result.stderr)
    return failed


if __name__ == "__main__":
    sys.exit(main())
