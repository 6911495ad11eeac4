-- The tables of the store. Names without a schema are those of the store's own.

CREATE TABLE migrations (
    version integer PRIMARY KEY,
    name    text NOT NULL,
    time    timestamptz NOT NULL DEFAULT now(),
    by      text NOT NULL
);

-- The number of the newest revision. Whoever writes locks this row first.
CREATE TABLE head (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    number bigint NOT NULL
);
INSERT INTO head (number) VALUES (0);

-- json, not jsonb: the order in which fields were written is kept.
CREATE TABLE specs (
    id        uuid PRIMARY KEY,
    namespace text NOT NULL,
    name      text,
    kind      text NOT NULL,
    revision  bigint NOT NULL,
    ordinal   bigint GENERATED ALWAYS AS IDENTITY,
    body      json NOT NULL,
    CONSTRAINT specs_name UNIQUE (namespace, name) DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX specs_in_order ON specs (namespace, ordinal);

CREATE TABLE "values" (
    id        uuid PRIMARY KEY,
    namespace text NOT NULL,
    name      text,
    revision  bigint NOT NULL,
    ordinal   bigint GENERATED ALWAYS AS IDENTITY,
    body      json NOT NULL,
    CONSTRAINT values_name UNIQUE (namespace, name) DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX values_in_order ON "values" (namespace, ordinal);

-- The log: one row a change set. The key is made by its writer, who can ask for it later.
CREATE TABLE revisions (
    number  bigint PRIMARY KEY,
    key     uuid NOT NULL UNIQUE,
    time    timestamptz NOT NULL,
    author  text NOT NULL DEFAULT '',
    message text NOT NULL DEFAULT ''
);

-- What each change set made of which resource: before is null where it is new, after where it is
-- gone. "former" is the namespace it had before, where that was another; "was" the revision.
CREATE TABLE turns (
    revision  bigint NOT NULL REFERENCES revisions (number) ON DELETE CASCADE,
    position  integer NOT NULL,
    sort      text NOT NULL CHECK (sort IN ('spec', 'value')),
    id        uuid NOT NULL,
    namespace text NOT NULL,
    former    text,
    was       bigint,
    before    json,
    after     json,
    PRIMARY KEY (revision, position)
);

-- What runtimes say of themselves.
CREATE TABLE reports (
    runtime   text PRIMARY KEY,
    namespace text NOT NULL,
    renewed   timestamptz NOT NULL,
    late      interval NOT NULL,
    body      json NOT NULL
);
CREATE INDEX reports_of ON reports (namespace);

-- Tells the keys of a change set to whoever listens; never what they hold. A notification takes
-- less than 8000 bytes: where there are more keys, it says only up to which revision to look.
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    newest bigint;
    oldest bigint;
    number bigint;
    payload text;
BEGIN
    SELECT max(revision), min(revision), count(*) INTO newest, oldest, number FROM come;
    IF newest IS NULL THEN
        RETURN NULL;
    END IF;
    IF number <= 100 AND newest = oldest THEN
        SELECT json_build_object(
            'revision', newest,
            'keys', json_agg(json_build_array(sort, id, namespace, former) ORDER BY position)
        )::text INTO payload FROM come;
    END IF;
    IF payload IS NULL OR octet_length(payload) > 7900 THEN
        payload := json_build_object('revision', newest)::text;
    END IF;
    PERFORM pg_notify('heddle_' || TG_TABLE_SCHEMA, payload);
    RETURN NULL;
END
$$;

CREATE TRIGGER tell AFTER INSERT ON turns
    REFERENCING NEW TABLE AS come
    FOR EACH STATEMENT EXECUTE FUNCTION tell();
