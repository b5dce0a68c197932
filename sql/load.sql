-- What a lead counts in its owner's load: routed_table.load.
\set VERBOSITY terse
CREATE EXTENSION leadroute;
CREATE TABLE lead (id serial PRIMARY KEY, owner text, seats numeric, stage text NOT NULL DEFAULT 'new');
SELECT leadroute.attach('lead', 'owner', closed_when => $$stage = 'won'$$, load => 'seats / 10');
INSERT INTO leadroute.member (name, capacity) VALUES ('ann', 10), ('bob', 20), ('cid', NULL);
INSERT INTO leadroute.rule (name, method, overflow) VALUES ('everyone', 'least_loaded', 'none');
CREATE VIEW loads AS SELECT member, load, capacity FROM leadroute.member_status ORDER BY member;

-- balanced by value
INSERT INTO lead (seats) VALUES (50), (10), (90), (10), (10), (200) RETURNING id, owner, seats;
SELECT * FROM loads;
SELECT id, load FROM leadroute.assignment ORDER BY id;
-- never above the capacity
UPDATE leadroute.member SET active = false WHERE name = 'cid';
INSERT INTO lead (seats) VALUES (190) RETURNING owner;
INSERT INTO lead (seats) VALUES (0), (4), (6) RETURNING owner, seats;
SELECT * FROM loads;
UPDATE leadroute.member SET active = true;
-- closed, reopened, changed, moved, deleted: exact
UPDATE lead SET stage = 'won' WHERE id = 3;
SELECT * FROM loads;
UPDATE lead SET stage = 'new', seats = 120 WHERE id = 3;
SELECT * FROM loads;
UPDATE lead SET seats = 70 WHERE id IN (1, 3);
SELECT * FROM loads;
UPDATE lead SET owner = 'cid' WHERE id = 1;
SELECT * FROM loads;
UPDATE lead SET seats = 30, stage = 'won' WHERE id = 1;
UPDATE lead SET seats = 300 WHERE id = 1;
SELECT * FROM loads;
DELETE FROM lead WHERE id = 3;
SELECT * FROM loads;
SELECT kind, member, load FROM leadroute.event WHERE load <> 0 ORDER BY id;
SELECT sentence FROM leadroute.lead_history WHERE lead_key = '3' ORDER BY id;
SELECT * FROM leadroute.verify();
-- given, by hand, adopted
INSERT INTO lead (owner, seats) VALUES ('ann', 30), ('dora', 40);
INSERT INTO leadroute.member (name) VALUES ('dora');
SELECT leadroute.assign('lead', 2, 'dora');
SELECT leadroute.assign('lead', (SELECT id FROM lead WHERE owner = 'dora' AND seats = 40)::text, 'bob');
SELECT * FROM loads;
-- no number from 0 on: 1, and the journal says so
UPDATE leadroute.routed_table SET load = 'ln(seats)';
INSERT INTO lead (seats) VALUES (0), (NULL), (0.01), (3000) RETURNING id;
SELECT load, detail FROM leadroute.assignment ORDER BY id DESC LIMIT 4;
UPDATE leadroute.routed_table SET load = 'seats > 1';
SELECT leadroute.attach('lead', 'owner', load => 'seets');
ALTER TABLE lead RENAME seats TO size;
INSERT INTO lead (size) VALUES (1000);
SELECT load, detail FROM leadroute.assignment ORDER BY id DESC LIMIT 1;
SELECT what, subject, detail FROM leadroute.problem WHERE what = 'expression_invalid';
ALTER TABLE lead RENAME size TO seats;
-- another expression counts from each lead's next decision or UPDATE on
UPDATE leadroute.routed_table SET load = NULL;
SELECT * FROM loads;
UPDATE lead SET stage = 'won';
SELECT * FROM loads;
SELECT * FROM leadroute.verify();
TRUNCATE lead;
SELECT * FROM leadroute.verify();
DROP TABLE lead CASCADE;
DROP EXTENSION leadroute CASCADE;
