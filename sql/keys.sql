-- Keys and owners of every type; keys are canonical whatever the session says.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
CREATE PROCEDURE try(name text, columns text, keys text, owner_type text, owners text[], key1 text, key2 text) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE TABLE %I (%s, owner %s, note text, PRIMARY KEY (%s))', name, columns, owner_type, keys);
	PERFORM leadroute.attach(name::regclass, 'owner', name => name, router => name);
	INSERT INTO leadroute.member (router, name, owner_value) SELECT try.name, 'm' || i, o FROM unnest(owners) WITH ORDINALITY u (o, i);
	INSERT INTO leadroute.rule (router, name) VALUES (name, 'everyone');
	EXECUTE format('INSERT INTO %I VALUES (%s), (%s)', name, key1, key2);
	EXECUTE format('UPDATE %I SET note = %L', name, 'x');
	EXECUTE format('UPDATE %I SET owner = %L WHERE owner = %L', name, owners[2], owners[1]);
END $$;
CALL try('int2_key', 'id smallint', 'id', 'smallint', '{1,-2}', '1', '-7');
CALL try('int4_key', 'id integer', 'id', 'integer', '{1,2}', '1', '-2147483648');
CALL try('int8_key', 'id bigint', 'id', 'bigint', '{9223372036854775807,2}', '1', '-9223372036854775808');
CALL try('uuid_key', 'id uuid', 'id', 'uuid', '{A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11,00000000-0000-0000-0000-000000000002}', $$'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'$$, $$'{00000000000000000000000000000003}'$$);
CALL try('text_key', 'id text', 'id', 'text', '{it''s,"with \"quotes\" and ünïcödé"}', $$'O''Hara (x,y)'$$, $$''$$);
CALL try('varchar_key', 'id varchar(5)', 'id', 'varchar(8)', '{a,b}', $$'abc'$$, $$'NULL'$$);
CALL try('char_key', 'id char(5)', 'id', 'char(4)', '{a,b}', $$'abc'$$, $$'d'$$);
CALL try('time_key', 'id timestamptz', 'id', 'text', '{a,b}', $$'2024-03-31 02:30:00.123456+02'$$, $$'infinity'$$);
CALL try('date_key', 'id date', 'id', 'text', '{a,b}', $$'2024-02-01'$$, $$'0044-03-15 BC'$$);
CALL try('float_key', 'id float8', 'id', 'text', '{a,b}', '0.1', '1e300');
CALL try('numeric_key', 'id numeric', 'id', 'text', '{a,b}', '1.50', '2');
CALL try('bytea_key', 'id bytea', 'id', 'text', '{a,b}', $$'\x00ff'$$, $$'abc'$$);
CALL try('pair_key', 'tenant integer, id integer', 'tenant, id', 'text', '{a,b}', '17, 4711', '-1, 0');
CALL try('mixed_key', 'a text, b timestamptz, c uuid', 'a, b, c', 'text', '{a,b}',
	$$'x, (y) "z"', '2024-01-01 12:00+00', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'$$, $$'', '2024-01-01 12:00+00', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'$$);
SELECT a.routed_table, a.lead_key, string_agg(a.kind || ' ' || a.member || CASE WHEN a.is_current THEN '' ELSE ' (before)' END, ', ' ORDER BY a.id)
	FROM leadroute.assignment a GROUP BY 1, 2 ORDER BY 1, 2;
SELECT owner FROM text_key ORDER BY id;
SELECT owner FROM uuid_key ORDER BY id;
SELECT * FROM leadroute.verify();

-- The session's settings change how a value looks, not which lead it is.
SET DateStyle = 'German, DMY';
SET TimeZone = 'Asia/Kathmandu';
SET extra_float_digits = -10;
SET bytea_output = 'escape';
UPDATE time_key SET owner = 'a';
UPDATE date_key SET owner = 'a';
UPDATE float_key SET owner = 'a';
UPDATE bytea_key SET owner = 'a';
UPDATE mixed_key SET owner = 'a';
SELECT routed_table, count(*) FILTER (WHERE is_current) AS current, count(*) FROM leadroute.assignment
	WHERE routed_table IN ('time_key', 'date_key', 'float_key', 'bytea_key', 'mixed_key') GROUP BY 1 ORDER BY 1;
-- a key in a call: a value of the type, or text as the journal has it
SELECT leadroute.assign('time_key', timestamptz '2024-03-31 00:30:00.123456 UTC', 'm2');
SELECT leadroute.assign('time_key', 'infinity'::timestamptz, 'm2');
SELECT leadroute.assign('date_key', date '2024-02-01', 'm2');
SELECT leadroute.assign('date_key', (SELECT lead_key FROM leadroute.assignment WHERE routed_table = 'date_key' AND lead_key LIKE '%BC' LIMIT 1), 'm2');
SELECT leadroute.assign('bytea_key', '\x00ff'::bytea, 'm2');
SELECT leadroute.assign('pair_key', ROW(17, 4711), 'm1');
SELECT leadroute.assign('pair_key', '(17,4711)', 'm2');
SELECT leadroute.assign('mixed_key', (SELECT lead_key FROM leadroute.assignment WHERE routed_table = 'mixed_key' AND is_current ORDER BY id LIMIT 1), 'm2');
SELECT leadroute.assign('uuid_key', 'a0eebc999c0b4ef8bb6d6bb9bd380a11'::uuid, 'm1');
SELECT leadroute.assign('text_key', 'O''Hara (x,y)', 'm1');
SELECT leadroute.assign('pair_key', ROW(17), 'm1');
SELECT leadroute.assign('pair_key', '17', 'm1');
RESET ALL;
SELECT a.routed_table, a.lead_key, a.kind, a.member FROM leadroute.assignment a
	WHERE is_current AND a.routed_table IN ('time_key', 'date_key', 'float_key', 'bytea_key', 'mixed_key', 'pair_key') ORDER BY 1, 2;
SELECT * FROM leadroute.verify();

-- Equal keys that look different are the same lead.
UPDATE numeric_key SET id = 1.5 WHERE id = 1.50;
SELECT lead_key, is_current FROM leadroute.assignment WHERE routed_table = 'numeric_key' ORDER BY id;
UPDATE numeric_key SET owner = 'a' WHERE id = 1.5000;
SELECT leadroute.assign('numeric_key', 1.500, 'm2');
SELECT * FROM leadroute.verify();

-- nobody: a value that means no owner.
CREATE TABLE zero (id integer PRIMARY KEY, owner integer NOT NULL DEFAULT 0);
SELECT leadroute.attach('zero', 'owner', nobody => '0', router => 'zero') IS NOT NULL AS attached;
INSERT INTO leadroute.member (router, name, owner_value) VALUES ('zero', 'a', 1), ('zero', 'b', 2);
-- a member whose owner value means nobody could own nothing: refused
DO $$
BEGIN
	INSERT INTO leadroute.member (router, name, owner_value) VALUES ('zero', 'c', '0');
	RAISE WARNING 'accepted';
	DELETE FROM leadroute.member WHERE router = 'zero' AND name = 'c';
EXCEPTION WHEN OTHERS THEN
	RAISE WARNING 'refused';
END $$;
BEGIN;
INSERT INTO zero VALUES (1) RETURNING owner;
SELECT kind FROM leadroute.assignment WHERE routed_table = 'zero';
DELETE FROM zero;
INSERT INTO leadroute.rule (router, name) VALUES ('zero', 'everyone');
COMMIT;
INSERT INTO zero VALUES (2), (3) RETURNING owner;
INSERT INTO zero VALUES (4, 0), (5, 1) RETURNING owner;
UPDATE zero SET owner = 0 WHERE id = 2;
SELECT leadroute.route('zero', 2) IS NOT NULL AS routed;
SELECT lead_key, kind, is_current FROM leadroute.assignment WHERE routed_table = 'zero' AND lead_key <> '1' ORDER BY id;
SELECT * FROM leadroute.verify();

DROP TABLE int2_key, int4_key, int8_key, uuid_key, text_key, varchar_key, char_key, time_key, date_key, float_key, numeric_key, bytea_key, pair_key, mixed_key, zero;
DROP PROCEDURE try;
-- generated key columns: not known when the lead is decided
CREATE TABLE made (n integer NOT NULL, m integer NOT NULL, id integer GENERATED ALWAYS AS (n * 10) STORED PRIMARY KEY, owner text);
SELECT leadroute.attach('made', 'owner');
SELECT leadroute.attach('made', 'owner', key_columns => '{id}');
-- another key serves
CREATE UNIQUE INDEX ON made (n);
SELECT leadroute.attach('made', 'owner', router => 'made');
SELECT key_columns FROM leadroute.routed_table WHERE name = 'made';
SELECT leadroute.attach('made', 'owner', key_columns => '{id}');
INSERT INTO leadroute.member (router, name) VALUES ('made', 'a');
INSERT INTO leadroute.rule (router, name) VALUES ('made', 'everyone');
INSERT INTO made (n, m) VALUES (1, 1) RETURNING owner;
-- the key's column made anew, as a generated one
ALTER TABLE made DROP COLUMN id, DROP COLUMN n, ADD COLUMN n integer GENERATED ALWAYS AS (m + 1) STORED;
INSERT INTO made (m) VALUES (2) RETURNING owner;
SELECT leadroute.route('made', 2);
SELECT leadroute.detach('made');
DROP TABLE made;
DROP EXTENSION leadroute;
DROP SCHEMA leadroute;
