-- handover and offboard: the leads of a member go to another one, or to whom the
-- rules say.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
CREATE TABLE lead (id integer PRIMARY KEY, country text DEFAULT 'DE', status text NOT NULL DEFAULT 'open', email text, owner text);
CREATE TABLE deal (a integer, b text, owner integer NOT NULL DEFAULT 0, PRIMARY KEY (a, b));
SELECT leadroute.attach('lead', 'owner', router => 'r', closed_when => $$status = 'closed'$$) IS NOT NULL AS attached;
SELECT leadroute.attach('deal', 'owner', router => 'r', nobody => '0') IS NOT NULL AS attached;
INSERT INTO leadroute.member (name, owner_value) VALUES ('ada', '1'), ('bob', '2'), ('cid', '3');
INSERT INTO leadroute.rule (name, member_expr) VALUES ('ada', $$'ada'$$);
CREATE FUNCTION load() RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(m.name || ' ' || c.load, ', ' ORDER BY m.name)
		|| (SELECT ' - ' || count(*) || ' disagreements' FROM leadroute.verify())
	FROM leadroute.member_counter() c JOIN leadroute.member m ON m.id = c.member;
$$;
CREATE VIEW current AS SELECT routed_table AS table, lead_key AS lead, member, kind, reason, detail, hop, closed, load FROM leadroute.assignment WHERE is_current ORDER BY 1, 2;
INSERT INTO lead (id) VALUES (1), (2), (3), (10);
INSERT INTO lead (id, owner) VALUES (4, '2'), (5, 'nobody we know');
INSERT INTO deal VALUES (1, 'x'), (2, 'y, "z"');
UPDATE lead SET status = 'closed' WHERE id = 3;
SELECT load();

-- To another one, within its limits or all the same: all or nothing.
UPDATE leadroute.member SET capacity = 3 WHERE name = 'bob';
SELECT * FROM leadroute.handover('ada', 'bob');
SELECT load();
SET leadroute.actor = 'Mrs. Smith';
SELECT * FROM leadroute.handover('ada', 'bob', ignore_limits => true, reason => 'parental leave');
RESET leadroute.actor;
SELECT * FROM current;
SELECT DISTINCT actor FROM leadroute.assignment WHERE reason = 'handover';
SELECT owner FROM deal;
SELECT load();
-- nothing is left but what is closed
SELECT * FROM leadroute.handover('ada', 'bob');
SELECT * FROM leadroute.handover('ada', 'cid', only_open => false);
SELECT lead, member, closed, load FROM current WHERE lead = '3';
SELECT load();
UPDATE leadroute.member SET capacity = NULL;

-- To whom the rules say: never back, though they would say so.
DELETE FROM leadroute.rule;
INSERT INTO leadroute.rule (name, method) VALUES ('everybody', 'least_loaded');
SELECT * FROM leadroute.handover('bob', reason => 'sick');
SELECT lead, member <> 'bob' AS moved, kind, detail, hop FROM current;
SELECT passed_over FROM leadroute.assignment WHERE is_current AND passed_over IS NOT NULL AND kind = 'reassigned' ORDER BY id LIMIT 1;
SELECT load();
SELECT member, count(*) FROM current WHERE kind = 'reassigned' GROUP BY 1 ORDER BY 1;
-- nobody can take it: they wait
UPDATE leadroute.rule SET member_condition = $$member.name = 'ada'$$;
SELECT leadroute.pause('ada');
SELECT moved, without_owner FROM leadroute.handover('ada');
SELECT "table", lead, member, kind FROM current WHERE kind = 'held';
SELECT l.owner FROM lead l JOIN current c ON c.table = 'lead' AND c.lead = l.id::text WHERE c.kind = 'held'
	UNION SELECT d.owner::text FROM deal d JOIN current c ON c.table = 'deal' AND c.kind = 'held' AND c.lead = format('(%s,%s)', d.a, d.b) ORDER BY owner NULLS FIRST;
SELECT load();
SELECT leadroute.resume('ada');
-- who it was taken from does not get it back; others do
SELECT leadroute.route('deal', ROW(1, 'x'));
UPDATE leadroute.rule SET member_condition = NULL;
SELECT leadroute.route('deal', ROW(1, 'x'));
SELECT leadroute.route('lead', 1);
SELECT leadroute.route('lead', 4);
SELECT a.kind, a.member, a.hop FROM leadroute.assignment a WHERE a.lead_key = '4' ORDER BY a.id;

-- Rolled back, to a savepoint too.
SELECT load() AS before \gset
BEGIN;
SAVEPOINT s;
SELECT moved > 0 AS moved FROM leadroute.handover('cid');
ROLLBACK TO s;
SELECT load() = :'before' AS same;
SELECT moved > 0 AS moved FROM leadroute.handover('cid', 'bob');
ROLLBACK;
SELECT load() = :'before' AS same;

SELECT leadroute.detach('deal');
-- The same person: a duplicate follows its lead and counts in nothing.
UPDATE leadroute.router SET sticky_key = '{email}', duplicate_window = '1 day';
INSERT INTO lead (id, email, owner) VALUES (20, 'x@y', '3');
INSERT INTO lead (id, email) VALUES (21, 'x@y') RETURNING owner;
SELECT * FROM leadroute.handover('cid', 'bob');
SELECT lead, member, kind, load FROM current WHERE lead IN ('20', '21');
SELECT load();
SELECT without_owner FROM leadroute.handover('bob');
SELECT member <> 'bob' AS moved, kind FROM current WHERE lead IN ('20', '21');
SELECT count(DISTINCT member) AS owners FROM current WHERE lead IN ('20', '21');
INSERT INTO lead (id, email) VALUES (22, 'x@y');
SELECT count(DISTINCT member) AS owners FROM current WHERE lead IN ('20', '21', '22');

-- offboard: gone for good, and its leads with it.
UPDATE lead SET owner = '1' WHERE id IN (1, 2, 4);
SELECT moved >= 3 AS moved, without_owner FROM leadroute.offboard('ada', reason => 'left us');
SELECT active FROM leadroute.member WHERE name = 'ada';
SELECT count(*) FROM lead WHERE owner = '1' AND status = 'open';
INSERT INTO lead (id) VALUES (30), (31), (32) RETURNING owner <> '1' AS other;
SELECT load();
-- what comes to it all the same is told, and goes when it is called again
INSERT INTO lead (id, owner) VALUES (33, '1');
SELECT what, subject, detail, what_to_do FROM leadroute.problem WHERE what = 'owner_inactive';
SELECT moved, without_owner FROM leadroute.offboard('ada', 'cid');
SELECT count(*) FROM leadroute.problem WHERE what = 'owner_inactive';
-- all or nothing
UPDATE leadroute.member SET capacity = 0 WHERE name = 'bob';
SELECT moved, without_owner FROM leadroute.offboard('cid', 'bob');
SELECT active FROM leadroute.member WHERE name = 'cid';
-- who has a history is not deleted
DELETE FROM leadroute.member WHERE name = 'ada';

-- Refused.
SELECT * FROM leadroute.handover('dan');
SELECT * FROM leadroute.handover('cid', 'dan');
SELECT * FROM leadroute.handover('cid', 'cid');
SELECT * FROM leadroute.handover('cid', 'ada');
SELECT * FROM leadroute.handover(NULL);
SELECT * FROM leadroute.handover('cid', ignore_limits => true);
SELECT moved, without_owner FROM leadroute.offboard('dan');
SELECT moved, without_owner FROM leadroute.offboard('cid', 'ada');

-- Another router's member of the same name and value keeps its leads.
CREATE TABLE other (id integer PRIMARY KEY, owner text);
INSERT INTO leadroute.router (name) VALUES ('s');
SET leadroute.router = 's';
SELECT leadroute.attach('other', 'owner') IS NOT NULL AS attached;
INSERT INTO leadroute.member (name, owner_value) VALUES ('cid', '3'), ('eva', '5');
INSERT INTO other VALUES (1, '3');
SET leadroute.router = 'r';
SELECT without_owner FROM leadroute.handover('cid');
SELECT owner FROM other;
SET leadroute.router = 's';
SELECT * FROM leadroute.handover('cid', 'eva');
SELECT owner FROM other;
RESET leadroute.router;

-- Who may: managers.
CREATE ROLE regress_leadroute_rep;
CREATE ROLE regress_leadroute_manager;
SELECT leadroute.grant_to('regress_leadroute_rep', 'rep');
SELECT leadroute.grant_to('regress_leadroute_manager', 'manager');
SET leadroute.router = 's';
SET ROLE regress_leadroute_rep;
SELECT * FROM leadroute.handover('eva', 'cid');
SELECT moved, without_owner FROM leadroute.offboard('eva', 'cid');
SET ROLE regress_leadroute_manager;
SELECT moved, without_owner FROM leadroute.offboard('eva', 'cid');
RESET ROLE;
RESET leadroute.router;
SELECT role_name, reason FROM leadroute.assignment WHERE is_current AND routed_table = 'other';
SELECT * FROM leadroute.verify();
DROP TABLE lead, deal, other;
DROP FUNCTION load;
DROP EXTENSION leadroute CASCADE;
DROP SCHEMA leadroute;
DROP ROLE regress_leadroute_rep, regress_leadroute_manager;
