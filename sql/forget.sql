-- forget erases a person, counts stay; ownership: who had which lead when.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
CREATE TABLE lead (id text PRIMARY KEY, email text, n integer DEFAULT 1, done boolean, price integer, owner text);
SELECT leadroute.attach('lead', 'owner', closed_when => 'done', value => 'price / n', source => $$'web'$$) IS NOT NULL AS attached;
UPDATE leadroute.router SET sticky_key = '{email}';
INSERT INTO leadroute.member (name) VALUES ('ada'), ('bob');
INSERT INTO leadroute.rule (name, condition) VALUES ('bad', 'email::integer = 1'), ('all', NULL);
CREATE FUNCTION load() RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(m.name || ' ' || c.load, ', ' ORDER BY m.name)
		|| (SELECT ' - ' || count(*) || ' disagreements' FROM leadroute.verify())
	FROM leadroute.member_counter() c JOIN leadroute.member m ON m.id = c.member;
$$;
INSERT INTO lead (id, email, price) VALUES ('jane@x', 'jane@x', 10), ('joe@x', 'joe@x', 20);
SELECT leadroute.assign('lead', 'jane@x', 'bob', 'Jane asked for Bob');
UPDATE lead SET id = 'jane@y', owner = 'ada' WHERE id = 'jane@x';
SELECT leadroute.assign('lead', 'jane@y', 'bob', 'Jane Doe again');
UPDATE lead SET done = true WHERE id = 'joe@x';
-- another lead that has the first one's former key
INSERT INTO lead (id, email, price) VALUES ('jane@x', 'other@x', 30);
CREATE VIEW told AS SELECT lead_key AS lead, member, kind, is_current AS now, source, value, detail FROM leadroute.assignment ORDER BY id;
CREATE FUNCTION said(word text) RETURNS bigint LANGUAGE sql AS $$
	SELECT count(*) FROM (SELECT j::text FROM leadroute.journal j UNION ALL SELECT e::text FROM leadroute.event e
		UNION ALL SELECT s::text FROM leadroute.sticky_lead s UNION ALL SELECT p::text FROM leadroute.pool_entry p) t (x) WHERE x ~ word;
$$;
SELECT * FROM told;
SELECT said('jane@y') > 0 AS said, said('Jane') > 0 AS said;
SELECT kind, lead_key, payload FROM leadroute.event ORDER BY id;

-- Who had it when, for attribution.
SELECT lead_key, member, kind, reason, owned_until IS NULL AS has_it, hop FROM leadroute.ownership ORDER BY assignment;
SELECT bool_and(owned_until = next) AS without_gap FROM (SELECT owned_until, lead(owned_since) OVER (PARTITION BY lead_key ORDER BY assignment) AS next FROM leadroute.ownership WHERE lead_key = 'jane@y') o WHERE next IS NOT NULL;
SELECT count(*) FROM leadroute.ownership(now() - interval '1 hour', now() - interval '1 minute');
SELECT count(*) FROM leadroute.ownership(router => 'lead');
SELECT count(*) FROM leadroute.ownership(router => 'nobody');
INSERT INTO lead (id, owner) VALUES ('s', 'stranger');
UPDATE lead SET owner = NULL WHERE id = 's';
SELECT member, kind, owned_until IS NULL AS has_it FROM leadroute.ownership WHERE lead_key = 's' ORDER BY assignment;

-- While the lead is there its key stays.
SET client_min_messages = notice;
SELECT leadroute.forget('lead', 'jane@y') > 0 AS forgotten;
SET client_min_messages = warning;
SELECT * FROM told WHERE lead LIKE 'jane%';
SELECT said('Jane') AS said, said('jane@x') > 0 AS other_lead;
SELECT load();
-- the person is not known again
SELECT count(*) FROM leadroute.sticky_lead WHERE lead_key LIKE 'jane%';

-- It is deleted: the key goes, the counts stay.
CREATE TEMP TABLE before AS SELECT id, member, kind, load, hop, assigned_at, ended_at, source, value FROM leadroute.assignment;
DELETE FROM lead WHERE id = 'jane@y';
UPDATE before b SET ended_at = a.ended_at FROM leadroute.assignment a WHERE a.id = b.id AND b.ended_at IS NULL;
SELECT leadroute.forget('lead', 'jane@y') > 0 AS forgotten, leadroute.forget('lead', 'jane@y') AS again;
SELECT regexp_replace(lead, '\d+$', 'N') AS lead, member, kind, now, source, value, detail FROM told WHERE lead LIKE 'forgotten%';
SELECT count(DISTINCT lead) AS leads FROM told WHERE lead LIKE 'forgotten%';
SELECT said('jane@y') AS said;
SELECT count(*) FROM (TABLE before EXCEPT SELECT id, member, kind, load, hop, assigned_at, ended_at, source, value FROM leadroute.assignment) d;
SELECT load();
SELECT leadroute.rebuild() > 0 AS rebuilt;
SELECT load();
-- the lead that has that key now is another one
SELECT * FROM told WHERE lead = 'jane@x';
-- closed, held; deleted without triggers: it ends
DELETE FROM lead WHERE id = 'joe@x';
SELECT leadroute.forget('lead', 'joe@x'::varchar) > 0 AS forgotten;
UPDATE leadroute.rule SET enabled = false;
INSERT INTO lead (id, email) VALUES ('held@x', 'held@x');
SET leadroute.routing = off;
DELETE FROM lead WHERE id IN ('held@x', 'jane@x');
RESET leadroute.routing;
SELECT leadroute.forget('lead', 'held@x') > 0 AS forgotten, leadroute.forget('lead', 'jane@x') > 0 AS forgotten;
SELECT said('held@x') + said('jane') + said('joe') AS said;
SELECT count(*) FROM leadroute.pool_entry;
SELECT load();
-- rolled back
INSERT INTO lead (id, email, owner) VALUES ('max@x', 'max@x', 'ada');
BEGIN;
DELETE FROM lead WHERE id = 'max@x';
SELECT leadroute.forget('lead', 'max@x') > 0 AS forgotten;
SELECT said('max') AS said;
ROLLBACK;
SELECT said('max') > 0 AS said;
SELECT load();
-- a key in another form; nothing is known of it; refused
CREATE TABLE deal (a integer, b text, owner text, PRIMARY KEY (a, b));
SELECT leadroute.attach('deal', 'owner', router => 'deals') IS NOT NULL AS attached;
INSERT INTO deal VALUES (1, 'x y', 'ada');
DELETE FROM deal;
SELECT leadroute.forget('deal', '(01,"x y")') > 0 AS forgotten, leadroute.forget('deal', ROW(2, 'z')) AS unknown;
SELECT leadroute.forget('deal', 'x');
SELECT leadroute.forget('nothing', 'x');
SELECT leadroute.forget(NULL, 'x');
-- who may: admins
CREATE ROLE regress_leadroute_manager;
CREATE ROLE regress_leadroute_admin;
SELECT leadroute.grant_to('regress_leadroute_manager', 'manager'), leadroute.grant_to('regress_leadroute_admin', 'admin');
SET ROLE regress_leadroute_manager;
SELECT leadroute.forget('lead', 'max@x');
SELECT count(*) > 0 AS may FROM leadroute.ownership;
SET ROLE regress_leadroute_admin;
SELECT leadroute.forget('lead', 'max@x') > 0 AS forgotten;
RESET ROLE;
SELECT * FROM leadroute.verify();
DROP VIEW told;
DROP FUNCTION load, said;
DROP TABLE lead, deal, before;
DROP EXTENSION leadroute CASCADE;
DROP SCHEMA leadroute;
DROP ROLE regress_leadroute_manager, regress_leadroute_admin;
