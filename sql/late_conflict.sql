-- Leads that went while no trigger looked, and whose keys come again: the journal
-- ends their former rows while it writes the new ones.  With more of them in one
-- statement than a batch of the journal holds, and with other events waiting, what
-- is added during the writing of a batch is written after it.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
CREATE TABLE lead (id integer PRIMARY KEY, filler text, owner text);
SELECT leadroute.attach('lead', 'owner') IS NOT NULL AS attached;
INSERT INTO leadroute.member (name) VALUES ('anna'), ('bruno');
INSERT INTO leadroute.rule (name) VALUES ('everyone');
CREATE FUNCTION state() RETURNS TABLE (what text, rows bigint, ids bigint, keys bigint) LANGUAGE sql AS $$
	SELECT 'current', count(*), count(DISTINCT id), count(DISTINCT lead_key) FROM leadroute.journal WHERE NOT superseded
	UNION ALL SELECT 'ended', count(*), count(DISTINCT id), count(DISTINCT lead_key) FROM leadroute.journal WHERE superseded AND ended_at IS NOT NULL
	UNION ALL SELECT 'event ' || kind, count(*), count(DISTINCT id), count(DISTINCT lead_key) FROM leadroute.event GROUP BY kind
	UNION ALL SELECT 'disagreement', count(*), NULL, NULL FROM leadroute.verify();
$$;
INSERT INTO lead SELECT g, repeat('x', 50) FROM generate_series(1, 3500) g;

-- 3,500 conflicts, a batch holds 1,000 rows
SET leadroute.routing = off;
TRUNCATE lead;
SET leadroute.routing = on;
INSERT INTO lead SELECT g, repeat('y', 50) FROM generate_series(1, 3500) g;
SELECT * FROM state() ORDER BY 1;

-- events of 400 rules that raise are in the same batch: the events of a conflict
-- are a thousand in the midst of those of the leads
SET leadroute.routing = off;
DELETE FROM lead;
SET leadroute.routing = on;
INSERT INTO leadroute.rule (name, priority, condition) SELECT 'bad' || g, 1, format('1 / (id - 1) > %s', g) FROM generate_series(1, 400) g;
BEGIN;
INSERT INTO lead SELECT g, repeat('z', 50) FROM generate_series(1, 700) g;
SAVEPOINT a;
INSERT INTO lead SELECT g, repeat('z', 50) FROM generate_series(701, 2500) g;
ROLLBACK TO a;
INSERT INTO lead SELECT g, repeat('z', 50) FROM generate_series(701, 3500) g;
COMMIT;
SELECT * FROM state() ORDER BY 1;
SELECT name, load, count(*) FROM leadroute.member_counter() c JOIN leadroute.member m ON m.id = c.member JOIN lead l ON l.owner = m.name GROUP BY 1, 2 ORDER BY 1;

-- the same for leads that are held: their entries are replaced
DELETE FROM leadroute.rule;
INSERT INTO leadroute.rule (name, condition) VALUES ('nobody', 'false');
INSERT INTO lead SELECT g FROM generate_series(10001, 12500) g;
SET leadroute.routing = off;
DELETE FROM lead WHERE id > 10000;
SET leadroute.routing = on;
INSERT INTO lead SELECT g FROM generate_series(10001, 12500) g;
SELECT state, count(*), count(DISTINCT lead_key), count(DISTINCT assignment) FROM leadroute.pool_entry GROUP BY 1;
SELECT count(*) FROM leadroute.pool_entry p JOIN leadroute.journal j ON j.id = p.assignment AND NOT j.superseded AND j.lead_key = p.lead_key;
SELECT * FROM leadroute.verify();

DROP TABLE lead CASCADE;
DROP FUNCTION state;
DROP EXTENSION leadroute;
DROP SCHEMA leadroute;
