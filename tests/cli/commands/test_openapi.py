"""heddle openapi: what is written, and what is left as it was."""

from pathlib import Path

import pytest

from tests.cli.support import heddle


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "no such file or directory"),
        ("", "there is no spec to describe"),
        ("- {data: 1, name: v}\n", "there is no spec to describe"),
        ("- {kind: [", "flow.yaml"),
    ],
)
def test_without_a_spec_a_document_that_is_there_stays(
    tmp_path: Path, text: str | None, message: str
) -> None:
    flow, document = tmp_path / "flow.yaml", tmp_path / "openapi.json"
    if text is not None:
        flow.write_text(text)
    document.write_text("good")
    result = heddle("openapi", str(flow), "--output", str(document))
    assert result.exit_code == 1
    assert message in result.stderr
    assert document.read_text() == "good"
    assert heddle("openapi", str(flow)).stdout == ""
