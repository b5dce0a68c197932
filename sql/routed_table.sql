-- An UPDATE of routed_table by hand does what attach does when it is called
-- again with that difference: what cannot work is refused, and what is stored
-- is put right.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
CREATE TABLE lead (
	id integer PRIMARY KEY,
	code text NOT NULL UNIQUE,
	note text UNIQUE,
	stage text NOT NULL DEFAULT 'new',
	tenant text,
	owner text,
	second text,
	number integer);
SELECT leadroute.attach('lead', 'owner', router => 'one') IS NOT NULL AS attached;
INSERT INTO leadroute.router (name) VALUES ('two');
SET leadroute.router = 'one';
INSERT INTO leadroute.member (name) VALUES ('anna'), ('bruno');
INSERT INTO leadroute.member (router, name) VALUES ('two', 'anna'), ('two', 'chiara');
INSERT INTO leadroute.rule (name) VALUES ('everyone');
INSERT INTO lead (id, code, tenant, second, number)
	SELECT g, 'c' || g, CASE WHEN g = 4 THEN 'two' ELSE 'one' END, CASE WHEN g = 1 THEN 'bruno' END, g
	FROM generate_series(1, 4) g;
-- what is counted: each member's load, by what verify() finds to be right
CREATE VIEW counted AS
SELECT m.router, string_agg(m.name || ' ' || coalesce(c.load, 0), ', ' ORDER BY m.name) AS loads,
	(SELECT string_agg(a.lead_key || ' ' || a.kind || coalesce(' ' || a.member, ''), ', ' ORDER BY a.lead_key COLLATE "C")
		FROM leadroute.assignment a WHERE a.is_current AND NOT a.closed AND a.router = m.router) AS leads,
	(SELECT count(*) FROM leadroute.verify()) AS wrong
FROM leadroute.member m LEFT JOIN leadroute.member_counter() c ON c.member = m.id
GROUP BY m.router ORDER BY m.router;
TABLE counted;

\echo == when a lead is closed
UPDATE lead SET stage = 'won' WHERE id = 2;
UPDATE leadroute.routed_table SET closed_when = $$stage = 'won'$$;
TABLE counted;
UPDATE leadroute.routed_table SET closed_when = NULL;
TABLE counted;

\echo == whose it is
UPDATE leadroute.routed_table SET owner_column = 'second';
TABLE counted;
INSERT INTO lead (id, code) VALUES (5, 'c5') RETURNING owner IS NULL AS former_empty, second IS NULL AS empty;
DELETE FROM lead WHERE id = 5;
UPDATE leadroute.routed_table SET owner_column = 'owner';
TABLE counted;

\echo == what means nobody
UPDATE leadroute.router SET enabled = false;
UPDATE lead SET owner = NULL WHERE id = 3;
UPDATE leadroute.router SET enabled = true;
UPDATE leadroute.routed_table SET nobody = 'none';
INSERT INTO lead (id, code, owner) VALUES (5, 'c5', 'none') RETURNING owner <> 'none' AS decided;
DELETE FROM lead WHERE id = 5;
UPDATE leadroute.routed_table SET nobody = NULL;
TABLE counted;

\echo == which lead it is
UPDATE leadroute.routed_table SET key_columns = '{code}';
TABLE counted;
SELECT regexp_replace(why, '^.*: adopted', 'adopted') AS why FROM leadroute.why('lead', 'c1');
UPDATE leadroute.routed_table SET key_columns = '{id}';
TABLE counted;

\echo == who decides it
UPDATE leadroute.routed_table SET router = 'two';
TABLE counted;
UPDATE leadroute.routed_table SET router = NULL, router_expr = 'tenant';
TABLE counted;
UPDATE leadroute.routed_table SET router = 'one', router_expr = NULL;
TABLE counted;

\echo == a router under a new name is the same: nothing ends
SELECT count(*) FROM leadroute.event WHERE kind = 'released' \gset before_
UPDATE leadroute.router SET name = 'first' WHERE name = 'one';
SET leadroute.router = 'first';
SELECT count(*) - :before_count AS released FROM leadroute.event WHERE kind = 'released';
TABLE counted;

\echo == what changes nothing
UPDATE leadroute.routed_table SET nobody = NULL, key_columns = '{id}', owner_column = 'owner';
SELECT count(*) - :before_count AS released FROM leadroute.event WHERE kind = 'released';

\echo == what cannot work
CREATE TABLE other (LIKE lead INCLUDING ALL);
UPDATE leadroute.routed_table SET relation = 'other';
UPDATE leadroute.routed_table SET owner_column = 'gone';
UPDATE leadroute.routed_table SET owner_column = 'id';
\set VERBOSITY terse
UPDATE leadroute.routed_table SET owner_column = NULL;
\set VERBOSITY default
UPDATE leadroute.routed_table SET key_columns = '{stage}';
UPDATE leadroute.routed_table SET key_columns = '{note}';
UPDATE leadroute.routed_table SET owner_column = 'number', nobody = 'none';
UPDATE leadroute.routed_table SET router = 'unknown';
INSERT INTO leadroute.rule (router, name, condition) VALUES ('two', 'other table''s', 'nothing = 1');
UPDATE leadroute.routed_table SET router = 'two';
TABLE counted;

\echo == triggers that are missing
DROP TRIGGER zz_leadroute_changed ON lead;
UPDATE leadroute.routed_table SET closed_when = 'false';
SELECT DISTINCT state FROM leadroute.trigger_status;

\echo == attach says what it did, once
SET client_min_messages = notice;
ALTER TABLE lead ALTER owner SET DEFAULT 'anna';
SELECT leadroute.attach('lead', 'owner', closed_when => $$stage = 'won'$$);
SELECT leadroute.attach('lead', 'owner');
ALTER TABLE lead ALTER owner DROP DEFAULT;
SELECT leadroute.attach('lead', 'owner', nobody => 'none');

\echo == only the owner of the table
CREATE ROLE regress_leadroute_admin;
SET client_min_messages = warning;
SELECT leadroute.grant_to('regress_leadroute_admin', 'admin');
SET ROLE regress_leadroute_admin;
UPDATE leadroute.routed_table SET nobody = NULL;
UPDATE leadroute.routed_table SET router = 'two';
RESET ROLE;
ALTER TABLE lead OWNER TO regress_leadroute_admin;
SET ROLE regress_leadroute_admin;
UPDATE leadroute.routed_table SET closed_when = $$stage IN ('won', 'lost')$$;
RESET ROLE;
TABLE counted;

\echo == one that was dropped, and made again
ALTER TABLE lead OWNER TO current_user;
DROP TABLE lead;
ALTER TABLE other RENAME TO lead;
INSERT INTO lead (id, code, owner) VALUES (1, 'c1', 'bruno');
UPDATE leadroute.routed_table SET relation = 'lead';
TABLE counted;
SELECT DISTINCT state FROM leadroute.trigger_status;

DROP VIEW counted;
DROP TABLE lead;
DROP OWNED BY regress_leadroute_admin;
DROP ROLE regress_leadroute_admin;
DROP EXTENSION leadroute;
