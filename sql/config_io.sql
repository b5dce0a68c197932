-- export_config and import_config: the configuration of a router as a document.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE EXTENSION leadroute;
CREATE SCHEMA app;
CREATE FUNCTION app.is_big(n integer) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT n > 100';
CREATE TABLE lead (id integer PRIMARY KEY, country text, n integer, closed boolean, owner text);
SELECT leadroute.attach('lead', 'owner', router => 'first', closed_when => 'closed') IS NOT NULL AS attached;

-- Everything set, under strange names.
INSERT INTO leadroute.member (name, owner_value, role_name, active, capacity, attributes, joined_at) VALUES
	('anna', 'a', 'anna_role', true, 5, '{"b": [1, null], "a": "x"}', '2020-01-01 00:00Z'),
	(E'b"o\\b''s, (the) {great}\n', E'\t', NULL, true, NULL, '{}', '2020-01-01 00:00Z'),
	('gone', 'g', NULL, false, NULL, '{}', '2020-01-01 00:00Z');
INSERT INTO leadroute.team (name) VALUES ('$.x'), ('empty'), ('été ''; --');
INSERT INTO leadroute.team_member (team, member, position, weight)
	SELECT t.name, m.name, CASE m.name WHEN 'anna' THEN 7 END, 1.50
	FROM leadroute.team t, leadroute.member m WHERE t.name <> 'empty' AND m.active;
SET search_path = public, app;
INSERT INTO leadroute.rule (name, priority, enabled, routed_table, condition, team, method, overflow, percent, valid) VALUES
	('%s "quoted" \', 5, true, 'lead', $$country = 'D''E' AND is_big(n)$$, '$.x', 'least_loaded', 'none', 33.30, '[2020-01-01 00:00Z,)'),
	('everyone', 100, false, NULL, NULL, NULL, 'round_robin', 'next_rule', 100, NULL);
RESET search_path;
INSERT INTO leadroute.absence (member, during, team, reason) VALUES
	('anna', '[2030-01-01 00:00Z,2030-02-01 00:00Z)', NULL, 'holiday'),
	('anna', '[2030-01-01 00:00Z,2030-02-01 00:00Z)', '$.x', NULL),
	('anna', '[2031-01-01 00:00Z,)', NULL, NULL);
CREATE FUNCTION pg_temp.some(content jsonb) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT string_agg(format('%s: %s', key, value), ', ' ORDER BY key) FROM jsonb_each(content)
	WHERE key = ANY ('{name,owner_value,active,capacity,attributes,joined_at,team,member,weight,position,condition,routed_table,search_path,enabled,during,reason,relation,closed_when,key_columns,percent,valid}') $$;
SELECT t.table_name, pg_temp.some(r.value) FROM leadroute.export_config() AS doc
CROSS JOIN leadroute.config_table() t
CROSS JOIN LATERAL jsonb_array_elements(CASE t.table_name WHEN 'router' THEN jsonb_build_array(doc -> 'router') ELSE doc -> t.table_name END) WITH ORDINALITY r (value, place)
ORDER BY t.place, r.place;
-- Every column but those that are filled, and nothing else.
SELECT t.table_name, a.attname FROM leadroute.export_config() AS doc
CROSS JOIN leadroute.config_table() t
JOIN pg_attribute a ON a.attrelid = t.relation AND a.attnum > 0 AND NOT a.attisdropped
WHERE NOT CASE t.table_name WHEN 'router' THEN doc -> 'router' ELSE doc -> t.table_name -> 0 END ? a.attname
ORDER BY 1, 2;

-- Importing what is there changes nothing, not even a version.
CREATE TEMP TABLE document AS SELECT leadroute.export_config('first') AS doc;
CREATE TEMP VIEW state AS
	SELECT format('%s %s %s', s.version, (SELECT count(*) FROM leadroute.config_history),
		(SELECT sum(r.version) FROM leadroute.rule r)) AS versions FROM leadroute.config_state s WHERE router = 'first';
SELECT versions FROM state \gset
SELECT i.* FROM document, leadroute.import_config(doc) i;
SELECT i.* FROM document, leadroute.import_config(doc, prune => true) i;
SELECT versions = :'versions' AS nothing_changed FROM state;

-- Under another name it is the same; the table stays where it is.
SET client_min_messages = notice;
SELECT i.table_name, i.key, i.action FROM document, leadroute.import_config(doc, 'second') i;
SET client_min_messages = warning;
SELECT leadroute.export_config('second') - 'routed_table' = jsonb_set(doc - 'routed_table', '{router,name}', '"second"') AS same FROM document;
SELECT count(*) FROM document, leadroute.import_config(doc, 'second');

-- Each change is a row; what the document lacks stays.
SELECT i.table_name, i.key, i.action, pg_temp.some(i.old) AS old, pg_temp.some(i.new) AS new FROM leadroute.import_config('{
	"rule": [{"name": "everyone", "enabled": true}, {"team": "empty", "name": "new"}],
	"member": [{"name": "anna", "capacity": null}],
	"router": {"name": "first", "enabled": false}}') i;
SELECT name, enabled, priority, team FROM leadroute.rule WHERE router = 'first' ORDER BY name;

-- With prune it goes, of the tables that the document has; who has a history becomes inactive.
UPDATE leadroute.router SET enabled = true WHERE name = 'first';
INSERT INTO lead VALUES (1, 'FR', 1, false, NULL) RETURNING owner;
SELECT i.table_name, i.key, i.action, pg_temp.some(i.old) AS old, pg_temp.some(i.new) AS new FROM leadroute.import_config('{
	"rule": [{"name": "new", "team": "$.x"}],
	"team": [{"name": "$.x"}],
	"member": [{"name": "other", "owner_value": "g", "joined_at": "2020-01-01 00:00Z"}]}', 'first', prune => true) i;
SELECT name, active FROM leadroute.member WHERE router = 'first' ORDER BY name;
SELECT count(*) FROM leadroute.import_config('{"member": [{"name": "other"}]}', 'first', prune => true);

-- And back: attributes, memberships, rules and all.  Who wrote it vouches for it.
CREATE ROLE importer SUPERUSER;
SET ROLE importer;
SELECT i.action, count(*) FROM document, leadroute.import_config(doc, prune => true) i GROUP BY 1 ORDER BY 1;
RESET ROLE;
SELECT leadroute.export_config('first') = doc AS same FROM document;
SELECT router, name, written_by, search_path FROM leadroute.rule ORDER BY router, name;

-- A table is attached, changed, and with prune detached.
CREATE TABLE other (id integer PRIMARY KEY, owner text, "Done?" boolean, also integer NOT NULL UNIQUE);
SELECT i.table_name, i.key, i.action, pg_temp.some(i.old) AS old, pg_temp.some(i.new) AS new FROM leadroute.import_config('{"routed_table": [{"name": "more", "relation": "other", "owner_column": "owner", "closed_when": "\"Done?\""}],
	"router": {"name": "third"}, "rule": [{"name": "x"}], "member": [{"name": "m", "joined_at": "2020-01-01 00:00Z"}]}') i;
INSERT INTO other VALUES (1, NULL, false, 1) RETURNING owner;
SELECT i.table_name, i.key, i.action, pg_temp.some(i.old) AS old, pg_temp.some(i.new) AS new FROM leadroute.import_config('{"routed_table": [{"name": "more", "closed_when": null, "key_columns": ["also"]}]}', 'third') i;
SELECT lead_key, member, kind FROM leadroute.assignment WHERE routed_table = 'more' AND is_current;
SELECT count(*) FROM leadroute.import_config(leadroute.export_config('third'), prune => true);
SELECT table_name, key, action FROM leadroute.import_config('{"routed_table": []}', 'third', prune => true);
SELECT tgname FROM pg_trigger WHERE tgrelid = 'other'::regclass AND NOT tgisinternal;

-- Errors name the place; nothing is left of what came before it.
CREATE FUNCTION pg_temp.refused(config jsonb, prune boolean DEFAULT false) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	before jsonb := leadroute.export_config('first');
	d text;
	h text;
BEGIN
	PERFORM leadroute.import_config('{"member": [{"name": "first change"}], "router": {"name": "first"}}'::jsonb || config, prune => prune);
	RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS d = PG_EXCEPTION_DETAIL, h = PG_EXCEPTION_HINT;
	IF leadroute.export_config('first') <> before THEN
		RETURN 'something is left';
	END IF;
	RETURN concat_ws(' | ', SQLSTATE, SQLERRM, regexp_replace(replace(d, E'\n', ' / '), 'row contains .*\)\.', 'row contains ...'),
		regexp_replace(h, '(Columns|Configuration tables|Valid words): .*', '\1: ...'));
END
$$;
\pset format unaligned
\pset tuples_only on
SELECT pg_temp.refused('{"rules": []}');
SELECT pg_temp.refused('{"rule": {}}');
SELECT pg_temp.refused('{"rule": [{"name": "a"}, 3]}');
SELECT pg_temp.refused('{"rule": [{"name": "a"}, {"name": "b", "prio": 1}]}');
SELECT pg_temp.refused('{"rule": [{"name": "a", "id": 1}]}');
SELECT pg_temp.refused('{"rule": [{"name": "a"}, {"name": "b", "priority": "high"}]}');
SELECT pg_temp.refused('{"rule": [{"name": "a"}, {"name": "b", "enabled": "true"}]}');
SELECT pg_temp.refused('{"rule": [{"name": "a"}, {"name": "b", "priority": 1.5e10}]}');
SELECT pg_temp.refused('{"rule": [{"name": "a"}, {"condition": "true"}]}');
SELECT pg_temp.refused('{"rule": [{"name": null}]}');
SELECT pg_temp.refused('{"rule": [{"name": "a"}, {"name": "b"}, {"name": "a"}]}');
SELECT pg_temp.refused('{"rule": [{"name": "a"}, {"name": "b", "condition": "contry = 1"}]}');
SELECT pg_temp.refused('{"rule": [{"name": "a"}, {"name": "b", "team": "nobody"}]}');
SELECT pg_temp.refused('{"rule": [{"name": "a"}, {"name": "b", "method": "fair"}]}');
SELECT pg_temp.refused('{"rule": [{"name": "a"}, {"name": ""}]}');
SELECT pg_temp.refused('{"absence": [{"member": "anna", "during": "[2030-01-01,"}]}');
SELECT pg_temp.refused('{"absence": [{"member": "anna", "during": "[2030-01-01,2030-01-01)"}]}');
SELECT pg_temp.refused('{"team_member": [{"member": "anna", "team": "empty", "weight": -1}]}');
SELECT pg_temp.refused('{"member": [{"name": "x", "owner_value": "a"}]}');
SELECT pg_temp.refused('{"routed_table": [{"name": "lead", "owner_column": "boss"}]}');
SELECT pg_temp.refused('{"routed_table": [{"name": "new", "relation": "nowhere", "owner_column": "boss"}]}');
SELECT pg_temp.refused('{"team": []}', true);
SELECT pg_temp.refused('{"router": {"name": 5}}');
SELECT pg_temp.refused('{"router": []}');
SELECT pg_temp.refused('{"router": {"nme": "x"}}');
SELECT pg_temp.refused('{"leadroute": 2}');
SELECT pg_temp.refused('{"member": [], "rule": null}');
SELECT leadroute.import_config('[]');
SELECT leadroute.import_config(NULL);
SELECT leadroute.export_config('nobody');
\pset format aligned
\pset tuples_only off

-- What a rule was, by its version; a name that it had before will do.
UPDATE leadroute.rule SET name = 'all', priority = 7 WHERE router = 'first' AND name = 'everyone';
SELECT v, leadroute.rule_at('first', n, v) ->> 'name' AS name, leadroute.rule_at('first', n, v) ->> 'priority' AS priority
FROM (VALUES ('all', 1), ('everyone', 1), ('all', 2), ('all', 99), ('nothing', 1)) x (n, v);

-- A writer that does not exist: the rule does not match until it is taken over.
CREATE ROLE writer SUPERUSER;
SET ROLE writer;
UPDATE leadroute.rule SET condition = 'n > 1', routed_table = 'lead' WHERE router = 'first';
RESET ROLE;
DROP OWNED BY writer;
DROP ROLE writer;
SELECT subject, what_to_do FROM leadroute.problem WHERE what = 'writer_missing' ORDER BY 1;
SELECT * FROM leadroute.take_over('first', 'everyone');
SELECT * FROM leadroute.take_over('first', 'all');
SELECT table_name, former_writer, error FROM leadroute.take_over('first');
SELECT count(*) FROM leadroute.take_over('first');
SELECT name, written_by = current_user AS taken FROM leadroute.rule WHERE router = 'first' ORDER BY 1;

-- The profile admin is enough; the manager may export, not import.
CREATE ROLE io_admin;
CREATE ROLE io_manager;
SELECT leadroute.grant_to('io_admin', 'admin'), leadroute.grant_to('io_manager', 'manager');
SET ROLE io_admin;
SELECT table_name, key, action FROM leadroute.import_config('{"rule": [{"name": "by admin", "condition": "n = 5"}], "absence": []}', 'second', prune => true);
SELECT name, written_by FROM leadroute.rule WHERE name = 'by admin';
SET ROLE io_manager;
SELECT leadroute.export_config('second') -> 'router';
SELECT leadroute.import_config('{}', 'second');
RESET ROLE;

-- Many rules: as fast as they are saved, and once more without a change.
SELECT count(*) FROM leadroute.import_config(jsonb_build_object('rule',
	(SELECT jsonb_agg(jsonb_build_object('name', 'rule ' || g, 'condition', format('n = %s', g))) FROM generate_series(1, 3000) g)), 'second');
SELECT count(*) FROM leadroute.import_config(leadroute.export_config('second'));
SELECT jsonb_array_length(leadroute.export_config('second') -> 'rule');

DROP TABLE lead, other CASCADE;
DROP EXTENSION leadroute CASCADE;
DROP ROLE importer, io_admin, io_manager;
