-- readable_since: 1
-- Runs that are removed: their rows go in pieces. The indexes find what still uses a blob or a Definition.

CREATE TABLE @removed (run TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE INDEX @attempts_blob ON @attempts (blob) WHERE blob IS NOT NULL;
CREATE INDEX @runs_input_blob ON @runs (input_blob) WHERE input_blob IS NOT NULL;
CREATE INDEX @runs_output_blob ON @runs (output_blob) WHERE output_blob IS NOT NULL;
CREATE INDEX @runs_definition ON @runs (definition) WHERE definition IS NOT NULL;
CREATE INDEX @runs_ended ON @runs (ended) WHERE status IN ('completed', 'failed', 'cancelled');
CREATE INDEX @outputs_blob ON @outputs (blob) WHERE blob IS NOT NULL;
CREATE INDEX @jobs_run ON @jobs (run) WHERE run IS NOT NULL;
