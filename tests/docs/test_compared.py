"""`docs/kinds.md` compares every kind that there is with every node of the others."""

import re

import pytest

from heddle.runtime.assembly.extension import registry
from tests.docs.fences import ROOT

PAGE = ROOT / "docs" / "kinds.md"

UNIFLOW = """
block for fork if merge nop pipe retry sleep snippet split step switch throw try
listener http router sql test assert
cache session print reduce signal proxy websocket gateway upgrader scan syscall native
"""
"""The nodes that uniflow has, and those that it had."""

NODE_RED = """
inject,debug,complete,catch,status,link in,link out,link call,comment,junction,global-config
function,switch,change,range,template,delay,trigger,exec,filter
mqtt in,mqtt out,mqtt-broker,http in,http response,http request,http proxy,tls-config
websocket in,websocket out,websocket-listener,websocket-client,tcp in,tcp out,tcp request
udp in,udp out,split,join,sort,batch,csv,html,json,xml,yaml,file,file in,watch
"""
"""The core nodes of Node-RED 4."""

REDPANDA = """
a2a_message archive avro awk aws_bedrock_chat aws_bedrock_embeddings aws_dynamodb_partiql aws_lambda
azure_cosmosdb benchmark bloblang bounds_check branch cache cached catch cohere_chat
cohere_embeddings cohere_rerank command compress couchbase crash decompress dedupe ffi for_each
gcp_bigquery_select gcp_vertex_ai_chat gcp_vertex_ai_embeddings google_drive_download
google_drive_list_labels google_drive_search grok group_by group_by_value http insert_part
javascript jira jmespath jq json_schema log mapping metric mongodb msgpack mutation nats_kv
nats_request_reply noop ollama_chat ollama_embeddings ollama_moderation openai_chat_completion
openai_embeddings openai_image_generation openai_speech openai_transcription openai_translation
parallel parquet parquet_decode parquet_encode parse_log processors protobuf qdrant rate_limit redis
redis_script redpanda_data_transform resource retry schema_registry_decode schema_registry_encode
select_parts sentry_capture slack_thread sleep split sql sql_insert sql_raw sql_select string_split
subprocess switch sync_response text_chunker try unarchive wasm while workflow xml
"""
"""The processors of Redpanda Connect 4.84."""

OTHERS = {
    "uniflow": set(UNIFLOW.split()),
    "Node-RED": {name for line in NODE_RED.split("\n") for name in line.split(",") if name},
    "Redpanda Connect": set(REDPANDA.split()),
}


def rows(section: str) -> list[list[str]]:
    """Return the rows of the table of a section, cell by cell."""
    text = PAGE.read_text(encoding="utf-8")
    part = text.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("| ") and line.endswith("|")]
    return [[cell.strip() for cell in line[1:-1].split("|")] for line in lines[1:]]


def names(cell: str) -> set[str]:
    """Return what stands as code in a cell."""
    return set(re.findall(r"`([^`]+)`", cell))


def linked() -> set[str]:
    """Return the kinds whose pages the page leads to, each under its own name."""
    found = re.findall(r"\[`([^`]+)`\]\(kinds/([^)#]+)\.md\)", PAGE.read_text(encoding="utf-8"))
    assert all(name == page for name, page in found)
    return {name for name, _ in found}


def test_every_kind_stands_in_the_comparison_and_no_other() -> None:
    kinds = set(registry().scheme.names)
    assert sorted(kinds - linked()) == [], "add them to docs/kinds.md"
    assert sorted(linked() - kinds) == [], "there is no such kind"


@pytest.mark.parametrize("other", OTHERS)
def test_every_node_of_another_stands_there_once(other: str) -> None:
    found = [name for row in rows(other) for name in names(row[0])]
    assert sorted(found) == sorted(set(found))
    assert set(found) == OTHERS[other]


@pytest.mark.parametrize("other", OTHERS)
def test_what_is_left_out_has_its_reason(other: str) -> None:
    assert [row[0] for row in rows(other) if not row[1] and not row[2]] == []
    assert all(len(row) == 3 for row in rows(other))
