-- readable since 1: who does not know mentions reads and writes as before; the database keeps them.

-- Every text by which a spec may name another: see heddle.specs.model.mentions. Null is what cannot be
-- taken apart, such as a text with the character 0.
CREATE FUNCTION mentions_of(kind text, body json) RETURNS text[]
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog AS $$
DECLARE
    found text[];
    blank boolean;
    said jsonb;
BEGIN
    said := body::jsonb;
    SELECT array_agg(DISTINCT word) FILTER (WHERE char_length(word) <= 200),
           bool_or(position('{{' IN word) > 0)
        INTO found, blank
        FROM (SELECT each #>> '{}' AS word
              FROM jsonb_path_query(said - '{kind,name,namespace,id,annotations,ports}'::text[], 'strict $.**')
                   AS each
              WHERE jsonb_typeof(each) = 'string'
              UNION ALL
              SELECT coalesce(link ->> 'id', link ->> 'name')
              FROM jsonb_path_query(said, 'lax $.ports.*[*]') AS link) AS texts
        WHERE word IS NOT NULL;
    found := coalesce(found, '{}');
    -- A node that another holds is a mention of that one, too.
    found := found || ARRAY(SELECT split_part(word, '/', 1) FROM unnest(found) AS word
                            WHERE position('/' IN word) > 0);
    RETURN CASE WHEN blank THEN found || ('{{' || kind) ELSE found END;
EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
    RETURN NULL;
END
$$;

ALTER TABLE specs ADD COLUMN mentions text[] GENERATED ALWAYS AS (mentions_of(kind, body)) STORED;

CREATE INDEX specs_mentions ON specs USING gin (mentions);
