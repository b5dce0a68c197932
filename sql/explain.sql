-- What people ask: why a lead has its owner, what would be decided now, who can
-- take leads, what is wrong, and whether the shares are right.
\set SHOW_CONTEXT never
\pset format unaligned
SET client_min_messages = warning;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';
CREATE EXTENSION leadroute;
CREATE TABLE lead (id integer PRIMARY KEY, country text, n integer, open boolean NOT NULL DEFAULT true, owner text);
-- a question about nothing
SELECT leadroute.why('lead', 1);
SELECT leadroute.explain('lead', 1);
INSERT INTO lead VALUES (100, 'DE', 1, true, 'anna'), (101, 'DE', 1, true, 'zoe');
SELECT leadroute.attach('lead', 'owner', closed_when => 'NOT open');
SELECT count(*) FROM leadroute.why('lead', 4711);
SELECT count(*) FROM leadroute.why('lead', NULL::text);
SELECT count(*) FROM leadroute.why(NULL, 1);
SELECT leadroute.explain('lead', 100);

SET leadroute.test_clock = '2001-02-03 04:05:06 UTC';
INSERT INTO leadroute.member (name, capacity) VALUES ('anna', NULL), ('bruno', 2), ('chiara', 4), ('dora', NULL), ('emil', 1);
INSERT INTO leadroute.team (name) VALUES ('rr'), ('ll'), ('li'), ('ra'), ('small'), ('empty');
INSERT INTO leadroute.team_member (team, member, position, weight) VALUES
	('rr', 'anna', 1, 2), ('rr', 'bruno', 2, 1), ('rr', 'dora', 3, 1),
	('ll', 'bruno', 1, 1), ('ll', 'chiara', 2, 1), ('li', 'anna', 1, 1), ('li', 'chiara', 2, 1), ('ra', 'dora', 1, 1), ('small', 'emil', 1, 1);
INSERT INTO leadroute.rule (name, priority, condition, team, method, overflow) VALUES
	('german', 1, $$country = 'DE'$$, 'rr', 'round_robin', 'next_rule'),
	('fails', 2, $$country = 'XX' AND 1 / n > 0$$, 'ra', 'random', 'next_rule'),
	('french', 3, $$country = 'FR'$$, 'll', 'least_loaded', 'next_rule'),
	('italian', 4, $$country = 'IT'$$, 'li', 'longest_idle', 'next_rule'),
	('nobody there', 5, $$country = 'AQ'$$, 'empty', 'round_robin', 'next_rule'),
	('one', 6, $$country = 'MC'$$, 'small', 'round_robin', 'none'),
	('over', 7, $$country = 'VA'$$, 'small', 'round_robin', 'ignore_limits');

-- why: each kind of decision and event is a sentence.
INSERT INTO lead (id, country, n) VALUES (1, 'DE', 1), (2, 'DE', 1), (3, 'DE', 1), (4, 'FR', 1), (5, 'IT', 1), (6, 'IT', 1), (7, 'XX', 1), (8, 'MC', 1), (9, 'MC', 1), (10, 'VA', 1);
INSERT INTO lead (id, owner) VALUES (11, 'chiara'), (12, 'stranger');
SELECT lead_key, why FROM unnest('{100,101,1,2,3,4,5,6,7,8,9,10,11,12}'::text[]) WITH ORDINALITY k (lead_key, i), leadroute.why('lead', lead_key) why ORDER BY i;
-- somebody is passed over; more than are named
INSERT INTO leadroute.absence (member, during) VALUES ('anna', '[2001-01-01, 2001-03-01)'), ('dora', '[2001-01-01,)');
INSERT INTO lead (id, country) VALUES (20, 'DE');
SELECT leadroute.why('lead', 20);
BEGIN;
SET LOCAL leadroute.passed_over_limit = 1;
UPDATE leadroute.member SET active = false WHERE name = 'bruno';
INSERT INTO leadroute.team_member (team, member, position) VALUES ('rr', 'chiara', 4);
INSERT INTO lead (id, country) VALUES (21, 'DE');
SELECT leadroute.why('lead', 21);
ROLLBACK;
DELETE FROM leadroute.absence;
-- moved, taken away, closed, opened, given another key, deleted, by whom
SET leadroute.actor = 'user 42';
UPDATE lead SET owner = 'chiara' WHERE id = 1;
UPDATE lead SET owner = 'stranger' WHERE id = 1;
SELECT leadroute.assign('lead', 1, 'dora', 'knows the customer');
UPDATE lead SET owner = NULL WHERE id = 1;
RESET leadroute.actor;
SELECT leadroute.route('lead', 1);
UPDATE lead SET open = false WHERE id = 1;
UPDATE lead SET open = true WHERE id = 1;
SELECT leadroute.why('lead', 1);
UPDATE lead SET id = 1001 WHERE id = 1;
SELECT leadroute.why('lead', 1001);
-- what was before is found under its former key
SELECT why FROM leadroute.why('lead', 1) WITH ORDINALITY w (why, i) ORDER BY i DESC LIMIT 1;
DELETE FROM lead WHERE id = 1001;
SELECT why FROM leadroute.why('lead', 1001) WITH ORDINALITY w (why, i) ORDER BY i DESC LIMIT 1;
SELECT count(*) FROM leadroute.assignment WHERE lead_key = '1001' AND is_current;
-- a key that is used again tells of both leads; a lead keeps its history under a new key, twice
BEGIN;
SET LOCAL leadroute.test_clock = '2001-02-03 05:00:00 UTC';
INSERT INTO lead (id, owner) VALUES (1001, 'dora');
UPDATE lead SET owner = 'anna' WHERE id = 1001;
UPDATE lead SET id = 1002 WHERE id = 1001;
UPDATE lead SET owner = NULL WHERE id = 1002;
UPDATE lead SET id = 1003 WHERE id = 1002;
UPDATE lead SET owner = 'bruno' WHERE id = 1003;
SELECT leadroute.why('lead', 1003);
SELECT count(*) FROM leadroute.why('lead', 1002);
SELECT count(*) FROM leadroute.why('lead', 1001);
SELECT a.lead_key, a.kind, p.lead_key AS before, p.kind AS kind_before
	FROM leadroute.assignment a LEFT JOIN leadroute.assignment p ON p.id = a.previous_id
	WHERE a.lead_key IN ('1001', '1002', '1003') AND a.assigned_at = '2001-02-03 05:00:00 UTC' ORDER BY a.id;
ROLLBACK;
-- of a member that is known late, and a held lead that is decided
BEGIN;
INSERT INTO leadroute.member (name) VALUES ('stranger');
INSERT INTO lead (id, country) VALUES (39, NULL);
SELECT leadroute.assign('lead', 39, 'dora');
SELECT a.kind, a.lead_key, p.kind AS kind_before FROM leadroute.assignment a JOIN leadroute.assignment p ON p.id = a.previous_id
	WHERE a.lead_key IN ('12', '39') ORDER BY a.id;
ROLLBACK;
-- why reads the lead's own rows, in a journal of any size: a new lead pays for
-- one btree, the other one has what has ended
BEGIN;
SELECT pg_relation_size('leadroute.journal_past') AS past_before \gset
INSERT INTO lead (id, owner) SELECT i, 'dora' FROM generate_series(10000, 20000) i;
SELECT pg_relation_size('leadroute.journal_past') - :past_before AS paid;
UPDATE lead SET owner = 'anna' WHERE id BETWEEN 10100 AND 10199;
DELETE FROM lead WHERE id = 10100;
CREATE TEMP TABLE read_before AS SELECT relname, seq_tup_read + coalesce(idx_tup_fetch, 0) AS n
	FROM pg_stat_xact_user_tables WHERE schemaname = 'leadroute' AND relname IN ('journal', 'event');
SELECT count(*) FROM leadroute.why('lead', 10100);
SELECT count(*) FROM leadroute.why('lead', 10101);
SELECT count(*) FROM leadroute.why('lead', 15000);
SELECT r.relname, s.seq_tup_read + coalesce(s.idx_tup_fetch, 0) - r.n < 50 AS few
	FROM pg_stat_xact_user_tables s JOIN read_before r USING (relname) WHERE s.schemaname = 'leadroute' ORDER BY 1;
ROLLBACK;
-- held, for each reason (in a transaction: the worker must not decide them)
BEGIN;
INSERT INTO lead (id, country) VALUES (31, 'AQ'), (32, NULL), (33, 'JP');
UPDATE leadroute.member SET capacity = 0 WHERE name IN ('bruno', 'chiara');
INSERT INTO lead (id, country) VALUES (34, 'FR');
SELECT lead_key, why FROM unnest('{31,32,33,34}'::text[]) WITH ORDINALITY k (lead_key, i), leadroute.why('lead', lead_key) why ORDER BY i;
ROLLBACK;
-- keys: of any type, of several columns, however the session shows times
CREATE TABLE stamped (at timestamptz, id integer, owner text, PRIMARY KEY (at, id));
BEGIN;
DELETE FROM leadroute.rule;
SELECT leadroute.attach('stamped', 'owner') IS NOT NULL AS attached;
INSERT INTO leadroute.rule (name, team) VALUES ('r', 'li');
SET LOCAL DateStyle = 'German';
SET LOCAL TimeZone = 'Asia/Kathmandu';
INSERT INTO stamped VALUES ('2001-01-01 00:00+00', 7) RETURNING owner;
SELECT count(*) FROM leadroute.why('stamped', ROW('2001-01-01 01:00+01'::timestamptz, 7));
SET LOCAL DateStyle = 'ISO';
SELECT leadroute.why('stamped', ROW('2001-01-01 02:00+02'::timestamptz, 7));
SELECT lead_key FROM leadroute.assignment WHERE routed_table = 'stamped';
SELECT count(*) FROM leadroute.explain('stamped', ROW('2001-01-01 02:00+02'::timestamptz, 7));
ROLLBACK;
DROP TABLE stamped;

-- explain: what would be decided now.
SET leadroute.routing = off;
INSERT INTO lead (id, country, n) VALUES (40, 'DE', 1), (41, 'XX', 0), (42, 'FR', 1), (43, 'IT', 1), (44, 'AQ', 1), (45, 'MC', 1), (46, 'VA', 1), (47, 'JP', 1), (48, 'XX', 1);
RESET leadroute.routing;
SELECT leadroute.explain('lead', 40);
SELECT leadroute.explain('lead', '41');
SELECT leadroute.explain('lead', 42);
SELECT regexp_replace(leadroute.explain('lead', 43), '\d+ decisions', 'some decisions') AS explain;
-- longest_idle with one who had the last lead, and one who never had any
BEGIN;
DELETE FROM leadroute.team_member WHERE team = 'li' AND member = 'anna';
INSERT INTO leadroute.member (name) VALUES ('fred'), ('gerd');
INSERT INTO leadroute.team_member (team, member) VALUES ('li', 'fred');
INSERT INTO lead (id, country) VALUES (49, 'IT');
DELETE FROM leadroute.team_member WHERE team = 'li' AND member = 'chiara';
INSERT INTO leadroute.team_member (team, member) VALUES ('li', 'gerd');
SELECT leadroute.explain('lead', 43) AS explain;
SELECT m ->> 'member' AS member, m ->> 'measure' AS measure
	FROM leadroute.explain('lead', 43, 'json') j, jsonb_array_elements(j::jsonb -> 'rules') r, jsonb_array_elements(r -> 'members') m;
DELETE FROM leadroute.team_member WHERE team = 'li' AND member = 'gerd';
SELECT leadroute.explain('lead', 43) AS explain;
ROLLBACK;
SELECT leadroute.explain('lead', 44);
SELECT leadroute.explain('lead', 45);
SELECT leadroute.explain('lead', 46);
SELECT leadroute.explain('lead', 48);
-- of one that has an owner, and of one that is closed
SELECT leadroute.explain('lead', 2) LIMIT 2;
-- what a program reads
SELECT jsonb_pretty(leadroute.explain('lead', 42, 'json')::jsonb);
SELECT e ->> 'result' AS result, e ->> 'reason' AS reason, e ->> 'member' AS member, r ->> 'result' AS fails, r ->> 'error' AS error
	FROM leadroute.explain('lead', 41, 'json') x (j), LATERAL (SELECT j::jsonb) p (e), jsonb_array_elements(e -> 'rules') r WHERE r ->> 'rule' = 'fails';
SELECT leadroute.explain('lead', 40, NULL);
-- a name that needs quoting in JSON
BEGIN;
UPDATE leadroute.member SET name = E'an"na\\\n\t' WHERE name = 'anna';
SELECT leadroute.explain('lead', 40, 'json')::jsonb ->> 'member' = E'an"na\\\n\t' AS same;
ROLLBACK;
-- says who is away, until when; uses the changes of its own transaction
BEGIN;
INSERT INTO leadroute.absence (member, during) VALUES ('anna', '[2001-01-01, 2001-03-01)');
INSERT INTO leadroute.absence (member, during) VALUES ('bruno', '[2001-01-01,)');
UPDATE leadroute.member SET active = false WHERE name = 'dora';
SELECT leadroute.explain('lead', 40);
SELECT r ->> 'rule' AS rule, m ->> 'member' AS member, m ->> 'can' AS can, m ->> 'detail' AS detail
	FROM leadroute.explain('lead', 40, 'json') j, jsonb_array_elements(j::jsonb -> 'rules') r, jsonb_array_elements(r -> 'members') m;
ROLLBACK;
-- without any effect: asked a hundred times, then decided as it said
CREATE FUNCTION counters() RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws(' ', (SELECT count(*) FROM leadroute.journal), (SELECT count(*) FROM leadroute.event),
		(SELECT string_agg(c::text, ' ' ORDER BY c.member) FROM leadroute.member_counter() c),
		(SELECT string_agg(c::text, ' ' ORDER BY c.team, c.member) FROM leadroute.seat_counter() c)) $$;
SELECT counters() AS before \gset
SELECT count(*) AS lines FROM generate_series(1, 100), leadroute.explain('lead', 40);
SELECT counters() = :'before' AS nothing_changed;
SELECT id, leadroute.explain('lead', id, 'json')::jsonb ->> 'member' AS predicted, leadroute.route('lead', id) AS decided
	FROM lead WHERE id BETWEEN 40 AND 46 AND id NOT IN (41, 44) ORDER BY id;
DELETE FROM lead WHERE id BETWEEN 40 AND 48;
SELECT * FROM leadroute.verify();

-- member_status: everybody as he is now.
INSERT INTO leadroute.absence (member, during, team) VALUES ('dora', '[2001-01-01,)', 'rr');
INSERT INTO leadroute.absence (member, during) VALUES ('chiara', '[2001-01-01, 2900-01-01)'), ('chiara', '[2900-01-01, 2950-01-01)'), ('chiara', '[2960-01-01,)');
UPDATE leadroute.member SET active = false WHERE name = 'emil';
INSERT INTO leadroute.member (name, capacity) VALUES ('zero', 0), ('new', 3);
SELECT router, member, active, available, not_available_because, until, load, capacity, open_capacity, teams FROM leadroute.member_status ORDER BY member;
SELECT s.member, a.kind, a.lead_key FROM leadroute.member_status s JOIN leadroute.assignment a ON a.id = s.last_assignment WHERE a.member = s.member ORDER BY s.member;
-- load agrees with the leads, reservations of an open transaction included
BEGIN;
INSERT INTO lead (id, country) VALUES (51, 'DE'), (52, 'DE'), (53, 'DE');
SELECT s.member, s.load, count(l.id) AS open FROM leadroute.member_status s LEFT JOIN lead l ON l.owner = s.member AND l.open GROUP BY 1, 2 HAVING s.load <> count(l.id) OR s.member = 'anna';
ROLLBACK;
SELECT s.member, s.load, count(l.id) AS open FROM leadroute.member_status s LEFT JOIN lead l ON l.owner = s.member AND l.open GROUP BY 1, 2 HAVING s.load <> count(l.id) OR s.member = 'anna';
DELETE FROM leadroute.absence;
UPDATE leadroute.member SET active = true WHERE name = 'emil';

-- fairness: turns against exact shares.
RESET leadroute.test_clock;
SELECT count(*) FROM leadroute.fairness;
SELECT team, member, weight, received, exact_share, deviation FROM leadroute.fairness('2001-01-01', '2001-03-01');
SELECT count(*) FROM leadroute.fairness('2001-02-03 04:05:06 UTC', '2001-02-03 04:05:06 UTC');
SELECT count(*) FROM leadroute.fairness('2001-02-03 04:05:06.000001 UTC', '2002-01-01');
SELECT count(*) FROM leadroute.fairness('2001-01-01', '2002-01-01', 'nothing');
SELECT count(DISTINCT router) FROM leadroute.fairness('2001-01-01', '2002-01-01', 'lead');
-- eight by weight, the view; members that come and go are owed only what they could take
INSERT INTO lead (id, country) SELECT g, 'DE' FROM generate_series(60, 61) g;
INSERT INTO leadroute.absence (member, during) VALUES ('anna', '[2001-01-01,)');
INSERT INTO lead (id, country) SELECT g, 'DE' FROM generate_series(62, 63) g;
DELETE FROM leadroute.absence;
INSERT INTO lead (id, country, owner) VALUES (64, 'DE', 'dora');
SELECT leadroute.assign('lead', 64, 'anna');
SELECT team, member, weight, received, exact_share::numeric(8, 4), deviation::numeric(8, 4) FROM leadroute.fairness;
SELECT team, sum(deviation)::numeric(8, 4) AS sum FROM leadroute.fairness GROUP BY team;
-- a team that is renamed, one that is deleted
BEGIN;
UPDATE leadroute.team SET name = 'german' WHERE name = 'rr';
DELETE FROM leadroute.rule WHERE name = 'german';
SELECT DISTINCT team FROM leadroute.fairness;
DELETE FROM leadroute.team WHERE name = 'german';
SELECT DISTINCT team FROM leadroute.fairness;
ROLLBACK;
TRUNCATE lead;
SELECT * FROM leadroute.verify();

-- problem: whatever is wrong now.
DELETE FROM leadroute.rule;
UPDATE leadroute.member SET active = true, capacity = NULL;
SELECT severity, what, subject, detail, what_to_do FROM leadroute.problem;
INSERT INTO leadroute.rule (name, team) VALUES ('everyone', 'rr'), ('empty team', 'empty');
SELECT severity, what, subject, detail, what_to_do FROM leadroute.problem;
UPDATE leadroute.rule SET enabled = false WHERE name = 'empty team';
SELECT count(*) FROM leadroute.problem;
-- the router is off: what it does not do is no problem
BEGIN;
DELETE FROM leadroute.rule;
UPDATE leadroute.router SET enabled = false;
SELECT what FROM leadroute.problem;
ROLLBACK;
BEGIN;
UPDATE leadroute.member SET active = false;
SELECT what, subject, detail FROM leadroute.problem;
UPDATE leadroute.rule SET team = NULL WHERE name = 'everyone';
SELECT what, subject, detail FROM leadroute.problem;
-- held, since a time that the clock says
SET LOCAL leadroute.test_clock = '2001-02-03 04:05:06 UTC';
INSERT INTO lead (id) VALUES (1), (2);
SELECT severity, what, subject, detail, what_to_do, since FROM leadroute.problem WHERE what = 'held_too_long';
ROLLBACK;
-- held, but not for long
BEGIN;
UPDATE leadroute.member SET active = false;
INSERT INTO lead (id) VALUES (1), (2);
SELECT what FROM leadroute.problem WHERE what = 'held_too_long';
ROLLBACK;
-- a rule that fails for some leads: until it is changed
INSERT INTO leadroute.rule (name, priority, condition, team) VALUES ('division', 1, '10 / n > 1', 'rr');
INSERT INTO lead (id, n) VALUES (3, 5);
SELECT count(*) FROM leadroute.problem;
INSERT INTO lead (id, n) VALUES (4, 0);
SELECT severity, what, subject, detail, what_to_do, since > now() - interval '1 minute' AS just_now FROM leadroute.problem;
UPDATE leadroute.rule SET condition = 'n <> 0 AND 10 / n > 1' WHERE name = 'division';
SELECT count(*) FROM leadroute.problem;
-- a condition that does not fit any more; columns that are gone; each stands for itself
BEGIN;
ALTER TABLE lead RENAME n TO m;
SELECT severity, what, subject, detail, what_to_do FROM leadroute.problem;
ALTER TABLE lead RENAME owner TO rep;
ALTER TABLE lead RENAME id TO lead_id;
SELECT severity, what, subject, detail, what_to_do FROM leadroute.problem ORDER BY what, detail;
ROLLBACK;
-- triggers
ALTER TABLE lead DISABLE TRIGGER zz_leadroute_decide;
SELECT severity, what, subject, detail, what_to_do FROM leadroute.problem;
DROP TRIGGER zz_leadroute_decide ON lead;
ALTER TABLE lead ENABLE ALWAYS TRIGGER zz_leadroute_truncated;
CREATE OR REPLACE TRIGGER zz_leadroute_changed AFTER UPDATE OF owner ON lead FOR EACH ROW EXECUTE FUNCTION leadroute.lead_trigger('lead');
SELECT detail FROM leadroute.problem;
SELECT leadroute.attach('lead', 'owner');
SELECT count(*) FROM leadroute.problem;
CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$;
CREATE TRIGGER "zz_Late" BEFORE INSERT ON lead FOR EACH ROW EXECUTE FUNCTION late();
CREATE TRIGGER zzz_late BEFORE INSERT ON lead FOR EACH ROW EXECUTE FUNCTION late();
SELECT severity, what, subject, detail, what_to_do FROM leadroute.problem;
DROP TRIGGER zzz_late ON lead;
DROP TRIGGER "zz_Late" ON lead;
-- a writer who is gone: his rule does not match, others do; taken over, it does again
CREATE ROLE regress_leadroute_gone;
SELECT leadroute.grant_to('regress_leadroute_gone', 'admin');
GRANT SELECT ON lead TO regress_leadroute_gone;
SET ROLE regress_leadroute_gone;
UPDATE leadroute.rule SET condition = 'n > 5' WHERE name = 'division';
RESET ROLE;
DROP OWNED BY regress_leadroute_gone;
DROP ROLE regress_leadroute_gone;
SELECT severity, what, subject, detail, what_to_do FROM leadroute.problem;
INSERT INTO lead (id, n) VALUES (5, 6) RETURNING owner IS NOT NULL AS owned;
SELECT rule, detail FROM leadroute.assignment WHERE lead_key = '5' AND is_current;
UPDATE leadroute.rule SET written_by = current_user WHERE router = 'lead' AND name = 'division';
SELECT count(*) FROM leadroute.problem;
INSERT INTO lead (id, n) VALUES (6, 6);
SELECT rule, detail FROM leadroute.assignment WHERE lead_key = '6' AND is_current;
CREATE ROLE regress_leadroute_gone;
ALTER TABLE leadroute.routed_table DISABLE TRIGGER check_config;
UPDATE leadroute.routed_table SET written_by = 'regress_leadroute_gone';
ALTER TABLE leadroute.routed_table ENABLE TRIGGER check_config;
DROP ROLE regress_leadroute_gone;
SELECT severity, what, subject, detail, what_to_do FROM leadroute.problem;
UPDATE leadroute.routed_table SET written_by = current_user WHERE name = 'lead';
SELECT count(*) FROM leadroute.problem;
-- a table that is dropped: said, cleaned up; another one goes on meanwhile
CREATE TABLE other (id integer PRIMARY KEY, n integer, owner text);
SELECT leadroute.attach('other', 'owner');
INSERT INTO other VALUES (1, 1) RETURNING owner IS NOT NULL AS owned;
DROP TABLE lead;
SELECT severity, what, subject, detail, what_to_do FROM leadroute.problem;
INSERT INTO other VALUES (2, 1) RETURNING owner IS NOT NULL AS owned;
SELECT leadroute.explain('lead', 5);
SELECT leadroute.route('lead', 5);
SELECT count(*) > 0 AS remembered FROM leadroute.why('lead', 5);
SELECT leadroute.detach('lead');
SELECT count(*) FROM leadroute.problem;
INSERT INTO other VALUES (3, 1) RETURNING owner IS NOT NULL AS owned;
SELECT sum(load) FROM leadroute.member_status;
SELECT * FROM leadroute.verify();

DROP TABLE other;
DROP FUNCTION late, counters;
DROP EXTENSION leadroute;
DROP SCHEMA leadroute;
