-- readable_since: 1
-- Times are seconds since 1970. A payload is MessagePack; one of 64 kB or more stands in blobs, by its hash.

CREATE TABLE @runs (
    id TEXT PRIMARY KEY, namespace TEXT NOT NULL, workflow TEXT NOT NULL, definition BLOB, idempotency_key TEXT,
    status TEXT NOT NULL, reason TEXT NOT NULL DEFAULT '', input BLOB, output BLOB, error TEXT,
    priority INTEGER NOT NULL DEFAULT 1, parent TEXT, tags TEXT NOT NULL DEFAULT '{}', creator TEXT NOT NULL DEFAULT '',
    code TEXT NOT NULL DEFAULT '[]', created REAL NOT NULL, began REAL, ended REAL, deadline REAL, wake REAL,
    owner TEXT NOT NULL DEFAULT '', epoch INTEGER NOT NULL DEFAULT 0, lease REAL, seq INTEGER NOT NULL DEFAULT 0,
    input_blob BLOB, output_blob BLOB
) WITHOUT ROWID;
CREATE UNIQUE INDEX @runs_key ON @runs (namespace, workflow, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX @runs_lease ON @runs (lease) WHERE status = 'running';
CREATE INDEX @runs_wake ON @runs (wake) WHERE status IN ('queued', 'suspended');
CREATE INDEX @runs_created ON @runs (namespace, created);

-- A task path per row and attempt: load, page#17/words, review~2/facts. What has begun and not ended has no row, but
-- stands in a row `began` or `link` of the history. Attempts that completed together are one row `pack` of the history
-- while the run goes on; afterwards they get rows here.
CREATE TABLE @attempts (
    run TEXT NOT NULL, task TEXT NOT NULL, number INTEGER NOT NULL, status TEXT NOT NULL, version TEXT, key BLOB,
    reads TEXT, began REAL, began_seq INTEGER, ended REAL, ended_seq INTEGER, due REAL, worker TEXT, job INTEGER,
    progress REAL, note TEXT, output BLOB, blob BLOB, error TEXT, fallback TEXT,
    PRIMARY KEY (run, task, number)
) WITHOUT ROWID;

CREATE TABLE @history (
    run TEXT NOT NULL, seq INTEGER NOT NULL, at REAL NOT NULL, event TEXT NOT NULL, task TEXT NOT NULL DEFAULT '',
    actor TEXT NOT NULL DEFAULT '', detail TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (run, seq)
) WITHOUT ROWID;

CREATE INDEX @history_packs ON @history (run) WHERE event = 'pack';

CREATE TABLE @requests (
    id INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL, at REAL NOT NULL, verb TEXT NOT NULL,
    task TEXT NOT NULL DEFAULT '', actor TEXT NOT NULL DEFAULT '', payload BLOB
);
CREATE INDEX @requests_run ON @requests (run);

CREATE TABLE @logs (
    run TEXT NOT NULL, task TEXT NOT NULL, number INTEGER NOT NULL, data TEXT NOT NULL,
    PRIMARY KEY (run, task, number)
);

CREATE TABLE @jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT, queue TEXT NOT NULL, run TEXT, task TEXT, number INTEGER, status TEXT NOT NULL,
    priority REAL NOT NULL DEFAULT 1, fair TEXT, due REAL, deadline REAL, created REAL NOT NULL,
    owner TEXT NOT NULL DEFAULT '', epoch INTEGER NOT NULL DEFAULT 0, lease REAL, payload BLOB, error TEXT
);
CREATE INDEX @jobs_pending ON @jobs (queue, priority DESC, due, id) WHERE status = 'pending';

CREATE TABLE @slots (name TEXT NOT NULL, key TEXT NOT NULL, holder TEXT NOT NULL, expires REAL NOT NULL, PRIMARY KEY (name, key, holder));
CREATE TABLE @rate_windows (name TEXT NOT NULL, key TEXT NOT NULL, at REAL NOT NULL);
CREATE INDEX @rate_windows_at ON @rate_windows (name, key, at);
CREATE TABLE @holds (name TEXT NOT NULL, key TEXT NOT NULL, until REAL NOT NULL, PRIMARY KEY (name, key));

CREATE TABLE @gates (
    run TEXT NOT NULL, task TEXT NOT NULL, prompt TEXT, asked REAL, accepts TEXT, assignees TEXT, due REAL,
    opened REAL, opened_by TEXT, payload BLOB, PRIMARY KEY (run, task)
);

CREATE TABLE @outputs (
    key BLOB PRIMARY KEY, task TEXT, version TEXT, output BLOB, blob BLOB, size INTEGER, created REAL, used REAL, expires REAL
);
CREATE TABLE @blobs (hash BLOB PRIMARY KEY, data BLOB NOT NULL, used REAL NOT NULL);
CREATE TABLE @definitions (hash BLOB PRIMARY KEY, specs TEXT NOT NULL);
CREATE TABLE @ticks (timer TEXT PRIMARY KEY, at REAL NOT NULL) WITHOUT ROWID;
