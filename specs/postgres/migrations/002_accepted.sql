-- What a runtime accepted last: what a start serves if the newest has problems.
CREATE TABLE accepted (
    namespace text NOT NULL,
    sort      text NOT NULL CHECK (sort IN ('spec', 'value')),
    id        uuid NOT NULL,
    revision  bigint NOT NULL,
    active    boolean NOT NULL,
    file      text NOT NULL,
    body      json NOT NULL,
    ordinal   bigint GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (namespace, sort, id)
);
