-- Intake never stops: whatever has become of the configuration, the lead is
-- stored; what cannot be decided has no owner and can be decided later.
\set SHOW_CONTEXT never
SET client_min_messages = error;
CREATE EXTENSION leadroute;
CREATE TABLE lead (id integer PRIMARY KEY, country text, owner text, rep text);
SELECT leadroute.attach('lead', 'owner', closed_when => $$country = 'XX'$$) IS NOT NULL AS attached;
-- no member, no rule
INSERT INTO lead VALUES (1) RETURNING owner;
INSERT INTO leadroute.member (name) VALUES ('a'), ('b');
-- no rule
INSERT INTO lead VALUES (2) RETURNING owner;
-- (deleted, so that the worker does not decide them before us)
DELETE FROM lead;
INSERT INTO leadroute.rule (name) VALUES ('everyone');
INSERT INTO lead VALUES (3) RETURNING owner;
-- a row of routed_table that names what is not there (a restore, a script)
ALTER TABLE leadroute.routed_table DISABLE TRIGGER check_config, DISABLE TRIGGER table_row_changed;
UPDATE leadroute.routed_table SET closed_when = 'nothing = 1';
INSERT INTO lead VALUES (4) RETURNING owner IS NOT NULL AS owned;
UPDATE leadroute.routed_table SET closed_when = NULL;
ALTER TABLE leadroute.routed_table ENABLE TRIGGER check_config, ENABLE TRIGGER table_row_changed;
-- the closed_when column is dropped
SELECT leadroute.attach('lead', 'owner', closed_when => $$country = 'XX'$$) IS NOT NULL AS attached;
ALTER TABLE lead DROP COLUMN country;
INSERT INTO lead VALUES (5) RETURNING owner IS NOT NULL AS owned;
ALTER TABLE lead ADD COLUMN country text;
-- the owner column is renamed
ALTER TABLE lead RENAME COLUMN owner TO was_owner;
INSERT INTO lead (id) VALUES (6) RETURNING id;
UPDATE lead SET country = 'AT' WHERE id = 6;
DELETE FROM lead WHERE id = 3;
ALTER TABLE lead RENAME COLUMN was_owner TO owner;
SELECT leadroute.route('lead', 6) IS NOT NULL AS routed;
-- the key's column is renamed
ALTER TABLE lead RENAME COLUMN id TO lead_id;
INSERT INTO lead (lead_id) VALUES (7) RETURNING lead_id;
ALTER TABLE lead RENAME COLUMN lead_id TO id;
SELECT leadroute.route('lead', 7) IS NOT NULL AS routed;
-- members, rules and the table's row are gone
TRUNCATE leadroute.rule CASCADE;
INSERT INTO lead (id) VALUES (8) RETURNING owner;
TRUNCATE leadroute.member CASCADE;
INSERT INTO lead (id) VALUES (9) RETURNING owner;
TRUNCATE leadroute.routed_table CASCADE;
INSERT INTO lead (id) VALUES (10) RETURNING owner;
UPDATE lead SET owner = 'x' WHERE id = 10;
DELETE FROM lead WHERE id = 9;
SELECT count(*) FROM lead;
DROP TABLE lead;
DROP EXTENSION leadroute;
DROP SCHEMA leadroute;
