-- The peers' own configuration: :rules rules, :members members.

CREATE TABLE peer_member (
	id				integer PRIMARY KEY,
	last_assigned	bigint NOT NULL
) WITH (fillfactor = 10);	-- room for HOT updates: no index is touched
INSERT INTO peer_member SELECT i, i FROM generate_series(1, :members) i;

CREATE SEQUENCE peer_turn;
SELECT setval('peer_turn', :members) \g /dev/null

CREATE TABLE peer_rule AS
	SELECT priority AS id, condition, country, source FROM bench.rules(:rules);
ALTER TABLE peer_rule ADD PRIMARY KEY (id);
CREATE INDEX ON peer_rule (country, source, id);
ANALYZE peer_rule;

CREATE TABLE peer_cursor (
	only_row	boolean PRIMARY KEY,
	n			integer NOT NULL
) WITH (fillfactor = 10);
INSERT INTO peer_cursor VALUES (true, 0);

CREATE SEQUENCE peer_modulo;

SELECT bench.make_journal('journal_cte') \g /dev/null
SELECT bench.make_journal('journal_plpgsql') \g /dev/null
SELECT bench.make_journal('journal_lookup') \g /dev/null

-- empty: what any BEFORE ROW trigger costs.
CREATE FUNCTION peer_empty() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RETURN NEW;
END $$;

-- sequence: turns by a sequence; no rules, no reasons, no absences, no journal.
SELECT format($f$
CREATE FUNCTION peer_sequence() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	NEW.owner_id := nextval('public.peer_modulo') %% %s + 1;
	RETURN NEW;
END $$ $f$, :members) \gexec

-- cursor: turns by a row that each lead updates; no rules, no journal.
SELECT format($f$
CREATE FUNCTION peer_cursor() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE public.peer_cursor SET n = n %% %s + 1 RETURNING n INTO NEW.owner_id;
	RETURN NEW;
END $$ $f$, :members) \gexec

-- plpgsql: rules, the member that waits longest, a journal row.  The rules'
-- conditions are any SQL over the lead; the function is generated from them.
-- (One CASE is faster than IF … ELSIF, and ten times as fast as EXECUTE of one
-- condition after the other.)
SELECT format($f$
CREATE FUNCTION peer_plpgsql() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	country	text := NEW.country;
	source	text := NEW.source;
	r		integer;
	m		integer;
BEGIN
	r := CASE %s END;
	SELECT id INTO m FROM public.peer_member
		ORDER BY last_assigned LIMIT 1 FOR UPDATE SKIP LOCKED;
	UPDATE public.peer_member SET last_assigned = nextval('public.peer_turn') WHERE id = m;
	NEW.owner_id := m;
	INSERT INTO public.journal_plpgsql
		VALUES (NEW.id, 0, now(), r, 1, 1, m, 1, 'a', 'r', true, false, current_user, 0);
	RETURN NEW;
END $$ $f$, string_agg(format('WHEN %s THEN %s', condition, id), E'\n' ORDER BY id))
FROM peer_rule \gexec

-- lookup: the same, where every rule must be a pair of two given columns, found
-- by an index.  No other condition is possible.
CREATE FUNCTION peer_lookup() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	r		integer;
	m		integer;
BEGIN
	SELECT id INTO r FROM public.peer_rule
		WHERE country = NEW.country AND source = NEW.source ORDER BY id LIMIT 1;
	SELECT id INTO m FROM public.peer_member
		ORDER BY last_assigned LIMIT 1 FOR UPDATE SKIP LOCKED;
	UPDATE public.peer_member SET last_assigned = nextval('public.peer_turn') WHERE id = m;
	NEW.owner_id := m;
	INSERT INTO public.journal_lookup
		VALUES (NEW.id, 0, now(), r, 1, 1, m, 1, 'a', 'r', true, false, current_user, 0);
	RETURN NEW;
END $$;

GRANT ALL ON ALL TABLES IN SCHEMA public TO app;
GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO app;
