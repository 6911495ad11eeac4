"""JUnit XML: the results of tests in the form that CI services read."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent

if TYPE_CHECKING:
    from pathlib import Path

    from heddle.extensions.testing.runner import Result

_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_junit(path: "Path", results: "Sequence[Result]", seconds: float) -> None:
    """Write the results to a file; what did not run counts as an error there. Raise OSError if it cannot."""
    from heddle.extensions.testing.runner import FAILED, LEFT_OUT, counts

    counted = counts(results)
    totals = {
        "tests": str(len(results)),
        "failures": str(counted[FAILED]),
        "errors": str(counted[LEFT_OUT]),
        "skipped": "0",
        "time": f"{seconds:.3f}",
    }
    root = Element("testsuites", {"name": "heddle test", **totals})
    suite = SubElement(root, "testsuite", {"name": "heddle", **totals})
    for result in results:
        namespace, _, name = result.name.partition("/")
        attributes = {"classname": namespace, "name": name, "time": f"{result.seconds:.3f}"}
        file, line = _place(result.place)
        case = SubElement(
            suite, "testcase", attributes | ({"file": file, "line": line} if file else {})
        )
        if result.result in (FAILED, LEFT_OUT):
            tag = "failure" if result.result == FAILED else "error"
            message = _legal(result.message)
            first = message.partition("\n")[0]
            SubElement(case, tag, {"message": first, "type": result.result}).text = message
        elif result.remark:
            SubElement(case, "system-out").text = _legal(result.remark)
    indent(root)
    path.parent.mkdir(parents=True, exist_ok=True)
    ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _legal(text: str) -> str:
    """Text without the characters that XML has no place for."""
    return _ILLEGAL.sub("\ufffd", text)


def _place(place: str) -> tuple[str, str]:
    """`flow.yaml:12:3` as a file and a line."""
    match = re.fullmatch(r"(.+?):(\d+)(?::\d+)?", place)
    return (match[1], match[2]) if match else (place, "0")
