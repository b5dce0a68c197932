-- Leads that go while no trigger looks: TRUNCATE, DETACH and DROP of a partition,
-- a DELETE with routing off.  verify() names them, release_missing() ends their
-- assignments and leaves all others alone.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
CREATE TABLE lead (at date, id integer, stage text, owner text, PRIMARY KEY (at, id)) PARTITION BY LIST (at);
CREATE TABLE lead_1 PARTITION OF lead FOR VALUES IN ('2030-01-01');
CREATE TABLE lead_2 PARTITION OF lead FOR VALUES IN ('2030-01-02');
CREATE TABLE lead_3 PARTITION OF lead FOR VALUES IN ('2030-01-03');
CREATE TABLE lead_4 PARTITION OF lead FOR VALUES IN ('2030-01-04');
SELECT leadroute.attach('lead', 'owner', closed_when => $$stage = 'won'$$) IS NOT NULL AS attached;
INSERT INTO leadroute.member (name, capacity) VALUES ('anna', 4), ('bruno', 4);
INSERT INTO leadroute.rule (name) VALUES ('everyone');
INSERT INTO lead SELECT date '2030-01-01' + g % 4, g FROM generate_series(0, 7) g;
INSERT INTO lead VALUES ('2030-01-01', 8), ('2030-01-02', 9);
-- nobody has room for those that are held
UPDATE leadroute.member SET capacity = 3;
UPDATE lead SET stage = 'won' WHERE id = 0;
CREATE VIEW state AS SELECT a.lead_key, a.kind, a.is_current, a.closed, p.assignment IS NOT NULL AS waits
	FROM leadroute.assignment a LEFT JOIN leadroute.pool_entry p ON p.assignment = a.id ORDER BY a.id;
CREATE VIEW loads AS SELECT m.name, c.load FROM leadroute.member_counter() c JOIN leadroute.member m ON m.id = c.member ORDER BY 1;
-- whatever the session's settings make of keys
SET DateStyle = 'German';
SELECT leadroute.release_missing('lead');
TABLE loads;

TRUNCATE lead_1;
ALTER TABLE lead DETACH PARTITION lead_2;
DROP TABLE lead_3;
SET leadroute.routing = off;
DELETE FROM lead WHERE id = 3;
RESET leadroute.routing;
SELECT what, subject FROM leadroute.verify() ORDER BY subject COLLATE "C";
SELECT leadroute.release_missing('lead');
SELECT * FROM leadroute.verify();
TABLE state;
TABLE loads;
SELECT kind, count(*) FROM leadroute.event GROUP BY 1 ORDER BY 1;
SELECT leadroute.release_missing('lead');

-- A lead that a policy hides from its owner is not gone.
CREATE ROLE regress_leadroute_owner;
ALTER TABLE lead OWNER TO regress_leadroute_owner;
ALTER TABLE lead ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY nothing ON lead USING (false);
SELECT leadroute.release_missing('lead');
ALTER TABLE lead NO FORCE ROW LEVEL SECURITY;
SELECT leadroute.release_missing('lead');
SELECT leadroute.release_missing('nothing');
SELECT leadroute.release_missing(NULL) IS NULL AS nothing;

DROP VIEW state, loads;
DROP TABLE lead, lead_2;
DROP ROLE regress_leadroute_owner;
DROP EXTENSION leadroute;
