"""The room lists its public names, brings each in when asked, and costs nothing before."""

import subprocess
import sys

import heddle.specs


def test_every_public_name_is_there() -> None:
    for name in heddle.specs.__all__:
        assert getattr(heddle.specs, name) is not None
    assert sorted(heddle.specs.__all__) == dir(heddle.specs)


def test_importing_the_room_imports_no_parser_and_no_watcher() -> None:
    code = """
import sys
import heddle.specs, heddle.specs.yaml.document, heddle.specs.binding.bind, heddle.specs.stores.opener
heavy = {"ruamel", "watchfiles", "minijinja", "anyio"} & {name.split(".")[0] for name in sys.modules}
print(", ".join(sorted(heavy)))
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert (result.stdout.strip(), result.stderr, result.returncode) == ("", "", 0)
