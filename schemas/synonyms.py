"""Synonyms are words of other systems and of everyday, and the words of ours that mean the same."""

from collections.abc import Mapping
from typing import Final, TypeAlias

Synonyms: TypeAlias = Mapping[str, tuple[str, ...]]
"""For each plain word, the words of ours that mean the same."""


def plain(word: str) -> str:
    """Return the word without case and separators: `maxRows`, `max-rows`, `max_rows` are the same."""
    kept = word.casefold().replace("-", "").replace("_", "").replace(" ", "")
    return kept.removeprefix("$")


def _synonyms(table: Mapping[str, str]) -> Synonyms:
    """Turn `our word: words of others` into `word of another: words of ours`."""
    table_of_ours: dict[str, tuple[str, ...]] = {}
    for ours, others in table.items():
        for word in others.split():
            key = plain(word)
            table_of_ours[key] = tuple(dict.fromkeys((*table_of_ours.get(key, ()), ours)))
    return table_of_ours


KINDS: Final = _synonyms(
    {
        "snippet": "function change range template sort json yaml mapping mutation bloblang "
        "javascript typescript python js ts py cel jsonata jinja jq jmespath awk wasm ffi "
        "redpanda_data_transform insert_part select_parts string_split text_chunker grok parse_log "
        "code script expression transform set map eval lambda expr",
        "block": "processors resource subflow group",
        "step": "processors sequence chain",
        "for": "for_each foreach parallel loop each join iterate",
        "while": "until repeat",
        "if": "condition json_schema when choice",
        "switch": "case bounds_check",
        "try": "catch rescue",
        "throw": "crash raise fail error json_schema",
        "call": "link_call linkcall branch workflow invoke run",
        "merge": "join workflow gather",
        "reduce": "join fold aggregate accumulate",
        "nop": "noop drop discard null stop",
        "pipe": "complete tee",
        "sleep": "delay wait pause",
        "throttle": "delay rate_limit ratelimit limit",
        "debounce": "trigger",
        "collect": "trigger batch group_by group_by_value window buffer",
        "dedupe": "filter deduplicate distinct unique",
        "timer": "inject generate cron schedule interval ticker",
        "print": "debug stdout output echo console",
        "log": "debug logger",
        "listener": "http_in httpin http_response http_server server sync_response compress "
        "decompress tls_config endpoint webhook rest",
        "router": "http_in http_response route routes mux",
        "http": "http_request http_client request fetch curl compress decompress tls_config "
        "http_proxy aws_lambda jira slack_thread sentry_capture google_drive_download "
        "google_drive_list_labels google_drive_search openai_chat_completion ollama_chat "
        "cohere_chat rest_client a2a_message aws_bedrock_chat aws_bedrock_embeddings "
        "cohere_embeddings cohere_rerank gcp_vertex_ai_chat gcp_vertex_ai_embeddings "
        "ollama_embeddings ollama_moderation openai_embeddings openai_image_generation "
        "openai_speech openai_transcription openai_translation",
        "proxy": "reverse_proxy gateway compress decompress",
        "websocket": "websocket_in websocket_out websocket_listener websocket_server upgrader ws "
        "gateway",
        "websocket-client": "websocket_connect ws_client",
        "sse": "server_sent_events eventsource events",
        "files": "static static_files file_server serve",
        "file": "file_in file_out watch scan read write file_watch",
        "csv": "scan csv_reader",
        "jsonl": "scan ndjson jsonlines",
        "sql": "sql_insert sql_raw sql_select sqlite postgres postgresql mysql database db query",
        "store": "redis kv nats_kv key_value memcached",
        "cache": "cached memoize",
        "breaker": "circuit_breaker circuitbreaker",
        "auth": "authentication jwt authorize basic_auth",
        "cookies": "cookie",
        "signature": "hmac webhook sign verify signing github stripe slack",
        "assert": "expect",
        "signal": "link_in link_out emit publish subscribe event",
        "fork": "spawn go async background",
    }
)
"""Kinds of uniflow, Node-RED and Redpanda Connect, and words of everyday (docs/kinds.md)."""

LANGUAGES: Final = _synonyms(
    {
        "javascript": "js node nodejs ecmascript es6 mjs es function",
        "typescript": "ts tsx deno",
        "python": "py python3 py3 cpython",
        "jsonata": "jq jmespath bloblang jsonpath jsonat",
        "jinja": "jinja2 j2 template mustache handlebars liquid minijinja twig",
        "yaml": "yml",
        "text": "txt plain string raw plaintext constant",
        "cel": "expr expression cel-go google-cel",
    }
)
"""Short names of languages, and languages of other systems that one of ours stands for."""

FUNCTIONS: Final = _synonyms(
    {
        "size": "len length count strlen",
        "contains": "includes include has_key",
        "lowerAscii": "lower lowercase toLowerCase to_lower downcase",
        "upperAscii": "upper uppercase toUpperCase to_upper upcase",
        "trim": "strip",
        "startsWith": "has_prefix hasPrefix begins_with",
        "endsWith": "has_suffix hasSuffix",
        "matches": "match regex regexp test re_match",
        "replace": "replaceAll gsub sub",
        "substring": "substr slice mid",
        "indexOf": "find index position",
        "string": "str tostring text",
        "int": "integer toint parseInt atoi",
        "double": "float number tonumber parseFloat",
        "bool": "boolean",
        "timestamp": "date datetime time",
        "type": "typeof kind",
        "exists": "any some",
        "all": "every",
        "exists_one": "one",
        "map": "collect transform",
        "filter": "where select",
        "math.abs": "abs",
        "math.ceil": "ceil",
        "math.floor": "floor",
        "math.round": "round",
        "math.least": "min least",
        "math.greatest": "max greatest",
        "json": "stringify dumps tojson to_json jsonencode jsonserialize",
        "parseJson": "jsondecode jsonparse fromjson from_json loads",
        "base64.encode": "b64encode base64encode btoa",
        "base64.decode": "b64decode base64decode atob",
    }
)
"""Functions of other languages, and those of CEL that do the same."""

FIELDS: Final = _synonyms(
    {
        "interval": "every period delay repeat rate",
        "cron": "schedule crontab expression spec",
        "timezone": "tz zone time_zone",
        "code": "script source function func expression body program snippet",
        "language": "lang type engine",
        "when": "condition if test expression",
        "statement": "query sql command",
        "source": "url dsn connection connection_string database uri",
        "driver": "dialect engine",
        "url": "uri address endpoint target host href",
        "message": "text msg title",
        "items": "each over list elements values",
        "text": "message msg template content",
        "header": "headers",
        "query": "params parameters querystring search",
        "args": "params parameters arguments values inputs",
        "port": "listen address bind addr",
        "host": "listen address bind addr hostname",
        "timeout": "deadline time_limit ttl",
        "backends": "to upstream upstreams target targets servers url urls",
        "ports": "outputs links wires next edges out to",
        "env": "environment variables vars environ",
        "kind": "type node processor",
        "name": "title label",
        "path": "file filename route pattern pathname",
        "routes": "paths rules endpoints",
        "method": "verb methods",
        "format": "encoding codec",
        "concurrency": "parallel parallelism workers",
        "retry": "retries attempts backoff",
        "attempts": "tries retries max_tries max_attempts max_retries",
        "matches": "cases rules conditions branches",
        "limit": "max count maximum",
        "specs": "nodes steps flow children",
    }
)
"""Names that other systems have for fields of ours; those that a kind lacks are not suggested."""

COMMANDS: Final = _synonyms(
    {
        "start": "run serve dev launch",
        "check": "validate lint verify",
        "get": "ls list",
        "show": "describe view cat inspect",
        "delete": "rm remove del destroy",
        "apply": "deploy push create update put",
        "fmt": "format prettify",
        "graph": "diagram visualize draw plot",
        "eval": "exec evaluate try",
        "history": "log revisions",
        "rollback": "undo revert",
        "status": "ps health top",
        "value": "secret values secrets config",
        "kinds": "nodes types",
    }
)
"""Commands of other tools."""

COUNTRIES: Final = _synonyms(
    {
        "Asia/Shanghai": "Asia/Beijing Beijing China/Beijing",
        "Asia/Kolkata": "Asia/Delhi Asia/Mumbai Asia/Bangalore India IST",
        "America/New_York": "America/Washington America/Boston America/Miami EDT",
        "America/Los_Angeles": "America/San_Francisco America/Seattle PST PDT",
        "America/Chicago": "America/Houston America/Dallas CDT",
        "Europe/Berlin": "Europe/Munich Europe/Frankfurt Europe/Hamburg CEST Germany",
        "Europe/London": "BST Europe/Manchester",
        "Asia/Tokyo": "JST Asia/Osaka Asia/Kyoto",
        "Asia/Seoul": "KST Asia/Busan Korea",
    }
)
"""Cities and abbreviations that name no time zone themselves."""

TABLES: Final[Mapping[str, Synonyms]] = {
    "kind": KINDS,
    "language": LANGUAGES,
    "function": FUNCTIONS,
    "field": FIELDS,
    "command": COMMANDS,
    "zone": COUNTRIES,
}
"""The synonyms for each sort of word."""
