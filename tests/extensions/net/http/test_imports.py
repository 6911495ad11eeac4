"""What is rarely used is loaded when it is used."""

import subprocess
import sys

CODE = """
import sys
import heddle.extensions.net.http.request
import heddle.extensions.net.http.server
print(*(name for name in sys.modules if name.rpartition(".")[2] in ("brotli", "multipart")))
"""


def test_brotli_and_multipart_are_loaded_when_they_are_needed() -> None:
    found = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == ""
