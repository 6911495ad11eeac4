"""Every statement that the store sends, in one place; `{s}` is the schema. Tables: `migrations/*.sql`."""

from heddle.specs.stores.postgres.address import SCHEMA


def channel(schema: str) -> str:
    """Return what the trigger in this schema notifies."""
    return f"heddle_{schema}"


class Queries:
    """The statements, written for one schema. Their order follows the life of a store."""

    def __init__(self, schema: str = SCHEMA) -> None:
        # One function: a list of statements, each with the names of this schema.
        def of(text: str) -> bytes:
            # Bytes: psycopg takes them for a statement that no input became a part of.
            return text.replace("{s}", f'"{schema}"').encode()

        # --- a connection ---

        self.settle = of("""
            SELECT set_config('statement_timeout', %(statement)s, false),
                   set_config('lock_timeout', %(lock)s, false),
                   set_config('idle_in_transaction_session_timeout', %(idle)s, false)
        """)
        self.schema = of("SELECT to_regnamespace('{s}') IS NOT NULL")
        self.migrations = of("SELECT to_regclass('{s}.migrations') IS NOT NULL")
        # The column is not there in version 1.
        self.version = of("""
            SELECT version, coalesce((to_jsonb(m) ->> 'readable_since')::int, version)
            FROM {s}.migrations AS m ORDER BY version DESC LIMIT 1
        """)
        self.migrated = of("INSERT INTO {s}.migrations (version, name, by) VALUES (%s, %s, %s)")
        self.readable = of("UPDATE {s}.migrations SET readable_since = %s WHERE version = %s")
        self.alone = of("SELECT pg_advisory_xact_lock(1751475308, hashtext('{s}'))")

        # --- reading ---

        # What the newest of them is, and what is in it, can be seen in one go: numbers are given
        # out under the lock of `head`, which is let go when the change set can be seen.
        self.newest = of("SELECT number FROM {s}.head")
        self.all_of = {
            "spec": of("SELECT body::text, revision FROM {s}.specs ORDER BY ordinal"),
            "value": of("SELECT body::text, revision FROM {s}.values ORDER BY ordinal"),
        }
        self.in_namespace = {
            "spec": of(
                "SELECT body::text, revision FROM {s}.specs WHERE namespace = %s ORDER BY ordinal"
            ),
            "value": of(
                "SELECT body::text, revision FROM {s}.values WHERE namespace = %s ORDER BY ordinal"
            ),
        }
        self.with_ids = {
            "spec": of("""
                SELECT body::text, revision FROM {s}.specs
                WHERE id = ANY(%(ids)s) AND (%(namespace)s::text IS NULL OR namespace = %(namespace)s)
                ORDER BY ordinal
            """),
            "value": of("""
                SELECT body::text, revision FROM {s}.values
                WHERE id = ANY(%(ids)s) AND (%(namespace)s::text IS NULL OR namespace = %(namespace)s)
                ORDER BY ordinal
            """),
        }

        self.with_names = {
            "spec": of("""
                SELECT body::text, revision FROM {s}.specs
                WHERE namespace = %(namespace)s AND name = ANY(%(names)s) ORDER BY ordinal
            """),
            "value": of("""
                SELECT body::text, revision FROM {s}.values
                WHERE namespace = %(namespace)s AND name = ANY(%(names)s) ORDER BY ordinal
            """),
        }
        # What is null could not be taken apart: it may mention anything.
        self.mentioning = of("""
            SELECT body::text, revision FROM {s}.specs
            WHERE namespace = %(namespace)s AND mentions && %(words)s::text[]
            UNION ALL
            SELECT body::text, revision FROM {s}.specs
            WHERE namespace = %(namespace)s AND mentions IS NULL
        """)

        # --- writing: these in this order, in one transaction ---

        # Whoever writes waits here for the one before: so revisions are numbered as they become
        # visible, without a gap, and what was checked stays true until the end.
        self.lock = of("SELECT number FROM {s}.head FOR UPDATE")
        self.concerned = {
            "spec": of("""
                SELECT body::text, revision FROM {s}.specs
                WHERE id = ANY(%(ids)s)
                   OR (namespace, name) IN (SELECT * FROM unnest(%(spaces)s::text[], %(names)s::text[]))
            """),
            "value": of("""
                SELECT body::text, revision FROM {s}.values
                WHERE id = ANY(%(ids)s)
                   OR (namespace, name) IN (SELECT * FROM unnest(%(spaces)s::text[], %(names)s::text[]))
            """),
        }
        self.count_up = of("UPDATE {s}.head SET number = %s")
        self.revise = of("""
            INSERT INTO {s}.revisions (number, key, time, author, message)
            VALUES (%s, %s, clock_timestamp(), %s, %s)
        """)
        self.put = {
            "spec": of("""
                INSERT INTO {s}.specs (id, namespace, name, kind, revision, body)
                SELECT id, namespace, name, kind, %(number)s, body::json
                FROM unnest(%(ids)s::uuid[], %(spaces)s::text[], %(names)s::text[], %(kinds)s::text[],
                            %(bodies)s::text[])
                     WITH ORDINALITY AS new (id, namespace, name, kind, body, at) ORDER BY at
                ON CONFLICT (id) DO UPDATE SET namespace = EXCLUDED.namespace, name = EXCLUDED.name,
                    kind = EXCLUDED.kind, revision = EXCLUDED.revision, body = EXCLUDED.body
            """),
            "value": of("""
                INSERT INTO {s}.values (id, namespace, name, revision, body)
                SELECT id, namespace, name, %(number)s, body::json
                FROM unnest(%(ids)s::uuid[], %(spaces)s::text[], %(names)s::text[], %(bodies)s::text[])
                     WITH ORDINALITY AS new (id, namespace, name, body, at) ORDER BY at
                ON CONFLICT (id) DO UPDATE SET namespace = EXCLUDED.namespace, name = EXCLUDED.name,
                    revision = EXCLUDED.revision, body = EXCLUDED.body
            """),
        }
        self.drop = {
            "spec": of("DELETE FROM {s}.specs WHERE id = ANY(%s)"),
            "value": of("DELETE FROM {s}.values WHERE id = ANY(%s)"),
        }
        # A trigger tells whoever listens, when the transaction is kept.
        self.turn = of("""
            INSERT INTO {s}.turns
                (revision, position, sort, id, namespace, former, was, before, after)
            SELECT %(number)s, at, sort, id, namespace, former, was, before::json, after::json
            FROM unnest(%(sorts)s::text[], %(ids)s::uuid[], %(spaces)s::text[], %(formers)s::text[],
                        %(was)s::bigint[], %(befores)s::text[], %(afters)s::text[])
                 WITH ORDINALITY AS new (sort, id, namespace, former, was, before, after, at)
        """)

        # --- following ---

        self.listen = f'LISTEN "{channel(schema)}"'.encode()

        # One statement, so one moment: the keys are all of those up to the number.
        self.since = of("""
            SELECT head.number, turns.revision, turns.sort, turns.id, turns.namespace, turns.former
            FROM {s}.head LEFT JOIN {s}.turns ON turns.revision > %s
            ORDER BY turns.revision, turns.position
        """)
        self.first = of("SELECT coalesce(min(number), 0) FROM {s}.revisions")
        # A number with another key than before, or none: the database was restored to an older state.
        self.where = of("""
            SELECT head.number, newest.key, before.key FROM {s}.head
            LEFT JOIN {s}.revisions AS newest ON newest.number = head.number
            LEFT JOIN {s}.revisions AS before ON before.number = %s
        """)

        # --- looking back ---

        self.history = of("""
            SELECT number, extract(epoch FROM time)::float8, author, message FROM {s}.revisions
            WHERE (%(before)s::bigint IS NULL OR number < %(before)s)
              AND (%(namespace)s::text IS NULL OR EXISTS (
                   SELECT FROM {s}.turns WHERE revision = number
                   AND (turns.namespace = %(namespace)s OR turns.former = %(namespace)s)))
            ORDER BY number DESC LIMIT %(limit)s
        """)
        self.revision = of("""
            SELECT number, extract(epoch FROM time)::float8, author, message FROM {s}.revisions
            WHERE number = %s
        """)
        self.keyed = of("""
            SELECT number, extract(epoch FROM time)::float8, author, message FROM {s}.revisions
            WHERE key = %s
        """)
        self.turns = of("""
            SELECT revision, sort, was, before::text, after::text FROM {s}.turns
            WHERE revision = ANY(%(numbers)s) AND (%(namespace)s::text IS NULL
                  OR namespace = %(namespace)s OR former = %(namespace)s)
            ORDER BY revision, position
        """)

        # --- runtimes ---

        # Ages, not times: clocks of two machines differ.
        self.report = of("""
            INSERT INTO {s}.reports (runtime, namespace, renewed, late, body)
            VALUES (%(runtime)s, %(namespace)s, now() - make_interval(secs => %(age)s),
                    make_interval(secs => %(late)s), %(body)s::json)
            ON CONFLICT (runtime) DO UPDATE SET namespace = EXCLUDED.namespace,
                renewed = EXCLUDED.renewed, late = EXCLUDED.late, body = EXCLUDED.body
        """)
        self.sweep = of("""
            DELETE FROM {s}.reports WHERE runtime IN (
                SELECT runtime FROM {s}.reports WHERE renewed + late < now() FOR UPDATE SKIP LOCKED)
        """)
        self.accepted = of("""
            SELECT sort, id, revision, active, file, body::text FROM {s}.accepted
            WHERE namespace = %s ORDER BY ordinal
        """)
        self.unaccept = of("""
            DELETE FROM {s}.accepted USING unnest(%(sorts)s::text[], %(ids)s::uuid[]) AS gone (sort, id)
            WHERE namespace = %(namespace)s AND accepted.sort = gone.sort AND accepted.id = gone.id
        """)
        # Sorted by key: two that keep the same at the same time wait for each other in one order.
        self.accept = of("""
            INSERT INTO {s}.accepted (namespace, sort, id, revision, active, file, body)
            SELECT %(namespace)s, sort, id, revision, active, file, body::json
            FROM unnest(%(sorts)s::text[], %(ids)s::uuid[], %(revisions)s::bigint[],
                        %(actives)s::boolean[], %(files)s::text[], %(bodies)s::text[])
                 AS new (sort, id, revision, active, file, body) ORDER BY sort, id
            ON CONFLICT (namespace, sort, id) DO UPDATE SET revision = EXCLUDED.revision,
                active = EXCLUDED.active, file = EXCLUDED.file, body = EXCLUDED.body
            WHERE (accepted.revision, accepted.active, accepted.file, accepted.body::text)
                IS DISTINCT FROM (EXCLUDED.revision, EXCLUDED.active, EXCLUDED.file, EXCLUDED.body::text)
        """)
        self.sweep_leases = of("DELETE FROM {s}.leases WHERE until < now() - interval '400 days'")
        self.withdraw = of("DELETE FROM {s}.reports WHERE runtime = %s")
        self.reports = of("""
            SELECT body::text FROM {s}.reports
            WHERE (%(namespace)s::text IS NULL OR namespace = %(namespace)s)
              AND renewed + late >= now()
            ORDER BY namespace, runtime
        """)

        # --- leases: by the clock of the server ---

        # In the order of their names, so that two who take several do not wait for each other.
        self.take = of("""
            INSERT INTO {s}.leases AS held (name, epoch, runtime, host, pid, until, mark)
            SELECT name, 1, runtime, host, pid, clock_timestamp() + make_interval(secs => ttl), mark
            FROM unnest(%(names)s::text[], %(ttls)s::float8[], %(marks)s::float8[],
                        %(runtimes)s::text[], %(hosts)s::text[], %(pids)s::bigint[])
                 AS wanted (name, ttl, mark, runtime, host, pid) ORDER BY name
            ON CONFLICT (name) DO UPDATE SET
                epoch = held.epoch + (held.runtime <> EXCLUDED.runtime)::int,
                runtime = EXCLUDED.runtime, host = EXCLUDED.host, pid = EXCLUDED.pid,
                until = EXCLUDED.until, mark = greatest(held.mark, EXCLUDED.mark)
            WHERE held.runtime = EXCLUDED.runtime OR held.until <= clock_timestamp()
        """)
        self.held = of("""
            SELECT name, epoch, runtime, host, pid, mark FROM {s}.leases WHERE name = ANY(%s)
        """)
        # The same mark twice is our own, whose answer was lost.
        self.record = of("""
            UPDATE {s}.leases SET mark = %(mark)s
            WHERE name = %(name)s AND runtime = %(runtime)s AND epoch = %(epoch)s
              AND (mark IS NULL OR mark <= %(mark)s)
            RETURNING epoch
        """)
        self.release = of("""
            UPDATE {s}.leases SET runtime = '', host = '', pid = 0, until = clock_timestamp(),
                mark = coalesce(%(mark)s::float8, mark)
            WHERE name = %(name)s AND runtime = %(runtime)s AND epoch = %(epoch)s
        """)
