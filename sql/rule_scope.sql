-- rule.valid and rule.percent: when a rule is in force, which part of the leads it takes.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE EXTENSION leadroute;
CREATE TABLE lead (id integer PRIMARY KEY, n integer, owner text);
SELECT leadroute.attach('lead', 'owner') IS NOT NULL AS attached;
INSERT INTO leadroute.member (name) VALUES ('a'), ('b');
INSERT INTO leadroute.team (name) VALUES ('a'), ('b');
INSERT INTO leadroute.team_member (team, member) VALUES ('a', 'a'), ('b', 'b');
INSERT INTO leadroute.rule (name, priority, condition, team) VALUES ('part', 1, 'n > 0', 'a');
INSERT INTO leadroute.rule (name, team) VALUES ('rest', 'b');

-- Refused.
\set VERBOSITY terse
UPDATE leadroute.rule SET percent = -0.1;
UPDATE leadroute.rule SET percent = 100.1;
UPDATE leadroute.rule SET percent = 'NaN';
UPDATE leadroute.rule SET percent = NULL;
UPDATE leadroute.rule SET valid = 'empty';
\set VERBOSITY default

-- valid: by the decision's clock, bounds as they say.
UPDATE leadroute.rule SET valid = '[2030-01-01 00:00Z, 2030-02-01 00:00Z)' WHERE name = 'part';
CREATE FUNCTION pg_temp.owner_at(clock timestamptz) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	o text;
BEGIN
	PERFORM set_config('leadroute.test_clock', clock::text, true);
	INSERT INTO lead VALUES (0, 1) RETURNING owner INTO o;
	DELETE FROM lead WHERE id = 0;
	PERFORM set_config('leadroute.test_clock', '', true);
	RETURN o;
END
$$;
CREATE TEMP TABLE moment (at timestamptz);
INSERT INTO moment VALUES ('2029-12-31 23:59:59.999999Z'), ('2030-01-01 00:00Z'), ('2030-01-01 00:00:00.000001Z'),
	('2030-01-31 23:59:59.999999Z'), ('2030-02-01 00:00Z'), ('2030-02-01 00:00:00.000001Z');
SELECT at, pg_temp.owner_at(at) FROM moment ORDER BY at;
UPDATE leadroute.rule SET valid = '(2030-01-01 00:00Z, 2030-02-01 00:00Z]' WHERE name = 'part';
SELECT at, pg_temp.owner_at(at) FROM moment ORDER BY at;
UPDATE leadroute.rule SET valid = '(,2030-02-01 00:00Z)' WHERE name = 'part';
SELECT at, pg_temp.owner_at(at) FROM moment ORDER BY at;
UPDATE leadroute.rule SET valid = '[2030-01-01 00:00Z,infinity]' WHERE name = 'part';
SELECT at, pg_temp.owner_at(at) FROM moment ORDER BY at;
-- What is tested at every moment is what SQL says of the range.
DO $$
DECLARE
	v text;
	m timestamptz;
BEGIN
	FOREACH v IN ARRAY ARRAY['(,)', '[,]', '(-infinity,infinity)', '[-infinity,2030-01-01 00:00Z]', '(infinity,)',
		'[2030-01-01 00:00Z,2030-01-01 00:00Z]', '[2030-02-01 00:00Z,)']
	LOOP
		UPDATE leadroute.rule SET valid = v::tstzrange WHERE name = 'part';
		FOR m IN SELECT at FROM moment LOOP
			IF (pg_temp.owner_at(m) = 'a') IS DISTINCT FROM v::tstzrange @> m THEN
				RAISE EXCEPTION '% at %', v, m;
			END IF;
		END LOOP;
	END LOOP;
END
$$;
UPDATE leadroute.rule SET valid = NULL, percent = 30 WHERE name = 'part';

-- percent: the draw, computed by other means.
CREATE FUNCTION pg_temp.draw(s text) RETURNS numeric LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
	two64 CONSTANT numeric := 18446744073709551616;
	h numeric := 14695981039346656037;
	bits bit(64);
BEGIN
	FOR i IN 0 .. length(convert_to(s, 'UTF8')) - 1 LOOP
		bits := pg_temp.bits(h) # get_byte(convert_to(s, 'UTF8'), i)::bigint::bit(64);
		h := mod(pg_temp.number(bits) * 1099511628211, two64);
	END LOOP;
	h := pg_temp.number(pg_temp.bits(h) # (pg_temp.bits(h) >> 33));
	h := mod(h * x'ff51afd7ed558ccd'::bit(64)::bigint + two64 * two64, two64);
	h := pg_temp.number(pg_temp.bits(h) # (pg_temp.bits(h) >> 33));
	h := mod(h * x'c4ceb9fe1a85ec53'::bit(64)::bigint + two64 * two64, two64);
	h := pg_temp.number(pg_temp.bits(h) # (pg_temp.bits(h) >> 33));
	RETURN div(h, 2048) * 100 / 9007199254740992;
END
$$;
CREATE FUNCTION pg_temp.bits(n numeric) RETURNS bit(64) LANGUAGE sql IMMUTABLE AS
	'SELECT (CASE WHEN n >= 9223372036854775808 THEN n - 18446744073709551616 ELSE n END)::bigint::bit(64)';
CREATE FUNCTION pg_temp.number(b bit(64)) RETURNS numeric LANGUAGE sql IMMUTABLE AS
	'SELECT CASE WHEN b::bigint < 0 THEN b::bigint + 18446744073709551616::numeric ELSE b::bigint END';
INSERT INTO lead SELECT g, 1 FROM generate_series(1, 1000) g;
SELECT owner, count(*) FROM lead GROUP BY owner ORDER BY owner;
SELECT count(*) AS disagreements FROM lead, leadroute.rule r, leadroute.router ro
WHERE r.name = 'part' AND (owner = 'a') <> (pg_temp.draw(format('%s %s %s', ro.id, r.id, lead.id)) < 30);

-- The same lead falls the same way: again, in another session, after a rename, for the other rule another one.
SELECT md5(string_agg(id::text, ' ' ORDER BY id)) FROM lead WHERE owner = 'a';
DELETE FROM lead;
UPDATE leadroute.rule SET name = 'renamed' WHERE name = 'part';
UPDATE leadroute.router SET name = 'renamed';
\c -
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE TEMP TABLE first (id integer, owner text);
INSERT INTO lead SELECT g, 1 FROM generate_series(1, 1000) g;
INSERT INTO first SELECT id, owner FROM lead;
SELECT min(id) AS b FROM lead WHERE owner = 'b' \gset
SELECT md5(string_agg(id::text, ' ' ORDER BY id)) FROM lead WHERE owner = 'a';
-- Raised: nobody leaves.  0 takes none, 100 takes all; a lead that does not match is none of it.
DELETE FROM lead;
UPDATE leadroute.rule SET percent = 60.5 WHERE name = 'renamed';
INSERT INTO lead SELECT g, 1 FROM generate_series(1, 1000) g;
SELECT count(*) FILTER (WHERE l.owner = 'a') AS more, count(*) FILTER (WHERE f.owner = 'a' AND l.owner = 'b') AS left_it
FROM lead l JOIN first f USING (id);
DELETE FROM lead;
UPDATE leadroute.rule SET percent = 0 WHERE name = 'renamed';
INSERT INTO lead SELECT g, 1 FROM generate_series(1, 1000) g;
SELECT owner, count(*) FROM lead GROUP BY owner;
DELETE FROM lead;
UPDATE leadroute.rule SET percent = 100 WHERE name = 'renamed';
INSERT INTO lead SELECT g, g % 2 FROM generate_series(1, 1000) g;
SELECT owner, n, count(*) FROM lead GROUP BY owner, n ORDER BY n;

-- explain says so.
UPDATE leadroute.rule SET percent = 30, valid = '[2030-01-01 00:00Z,)' WHERE name = 'renamed';
SET leadroute.test_clock = '2029-01-01 00:00Z';
SELECT e FROM leadroute.explain('lead', 1) e WHERE e ~ 'Rule|In force|Percent|Result';
SET leadroute.test_clock = '2031-01-01 00:00Z';
SELECT e FROM leadroute.explain('lead', 1) e WHERE e ~ 'Rule|In force|Percent|Result';
SELECT e FROM leadroute.explain('lead', :b) e WHERE e ~ 'Rule|In force|Percent|Result';
SELECT jsonb_path_query_array(e::jsonb, '$.rules[*].result'), jsonb_path_query_array(e::jsonb, '$.rules[*].draw') FROM leadroute.explain('lead', 1, 'json') e;
RESET leadroute.test_clock;
DROP TABLE lead CASCADE;
DROP EXTENSION leadroute CASCADE;
