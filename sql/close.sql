-- respond, close, reopen: for tables whose rows do not say what becomes of leads.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
CREATE TABLE lead (id integer PRIMARY KEY, note text, size integer DEFAULT 1, owner text);
SELECT leadroute.attach('lead', 'owner', load => 'size') IS NOT NULL AS attached;
INSERT INTO leadroute.member (name) VALUES ('ada'), ('bob');
INSERT INTO leadroute.rule (name, member_expr) VALUES ('ada', $$'ada'$$);
CREATE VIEW now AS SELECT lead_key AS lead, member, kind, responded AS answered, closed, converted AS won, outcome, value FROM leadroute.assignment WHERE is_current ORDER BY 1;
CREATE FUNCTION load() RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(m.name || ' ' || c.load, ', ' ORDER BY m.name)
		|| (SELECT ' - ' || count(*) || ' disagreements' FROM leadroute.verify())
	FROM leadroute.member_counter() c JOIN leadroute.member m ON m.id = c.member WHERE c.load > 0;
$$;
INSERT INTO lead (id) VALUES (1), (2), (3), (4), (5);

-- Once; the second time is no news.
SELECT leadroute.respond('lead', 1), leadroute.respond('lead', '1');
SELECT leadroute.close('lead', 1, 'won', 1200.50), leadroute.close('lead', '1', 'won', 1200.5), leadroute.close('lead', 1);
SELECT leadroute.close('lead', 2, 'lost'), leadroute.close('lead', 3);
SELECT * FROM now;
SELECT load();
-- back and forth
SELECT leadroute.close('lead', 2, 'converted', 7), leadroute.close('lead', 2, 'lost'), leadroute.close('lead', 2, value => 8);
SELECT * FROM now WHERE lead = '2';
SELECT leadroute.reopen('lead', 2), leadroute.reopen('lead', 2), leadroute.reopen('lead', 1);
SELECT * FROM now WHERE lead IN ('1', '2');
SELECT load();
SELECT leadroute.close('lead', 1, 'won');
SELECT kind, load, lead_key, payload FROM leadroute.event ORDER BY id;

-- A closed lead stays so, whatever else is changed of it.
UPDATE lead SET note = 'x', size = 5;
SELECT load();
UPDATE lead SET owner = 'bob' WHERE id = 1;
UPDATE lead SET id = 33 WHERE id = 3;
SELECT leadroute.assign('lead', 33, 'bob');
SELECT * FROM now;
SELECT load();
-- reopened by its new owner, it counts what it counts now
SELECT leadroute.reopen('lead', 33);
SELECT load();
SELECT * FROM leadroute.handover('bob', 'ada', only_open => false);
SELECT * FROM now;
SELECT load();
-- deleted, its table truncated
SELECT leadroute.close('lead', 5);
DELETE FROM lead WHERE id IN (1, 5);
SELECT load();
-- one that waits is not looked at any more, until it is reopened
UPDATE leadroute.rule SET enabled = false;
INSERT INTO lead (id) VALUES (6);
SELECT leadroute.respond('lead', 6);
SELECT leadroute.close('lead', 6, 'spam');
SELECT count(*) FROM leadroute.pool_entry;
SELECT leadroute.reopen('lead', 6);
SELECT count(*) FROM leadroute.pool_entry;
UPDATE leadroute.rule SET enabled = true;
SELECT leadroute.route('lead', 6);
SELECT load();
-- rolled back
BEGIN;
SELECT leadroute.close('lead', 6);
ROLLBACK;
BEGIN;
SAVEPOINT s;
SELECT leadroute.close('lead', 6);
ROLLBACK TO s;
SELECT load();
COMMIT;
SELECT leadroute.why('lead', 2) ~ 'closed as "lost"' AS told;
SELECT bool_or(w ~ 'closed as "lost"') AS told FROM leadroute.why('lead', 2) w;

-- Where the table says it, its rows do.
CREATE TABLE said (id integer PRIMARY KEY, done boolean DEFAULT false, answered boolean, sold boolean, price integer, owner text);
SELECT leadroute.attach('said', 'owner', closed_when => 'done', responded_when => 'answered', converted_when => 'sold', value => 'price') IS NOT NULL AS attached;
INSERT INTO said (id) VALUES (1), (2);
SELECT leadroute.respond('said', 1);
SELECT leadroute.close('said', 1);
SELECT leadroute.reopen('said', 1);
UPDATE said SET done = true WHERE id = 1;
SELECT leadroute.close('said', 1, 'won', 3);
SELECT leadroute.close('said', 1, 'won');
SELECT outcome, converted, closed FROM leadroute.assignment WHERE routed_table = 'said' AND lead_key = '1';
UPDATE said SET done = false WHERE id = 1;
SELECT outcome, converted, closed FROM leadroute.assignment WHERE routed_table = 'said' AND lead_key = '1';

-- Refused.
SELECT leadroute.respond('nothing', 1);
SELECT leadroute.respond('lead', 99);
SELECT leadroute.respond(NULL, 1);
SELECT leadroute.close('lead', 2, '');
SELECT leadroute.close('lead', 2, 'won', 'NaN');
SET leadroute.routing = off;
INSERT INTO lead (id) VALUES (7);
RESET leadroute.routing;
SELECT leadroute.close('lead', 7);

-- Who may: its owner; who may UPDATE the lead; a manager.
CREATE ROLE regress_leadroute_ada;
CREATE ROLE regress_leadroute_bob;
CREATE ROLE regress_leadroute_app;
CREATE ROLE regress_leadroute_manager;
UPDATE leadroute.member SET role_name = 'regress_leadroute_' || name;
SELECT leadroute.grant_to('regress_leadroute_ada', 'rep'), leadroute.grant_to('regress_leadroute_bob', 'rep'),
	leadroute.grant_to('regress_leadroute_app', 'app'), leadroute.grant_to('regress_leadroute_manager', 'manager');
INSERT INTO lead (id) VALUES (8), (9), (10);
SET ROLE regress_leadroute_ada;
SELECT leadroute.respond('lead', 8), leadroute.close('lead', 8), leadroute.reopen('lead', 8);
SET ROLE regress_leadroute_bob;
SELECT leadroute.respond('lead', 8);
SELECT leadroute.close('lead', 8);
SELECT leadroute.reopen('lead', 8);
-- nor does he learn which there are
SELECT leadroute.close('lead', 99);
SET ROLE regress_leadroute_app;
SELECT leadroute.close('lead', 9);
RESET ROLE;
GRANT UPDATE (note) ON lead TO regress_leadroute_app;
SET ROLE regress_leadroute_app;
SELECT leadroute.close('lead', 9);
RESET ROLE;
SELECT actor IS NULL AS nobody, role_name FROM leadroute.event WHERE lead_key = '9';
ALTER TABLE lead ENABLE ROW LEVEL SECURITY;
SET ROLE regress_leadroute_app;
SELECT leadroute.reopen('lead', 9);
SET ROLE regress_leadroute_manager;
SELECT leadroute.reopen('lead', 9);
RESET ROLE;
ALTER TABLE lead DISABLE ROW LEVEL SECURITY;
CREATE ROLE regress_leadroute_none;
SET ROLE regress_leadroute_none;
SELECT leadroute.close('lead', 9);
RESET ROLE;
SELECT load();
TRUNCATE lead, said;
SELECT load();
SELECT * FROM leadroute.verify();
DROP VIEW now;
DROP TABLE lead, said;
DROP FUNCTION load;
DROP EXTENSION leadroute CASCADE;
DROP SCHEMA leadroute;
DROP ROLE regress_leadroute_ada, regress_leadroute_bob, regress_leadroute_app, regress_leadroute_manager, regress_leadroute_none;
