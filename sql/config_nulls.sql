-- A NULL in any column of any configuration table, in one row of several: refused
-- where the column is NOT NULL, stored or filled in where it is not, whatever the
-- row's check thinks of it; and none of it ends the server.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
CREATE TABLE lead (id integer PRIMARY KEY, owner text);
CREATE TABLE other_lead (id integer PRIMARY KEY, owner text);
CREATE TABLE new_lead (id integer PRIMARY KEY, owner text);
SELECT leadroute.attach('lead', 'owner', router => 'main', nobody => '-', closed_when => 'id < 0') IS NOT NULL AS attached;
SELECT leadroute.attach('other_lead', 'owner', router => 'main', closed_when => 'id < 0') IS NOT NULL AS attached;
INSERT INTO leadroute.router (name) VALUES ('spare');
SET leadroute.router = 'main';
INSERT INTO leadroute.member (name, role_name, capacity) VALUES ('anna', 'a', 10), ('bruno', 'b', 20);
INSERT INTO leadroute.team (name) VALUES ('t'), ('u');
INSERT INTO leadroute.team_member (team, member, position) VALUES ('t', 'anna', 1), ('t', 'bruno', 2);
INSERT INTO leadroute.rule (name, routed_table, condition, team) VALUES ('r', 'lead', 'id > 0', 't'), ('s', 'lead', 'id > 0', 't');
INSERT INTO leadroute.absence (member, during, team, reason) VALUES
	('anna', '[2000-01-01,2000-01-02)', 't', 'x'), ('bruno', '[2000-01-01,2000-01-02)', 't', 'x');

-- what a command ends with; what it has done is undone in any case
CREATE FUNCTION outcome(command text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE command;
	SET CONSTRAINTS ALL IMMEDIATE;
	RAISE EXCEPTION USING ERRCODE = 'LR000';
EXCEPTION
	WHEN SQLSTATE 'LR000' THEN RETURN 'stored';
	WHEN not_null_violation THEN RETURN 'not null';
	WHEN OTHERS THEN RETURN SQLERRM;
END $$;
-- rows that can be inserted beside those that are there
CREATE TABLE sample (table_name text, row_number integer, value jsonb);
INSERT INTO sample
	SELECT 'router', g, jsonb_build_object('name', 'new' || g, 'enabled', false) FROM generate_series(1, 3) g UNION ALL
	SELECT 'member', g, jsonb_build_object('router', 'main', 'name', 'new' || g, 'owner_value', 'new' || g, 'role_name', 'x',
		'active', true, 'capacity', 1, 'attributes', '{}'::jsonb, 'joined_at', '2000-01-01') FROM generate_series(1, 3) g UNION ALL
	SELECT 'team', g, jsonb_build_object('router', 'main', 'name', 'new' || g) FROM generate_series(1, 3) g UNION ALL
	SELECT 'rule', g, jsonb_build_object('router', 'main', 'name', 'new' || g, 'version', 1, 'priority', 1, 'enabled', true,
		'routed_table', 'lead', 'condition', 'id > 1', 'team', 't', 'method', 'random', 'overflow', 'none',
		'written_by', current_user, 'search_path', 'public') FROM generate_series(1, 3) g UNION ALL
	SELECT 'absence', g, jsonb_build_object('router', 'main', 'member', 'anna', 'during', tstzrange('2000-01-01', '2000-01-03'), 'team', t,
		'reason', 'x' || g, 'written_by', current_user) FROM unnest('{t,u}'::text[]) WITH ORDINALITY u (t, g) UNION ALL
	SELECT 'team_member', g, jsonb_build_object('router', 'main', 'team', 'u', 'member', m, 'position', 1, 'weight', 2)
		FROM unnest('{anna,bruno}'::text[]) WITH ORDINALITY u (m, g) UNION ALL
	SELECT 'routed_table', 1, jsonb_build_object('name', 'new_lead', 'relation', 'new_lead', 'router', 'main', 'router_expr', NULL,
		'key_columns', '{id}'::text[], 'owner_column', 'owner', 'nobody', '-', 'closed_when', 'id < 0',
		'written_by', current_user, 'search_path', 'public');
UPDATE sample SET value = value || jsonb_build_object('id', 1000 + row_number)
	WHERE table_name IN ('router', 'member', 'team', 'rule', 'routed_table');
CREATE FUNCTION insert_of(t text, nulls text[]) RETURNS text LANGUAGE sql AS $$
	SELECT format('INSERT INTO leadroute.%1$I (%2$s) SELECT %2$s FROM jsonb_populate_recordset(NULL::leadroute.%1$I, %3$L)', t,
		(SELECT string_agg(quote_ident(k), ', ') FROM (SELECT jsonb_object_keys(max(value::text)::jsonb) UNION SELECT unnest(nulls)) c (k)),
		-- the last row holds the NULL, the others do not
		jsonb_agg(CASE WHEN row_number < n THEN value ELSE value ||
			coalesce((SELECT jsonb_object_agg(c, NULL) FROM unnest(nulls) c), '{}') END ORDER BY row_number))
	FROM (SELECT *, max(row_number) OVER () AS n FROM sample WHERE table_name = t) s;
$$;
SELECT DISTINCT table_name, outcome(insert_of(table_name, '{}')) FROM sample ORDER BY 1;

-- INSERT and UPDATE of each column: those that do not end as the column's NOT NULL says
CREATE VIEW config_column AS
	SELECT t.table_name, attname::text, attnotnull FROM (SELECT DISTINCT table_name FROM sample) t
	JOIN pg_attribute ON attrelid = ('leadroute.' || table_name)::regclass AND attnum > 0 AND NOT attisdropped;
SELECT * FROM (
	SELECT *, outcome(insert_of(table_name, ARRAY[attname])) AS insert,
		outcome(format('UPDATE leadroute.%1$I x SET %2$I = CASE WHEN x::text = (SELECT max(y::text) FROM leadroute.%1$I y) THEN NULL ELSE %2$I END',
			table_name, attname)) AS update,
		outcome(format('UPDATE leadroute.%1$I x SET %2$I = NULL', table_name, attname)) AS update_all
	FROM config_column OFFSET 0) o
	WHERE ARRAY[insert, update, update_all] <> array_fill(CASE WHEN attnotnull THEN 'not null' ELSE 'stored' END, '{3}')
	ORDER BY table_name, attname;
-- All but one of the columns, and all of them.
SELECT outcome(insert_of(table_name, (SELECT array_agg(o.attname) FROM config_column o WHERE o.table_name = c.table_name AND o.attname <> c.attname))),
	count(DISTINCT table_name) AS tables FROM config_column c GROUP BY 1;
SELECT outcome(format('INSERT INTO leadroute.%I (%s) VALUES (%s)', table_name, string_agg(quote_ident(attname), ', '), string_agg('NULL', ', '))),
	table_name FROM config_column GROUP BY table_name ORDER BY 2;
-- A NULL beside a value that its check refuses, or that the hint quotes.
SELECT command, outcome(command) FROM (VALUES
	($$INSERT INTO leadroute.team_member (team, member, weight) VALUES ('u', 'anna', 1), ('u', NULL, 0)$$),
	($$INSERT INTO leadroute.team_member (team, member, weight) VALUES ('u', 'anna', 1), (NULL, 'anna', 0)$$),
	($$UPDATE leadroute.team_member SET member = NULL, weight = 0$$),
	($$INSERT INTO leadroute.rule (name, condition) VALUES ('x', 'id > 0'), (NULL, 'no_column > 0')$$),
	($$INSERT INTO leadroute.member (name, owner_value) VALUES ('x', 'x'), (NULL, '-')$$),
	($$UPDATE leadroute.routed_table SET key_columns = '{NULL}'$$)) c (command);

INSERT INTO lead VALUES (1), (2) RETURNING *;
SELECT * FROM leadroute.verify();
DROP VIEW config_column;
DROP TABLE lead, other_lead, new_lead, sample CASCADE;
DROP FUNCTION outcome, insert_of;
DROP EXTENSION leadroute;
DROP SCHEMA leadroute;
