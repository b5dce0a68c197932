-- What leads are known by: keys too old to matter, of no decision, that cannot be
-- computed, or that nobody has.  (That the worker forgets: 081_sticky_old.pl.)
\pset format unaligned
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
CREATE TABLE lead (id integer PRIMARY KEY, email text, phone text, owner text);
SELECT leadroute.attach('lead', 'owner');
INSERT INTO leadroute.member (name) VALUES ('anna'), ('bruno');
INSERT INTO leadroute.rule (name) VALUES ('all');
UPDATE leadroute.router SET sticky_key = ARRAY['email', 'phone'];
CREATE VIEW finding AS SELECT severity, what, detail, what_to_do FROM leadroute.lint('lead');

-- nobody has a key: said after twenty leads
INSERT INTO lead (id) SELECT g FROM generate_series(1, 19) g;
SELECT * FROM finding;
INSERT INTO lead (id) VALUES (20);
SELECT * FROM finding;
SELECT what FROM leadroute.problem;
UPDATE leadroute.router SET sticky_window = '0', duplicate_window = '1 minute';
SELECT count(*) FROM finding;
SET leadroute.test_clock = '2100-01-01';
SELECT count(*) FROM finding;
RESET leadroute.test_clock;
UPDATE leadroute.router SET sticky_window = NULL, duplicate_window = NULL;
-- filled in later: by renew_keys they are known
UPDATE lead SET email = 'p' || id % 5 || '@x';
SELECT what FROM finding;
INSERT INTO lead (id, email) VALUES (30, 'p3@x');
SELECT reason FROM leadroute.assignment WHERE lead_key = '30';
SELECT leadroute.renew_keys();
SELECT count(*) FROM finding;
SELECT count(*) AS keys FROM leadroute.sticky_lead;
INSERT INTO lead (id, email) VALUES (31, 'p3@x');
SELECT reason, detail, member = (SELECT owner FROM lead WHERE id = 30) AS same FROM leadroute.assignment WHERE lead_key = '31';
SELECT leadroute.renew_keys('nobody');

-- one that cannot be computed any more
ALTER TABLE lead RENAME phone TO telephone;
SELECT * FROM finding;
SELECT what FROM leadroute.problem;
ALTER TABLE lead RENAME telephone TO phone;
SELECT count(*) FROM finding;

-- of no decision
SELECT * FROM leadroute.verify();
INSERT INTO leadroute.sticky_lead SELECT s.id + 1000000, s.at, s.key, s.router, s.routed_table, s.member, s.lead_key FROM leadroute.sticky_lead s WHERE s.lead_key = '31';
SELECT what, router, subject, expected ~ '^decision \d+$' AS a_decision, found FROM leadroute.verify();
SELECT leadroute.renew_keys();
SELECT * FROM leadroute.verify();
-- they are lost: everybody is known again
TRUNCATE leadroute.sticky_lead;
SELECT what FROM finding;
SELECT leadroute.renew_keys();
SELECT count(*) FROM finding;
INSERT INTO lead (id, email) VALUES (32, 'p3@x');
SELECT reason FROM leadroute.assignment WHERE lead_key = '32';
-- who may
CREATE ROLE lr_manager;
SELECT leadroute.grant_to('lr_manager', 'manager');
SET ROLE lr_manager;
SELECT count(*) FROM leadroute.lint('lead');
SELECT leadroute.renew_keys();
RESET ROLE;
DROP VIEW finding;
DROP TABLE lead;
DROP EXTENSION leadroute CASCADE;
DROP OWNED BY lr_manager;
DROP ROLE lr_manager;
