-- readable since 1: who does not know leases goes on without them.

ALTER TABLE migrations ADD COLUMN readable_since integer;

-- Who acts for all runtimes: a row a lease. Each new holder has a new epoch, so that nobody who lost
-- it can write any more. "mark" is what was done last, in seconds since 1970 by the clock of its holder.
CREATE TABLE leases (
    name    text PRIMARY KEY,
    epoch   bigint NOT NULL,
    runtime text NOT NULL,
    host    text NOT NULL,
    pid     bigint NOT NULL,
    until   timestamptz NOT NULL,
    mark    double precision
);
