-- A lead that goes to somebody else counts in the target of its former owner no
-- more: it is given back to the month that it was counted in.
\pset format unaligned
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
CREATE TABLE lead (id integer PRIMARY KEY, open boolean DEFAULT true, owner text);
SELECT leadroute.attach('lead', 'owner', closed_when => 'NOT open');
INSERT INTO leadroute.member (name) VALUES ('anna'), ('bruno'), ('chiara');
INSERT INTO leadroute.team (name) VALUES ('t');
INSERT INTO leadroute.team_member (team, member, position, target) VALUES ('t', 'anna', 1, 10), ('t', 'bruno', 2, 10);
INSERT INTO leadroute.rule (name, team, method) VALUES ('target', 't', 'by_target');
CREATE VIEW counted AS SELECT m.name, s.target_month % 12 + 1 AS month, s.received, s.received_before
	FROM leadroute.seat_counter() s JOIN leadroute.member m ON m.id = s.member ORDER BY m.name;

SET leadroute.test_clock = '2030-01-31 12:00+00';
INSERT INTO lead SELECT g FROM generate_series(1, 8) g;
SELECT * FROM counted;
-- by hand, to who is not in the team, released (bruno gets it); what is closed or deleted was
-- received all the same
UPDATE lead SET owner = 'chiara' WHERE id = 1;
SELECT leadroute.assign('lead', '3', 'bruno');
UPDATE lead SET owner = NULL WHERE id = 5;
UPDATE lead SET open = false WHERE id = 7;
DELETE FROM lead WHERE id = 7;
SELECT * FROM counted;
-- and the next ones go to who is behind: anna has 1 of 10, bruno 5
INSERT INTO lead SELECT g FROM generate_series(11, 15) g RETURNING id, owner;
SELECT * FROM counted;
SELECT regexp_replace(w, '^.*?: ', '') AS why FROM leadroute.why('lead', '1') w;
SELECT kind, team IS NOT NULL AS team, team_version IS NULL AS no_turn, target_month % 12 + 1 AS month FROM leadroute.event ORDER BY id;

-- a month later the former month is given back to; two months later there is
-- nothing left of it
SET leadroute.test_clock = '2030-02-10 12:00+00';
INSERT INTO lead SELECT g FROM generate_series(21, 24) g;
SELECT * FROM counted;
UPDATE lead SET owner = 'chiara' WHERE id IN (2, 21);
SELECT * FROM counted;
SELECT * FROM leadroute.verify();
SET leadroute.test_clock = '2030-03-10 12:00+00';
INSERT INTO lead SELECT g FROM generate_series(31, 34) g;
UPDATE lead SET owner = 'chiara' WHERE id IN (4, 22, 31);
SELECT * FROM counted;
SELECT * FROM leadroute.verify();

-- rolled back, at once and a part of it
BEGIN;
UPDATE lead SET owner = 'chiara' WHERE id = 32;
SAVEPOINT s;
UPDATE lead SET owner = 'chiara' WHERE id IN (33, 34);
SELECT * FROM counted;
ROLLBACK TO s;
SELECT * FROM counted;
INSERT INTO lead SELECT g FROM generate_series(35, 36) g RETURNING id, owner;
ROLLBACK;
SELECT * FROM counted;
-- prepared: given back until it is rolled back
BEGIN;
UPDATE lead SET owner = 'chiara' WHERE id IN (32, 33);
PREPARE TRANSACTION 'back';
SELECT * FROM counted;
SELECT leadroute.rebuild();
ROLLBACK PREPARED 'back';
SELECT * FROM counted;
BEGIN;
UPDATE lead SET owner = 'chiara' WHERE id IN (32, 33);
PREPARE TRANSACTION 'back';
COMMIT PREPARED 'back';
SELECT * FROM counted;
SELECT * FROM leadroute.verify();
-- the same from the journal alone
SELECT leadroute.rebuild();
SELECT * FROM counted;
SELECT * FROM leadroute.verify();
-- on a table that is detached they were received all the same
SELECT leadroute.detach('lead') ~ 'released' AS detached;
SELECT * FROM counted;
SELECT * FROM leadroute.verify();
DROP TABLE lead CASCADE;
DROP VIEW counted;
DROP EXTENSION leadroute CASCADE;
