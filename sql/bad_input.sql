-- Input that nobody should write: names of every kind work, configuration that
-- cannot work is refused however it is written, and an error that ends a statement
-- ends nothing else.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
-- whether a command fails; what it has done is undone in any case
CREATE FUNCTION refused(command text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE command;
	RAISE EXCEPTION USING ERRCODE = 'LR000';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE <> 'LR000';
END $$;

-- Names with quotes, backslashes, brackets, spaces, of a schema, a table, columns,
-- members, teams, rules; keys of any content.
CREATE SCHEMA "S'ch""ema";
CREATE TABLE "S'ch""ema"."We""ird' T\able" ("I""d" integer, gone integer, "Ke'y" text, "Own er" text, PRIMARY KEY ("I""d", "Ke'y"));
ALTER TABLE "S'ch""ema"."We""ird' T\able" DROP COLUMN gone;
SELECT leadroute.attach($$"S'ch""ema"."We""ird' T\able"$$, 'Own er', closed_when => $$"Ke'y" = 'closed'$$);
INSERT INTO leadroute.member (name) VALUES ($$O'Brien "x" \$$), ('{a,b}'), ('NULL'), ('a (1,2)'), ('%s %I $1');
INSERT INTO leadroute.team (name) VALUES ($$t"'\$$);
INSERT INTO leadroute.team_member (team, member) SELECT $$t"'\$$, name FROM leadroute.member;
INSERT INTO leadroute.rule (name, condition, team) VALUES ($$r"'\%s$$, $$"Ke'y" <> 'it''s' -- no$$, $$t"'\$$);
INSERT INTO "S'ch""ema"."We""ird' T\able" VALUES (1, 'a,b'), (2, $$its'$$), (3, '"q"'), (4, '(x)'), (5, ''), (6, E'tab\t'), (7, '\b') RETURNING *;
SELECT lead_key, member, team, rule FROM leadroute.assignment ORDER BY id;
SELECT count(*) FROM "S'ch""ema"."We""ird' T\able" l, leadroute.why($$We"ird' T\able$$, ROW(l."I""d", l."Ke'y"));
SELECT count(*) FROM leadroute.assignment a, leadroute.explain($$We"ird' T\able$$, a.lead_key) WHERE explain LIKE '  Result: assigned to %';
SELECT leadroute.assign($$We"ird' T\able$$, ROW(5, ''), '%s %I $1', $$"why" 'not' %s$$);
UPDATE "S'ch""ema"."We""ird' T\able" SET "Ke'y" = 'closed' WHERE "I""d" = 1;
DELETE FROM "S'ch""ema"."We""ird' T\able" WHERE "I""d" = 7;
SELECT * FROM leadroute.verify();
SELECT * FROM leadroute.problem WHERE what <> 'no_catch_all';
ALTER TABLE "S'ch""ema"."We""ird' T\able" DISABLE TRIGGER zz_leadroute_truncated;
SELECT regexp_replace(what_to_do, '^[^:]*:', '') FROM leadroute.problem WHERE what <> 'no_catch_all' \gexec
SELECT * FROM leadroute.problem WHERE what <> 'no_catch_all';
SELECT leadroute.detach($$We"ird' T\able$$);
DROP SCHEMA "S'ch""ema" CASCADE;
DELETE FROM leadroute.rule;

-- Arguments that say nothing.
CREATE TABLE lead (id integer PRIMARY KEY, owner text);
SELECT leadroute.attach('lead', 'owner', closed_when => '');
SELECT leadroute.attach('lead', 'owner', router_expr => ' ');
SELECT leadroute.attach('lead', 'owner', key_columns => '{}');
SELECT leadroute.attach('lead', 'owner', key_columns => '{id,id}');
SELECT leadroute.attach('lead', 'OWNER');
SELECT leadroute.attach(0, 'owner');
SELECT leadroute.attach('lead', 'owner');
CREATE SCHEMA other;
CREATE TABLE other.lead (id integer PRIMARY KEY, owner text);
SELECT leadroute.attach('other.lead', 'owner');
SELECT leadroute.assign(NULL, '1', 'x');
SELECT leadroute.assign('lead', NULL::text, 'x');
SELECT leadroute.route(NULL, '1');
SELECT leadroute.pause(NULL);
SELECT leadroute.pause('NULL', '-infinity');
SELECT leadroute.check_condition('lead', '');

-- A row of routed_table that cannot work, written by hand.
CREATE TABLE stranger (id integer PRIMARY KEY, note text);
CREATE VIEW view AS SELECT * FROM stranger;
SELECT command, refused(command) FROM (VALUES
	($$UPDATE leadroute.routed_table SET owner_column = 'nothing'$$),
	($$UPDATE leadroute.routed_table SET key_columns = '{nothing}'$$),
	($$UPDATE leadroute.routed_table SET key_columns = '{}'$$),
	($$UPDATE leadroute.routed_table SET relation = 'view'$$),
	($$INSERT INTO leadroute.routed_table (name, relation, router, key_columns, owner_column) SELECT 'x', 'pg_class', name, '{oid}', 'relname' FROM leadroute.router$$),
	($$INSERT INTO leadroute.routed_table (name, relation, router, key_columns, owner_column) SELECT 'x', 'view', name, '{id}', 'note' FROM leadroute.router$$)) c (command);
-- ids that mean something else
SELECT command, refused(command) FROM (VALUES
	($$INSERT INTO leadroute.member (name, id) VALUES ('zero', 0)$$),
	($$INSERT INTO leadroute.team (name, id) VALUES ('zero', 0)$$)) c (command);

-- Whoever may configure may not reach tables of others by it.
CREATE ROLE regress_leadroute_admin;
SELECT leadroute.grant_to('regress_leadroute_admin', 'admin');
SET ROLE regress_leadroute_admin;
SELECT leadroute.attach('stranger', 'note');
SELECT refused($$INSERT INTO leadroute.routed_table (name, relation, router, key_columns, owner_column) SELECT 'stranger', 'stranger', name, '{id}', 'note' FROM leadroute.router$$);
SELECT refused($$UPDATE leadroute.routed_table SET relation = 'stranger', owner_column = 'note' WHERE name = 'lead'$$);
RESET ROLE;
DROP OWNED BY regress_leadroute_admin;
DROP ROLE regress_leadroute_admin;

-- Conditions that are long, and that need much stack.
INSERT INTO leadroute.rule (name, priority, condition) VALUES
	('long', 1, 'id < 0' || repeat(' AND true', 20000)),
	('many', 2, 'id IN (' || (SELECT string_agg((-g)::text, ',') FROM generate_series(1, 20000) g) || ')');
SELECT refused($$INSERT INTO leadroute.rule (name, condition) VALUES ('deep', repeat('(', 100000) || 'id < 0' || repeat(')', 100000))$$);
INSERT INTO leadroute.rule (name) VALUES ('everyone');
INSERT INTO lead VALUES (1), (-20000);
SELECT lead_key, rule FROM leadroute.assignment WHERE routed_table = 'lead' AND is_current ORDER BY id;
DELETE FROM leadroute.rule WHERE name <> 'everyone';

-- An error that is not the rule's ends the statement, and only that: what was to
-- be undone with it is undone, the session goes on.
CREATE TABLE log (what text);
CREATE FUNCTION slow(integer) RETURNS boolean LANGUAGE plpgsql STABLE AS $$BEGIN PERFORM pg_sleep(10); RETURN true; END$$;
CREATE FUNCTION endless(integer) RETURNS boolean LANGUAGE plpgsql STABLE AS $$BEGIN RETURN endless($1); END$$;
INSERT INTO leadroute.rule (name, priority, condition) VALUES ('endless', 1, 'id > 100 AND endless(id)');
BEGIN;
SET LOCAL max_stack_depth = '200kB';
DO $$
BEGIN
	INSERT INTO log VALUES ('to be undone');
	INSERT INTO lead VALUES (101);
EXCEPTION WHEN OTHERS THEN
	INSERT INTO log VALUES ('caught ' || SQLSTATE);
END $$;
SAVEPOINT a;
INSERT INTO lead VALUES (102);
ROLLBACK TO a;
INSERT INTO lead VALUES (3);
COMMIT;
SELECT * FROM log;
SELECT id, owner IS NOT NULL AS owned FROM lead ORDER BY id;
SELECT * FROM leadroute.verify();
UPDATE leadroute.rule SET condition = 'id > 100 AND slow(id)' WHERE name = 'endless';
SET statement_timeout = 100;
INSERT INTO lead VALUES (103);
RESET statement_timeout;
SELECT 'the session goes on' AS then;
INSERT INTO lead VALUES (4);
SELECT count(*) FROM lead;
SELECT * FROM leadroute.verify();

-- (whatever has become of that session, the next test finds nothing)
\c -
SET client_min_messages = warning;
DROP TABLE lead, stranger, log CASCADE;
DROP SCHEMA other CASCADE;
DROP FUNCTION refused, slow, endless;
DROP EXTENSION leadroute;
DROP SCHEMA leadroute;
