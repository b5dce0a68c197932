-- Rules that are large, many, or lose what they were written over.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
CREATE TABLE lead (id integer PRIMARY KEY, n integer, t text, p point, b box, x xid, js json, tail text, owner text);
SELECT leadroute.attach('lead', 'owner') IS NOT NULL AS attached;
INSERT INTO leadroute.member (name) VALUES ('anna'), ('bruno');
-- what a command is refused with, at most the beginning; not refused: it is undone
CREATE FUNCTION refused(command text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE command;
	RAISE EXCEPTION USING ERRCODE = 'LR000';
EXCEPTION
	WHEN SQLSTATE 'LR000' THEN RETURN 'accepted';
	WHEN OTHERS THEN RETURN left(SQLERRM, 120);
END $$;
CREATE FUNCTION save(name text, condition text, priority integer DEFAULT 10) RETURNS text LANGUAGE sql AS $$
	SELECT refused(format('INSERT INTO leadroute.rule (name, condition, priority) VALUES (%L, %L, %s)', name, condition, priority));
$$;
CREATE VIEW decided AS SELECT lead_key, rule, kind, reason FROM leadroute.assignment WHERE is_current ORDER BY lead_key::integer;

-- Conditions of a megabyte and more: a flat list of terms, a list of values, a
-- constant; those that are wrong at the end, and those that need too much stack.
INSERT INTO leadroute.rule (name, priority, condition) VALUES
	('or', 1, 'n = 0' || (SELECT string_agg(' OR n = ' || g, '') FROM generate_series(1, 75000) g)),
	('and', 2, 'n = 100001' || repeat(' AND n <> 200001', 65000)),
	('in', 3, 'n IN (' || (SELECT string_agg(g::text, ',') FROM generate_series(200000, 350000) g) || ')'),
	('texts', 4, 't IN (' || (SELECT string_agg(quote_literal('code ' || g), ',') FROM generate_series(1, 70000) g) || ')'),
	('constant', 5, 't = ' || quote_literal(repeat('x', 1000000))),
	('spaces', 6, 'n = -1' || repeat(' ', 1000000)),
	('comment', 7, '/*' || repeat('*', 1000000) || '*/ n = -2');
SELECT name, length(condition) >= 950000 AS large FROM leadroute.rule ORDER BY priority;
SELECT save('wrong at the end', 'n = 0' || repeat(' OR n = 1', 110000) || ' OR nn = 2');
SELECT save('syntax', 'n = 0' || repeat(' OR n = 1', 110000) || ' OR');
SELECT save('not', repeat('NOT ', 250000) || 'n = 1') <> 'accepted' AS refused;
SELECT save('deep', repeat('(n = 1 OR ', 100000) || 'true' || repeat(')', 100000)) <> 'accepted' AS refused;
SELECT save('parentheses', repeat('(', 500000) || 'true' || repeat(')', 500000)) <> 'accepted' AS refused;
SELECT save('concatenated', 't = ''''' || repeat(' || t', 200000)) <> 'accepted' AS refused;
SELECT leadroute.check_condition('lead', 'n = 0' || repeat(' OR n = 1', 110000) || ' OR nn = 2') IS NOT NULL AS says_so;
INSERT INTO lead (id, n, t) VALUES (1, 0, NULL), (2, 75000, NULL), (3, 75001, NULL), (4, 100001, NULL), (5, 350000, ''), (6, 350001, 'code 70000'),
	(7, NULL, 'code 70001'), (8, NULL, repeat('x', 1000000)), (9, -1, ''), (10, -2, ''), (11, NULL, NULL);
SELECT * FROM decided;
SELECT count(*), max(length(detail)) FROM leadroute.assignment;
DELETE FROM leadroute.rule;
DELETE FROM lead;

-- Ten thousand values in a list, of which some are NULL, equal or of another type.
INSERT INTO leadroute.rule (name, priority, condition) VALUES
	('integers', 1, 'n IN (' || (SELECT string_agg(g::text, ', ') FROM generate_series(1, 10000) g) || ', NULL)'),
	('not in', 2, 'n NOT IN (' || (SELECT string_agg(g::text, ', ') FROM generate_series(1, 20000) g) || ')'),
	('numerics', 3, 'n IN (' || (SELECT string_agg(g || '.0', ', ') FROM generate_series(10001, 15000) g) || ')'),
	('equal', 4, 'n = ANY (ARRAY[' || repeat('16000, ', 10000) || '16000])'),
	('texts', 5, 't = ANY (''{' || (SELECT string_agg(g::text, ',') FROM generate_series(1, 10000) g) || '}'')'),
	('nulls', 6, 't IN (' || repeat('NULL, ', 10000) || 'NULL)');
INSERT INTO lead (id, n, t) VALUES (1, 1, ''), (2, 10000, ''), (3, 10001, ''), (4, 15000, ''), (5, 15001, ''), (6, 16000, ''), (7, 20001, ''),
	(8, NULL, '10000'), (9, 17000, '010000'), (10, NULL, NULL);
SELECT * FROM decided;
DELETE FROM leadroute.rule;
DELETE FROM lead;

-- Types without a btree operator class, and such whose = is no equality of values.
SELECT condition, save('x', condition) FROM (VALUES ($$p = '(1,1)'$$), ($$p IN ('(1,1)')$$), ($$p ~= '(1,1)'$$), ($$p < '(1,1)'$$),
	($$js = '{}'$$), ($$js IN ('{}')$$), ($$js::text = '{}'$$), ($$x = '5'$$), ($$x IN ('5', '6')$$), ($$x = 5$$), ($$x < '5'$$),
	($$x BETWEEN '5' AND '6'$$), ($$b = '(0,0),(1,1)'$$), ($$b < '(0,0),(1,1)'$$), ($$p IS NULL$$), ($$js IS NOT NULL$$), ($$x = n$$)) c (condition);
INSERT INTO leadroute.rule (name, priority, condition) VALUES
	('point', 1, $$p ~= '(1,1)'$$), ('left', 2, $$p << '(0,0)'$$), ('json', 3, $$js::text = '{"a": 1}'$$), ('xid', 4, $$x = '5'$$), ('xids', 5, $$x IN ('6', '7')$$),
	('xid int', 6, $$x = 8$$), ('area', 7, $$b = '(0,0),(2,2)'$$), ('smaller', 8, $$b < '(0,0),(2,2)'$$), ('no xid', 9, 'x IS NULL AND p IS NOT NULL');
INSERT INTO lead (id, p, js, x, b) VALUES (1, '(1,1)', NULL, NULL, NULL), (2, '(-1,1)', NULL, NULL, NULL), (3, NULL, '{"a": 1}', '5', NULL), (4, NULL, '{"a":1}', '5', NULL),
	(5, NULL, NULL, '7', NULL), (6, NULL, NULL, '8', NULL), (7, NULL, NULL, '9', '(5,5),(9,6)'), (8, NULL, NULL, '9', '(0,0),(1,1)'), (9, '(3,3)', NULL, NULL, NULL), (10, NULL, NULL, NULL, NULL);
SELECT * FROM decided;
DELETE FROM leadroute.rule;
DELETE FROM lead;

-- A column is dropped, renamed or given another type under ten thousand rules: the
-- rules that name it find nothing and the journal says why, the others go on.
INSERT INTO leadroute.team (name) VALUES ('t');
INSERT INTO leadroute.team_member (team, member) VALUES ('t', 'anna');
INSERT INTO leadroute.rule (name, priority, condition, team)
	SELECT 'r' || g, 1, CASE WHEN g % 20 = 0 THEN format('n = %s AND tail = ''y''', g) ELSE format('t = %L', 'code ' || g) END, 't'
	FROM generate_series(1, 10000) g;
INSERT INTO leadroute.rule (name, priority) VALUES ('everyone', 1000);
CREATE FUNCTION ask(first integer) RETURNS TABLE (n integer, kind text, rule text, detail text) LANGUAGE sql AS $$
	INSERT INTO lead (id, t, tail) VALUES (first, 'code 9999', 'y'), (first + 1, 'code 20', 'y'), (first + 2, NULL, 'y');
	SELECT a.lead_key::integer - first, a.kind, a.rule, left(regexp_replace(a.detail, '"r\d+"', '"r..."', 'g'), 45)
	FROM leadroute.assignment a WHERE a.is_current AND a.lead_key::integer BETWEEN first AND first + 2 ORDER BY 1;
$$;
SELECT * FROM ask(1);
ALTER TABLE lead DROP COLUMN n;
SELECT * FROM ask(11);
SELECT count(DISTINCT payload->>'rule'), count(*) > 500 AS told_too_often FROM leadroute.event WHERE kind = 'rule_error';
SELECT what, count(*), min(detail) FROM leadroute.problem GROUP BY 1 ORDER BY 1;
-- they can be switched off, moved back and renamed; a new or changed condition is checked
UPDATE leadroute.rule SET enabled = false WHERE name = 'r20';
UPDATE leadroute.rule SET priority = 2 WHERE name = 'r40';
UPDATE leadroute.rule SET name = 'r60 is broken' WHERE name = 'r60';
UPDATE leadroute.team SET name = 'tt';
UPDATE leadroute.router SET name = 'renamed';
UPDATE leadroute.rule SET enabled = true WHERE name = 'r20';
UPDATE leadroute.rule SET condition = 'n = 21' WHERE name = 'r20';
UPDATE leadroute.rule SET condition = 'true', enabled = true, priority = 0 WHERE name = 'r20';
SELECT * FROM ask(21);
DELETE FROM leadroute.rule WHERE name = 'r20';
-- it is there again, of another type, of the former one, under another name
ALTER TABLE lead ADD n text;
SELECT * FROM ask(31);
ALTER TABLE lead ALTER n TYPE integer USING n::integer;
INSERT INTO lead (id, n, tail) VALUES (35, 9980, 'y');
SELECT * FROM decided WHERE lead_key = '35';
ALTER TABLE lead RENAME n TO m;
SELECT * FROM ask(41);
ALTER TABLE lead RENAME m TO n;
ALTER TABLE lead ALTER n TYPE bigint, ALTER t TYPE varchar(20);
INSERT INTO lead (id, n, t, tail) VALUES (45, 9980, 'code 3', 'y'), (46, 9960, NULL, 'y');
SELECT * FROM decided WHERE lead_key IN ('45', '46');
SELECT * FROM leadroute.verify();

DROP FUNCTION ask, save, refused;
DROP VIEW decided;
DROP TABLE lead CASCADE;
DROP EXTENSION leadroute;
DROP SCHEMA leadroute;
