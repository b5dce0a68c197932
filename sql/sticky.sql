-- Leads of somebody who is known already: the same owner, duplicates, keys that
-- are never routed.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE EXTENSION leadroute;
CREATE TABLE lead (id integer PRIMARY KEY, email text, phone text, stage text NOT NULL DEFAULT 'new', owner text);
SELECT leadroute.attach('lead', 'owner', closed_when => $$stage = 'won'$$) IS NOT NULL AS attached;
INSERT INTO leadroute.member (name) VALUES ('anna'), ('bruno'), ('chiara');
INSERT INTO leadroute.rule (name) VALUES ('everyone');
CREATE VIEW decision AS SELECT a.lead_key AS lead, a.kind, a.member, a.reason, a.detail, a.load, a.turn
	FROM leadroute.assignment a WHERE a.is_current ORDER BY a.lead_key::integer;
CREATE VIEW counter AS SELECT m.name, c.load FROM leadroute.member m JOIN leadroute.member_counter() c ON c.member = m.id ORDER BY 1;
UPDATE leadroute.router SET sticky_key = '{lower(email), phone}', sticky_window = '30 days';
SELECT sticky_key, written_by = current_user AS mine, search_path FROM leadroute.router;

-- Any of the keys, within one statement too; a match does not move the rotation,
-- and counts in the load.
SET leadroute.test_clock = '2026-03-01 10:00+00';
INSERT INTO lead VALUES (1, 'x@example.com', '1'), (2, 'X@Example.com', '2'), (3, 'y@example.com', '2'), (4, 'z@example.com', NULL) RETURNING id, owner;
INSERT INTO lead VALUES (5, 'new@example.com', '1'), (6, NULL, NULL), (7, '', '') RETURNING id, owner;
SELECT * FROM decision;
SELECT * FROM counter;
SELECT member, received, deviation FROM leadroute.fairness ORDER BY member;

-- The owner is the present one, whoever made him so.
UPDATE lead SET owner = 'chiara' WHERE id = 4;
INSERT INTO lead VALUES (8, 'z@example.com') RETURNING owner;
SELECT leadroute.assign('lead', 8, 'bruno');
INSERT INTO lead VALUES (9, 'z@example.com') RETURNING owner;
-- Given by the application: so it is from then on.
INSERT INTO lead VALUES (10, 'z@example.com', NULL, 'new', 'anna'), (11, 'given@example.com', NULL, 'new', 'bruno');
INSERT INTO lead VALUES (12, 'z@example.com'), (13, 'given@example.com') RETURNING id, owner;
-- Closed leads are known, deleted ones are not, nor their key when it is another lead's.
UPDATE lead SET stage = 'won' WHERE email = 'given@example.com';
INSERT INTO lead VALUES (14, 'given@example.com') RETURNING owner;
DELETE FROM lead WHERE email = 'given@example.com';
INSERT INTO lead (id, email, owner) VALUES (13, 'other@example.com', 'chiara'), (14, 'other@example.com', 'chiara');
INSERT INTO lead VALUES (15, 'given@example.com') RETURNING owner <> 'chiara' AS by_rule;
SELECT reason IS NULL AS by_rule FROM decision WHERE lead = '15';
-- A lead that changes its key keeps its owner, and who follows finds it.
INSERT INTO lead (id, email, owner) VALUES (16, 'moved@example.com', 'chiara');
UPDATE lead SET id = 116 WHERE id = 16;
INSERT INTO lead VALUES (17, 'moved@example.com', NULL) RETURNING owner;
SELECT detail FROM decision WHERE lead = '17';
SELECT * FROM leadroute.verify();

-- The window.
SET leadroute.test_clock = '2026-03-31 09:59+00';
INSERT INTO lead VALUES (20, 'other@example.com') RETURNING owner;
SELECT reason FROM decision WHERE lead = '20';
SET leadroute.test_clock = '2026-04-30 10:00+00';
INSERT INTO lead VALUES (21, 'other@example.com') RETURNING owner IS NOT NULL AS owned;
SELECT reason FROM decision WHERE lead = '21';

-- Who cannot take it: the rules decide, and the detail says why.
TRUNCATE lead;
UPDATE leadroute.member SET capacity = 2 WHERE name = 'anna';
INSERT INTO leadroute.member (name) VALUES ('dora');
INSERT INTO lead (id, email, owner) VALUES (30, 'a@example.com', 'anna'), (31, 'b@example.com', 'bruno'), (32, 'c@example.com', 'chiara');
INSERT INTO leadroute.absence (member, during) VALUES ('bruno', '[2026-04-30 09:00+00,2026-05-01 09:00+00)');
UPDATE leadroute.member SET active = false WHERE name = 'chiara';
INSERT INTO lead VALUES (33, 'a@example.com'), (34, 'a@example.com'), (35, 'b@example.com'), (36, 'c@example.com');
SELECT lead, kind, member, reason, detail FROM decision;
UPDATE leadroute.member SET active = true, capacity = NULL;
DELETE FROM leadroute.absence;

-- Duplicates: of the first, the same owner whatever his limits, no turn, no load.
TRUNCATE lead;
UPDATE leadroute.router SET duplicate_window = '1 hour';
SET leadroute.test_clock = '2026-05-02 10:00+00';
INSERT INTO lead VALUES (40, 'd@example.com', '40'), (41, 'd@example.com', '41') RETURNING owner;
SELECT member FROM decision WHERE lead = '40' \gset
UPDATE leadroute.member SET capacity = 1 WHERE name = :'member';
SELECT leadroute.pause(:'member');
-- by a key that only the duplicate has
INSERT INTO lead VALUES (42, 'other@example.com', '41') RETURNING owner = :'member' AS same;
SET leadroute.test_clock = '2026-05-02 10:59+00';
INSERT INTO lead VALUES (43, 'd@example.com', NULL) RETURNING owner = :'member' AS same;
-- a duplicate extends nothing
SET leadroute.test_clock = '2026-05-02 11:00+00';
INSERT INTO lead VALUES (44, 'd@example.com', NULL) RETURNING owner = :'member' AS same;
SELECT lead, kind, member = :'member' AS same, reason, replace(detail, :'member', '...') AS detail, load, turn FROM decision;
SELECT load FROM counter WHERE name = :'member';
-- its closing, reopening, moving and going move no load of the owner
UPDATE lead SET stage = 'won' WHERE id = 41;
UPDATE lead SET stage = 'new' WHERE id = 41;
DELETE FROM lead WHERE id = 42;
SELECT load FROM counter WHERE name = :'member';
SELECT leadroute.resume(:'member');
UPDATE leadroute.member SET capacity = NULL;
UPDATE lead SET owner = CASE :'member' WHEN 'anna' THEN 'bruno' ELSE 'anna' END WHERE id = 43;
SELECT kind, load FROM decision WHERE lead = '43';
SELECT * FROM leadroute.verify();
SELECT leadroute.rebuild() > 0 AS rebuilt;
SELECT * FROM leadroute.verify();

-- Savepoints: a lead that is not stored is known to nobody.
TRUNCATE lead;
BEGIN;
SAVEPOINT s;
INSERT INTO lead VALUES (50, 'e@example.com');
ROLLBACK TO s;
INSERT INTO lead VALUES (51, 'e@example.com') ON CONFLICT DO NOTHING;
INSERT INTO lead VALUES (51, 'f@example.com') ON CONFLICT DO NOTHING;
SELECT lead, kind, reason FROM decision;
INSERT INTO lead VALUES (52, 'f@example.com'), (53, 'e@example.com');
SELECT lead, kind, reason, detail FROM decision;
COMMIT;

-- Suppressed keys.
INSERT INTO leadroute.suppression (key, reason, until) VALUES ('stop@example.com', 'asked us to', NULL), ('later@example.com', NULL, '2026-05-02 12:00+00');
INSERT INTO lead VALUES (60, 'Stop@example.com', '60'), (61, 'later@example.com', '61'), (62, 'ok@example.com', '60');
INSERT INTO lead (id, email, owner) VALUES (63, 'stop@example.com', 'bruno');
SELECT lead, kind, member IS NOT NULL AS owned, reason, detail FROM decision WHERE lead::integer >= 60;
SELECT leadroute.route('lead', 60);
SET leadroute.test_clock = '2026-05-02 12:00+00';
SELECT leadroute.route('lead', 60), leadroute.route('lead', 61) IS NOT NULL AS later_routed;
SELECT sentence FROM leadroute.lead_history WHERE lead_key = '60';
DELETE FROM leadroute.suppression WHERE key = 'stop@example.com';
SELECT leadroute.route('lead', 60) = 'bruno' AS follows;
SELECT router, table_name, old - 'until' AS old, new FROM leadroute.config_history WHERE table_name = 'suppression';

-- explain tells, and changes nothing.
SELECT replace(l, :'member', '...') AS explain FROM leadroute.explain_lead('lead', '{"id": 70, "email": "STOP@example.com"}') l;
INSERT INTO leadroute.suppression (key, reason) VALUES ('70', 'a test');
SELECT * FROM leadroute.explain_lead('lead', '{"id": 70, "phone": "70", "email": "stop@example.com"}');
SELECT (l::jsonb -> 'sticky') AS sticky FROM leadroute.explain_lead('lead', '{"id": 70, "email": "stop@example.com"}', format => 'json') l;
UPDATE leadroute.router SET duplicate_window = NULL;
UPDATE leadroute.member SET active = false WHERE name = 'bruno';
SELECT l FROM leadroute.explain_lead('lead', '{"id": 70, "email": "stop@example.com"}') l WHERE l LIKE '%Known%';
UPDATE leadroute.member SET active = true;
SELECT count(*) FROM leadroute.assignment WHERE lead_key = '70';

-- An expression that raises costs its key.
UPDATE leadroute.router SET sticky_key = '{lower(email), 1 / (id - 80)}';
INSERT INTO lead VALUES (80, 'raise@example.com'), (81, 'raise@example.com') RETURNING id;
SELECT lead, reason, detail FROM decision WHERE lead::integer >= 80;

-- Other keys: the leads that are there are known by them at once, also closed
-- ones and those of before attach.
TRUNCATE lead;
UPDATE leadroute.router SET sticky_key = NULL;
SELECT count(*) FROM leadroute.sticky_lead;
INSERT INTO lead VALUES (90, 'g@example.com', '90', 'won', 'chiara'), (91, 'h@example.com', '91', 'new', NULL);
SELECT count(*) FROM leadroute.sticky_lead;
UPDATE leadroute.router SET sticky_key = ARRAY[$$email || '/' || phone$$];
INSERT INTO lead VALUES (92, 'g@example.com', '90'), (93, 'g@example.com', '91'), (94, 'h@example.com', NULL) RETURNING id, owner;
SELECT lead, reason FROM decision;
SELECT leadroute.detach('lead') IS NOT NULL AS detached;
SELECT leadroute.attach('lead', 'owner', closed_when => $$stage = 'won'$$, router => 'lead');
INSERT INTO lead VALUES (95, 'g@example.com', '90') RETURNING owner;
SELECT * FROM leadroute.verify();

-- What cannot work is refused.
UPDATE leadroute.router SET sticky_key = '{mail}';
UPDATE leadroute.router SET sticky_key = '{email, random()}';
UPDATE leadroute.router SET sticky_key = '{(SELECT 1)}';
UPDATE leadroute.router SET sticky_key = '{}';
UPDATE leadroute.router SET sticky_key = '{email, NULL}';
UPDATE leadroute.router SET sticky_key = array_fill('email'::text, '{9}');
UPDATE leadroute.router SET sticky_window = '-1 day';
UPDATE leadroute.router SET duplicate_window = '0';
UPDATE leadroute.router SET sticky_key = NULL, duplicate_window = '1 day';
INSERT INTO leadroute.suppression (key) VALUES ('');
CREATE TABLE contact (id integer PRIMARY KEY, mail text, owner text);
SELECT leadroute.attach('contact', 'owner');
-- Two tables of one router.
ALTER TABLE contact ADD email text, ADD phone text;
SELECT leadroute.attach('contact', 'owner') IS NOT NULL AS attached;
INSERT INTO contact (id, email, phone) VALUES (1, 'g@example.com', '90') RETURNING owner;
SELECT detail FROM leadroute.assignment WHERE routed_table = 'contact';
SELECT r ->> 'sticky_key' AS sticky_key, r ->> 'sticky_window' AS sticky_window, c -> 'suppression' AS suppression
	FROM leadroute.export_config() c, jsonb_extract_path(c, 'router') r;
-- Rights: the writer's.
CREATE ROLE lr_sticky_writer;
GRANT SELECT (email, phone) ON lead, contact TO lr_sticky_writer;
UPDATE leadroute.router SET written_by = 'lr_sticky_writer';
SELECT written_by FROM leadroute.router;
DROP OWNED BY lr_sticky_writer;
DROP ROLE lr_sticky_writer;
INSERT INTO lead VALUES (96, 'g@example.com', '90') RETURNING owner IS NOT NULL AS owned;
SELECT reason, detail FROM decision WHERE lead = '96';
SELECT * FROM leadroute.take_over();
INSERT INTO lead VALUES (97, 'g@example.com', '90') RETURNING owner IS NOT NULL AS owned;
SELECT reason FROM decision WHERE lead = '97';
DROP TABLE lead, contact CASCADE;
DROP EXTENSION leadroute CASCADE;
