-- Test leads (router.test_when): decided and journalled, they count nowhere.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
CREATE TABLE lead (id integer PRIMARY KEY, email text, size integer DEFAULT 1, stage text DEFAULT 'new', test boolean, status text, score numeric, owner text);
SELECT leadroute.attach('lead', 'owner', closed_when => $$stage = 'closed'$$, responded_when => $$stage <> 'new'$$, load => 'size', reroute_on => '{size}',
	status_column => 'status', score_column => 'score') IS NOT NULL AS attached;
INSERT INTO leadroute.member (name, capacity) VALUES ('ann', 3), ('bob', 3);
INSERT INTO leadroute.team (name) VALUES ('sales');
INSERT INTO leadroute.team_member (team, member, position, target) VALUES ('sales', 'ann', 1, 10), ('sales', 'bob', 2, 10);
INSERT INTO leadroute.rule (name, team) VALUES ('everyone', 'sales');
INSERT INTO leadroute.criterion (name, points) VALUES ('size', 'size * 10');
INSERT INTO leadroute.cap (name, each_member, max_leads) VALUES ('three a day', true, 3);

-- What cannot work is refused; who writes it needs the columns.
UPDATE leadroute.router SET test_when = 'email';
UPDATE leadroute.router SET test_when = 'nothing = 1';
CREATE ROLE regress_leadroute_admin;
SELECT leadroute.grant_to('regress_leadroute_admin', 'admin');
SET ROLE regress_leadroute_admin;
UPDATE leadroute.router SET test_when = 'test';
RESET ROLE;
GRANT SELECT (test, email, size) ON lead TO regress_leadroute_admin;
SET ROLE regress_leadroute_admin;
UPDATE leadroute.router SET test_when = 'test';
RESET ROLE;
SELECT test_when, written_by FROM leadroute.router;
UPDATE leadroute.router SET test_when = $$test OR email LIKE '%@example.com' OR 1 / size > 1$$, sticky_key = '{email}', duplicate_window = '1 day';
SELECT test_when, written_by = current_user AS mine FROM leadroute.router;
SELECT leadroute.export_config() -> 'router' ->> 'test_when' AS exported;
SELECT count(*) FROM leadroute.config_history WHERE table_name = 'router' AND new ->> 'test_when' = 'test';

CREATE VIEW decided AS SELECT lead_key AS lead, kind, member, is_test AS test, load, turn, score, hop FROM leadroute.assignment WHERE is_current ORDER BY lead_key::integer;
CREATE FUNCTION counted() RETURNS text LANGUAGE sql AS $$
	SELECT (SELECT string_agg(concat(s.member, ' load ', s.load, ' turn ', s.last_assignment IS NOT NULL, ' cap ', s.limits -> 0 ->> 'used'), ', ' ORDER BY s.member) FROM leadroute.member_status s)
		|| (SELECT concat(', credits ', string_agg(trim_scale(round(r.credit::numeric, 4))::text, ' ' ORDER BY r.member)) FROM leadroute.rotation r)
		|| (SELECT format(', %s keys, %s waiting, %s disagreements', (SELECT count(*) FROM leadroute.sticky_lead), (SELECT count(*) FROM leadroute.pool_entry), count(*)) FROM leadroute.verify());
$$;

-- They get whom a real one would get, over and over.
INSERT INTO lead (id, email, test) SELECT g, 't' || g || '@example.com', g % 2 = 0 FROM generate_series(1, 6) g RETURNING id, owner, status, score;
SELECT * FROM decided;
SELECT counted();
INSERT INTO lead (id, email) VALUES (7, 'a'), (8, 'b') RETURNING id, owner;
INSERT INTO lead (id, email, test) VALUES (9, 'c', true) RETURNING id, owner;
SELECT counted();
-- an owner that is given; one that is no member
INSERT INTO lead (id, test, owner) VALUES (10, true, 'bob'), (11, true, 'stranger');
-- as the owner of the same person gets it; nobody is known by a test
INSERT INTO lead (id, email, test) VALUES (12, 'b', true), (13, 'd', true);
INSERT INTO lead (id, email) VALUES (14, 'd');
SELECT * FROM decided WHERE lead::integer > 8;
SELECT leadroute.explain('lead', 13);
SELECT regexp_replace(w, '^[^:]*:[^:]*:[^:]*: ', '') AS why FROM leadroute.why('lead', 9) w;
-- an error: no test; the detail tells
INSERT INTO lead (id, email, size) VALUES (15, 'z', 0);
SELECT kind, is_test, detail FROM leadroute.assignment WHERE lead_key = '15';
DELETE FROM lead WHERE id IN (14, 15);
SELECT counted();

-- What happens to them moves nothing.
UPDATE lead SET owner = 'ann' WHERE id = 10;
UPDATE lead SET stage = 'called' WHERE id IN (1, 2);
UPDATE lead SET stage = 'closed' WHERE id = 1;
UPDATE lead SET stage = 'new' WHERE id = 1;
SELECT leadroute.assign('lead', 2, 'bob');
UPDATE lead SET id = 33 WHERE id = 3;
UPDATE lead SET owner = NULL WHERE id = 4 RETURNING owner;
UPDATE lead SET size = 3 WHERE id = 5 RETURNING owner;
DELETE FROM lead WHERE id = 6;
SELECT * FROM decided;
SELECT counted();
SELECT kind, load, count(*) FROM leadroute.event GROUP BY 1, 2 ORDER BY 1, 2;
SELECT count(*) AS reported FROM leadroute.ownership() WHERE lead_key NOT IN ('7', '8', '14', '15');
SELECT sum(received) AS received FROM leadroute.fairness WHERE team = 'sales';
SELECT leadroute.rebuild();
SELECT counted();

-- Not a test any more: from its next decision on; and the other way round.
UPDATE lead SET email = 'real', test = NULL WHERE id = 2;
SELECT lead, kind, member, test, load FROM decided WHERE lead = '2';
UPDATE lead SET size = 2 WHERE id = 2 RETURNING owner;
SELECT lead, kind, member, test, load FROM decided WHERE lead = '2';
SELECT leadroute.assign('lead', 2, 'ann', ignore_limits => true);
SELECT lead, kind, member, test, load FROM decided WHERE lead = '2';
SELECT counted();
UPDATE lead SET test = true WHERE id = 2;
SELECT lead, test, load FROM decided WHERE lead = '2';
SELECT counted();
UPDATE lead SET owner = 'bob' WHERE id = 2;
SELECT lead, kind, member, test, load FROM decided WHERE lead = '2';
SELECT counted();

-- Nobody can take it: it waits in no line, and keeps nobody waiting.
UPDATE leadroute.member SET capacity = 0;
INSERT INTO lead (id, email, test) VALUES (20, 'e', true) RETURNING owner;
SELECT lead, kind, member, test FROM decided WHERE lead = '20';
SELECT counted();
UPDATE lead SET id = 21 WHERE id = 20;
UPDATE lead SET stage = 'closed' WHERE id = 21;
UPDATE lead SET stage = 'new' WHERE id = 21;
SELECT count(*) FROM leadroute.pool_entry;
-- a real one by now, it does
UPDATE lead SET test = NULL WHERE id = 21;
SELECT leadroute.route('lead', 21);
SELECT lead, kind, member, test FROM decided WHERE lead = '21';
SELECT state FROM leadroute.pool_entry;
UPDATE lead SET test = true WHERE id = 21;
SELECT leadroute.route('lead', 21);
SELECT count(*) FROM leadroute.pool_entry;
UPDATE leadroute.rule SET method = 'manual';
INSERT INTO lead (id, test) VALUES (22, true);
SELECT lead, kind, test FROM decided WHERE lead = '22';
SELECT count(*) FROM leadroute.triage;

-- By other methods: no target, nobody's turn is later for it.
UPDATE leadroute.member SET capacity = NULL;
UPDATE leadroute.rule SET method = 'by_target';
INSERT INTO lead (id, test) VALUES (23, true), (24, true);
SELECT sum(c.received) FROM leadroute.seat_counter() c;
UPDATE leadroute.rule SET method = 'longest_idle';
INSERT INTO lead (id, test) VALUES (25, true), (26, true);
SELECT count(DISTINCT owner) FROM lead WHERE id IN (25, 26);
SELECT count(*) FROM leadroute.verify();

-- Nobody is measured by them.
SELECT leadroute.measure() AS members;
BEGIN;
SET LOCAL leadroute.test_clock = '2100-01-01 00:00+00';
INSERT INTO lead (id, test, owner) VALUES (27, true, 'bob'), (28, NULL, 'ann');
SET LOCAL leadroute.test_clock = '2100-02-01 00:00+00';
SELECT leadroute.measure() AS members;
ROLLBACK;

-- A column of it is gone: no lead is a test, and that is told.
BEGIN;
ALTER TABLE lead DROP COLUMN test;
INSERT INTO lead (id, email) VALUES (29, 'x@example.com');
SELECT is_test, detail FROM leadroute.assignment WHERE lead_key = '29';
SELECT what, detail, what_to_do FROM leadroute.lint() WHERE severity = 'error';
SELECT count(*) FROM leadroute.problem WHERE what = 'test_when_invalid';
ROLLBACK;

-- Adopted, handed over, rolled back, not stored.
DELETE FROM leadroute.cap;
SELECT leadroute.detach('lead') IS NOT NULL AS detached;
SELECT leadroute.attach('lead', 'owner', closed_when => $$stage = 'closed'$$, load => 'size') IS NOT NULL AS attached;
SELECT kind, is_test, sum(load) AS load FROM leadroute.assignment WHERE is_current GROUP BY 1, 2 ORDER BY 1, 2;
SELECT moved > 0 AS moved, without_owner FROM leadroute.handover('ann', 'bob');
SELECT kind, is_test, sum(load) AS load FROM leadroute.assignment WHERE is_current GROUP BY 1, 2 ORDER BY 1, 2;
BEGIN;
INSERT INTO lead (id, test) VALUES (30, true);
ROLLBACK;
INSERT INTO lead (id, test) VALUES (26, true), (31, true) ON CONFLICT DO NOTHING;
SELECT count(*) FROM leadroute.verify();
DROP VIEW decided;
DROP TABLE lead;
DROP FUNCTION counted;
DROP EXTENSION leadroute CASCADE;
DROP SCHEMA leadroute;
DROP OWNED BY regress_leadroute_admin;
DROP ROLE regress_leadroute_admin;
