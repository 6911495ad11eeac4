"""Texts in every style in which people write YAML and JSON: seeds of the round trip."""

import json
from typing import Any

KUBERNETES = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web   # the front
  labels: {app: web, tier: "front"}
spec:
  replicas: 3
  selector:
    matchLabels:
      app: web
  template:
    spec:
      containers:
      - name: web
        image: nginx:1.25   # pinned
        args: ["--port", "8080", '--verbose']
        ports:
        - containerPort: 80
        - containerPort: 443
          protocol: TCP
        # liveness
        livenessProbe:
          httpGet: {path: /healthz, port: 8080}
          initialDelaySeconds: 3
        command:
        - sh
        - -c
        - |
          set -e
          echo "hello"   # no comment
            indented
          exec nginx
      - name: side
        image: "busybox"
---
# The service.
apiVersion: v1
kind: Service
metadata:
    name: web
spec:
    ports:
        - port: 80
          targetPort: 8080
    selector:
        app: web
...
---
apiVersion: v1
kind: ConfigMap
data:
  app.properties: |+
    color=blue

    size=10

  fold: >-
    one long line that
    goes on here
    and ends
  empty: ""
  none: ~
"""

COMPOSE = """\
# docker compose
kind: compose

x-common: &common
  restart: unless-stopped
  logging: &logging
    driver: json-file
    options: {max-size: 10m}

services:

  web:
    <<: *common
    image: "web:latest"
    ports:
      - "80:80"
      - 443:443
    environment:
      - KEY=value
      - OTHER=thing   # second
    depends_on: [db, cache]

  db:
    image: postgres:16
    logging: *logging
    volumes:
      - db:/var/lib/postgresql/data

    # keep it slow
    healthcheck:
      test: ["CMD", "pg_isready", "-U", "postgres"]
      interval: 10s
      retries: 5

volumes:
  db:
  other: {}
networks: {default: {driver: bridge}, back: {internal: true}}
"""

WORKFLOW = """\
kind: workflow
on:
  push:
    branches: [ main, 'release/**' ]
  pull_request:
env:
  CI: {data: 1}
jobs:
  test:
    runs-on: ${MATRIX}
    strategy:
      fail-fast: false
      matrix:
        python: ["3.11", "3.12", 3.13]
        include:
          - { os: ubuntu-latest, extra: true }
          - { os: macos-latest,  extra: false }   # slow
    steps:
      - uses: actions/checkout@v4
        with: { fetch-depth: 0 }

      - name: Set up
        uses: actions/setup-python@v5
        with:
          python-version: '3.12'

      - run: pip install .
      - name: Run
        if: always()
        run: |
          python -m pytest \\
            -q
      # the end
"""

ANSIBLE = """\
---
-   kind: play
    hosts: all
    become: yes
    vars:
        http_port: 80
        packages:
        -   nginx
        -   curl
    tasks:
    -   name: install
        apt:
            name: nginx
            state: latest   # always
        when: ansible_os == "Debian"
    -   name: copy
        copy: src=a dest=b mode=0644
        notify:
            - restart

-   kind: play
    hosts: db
    tasks: []
"""

FLOW_STYLE = """\
[
  # one
  {kind: snippet, name: target, language: text, code: old}, # t
  # two
  {kind: snippet, name: b, language: text, code: x,
   more: [1, 2.50, 0x1F, {deep: [a, b, {c: d}]}],   # inside
   url: http://example.com/a},
  { kind: nop, "quoted": 'single', 'it''s': "a \\"b\\" \\u00e9" } # last
]
"""

DASHES = """\
-
  kind: nop
  name: a
  x: 1
-
  # inside
  kind: nop
  matrix:
    - - 1
      - two
    -
      - 3
      -   four
    - []
    - [5, six]
- kind: nop
  list:
  - zero
  - indented: 1
    more: 2
  -
    below: yes-sir
  - "quoted: text"   # c
  - 'single # text'
  - plain # comment
-   kind: nop
    name: wide
    deep:
            far: away
            very:
                    - far
                    - {b: 1}
"""

SCALARS = """\
- kind: nop
  plain: a b c
  colon: a:b
  url: https://example.com:8080/x?y=z#frag
  date: 2024-05-01
  version: 1.2.3
  octal: 0o14
  hex: 0xFF
  float: 1.50
  exp: 1e3
  inf: .inf
  yes: true
  nothing:
  tilde: ~
  single: 'it''s'
  double: "tab\\there \\u263A"
  unicode: Grüße 🧵
  emoji key 🧵: v
  long: this is a plain scalar
    over two lines
  quoted: "over
    two lines"
  literal: |
    first
    second

    fourth
  strip: |-
    only
  keep: |+
    kept


  indented: |2
      two more
    less
  folded: >
    folded text
    in a paragraph

    second
  folded2: >-   # with a comment
    stripped text
    here
  tagged: !!str 12
  binary: !!binary aGVsbG8=
  anchored: &a value
  alias: *a
  ? explicit
  : value
  ? commented   # the key
  : value   # the value
  below:   # the key
    far down   # the value
  "quoted key": 1
  'single key': 2
  last: end
"""

COMMENTS = """\
# at the top

# second block

- kind: nop   # kind
  # above x
  x: 1        # beside x

  # above y, after a blank line

  y:   # beside y
    # above a
    a: 1   # beside a
        # further in
    b: 2
    # at the end of y
  # about z
  z: [1, 2]   # beside z
  # at the end of the entry
# between

# about the next
- kind: nop
  list:   # beside list
    # first
    - one   # 1
    # second
    - two   # 2

    # last words
  empty: {}   # nothing

# the end
"""

ZERO = """\
kind: nop
list:
- a
- b:
  - c
  - d
map:
 one: 1
 two:
  three: 3
tabs:\t\tx\t# after tabs
trailing: spaces   \t
"""

FLOW_LINES = """\
kind: nop
settings: {
  a: 1,        # one
  b: {c: 2,
      d: [3,
          4]},
  # about e
  e: 'five',
}
list: [
  alpha, beta,
  gamma   # three
]
json: {"a": 1, "b": [true, null, "x"], "c": {"d": "e"}}
tight: {"a":1,"b":[2,3]}
"""

DOCUMENTS = """\
%YAML 1.2
---
kind: nop
x: 1
...
# between
---
# second
kind: nop
y: "two"
--- # beside the mark
- kind: nop
  z: three
- {kind: nop, z: 3}
---
"""

ANCHORS = """\
- kind: nop
  base: &base {a: 1, b: two}
  items: &items
    - one
    - two
  free: &free text
- kind: nop
  <<: {c: 1}
  copy: *base   # the same
  own: 1
- kind: nop
  merged:
    <<: *base
    b: three
  list: *items
  own: 2   # mine
"""

LINKS = """\
# yaml-language-server: $schema=heddle.json

- kind: listener
  protocol: http
  port: '{{ .PORT }}'
  env:
    PORT: {data: "8000"}   # from outside
  ports:
    out:
      - {name: router, port: in}
    error: {name: log}
- kind: router
  name: router
  routes:
    - {method: GET,   path: /ping,      port: 'out[0]'}   # alive?
    - {method: GET,   path: /users/:id, port: 'out[1]'}
  ports:
    out[0]: {name: pong}   # one
    'out[1]': [{name: users}, {name: log, port: in}]
- data: {password: x, port: 5432}
  name: db
"""

QUESTIONS = """\
- kind: nop   # keys behind a question mark
  set:
    ? first   # no value
    ? second
    third:
  nested:
  - ? deep
  - ? deeper
    : value   # here
    # and there
  keys: [ ? a : b, c: d, ? e ]   # pairs
  braces: { ? a : b, c, d: e }
  "longer key" : x
  last: one   # end
- kind: nop
  name: other   # stays
"""

BLOCKS = """\
kind: nop
above:
  # what it is
  |
    drawn /\\
    here
beside:   # a comment
  # and another
  >-
  folded
  text
items:
-   # the first
  # what it is
  |-
  one
-
  # plain
  two
blanks: |
  text

\x20\x20\x20
after: 1   # stays
digit: |1-
 one
empty: |-
# about the last
nothing:
  # only a comment
last: "end"
"""

TAGS = """\
kind: nop
text: !!str &number 12
again: *number
odd: &an:chor.x value   # any sign is allowed
*an:chor.x : key
list: [&é one, *é, !!str 3]
"""

GITLAB = """\
kind: pipeline
.base: &base
    image: "python:3.12"
    before_script:
        - &up pip install -U pip   # newer
        - >
            pip install
            -r requirements.txt

stages: [build,
         test,   # second
         deploy]
build:
    <<: *base
    script: ["make", 'all']
    only: { refs: [main], changes: ["**/*.py"] }
test: {<<: *base, script: make test, retry: 2}
deploy:
    script:
        - *up
        - |
            echo "a: b"
            # no comment
    when: manual
"""

OPENAPI = """\
kind: api
openapi: 3.1.0
info: {title: Books, version: 1.0.0}
paths:
  /books/{id}:
    get:
      parameters:
      - {in: path, name: id, required: true, schema: {type: integer}}
      responses:
        "200": {description: "one book"}
        '404':
          description: >
            There is no such
            book.
        default: {$ref: '#/responses/Error'}
    delete: {responses: {"204": {description: gone}}}
"""

_DATA: list[dict[str, Any]] = [
    {
        "kind": "snippet",
        "name": "a",
        "code": "x\ny",
        "n": 1,
        "f": 1.5,
        "list": [1, "two", None, True, {"deep": "er", "e": []}],
        "é": "ü",
    },
    {"kind": "nop", "empty": {}, "map": {"a": {"b": {"c": "d"}}}, "path": "/x/y", "slash": "a\\b"},
]

JSON = {
    "two spaces": json.dumps(_DATA, indent=2, ensure_ascii=False) + "\n",
    "four spaces": json.dumps(_DATA, indent=4) + "\n",
    "tabs": json.dumps(_DATA, indent="\t"),
    "minified": json.dumps(_DATA, separators=(",", ":")),
    "one line": json.dumps(_DATA) + "\n",
    "one entry": json.dumps(_DATA[0], indent=3) + "\n",
    "mixed": '[\n  {"kind": "nop", "y": 1.50, "big": 1E400},\n  {\n    "kind" : "nop",\n    "x":1 ,\n'
    '    "list": [ 1,2,\n      3 ]\n  }\n\n]\n',
    "windows": json.dumps(_DATA, indent=2).replace("\n", "\r\n"),
    "mark": "\ufeff" + json.dumps(_DATA, indent=2),
    "old mac": json.dumps(_DATA, indent=2).replace("\n", "\r"),
    "mixed ends": json.dumps(_DATA, indent=2).replace(",\n", ",\r\n"),
    "aligned": '[ {"kind": "nop",\n   "x":    1,\n   "list": [ ["a", 1]\n           , ["b", 2] ]\n  }\n, {"kind": "nop", "y": {} }\n]',
    "escapes": '[{"kind": "nop", "u": "\\u00fc \\ud83e\\uddf5", "s": "a\\/b", "t": "\\t"}]\n',
}

YAML = {
    "kubernetes": KUBERNETES,
    "compose": COMPOSE,
    "workflow": WORKFLOW,
    "ansible": ANSIBLE,
    "flow": FLOW_STYLE,
    "dashes": DASHES,
    "scalars": SCALARS,
    "comments": COMMENTS,
    "zero": ZERO,
    "flow lines": FLOW_LINES,
    "documents": DOCUMENTS,
    "anchors": ANCHORS,
    "links": LINKS,
    "questions": QUESTIONS,
    "blocks": BLOCKS,
    "tags": TAGS,
    "pipeline": GITLAB,
    "openapi": OPENAPI,
    "pipeline windows": GITLAB.replace("\n", "\r\n"),
    "blocks windows": BLOCKS.replace("\n", "\r\n"),
    "questions mark": "\ufeff" + QUESTIONS,
    "empty documents": f"---\n# nothing\n---\n---\n{GITLAB}---\n...\n# the end\n",
    "json in yaml": json.dumps(_DATA, indent=2) + "\n",
    "no end": COMMENTS.rstrip() + "\n- kind: nop\n  last: line",
    "windows": COMMENTS.replace("\n", "\r\n"),
    "windows flow": FLOW_LINES.replace("\n", "\r\n"),
    "windows scalars": SCALARS.replace("\n", "\r\n"),
    "mark": "\ufeff" + COMMENTS,
    "indented": "".join(f"  {line}" if line.strip() else line for line in DASHES.splitlines(True)),
    "mixed ends": COMMENTS.replace("1\n", "1\r\n"),
    "old mac": ZERO.replace("\n", "\r"),
}
