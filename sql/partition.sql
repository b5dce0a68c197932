-- Partitioned lead tables: other column orders, dropped columns, rows that
-- move, inserts into a leaf, partitions attached later; and what is refused.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
CREATE TABLE lead (
	junk	integer,
	id		integer NOT NULL,
	region	text NOT NULL,
	value	integer,
	owner	text,
	open	boolean NOT NULL DEFAULT true,
	PRIMARY KEY (region, id)
) PARTITION BY LIST (region);
-- one by the server, one with its columns in another order and dropped ones,
-- one that is partitioned itself
CREATE TABLE lead_eu PARTITION OF lead FOR VALUES IN ('eu');
CREATE TABLE lead_us (owner text, gone integer, open boolean NOT NULL DEFAULT true, value integer, region text NOT NULL, gone2 text, id integer NOT NULL, junk integer);
ALTER TABLE lead_us DROP COLUMN gone, DROP COLUMN gone2;
ALTER TABLE lead ATTACH PARTITION lead_us FOR VALUES IN ('us');
CREATE TABLE lead_asia PARTITION OF lead FOR VALUES IN ('asia') PARTITION BY RANGE (id);
CREATE TABLE lead_asia_1 PARTITION OF lead_asia FOR VALUES FROM (0) TO (1000);
CREATE TABLE lead_asia_2 PARTITION OF lead_asia FOR VALUES FROM (1000) TO (2000);
ALTER TABLE lead DROP COLUMN junk;
INSERT INTO lead (region, id, owner) VALUES ('us', 1, 'b'), ('asia', 1001, 'b');
SELECT leadroute.attach('lead', 'owner', closed_when => 'NOT open') IS NOT NULL AS attached;
INSERT INTO leadroute.member (name) VALUES ('a'), ('b'), ('c');
INSERT INTO leadroute.team (name) VALUES ('ab'), ('c');
INSERT INTO leadroute.team_member (team, member) VALUES ('ab', 'a'), ('ab', 'b'), ('c', 'c');
INSERT INTO leadroute.rule (name, priority, condition, team) VALUES ('big', 1, 'value > 1000', 'c'), ('us', 2, $$region = 'us' AND value < 0$$, 'c'), ('rest', 3, NULL, 'ab');
CREATE FUNCTION state() RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws(', ',
		(SELECT count(*) FROM lead) || ' leads',
		(SELECT count(*) FROM lead l FULL JOIN (SELECT * FROM leadroute.assignment WHERE is_current) a
			ON a.lead_key = format('(%s,%s)', l.region, l.id) WHERE a.member IS DISTINCT FROM l.owner OR a.lead_key IS NULL) || ' wrong',
		(SELECT count(*) FROM leadroute.assignment) || ' decisions',
		'load ' || (SELECT string_agg(coalesce(load, 0)::text, ' ' ORDER BY m.name) FROM leadroute.member m LEFT JOIN leadroute.member_counter() c ON m.id = c.member),
		(SELECT count(*) FROM leadroute.verify()) || ' disagreements');
$$;
SELECT state();

-- Into the root: conditions and the owner find their columns everywhere.
INSERT INTO lead (region, id, value) VALUES ('eu', 1, 5), ('us', 2, 2000), ('us', 3, -5), ('asia', 1, 2000), ('asia', 1002, 7), ('us', 4, 8), ('eu', 2, -5)
	RETURNING tableoid::regclass, region, id, value, owner;
SELECT lead_key, rule, member FROM leadroute.assignment WHERE is_current AND kind = 'assigned' ORDER BY id;
SELECT state();
-- Into a leaf and a branch: the same turns.
INSERT INTO lead_us (region, id, value) VALUES ('us', 10, 1), ('us', 11, 2000), ('us', 12, 1) RETURNING id, owner;
INSERT INTO lead_eu (region, id) VALUES ('eu', 10) RETURNING owner;
INSERT INTO lead_asia (region, id) VALUES ('asia', 10), ('asia', 1010) RETURNING id, owner;
COPY lead_us (region, id) FROM stdin;
us	13
us	14
\.
COPY lead (region, id) FROM stdin;
us	15
eu	15
asia	1015
\.
SELECT state();
-- conflicts: no turn for what is not stored
INSERT INTO lead (region, id) VALUES ('us', 15), ('us', 16), ('eu', 15), ('asia', 16) ON CONFLICT DO NOTHING RETURNING region, id, owner;
INSERT INTO lead_us (region, id) VALUES ('us', 15), ('us', 17), ('us', 16), ('us', 18) ON CONFLICT DO NOTHING RETURNING id, owner;
INSERT INTO lead (region, id) VALUES ('us', 15), ('eu', 19), ('us', 20) ON CONFLICT (region, id) DO UPDATE SET owner = EXCLUDED.owner, value = 99 RETURNING region, id, value;
SELECT state();
INSERT INTO lead_us (region, id) VALUES ('us', 15), ('us', 21) ON CONFLICT (region, id) DO UPDATE SET value = 100 RETURNING id, value;
SELECT state();
-- a row that fits no partition, in the middle
INSERT INTO lead (region, id) VALUES ('eu', 30), ('moon', 1);
BEGIN;
INSERT INTO lead_us (region, id) VALUES ('us', 30), ('us', 31);
SAVEPOINT s;
INSERT INTO lead_us (region, id) VALUES ('us', 32);
ROLLBACK TO s;
INSERT INTO lead_us (region, id) VALUES ('us', 33);
COMMIT;
SELECT state();

-- A row that moves is the same lead: no new decision, its load stays.
SELECT count(*) AS before FROM leadroute.assignment
\gset
UPDATE lead SET region = 'us', id = 100 WHERE region = 'eu' AND id = 1 RETURNING tableoid::regclass, owner;
UPDATE lead SET region = 'asia', id = 200 + id WHERE region = 'us' AND id IN (10, 11) RETURNING tableoid::regclass, id, owner IS NOT NULL AS owned;
UPDATE lead_asia SET id = 1300 WHERE id = 1 RETURNING tableoid::regclass, owner;
SELECT count(*) = :before AS no_new_decision FROM leadroute.assignment;
SELECT state();
-- moved and given to another; moved and closed; moved and moved back
UPDATE lead SET region = 'eu', owner = 'c' WHERE region = 'us' AND id = 100;
UPDATE lead SET region = 'eu', open = false WHERE region = 'us' AND id = 12;
BEGIN;
UPDATE lead SET region = 'us' WHERE region = 'eu' AND id = 12;
UPDATE lead SET region = 'eu' WHERE region = 'us' AND id = 12;
COMMIT;
SELECT state();
BEGIN;
UPDATE lead SET region = 'eu', id = id + 5000 WHERE region = 'us';
SELECT state();
ROLLBACK;
SELECT state();
-- an upsert that moves nothing but deletes and inserts by hand in one go
WITH d AS (DELETE FROM lead WHERE region = 'us' AND id = 13 RETURNING id)
	INSERT INTO lead (region, id) SELECT 'eu', id FROM d RETURNING owner IS NOT NULL AS owned;
DELETE FROM lead WHERE region = 'asia' AND id IN (210, 211);
SELECT state();
-- MERGE that updates across partitions and inserts
MERGE INTO lead l USING (VALUES ('us', 14), ('us', 400)) v (region, id) ON l.region = v.region AND l.id = v.id
	WHEN MATCHED THEN UPDATE SET region = 'eu', id = 414
	WHEN NOT MATCHED THEN INSERT (region, id) VALUES (v.region, v.id);
SELECT state();

-- A partition attached afterwards: its leads are adopted by attach; new ones go
-- through the triggers at once.
CREATE TABLE lead_africa (id integer NOT NULL, open boolean NOT NULL DEFAULT true, region text NOT NULL, owner text, value integer);
INSERT INTO lead_africa (region, id, owner) VALUES ('africa', 1, 'a'), ('africa', 2, NULL);
ALTER TABLE lead ATTACH PARTITION lead_africa FOR VALUES IN ('africa');
INSERT INTO lead (region, id) VALUES ('africa', 3) RETURNING owner IS NOT NULL AS owned;
INSERT INTO lead_africa (region, id) VALUES ('africa', 4) RETURNING owner IS NOT NULL AS owned;
SELECT leadroute.attach('lead', 'owner', closed_when => 'NOT open');
SELECT leadroute.route('lead', '(africa,2)') IS NOT NULL AS routed;
SELECT leadroute.route('lead', ROW('africa', 3)) IS NOT NULL AS routed;
SELECT state();
-- a new partition of a partition; a partition truncated, dropped, detached
CREATE TABLE lead_asia_3 PARTITION OF lead_asia FOR VALUES FROM (2000) TO (3000);
INSERT INTO lead (region, id) VALUES ('asia', 2001) RETURNING owner IS NOT NULL AS owned;
TRUNCATE lead;
SELECT state();
SELECT * FROM leadroute.verify();
DROP TABLE lead;

-- Refused, with what to do instead.
CREATE TABLE by_owner (id integer, owner text, PRIMARY KEY (id, owner)) PARTITION BY LIST (owner);
SELECT leadroute.attach('by_owner', 'owner');
CREATE TABLE by_owner2 (id integer NOT NULL, owner text) PARTITION BY LIST (owner);
CREATE TABLE by_owner2_a PARTITION OF by_owner2 FOR VALUES IN ('a');
SELECT leadroute.attach('by_owner2', 'owner');
SELECT leadroute.attach('by_owner2_a', 'owner');
CREATE TABLE no_key (id integer, owner text);
SELECT leadroute.attach('no_key', 'owner');
CREATE TABLE nullable (id integer UNIQUE, owner text);
SELECT leadroute.attach('nullable', 'owner');
CREATE TABLE good (id integer PRIMARY KEY, owner text, generated text GENERATED ALWAYS AS ('x') STORED, at timestamptz, json jsonb, dflt text DEFAULT 'x', must text NOT NULL);
SELECT leadroute.attach('good', 'nothing');
SELECT leadroute.attach('good', 'generated');
SELECT leadroute.attach('good', 'id');
SELECT leadroute.attach('good', 'at');
SELECT leadroute.attach('good', 'json');
SELECT leadroute.attach('good', 'owner', key_columns => '{owner}');
SELECT leadroute.attach('good', 'owner', key_columns => '{nothing}');
SELECT leadroute.attach('good', 'owner', closed_when => 'nothing = 1');
SELECT leadroute.attach('good', 'owner', router => 'x', router_expr => 'owner');
SELECT leadroute.attach(NULL, 'owner');
-- a rule for every table does not fit this one
SELECT leadroute.attach('good', 'must');
DELETE FROM leadroute.rule;
-- attached, with a warning
SELECT leadroute.attach('good', 'dflt') IS NOT NULL AS attached;
SELECT leadroute.attach('good', 'must') IS NOT NULL AS attached;
CREATE VIEW view AS SELECT * FROM good;
SELECT leadroute.attach('view', 'owner');
CREATE MATERIALIZED VIEW mat AS SELECT * FROM good;
SELECT leadroute.attach('mat', 'owner');
CREATE TEMP TABLE temporary (id integer PRIMARY KEY, owner text);
SELECT leadroute.attach('temporary', 'owner');
SELECT leadroute.attach('pg_class', 'relname');
SELECT leadroute.attach('leadroute.member', 'name');
CREATE SEQUENCE seq;
SELECT leadroute.attach('seq', 'owner');
CREATE FOREIGN DATA WRAPPER regress_leadroute_fdw;
CREATE SERVER regress_leadroute_server FOREIGN DATA WRAPPER regress_leadroute_fdw;
CREATE FOREIGN TABLE far (id integer, owner text) SERVER regress_leadroute_server;
SELECT leadroute.attach('far', 'owner');
CREATE TABLE part (id integer NOT NULL, owner text) PARTITION BY RANGE (id);
CREATE FOREIGN TABLE part_far PARTITION OF part FOR VALUES FROM (0) TO (10) SERVER regress_leadroute_server;
SELECT leadroute.attach('part', 'owner', key_columns => '{id}');
SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'zz_leadroute%' AND tgrelid <> 'good'::regclass;

DROP FUNCTION state;
DROP FOREIGN DATA WRAPPER regress_leadroute_fdw CASCADE;
DROP VIEW view;
DROP MATERIALIZED VIEW mat;
DROP TABLE temporary, by_owner, by_owner2, no_key, nullable, good, part;
DROP SEQUENCE seq;
DROP EXTENSION leadroute;
DROP SCHEMA leadroute;
