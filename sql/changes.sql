-- Configuration changes while leads are routed: seen from the next statement
-- on, by the transaction that makes them at once, and taken back by a rollback.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
CREATE TABLE lead (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kind text, owner text);
SELECT leadroute.attach('lead', 'owner') IS NOT NULL AS attached;
CREATE FUNCTION got(n integer) RETURNS text LANGUAGE sql AS $$
	WITH i AS (INSERT INTO lead (kind) SELECT 'x' FROM generate_series(1, n) RETURNING id, owner)
	SELECT string_agg(coalesce(owner, '-'), ' ' ORDER BY id) FROM i;
$$;
INSERT INTO leadroute.member (name) VALUES ('a'), ('b'), ('c');
INSERT INTO leadroute.team (name) VALUES ('t');
INSERT INTO leadroute.team_member (team, member, position) VALUES ('t', 'a', 1), ('t', 'b', 2), ('t', 'c', 3);
INSERT INTO leadroute.rule (name, team) VALUES ('t', 't');
SELECT got(4);

-- Renamed: the same member, the next in turn, its history under the new name.
UPDATE leadroute.member SET name = 'bea' WHERE name = 'b';
SELECT got(3);
SELECT member, count(*) FROM leadroute.assignment GROUP BY 1 ORDER BY 1;
SELECT team, member FROM leadroute.team_member ORDER BY position;
-- ... its owner value is another thing: from now on
UPDATE leadroute.member SET owner_value = 'bea' WHERE name = 'bea';
SELECT got(3);
-- the application renames its user in the leads, too: the load stays
SELECT * FROM leadroute.verify();
UPDATE lead SET owner = 'bea' WHERE owner = 'b';
SELECT m.name, c.load FROM leadroute.member_counter() c JOIN leadroute.member m ON m.id = c.member ORDER BY 1;
SELECT * FROM leadroute.verify();
UPDATE leadroute.team SET name = 'team' WHERE name = 't';
UPDATE leadroute.rule SET name = 'rule' WHERE name = 't';
SELECT got(1);
SELECT DISTINCT team, rule FROM leadroute.assignment;
UPDATE leadroute.router SET name = 'other' WHERE name = 'lead';
SELECT got(1);
SELECT DISTINCT router FROM leadroute.assignment;
SELECT router, count(*) FROM leadroute.team_member GROUP BY 1;
SELECT * FROM leadroute.verify();

-- Inactive: the ring goes on at the next member, no restart at its head.
SELECT got(2);
UPDATE leadroute.member SET active = false WHERE name = 'a';
SELECT got(3);
UPDATE leadroute.member SET active = true WHERE name = 'a';
SELECT got(3);
-- Deleted: refused with a history; otherwise it goes out of its teams.
DELETE FROM leadroute.member WHERE name = 'a';
INSERT INTO leadroute.member (name) VALUES ('d');
INSERT INTO leadroute.team_member (team, member, position) VALUES ('team', 'd', 0);
DELETE FROM leadroute.member WHERE name = 'd';
SELECT got(3);
-- ids are never given twice
INSERT INTO leadroute.member (name) VALUES ('d');
SELECT count(*) FROM leadroute.member WHERE name = 'd' AND id IN (SELECT id FROM leadroute.former_name WHERE table_name = 'member');
DELETE FROM leadroute.member WHERE name = 'd';
-- a team that rules use cannot go; a rule can, its name stays readable
DELETE FROM leadroute.team WHERE name = 'team';
-- a team emptied: leads are held; filled again: it goes on.  (In a transaction,
-- so that the worker does not decide the held lead before us.)
BEGIN;
DELETE FROM leadroute.team_member;
SELECT got(1);
DELETE FROM lead WHERE owner IS NULL;
INSERT INTO leadroute.team_member (team, member, position) VALUES ('team', 'a', 1), ('team', 'bea', 2), ('team', 'c', 3);
SELECT got(3);
COMMIT;
SELECT got(1);
BEGIN;
DELETE FROM leadroute.rule WHERE name = 'rule';
SELECT got(1);
DELETE FROM lead WHERE owner IS NULL;
INSERT INTO leadroute.rule (name, team) VALUES ('new rule', 'team');
COMMIT;
SELECT got(3);
SELECT DISTINCT rule FROM leadroute.assignment WHERE rule IS NOT NULL ORDER BY 1;
UPDATE leadroute.rule SET name = 'rule';
SELECT * FROM leadroute.verify();

-- One transaction's own changes count for its own leads at once ...
BEGIN;
INSERT INTO leadroute.member (name) VALUES ('new');
INSERT INTO leadroute.team (name) VALUES ('new');
INSERT INTO leadroute.team_member (team, member) VALUES ('new', 'new');
INSERT INTO leadroute.rule (name, priority, condition, team) VALUES ('new', 1, $$kind = 'x'$$, 'new');
SELECT got(2);
UPDATE leadroute.rule SET enabled = false WHERE name = 'new';
SELECT got(1);
SAVEPOINT s;
UPDATE leadroute.rule SET enabled = true WHERE name = 'new';
SELECT got(1);
ROLLBACK TO SAVEPOINT s;
SELECT got(1);
ROLLBACK;
-- ... and nothing of it is left: the leads, their turns, the rule
SELECT got(3);
SELECT count(*) FROM leadroute.assignment WHERE rule = 'new' OR member = 'new';
SELECT count(*) FROM leadroute.member WHERE name = 'new';
SELECT * FROM leadroute.verify();
-- the same, committed
BEGIN;
INSERT INTO leadroute.member (name) VALUES ('new');
INSERT INTO leadroute.team_member (team, member, position) VALUES ('team', 'new', 0);
SELECT got(4);
COMMIT;
SELECT got(4);
-- all of it in one transaction: what an application's test suite does
BEGIN;
CREATE TABLE other (id integer PRIMARY KEY, owner text);
SELECT leadroute.attach('other', 'owner', router => 'suite') IS NOT NULL AS attached;
SET LOCAL leadroute.router = 'suite';
INSERT INTO leadroute.member (name) VALUES ('s1'), ('s2');
INSERT INTO leadroute.rule (name) VALUES ('everyone');
INSERT INTO other VALUES (1), (2), (3) RETURNING owner;
SELECT leadroute.pause('s1');
INSERT INTO other VALUES (4) RETURNING owner;
SELECT leadroute.resume('s1');
INSERT INTO other VALUES (5), (6) RETURNING owner;
SELECT count(*) FROM leadroute.assignment WHERE routed_table = 'other' AND is_current;
ROLLBACK;
SELECT name FROM leadroute.router ORDER BY 1;
SELECT * FROM leadroute.verify();

-- Absence: from now, for one team, until resumed.
SELECT leadroute.pause('a', reason => 'lunch');
SELECT got(4);
SELECT member, upper(during) AS until, team, reason, written_by = current_user AS mine FROM leadroute.absence;
SELECT member, available, not_available_because, until FROM leadroute.member_status ORDER BY member;
SELECT leadroute.resume('a');
SELECT leadroute.resume('a');
SELECT got(4);
SELECT leadroute.pause('a', team => 'team');
SELECT got(3);
SELECT leadroute.resume('a', team => 'team');
-- a pause that is rolled back never was
BEGIN;
SELECT leadroute.pause('a');
SELECT got(4);
ROLLBACK;
SELECT got(4);
SELECT count(*) FROM leadroute.absence WHERE during @> now();

-- Each decision names the rule's version; it rises with each change.
UPDATE leadroute.rule SET priority = 50 WHERE name = 'rule';
UPDATE leadroute.rule SET priority = 60 WHERE name = 'rule';
SELECT got(1);
SELECT rule, rule_version FROM leadroute.assignment ORDER BY id DESC LIMIT 1;
SELECT version FROM leadroute.rule;

-- TRUNCATE of the configuration is a change too.
BEGIN;
SELECT count(*) FROM leadroute.config_history \gset former_
TRUNCATE leadroute.rule CASCADE;
SELECT got(1);
SELECT count(*) - :former_count AS kept FROM leadroute.config_history;
SELECT h.table_name, h.old ->> 'name' AS name, h.new FROM leadroute.config_history h ORDER BY h.at DESC LIMIT 1;
SELECT table_name, name FROM leadroute.former_name WHERE table_name = 'rule' AND name = 'rule';
ROLLBACK;
SELECT got(1) IS NOT NULL AS routed;
-- dropping the writer of a rule stops the rule, and nothing else
CREATE ROLE regress_leadroute_writer;
GRANT USAGE ON SCHEMA leadroute TO regress_leadroute_writer;
GRANT SELECT, INSERT, UPDATE ON leadroute.rule, leadroute.config_state TO regress_leadroute_writer;
GRANT SELECT ON ALL TABLES IN SCHEMA leadroute TO regress_leadroute_writer;
GRANT EXECUTE ON FUNCTION leadroute.default_router() TO regress_leadroute_writer;
GRANT SELECT ON lead TO regress_leadroute_writer;
INSERT INTO leadroute.team (name) VALUES ('c');
INSERT INTO leadroute.team_member (team, member) VALUES ('c', 'c');
SET ROLE regress_leadroute_writer;
INSERT INTO leadroute.rule (name, priority, condition, team) VALUES ('writer', 1, $$kind = 'x'$$, 'c');
RESET ROLE;
SELECT written_by FROM leadroute.rule WHERE name = 'writer';
SELECT got(3);
DROP OWNED BY regress_leadroute_writer;
DROP ROLE regress_leadroute_writer;
SELECT got(4);
SELECT detail FROM leadroute.assignment ORDER BY id DESC LIMIT 1;
-- whoever writes the condition anew takes the rule over
UPDATE leadroute.rule SET condition = $$kind IN ('x', 'y')$$ WHERE name = 'writer';
SELECT written_by = current_user AS mine FROM leadroute.rule WHERE name = 'writer';
SELECT got(2);
SELECT * FROM leadroute.verify();

DROP TABLE lead;
DROP FUNCTION got;
DROP EXTENSION leadroute;
DROP SCHEMA leadroute;
