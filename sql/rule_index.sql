-- Conditions at the edge of what the rule index takes in: huge ones, types
-- without an order, columns that change under the rules.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
CREATE TABLE idx_lead (id integer PRIMARY KEY, n integer, t text, p point, x xid, j json, gone text, retyped integer, owner text);
SELECT leadroute.attach('idx_lead', 'owner', name => 'idx') IS NOT NULL AS attached;
INSERT INTO leadroute.member (name) VALUES ('a');
CREATE FUNCTION idx_rule(lead integer) RETURNS text LANGUAGE sql AS
	$$ SELECT rule FROM leadroute.assignment WHERE routed_table = 'idx' AND lead_key = lead::text $$;

-- the last rule takes what no other does, so that nothing is held and decided again
INSERT INTO leadroute.rule (name, priority) VALUES ('all', 1000);

-- 10,000 values, a megabyte, many alternatives
INSERT INTO leadroute.rule (name, priority, condition)
	SELECT 'in', 10, 'n IN (' || string_agg((2 * g)::text, ', ') || ')' FROM generate_series(1, 10000) g;
INSERT INTO leadroute.rule (name, priority, condition)
	SELECT 'megabyte', 20, 't IN (' || string_agg(quote_literal('k' || g || repeat('x', 100)), ', ') || ')' FROM generate_series(1, 10000) g;
INSERT INTO leadroute.rule (name, priority, condition)
	SELECT 'or', 30, string_agg(format('n = %s AND t = %L', -g, 'o' || g), ' OR ') FROM generate_series(1, 2000) g;
INSERT INTO leadroute.rule (name, priority, condition)
	SELECT 'not in', 40, 't IS NULL AND n NOT IN (' || string_agg(g::text, ', ') || ')' FROM generate_series(1, 20000) g;
SELECT name, length(condition) > 1000000 AS over_a_megabyte FROM leadroute.rule WHERE name = 'megabyte';
INSERT INTO idx_lead (id, n, t) VALUES (1, 20000, 'x'), (2, 19999, 'x'), (3, 1, 'k777' || repeat('x', 100)),
	(4, -1999, 'o1999'), (5, -1999, 'o1998'), (6, 0, NULL), (7, 20000, NULL), (8, 19999, NULL), (9, NULL, NULL);
SELECT id, owner, idx_rule(id) FROM idx_lead ORDER BY id;
DELETE FROM leadroute.rule WHERE name <> 'all';

-- types without a btree operator class, or without any
INSERT INTO leadroute.rule (name, priority, condition) VALUES
	('point', 1, 'p ~= point ''(1,1)'' AND n = 1'), ('xid', 2, 'x = ''7''::xid'), ('json', 3, 'j->>''a'' = ''b'''),
	('point null', 4, 'p IS NULL AND n = 2'), ('rest', 5, 'p <-> point ''(0,0)'' < 2');
INSERT INTO idx_lead (id, n, p, x, j) VALUES (11, 1, '(1,1)', NULL, NULL), (12, 1, '(2,2)', '7', NULL), (13, 1, '(2,2)', NULL, '{"a": "b"}'),
	(14, 2, NULL, NULL, NULL), (15, 2, '(1,1)', NULL, NULL), (16, 3, '(9,9)', '8', '{}');
SELECT id, owner, idx_rule(id) FROM idx_lead WHERE id > 10 ORDER BY id;
DELETE FROM leadroute.rule WHERE name <> 'all';

-- a column dropped, and one retyped, under many rules
INSERT INTO leadroute.rule (name, priority, condition)
	SELECT 'g' || g, 1, format('gone = %L', g) FROM generate_series(1, 500) g;
INSERT INTO leadroute.rule (name, priority, condition)
	SELECT 'r' || g, 2, format('retyped = %s', g) FROM generate_series(1, 500) g;
INSERT INTO idx_lead (id, gone, retyped) VALUES (21, '5', 6), (22, 'x', 6);
ALTER TABLE idx_lead ALTER retyped TYPE bigint;
INSERT INTO idx_lead (id, gone, retyped) VALUES (23, '5', 6), (24, 'x', 6);
ALTER TABLE idx_lead ALTER retyped TYPE text;
INSERT INTO idx_lead (id, gone, retyped) VALUES (25, '5', 6), (26, 'x', 6);
ALTER TABLE idx_lead ALTER retyped TYPE integer USING retyped::integer;
ALTER TABLE idx_lead DROP gone;
INSERT INTO idx_lead (id, retyped) VALUES (27, 6);
ALTER TABLE idx_lead ADD gone text;
INSERT INTO idx_lead (id, gone, retyped) VALUES (28, '5', 6), (29, 'x', 6);
SELECT id, owner, idx_rule(id) FROM idx_lead WHERE id > 20 ORDER BY id;
SELECT count(*) AS errors, bool_and(detail LIKE '%column "gone" does not exist%') AS gone FROM leadroute.assignment
	WHERE routed_table = 'idx' AND lead_key = '27' AND detail IS NOT NULL;

-- what a writer may no longer say is not true any more, indexed or not
DELETE FROM leadroute.rule WHERE name <> 'all';
CREATE ROLE regress_idx_writer SUPERUSER;
SET ROLE regress_idx_writer;
INSERT INTO leadroute.rule (name, condition) VALUES ('writer', 'n = 1');
RESET ROLE;
INSERT INTO idx_lead (id, n) VALUES (31, 1);
DROP ROLE regress_idx_writer;
INSERT INTO idx_lead (id, n) VALUES (32, 1);
SELECT id, owner, idx_rule(id) FROM idx_lead WHERE id > 30 ORDER BY id;

-- a function of one's own that changes: what was computed from it changes too
DELETE FROM leadroute.rule WHERE name <> 'all';
CREATE FUNCTION idx_best() RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 1';
CREATE FUNCTION idx_is_best(n integer) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT n = 5';
INSERT INTO leadroute.rule (name, priority, condition) VALUES ('best', 1, 'n = public.idx_best()'), ('is best', 2, 'public.idx_is_best(n)');
INSERT INTO idx_lead (id, n) VALUES (41, 1), (42, 2), (43, 5), (44, 6);
CREATE OR REPLACE FUNCTION idx_best() RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 2';
CREATE OR REPLACE FUNCTION idx_is_best(n integer) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT n = 6';
INSERT INTO idx_lead (id, n) VALUES (45, 1), (46, 2), (47, 5), (48, 6);
SELECT id, owner, idx_rule(id) FROM idx_lead WHERE id > 40 ORDER BY id;
SELECT * FROM leadroute.verify();

-- more kinds of places than an index has, at first, and after a merge of two that have them by themselves
DELETE FROM leadroute.rule WHERE name <> 'all';
SELECT format('CREATE TABLE idx_wide (id integer PRIMARY KEY, z integer, %s, owner text)', string_agg('c' || g || ' integer', ', ')) AS wide FROM generate_series(1, 399) g \gset
:wide;
SELECT leadroute.attach('idx_wide', 'owner', name => 'wide') IS NOT NULL AS attached;
CREATE PROCEDURE idx_wide_leads() LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM idx_wide;
	FOR i IN 1 .. 399 LOOP
		EXECUTE format('INSERT INTO idx_wide (id, c%1$s, z) VALUES (%1$s, %1$s, 0), (-%1$s, %1$s, 1), (%1$s + 1000, -%1$s, 0), (-%1$s - 1000, -%1$s, 1)', i);
	END LOOP;
END $$;
CREATE FUNCTION idx_wide_condition(g integer) RETURNS text LANGUAGE sql AS
	$$ SELECT format('c%1$s = %1$s AND z = 0' || CASE WHEN g % 2 = 0 THEN ' OR c%1$s = -%1$s AND z = 1' ELSE '' END, g) $$;
CREATE FUNCTION idx_wide_wrong(rules integer, OUT leads integer, OUT wrong integer) LANGUAGE sql AS
	$$ SELECT count(*), count(*) FILTER (WHERE a.rule <> CASE WHEN w.id BETWEEN 1 AND rules THEN 'w' || w.id WHEN w.id % 2 = 0 AND w.id BETWEEN -1000 - rules AND -1001 THEN 'w' || -w.id - 1000 ELSE 'all' END)
		FROM idx_wide w JOIN leadroute.assignment a ON a.routed_table = 'wide' AND a.lead_key = w.id::text AND a.is_current $$;
INSERT INTO leadroute.rule (name, priority, routed_table, condition)
	SELECT 'w' || g, 1, 'wide', idx_wide_condition(g) FROM generate_series(1, 200) g;
CALL idx_wide_leads();
SELECT * FROM idx_wide_wrong(200);
INSERT INTO leadroute.rule (name, priority, routed_table, condition)
	SELECT 'w' || g, 1, 'wide', idx_wide_condition(g) FROM generate_series(201, 399) g;
CALL idx_wide_leads();
SELECT * FROM idx_wide_wrong(399);
ALTER TABLE idx_wide ADD c0 integer;
CALL idx_wide_leads();
SELECT * FROM idx_wide_wrong(399);
DELETE FROM leadroute.rule WHERE name <> 'all';
SELECT leadroute.detach('wide') IS NOT NULL AS detached;
DROP TABLE idx_wide;
DROP PROCEDURE idx_wide_leads();
DROP FUNCTION idx_wide_condition(integer);
DROP FUNCTION idx_wide_wrong(integer);

SELECT leadroute.detach('idx') IS NOT NULL AS detached;
DROP TABLE idx_lead;
DROP FUNCTION idx_rule(integer);
DROP FUNCTION idx_best();
DROP FUNCTION idx_is_best(integer);
DROP EXTENSION leadroute;
