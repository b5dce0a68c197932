-- Status and score in the lead's own columns, and applications that write back
-- all columns of a lead that they have not read since.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
CREATE TABLE lead (id integer PRIMARY KEY, note text, budget integer, status text NOT NULL DEFAULT 'new', score integer, owner text,
	shown text GENERATED ALWAYS AS (status || '!') STORED);
SELECT leadroute.attach('lead', 'owner', status_column => 'status', score_column => 'score') IS NOT NULL AS attached;
INSERT INTO leadroute.member (name) VALUES ('ann'), ('bob');
INSERT INTO leadroute.rule (name) VALUES ('everyone');
UPDATE leadroute.router SET qualify_at = 60, nurture_at = 30;
INSERT INTO leadroute.criterion (name, points) VALUES ('budget', 'budget');
CREATE VIEW wrong AS SELECT count(*) AS wrong FROM leadroute.verify();
INSERT INTO lead (id, budget) VALUES (1, 70), (2, 40), (3, 10), (4, 40), (5, 75), (6, 76), (7, 77), (8, 78);

\echo == all columns, as they were before the INSERT
UPDATE lead SET note = 'saved', budget = 70, status = 'new', score = NULL, owner = NULL WHERE id = 1 RETURNING id, note, status, score, owner, shown;
UPDATE lead SET note = 'saved', budget = 40, status = DEFAULT, score = NULL, owner = NULL WHERE id = 2 RETURNING id, note, status, score, owner, shown;
-- ... with a change that qualifies it, that is too little
UPDATE lead SET note = 'saved', budget = 80, status = 'new', score = NULL, owner = NULL WHERE id = 3 RETURNING id, note, status, score, owner, shown;
UPDATE lead SET note = 'saved', budget = 20, status = 'new', score = NULL, owner = NULL WHERE id = 4 RETURNING id, note, status, score, owner, shown;
-- ... without the owner, or with it
UPDATE lead SET note = 'saved again', status = 'new', score = NULL WHERE id = 1 RETURNING id, note, status, score, owner;
UPDATE lead SET note = 'and again', status = 'new', owner = NULL WHERE id = 1 RETURNING id, note, status, score, owner;
UPDATE lead SET note = 'with another owner', status = 'new', score = NULL, owner = 'bob' WHERE id = 1 RETURNING id, note, status, score, owner;
\echo == a status that is set stays
UPDATE lead SET note = 'called', status = 'contacted', score = NULL, owner = NULL WHERE id = 5 RETURNING id, note, status, score, owner;
UPDATE lead SET note = 'saved', status = 'new', score = NULL, owner = NULL WHERE id = 5 RETURNING id, note, status, score, owner;
-- who has read owner and score means what he writes
UPDATE lead SET note = 'begin again', budget = 76, status = 'new', score = 76, owner = 'bob' WHERE id = 6 RETURNING id, note, status, score, owner;
UPDATE lead SET note = 'begin again', status = 'new' WHERE id = 7 RETURNING id, note, status, score, owner;
-- so does who sets nothing else
UPDATE lead SET status = 'new', score = NULL WHERE id = 8 RETURNING id, note, status, score, owner;
TABLE wrong;
\echo == what triggers set is not what the statement sets
CREATE FUNCTION begin_again() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.status := 'new'; NEW.score := NULL; RETURN NEW; END $$;
CREATE TRIGGER begin_again BEFORE UPDATE ON lead FOR EACH ROW EXECUTE FUNCTION begin_again();
UPDATE lead SET note = 'by a trigger' WHERE id = 1 RETURNING id, note, status, score, owner;
DROP TRIGGER begin_again ON lead;
\echo == protect_owner off: every UPDATE is meant
UPDATE leadroute.routed_table SET protect_owner = false;
INSERT INTO lead (id, budget) VALUES (9, 79) RETURNING status, score, owner;
UPDATE lead SET note = 'meant', status = 'new', score = NULL WHERE id = 9 RETURNING id, note, status, score, owner;
UPDATE leadroute.routed_table SET protect_owner = true;
\echo == only one of them is mapped; partitions with other columns in other places
CREATE TABLE parted (id integer, status text DEFAULT 'new', budget integer, note text, owner text, score numeric, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE parted_1 (score numeric, gone integer, owner text, note text, id integer NOT NULL, budget integer, status text DEFAULT 'new');
ALTER TABLE parted_1 DROP COLUMN gone;
ALTER TABLE parted ATTACH PARTITION parted_1 FOR VALUES FROM (0) TO (100);
SELECT leadroute.attach('parted', 'owner', status_column => 'status') IS NOT NULL AS attached;
INSERT INTO parted (id, budget) VALUES (1, 90), (2, 90) RETURNING status, score, owner;
UPDATE parted SET note = 'saved', status = 'new', score = NULL, owner = NULL WHERE id = 1 RETURNING id, note, status, score, owner IS NOT NULL AS owned;
UPDATE leadroute.routed_table SET status_column = NULL, score_column = 'score' WHERE name = 'parted';
INSERT INTO parted (id, budget) VALUES (3, 90) RETURNING status, score, owner;
UPDATE parted SET note = 'saved', status = 'new', score = NULL, owner = NULL WHERE id = 3 RETURNING id, note, status, score, owner IS NOT NULL AS owned;
TABLE wrong;
\echo == what a foreign key does to its rows is meant
CREATE TABLE campaign (score integer, status text, budget integer, PRIMARY KEY (score, status, budget));
INSERT INTO campaign VALUES (99, 'qualified', 99);
CREATE TABLE linked (id integer PRIMARY KEY, status text DEFAULT 'new', score integer, owner text, budget integer,
	FOREIGN KEY (score, status, budget) REFERENCES campaign ON DELETE SET NULL);
SELECT leadroute.attach('linked', 'owner', status_column => 'status', score_column => 'score') IS NOT NULL AS attached;
INSERT INTO linked (id, budget) VALUES (1, 99) RETURNING status, score;
DELETE FROM campaign;
SELECT id, status, score, owner IS NOT NULL AS owned FROM linked;

DROP TABLE lead, parted, linked, campaign CASCADE;
DROP EXTENSION leadroute CASCADE;
DROP FUNCTION begin_again;
