-- verify: what happened while nobody looked, each kind of disagreement; with
-- the rights of the table's owner.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
CREATE TABLE lead (id integer PRIMARY KEY, stage text NOT NULL DEFAULT 'new', owner text);
SELECT leadroute.attach('lead', 'owner', closed_when => $$stage = 'won'$$) IS NOT NULL AS attached;
INSERT INTO leadroute.member (name) VALUES ('anna'), ('bruno');
INSERT INTO leadroute.rule (name) VALUES ('everyone');
INSERT INTO lead SELECT i FROM generate_series(1, 3000) i;
INSERT INTO lead VALUES (3001, 'new', 'stranger'), (3002, 'new', 'zoe'), (3003, 'won', 'zoe');
SELECT * FROM leadroute.verify();
SET leadroute.routing = off;
-- stored without a decision: only an open one that a member owns should be known
INSERT INTO lead VALUES (4001, 'new', 'anna'), (4002, 'won', 'anna'), (4003, 'new', 'stranger'), (4004, 'new', NULL);
UPDATE lead SET owner = 'bruno' WHERE id = 1;
UPDATE lead SET owner = NULL WHERE id = 2;
UPDATE lead SET owner = 'stranger' WHERE id = 3;
DELETE FROM lead WHERE id IN (4, 3000);
-- leads of hers are not adopted: one is open
INSERT INTO leadroute.member (name) VALUES ('zoe');
RESET leadroute.routing;
SELECT what, router, subject, expected, found FROM leadroute.verify() ORDER BY subject COLLATE "C";
-- what a session shows otherwise is the same key
SET DateStyle = 'German';
SET extra_float_digits = -10;
SELECT count(*) FROM leadroute.verify();
RESET DateStyle;
RESET extra_float_digits;
-- a router that decides nothing misses nothing
BEGIN;
UPDATE leadroute.router SET enabled = false;
SELECT what, subject FROM leadroute.verify() WHERE what = 'lead without journal';
ROLLBACK;
SELECT leadroute.detach('lead') IS NOT NULL AS detached;
SELECT leadroute.attach('lead', 'owner', closed_when => $$stage = 'won'$$) IS NOT NULL AS attached;
SELECT * FROM leadroute.verify();

-- what the owner of a table defines for its types is not called
CREATE ROLE regress_leadroute_owner;
CREATE SCHEMA theirs AUTHORIZATION regress_leadroute_owner;
SET ROLE regress_leadroute_owner;
CREATE TYPE theirs.color AS ENUM ('red', 'green');
CREATE FUNCTION theirs.color_text(theirs.color) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RAISE WARNING 'asked as %', current_user;
	RETURN concat($1);
END $$;
CREATE CAST (theirs.color AS text) WITH FUNCTION theirs.color_text (theirs.color);
CREATE TABLE theirs.painted (color theirs.color PRIMARY KEY, owner text);
RESET ROLE;
SELECT leadroute.attach('theirs.painted', 'owner') IS NOT NULL AS attached;
INSERT INTO theirs.painted VALUES ('red');
SELECT * FROM leadroute.verify();
-- a table without its columns, or gone
ALTER TABLE theirs.painted DROP COLUMN owner;
SELECT what, router, subject, expected, found FROM leadroute.verify();
DROP TABLE theirs.painted;
SELECT what, router, subject, expected, found FROM leadroute.verify();
SELECT leadroute.detach('painted') IS NOT NULL AS detached;
SELECT * FROM leadroute.verify();

DROP SCHEMA theirs CASCADE;
DROP ROLE regress_leadroute_owner;
DROP TABLE lead;
DROP EXTENSION leadroute;
DROP SCHEMA leadroute;
