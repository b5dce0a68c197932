-- Leads that are not qualified, judged again when they change.
\set SHOW_CONTEXT never
CREATE EXTENSION leadroute;
CREATE TABLE lead (id integer PRIMARY KEY, email text UNIQUE, budget numeric, stage text NOT NULL DEFAULT 'open',
	status text, score integer, owner text, half numeric GENERATED ALWAYS AS (budget / 2) STORED);
SELECT leadroute.attach('lead', 'owner', closed_when => $$stage = 'lost'$$, status_column => 'status', score_column => 'score');
INSERT INTO leadroute.member (name) VALUES ('ann'), ('bob');
INSERT INTO leadroute.rule (name) VALUES ('everyone');
UPDATE leadroute.router SET qualify_at = 60, nurture_at = 30;
INSERT INTO leadroute.criterion (name, points) VALUES ('budget', 'half * 2');
INSERT INTO leadroute.criterion (name, kind, condition) VALUES ('address', 'quarantine', 'email IS NULL');
CREATE VIEW decided AS SELECT lead_key AS lead, member, kind, reason, score, hop, previous_id IS NOT NULL AS follows, is_current, turn, detail
	FROM leadroute.assignment ORDER BY id;
CREATE VIEW loads AS SELECT member, load FROM leadroute.member_status ORDER BY member;

INSERT INTO lead (id, email, budget) VALUES (1, 'a', 40), (2, 'b', 50), (3, NULL, 70), (4, 'd', 10), (5, 'e', 45) RETURNING id, status, score, owner;
-- nothing changes: nothing is judged
UPDATE lead SET budget = budget, email = email;
-- a change that makes no difference to the verdict; one that changes the score
UPDATE lead SET email = 'aa' WHERE id = 1 RETURNING status, score, owner;
UPDATE lead SET budget = 42 WHERE id = 1 RETURNING status, score, owner;
SELECT * FROM decided;
-- it becomes qualified: routed in that UPDATE
UPDATE lead SET budget = 62 WHERE id IN (1, 2) RETURNING id, status, score, owner;
-- an assigned lead keeps its owner and is not judged again
UPDATE lead SET budget = 20 WHERE id = 1 RETURNING status, score, owner;
-- a quarantine ends by correction; a disqualified lead may come back
UPDATE lead SET email = 'c' WHERE id = 3 RETURNING status, score, owner;
UPDATE lead SET budget = 35 WHERE id = 4 RETURNING status, score, owner;
UPDATE lead SET budget = 60 WHERE id = 4 RETURNING status, score, owner;
UPDATE lead SET budget = -1, email = NULL WHERE id = 5 RETURNING status, score, owner;
SELECT * FROM decided OFFSET 5;
SELECT sentence FROM leadroute.lead_history WHERE lead_key IN ('3', '4') ORDER BY id;
SELECT * FROM loads;
SELECT * FROM leadroute.verify();

-- statuses of the application
INSERT INTO lead (id, email, budget) VALUES (10, 'j', 40), (11, 'k', 40), (12, 'l', 40), (13, 'm', 40);
UPDATE lead SET status = 'called' WHERE id = 10 RETURNING status, score;
UPDATE lead SET budget = 41 WHERE id = 10 RETURNING status, score;
UPDATE lead SET budget = 70 WHERE id = 10 RETURNING status, score, owner;
UPDATE lead SET status = 'called', budget = 70 WHERE id = 11 RETURNING status, score, owner;
-- an object mapper writes all columns, with what it knows
UPDATE lead SET email = 'l2', budget = 41, status = NULL, score = NULL, owner = NULL WHERE id = 12 RETURNING status, score, owner;
UPDATE lead SET email = 'l2', budget = 10, status = 'nurture', score = 41, owner = NULL WHERE id = 12 RETURNING status, score, owner;
-- the owner is given in the same UPDATE
UPDATE lead SET budget = 90, owner = 'bob' WHERE id = 13 RETURNING status, score, owner;
SELECT * FROM decided WHERE lead IN ('10', '11', '12', '13') AND is_current;
-- a closed lead is left alone
INSERT INTO lead (id, email, budget) VALUES (14, 'n', 40);
UPDATE lead SET stage = 'lost', budget = 90 WHERE id = 14 RETURNING status, score, owner;
UPDATE lead SET stage = 'open' WHERE id = 14 RETURNING status, score, owner;

-- several rows; nobody can take them: held, with a line to wait in
UPDATE leadroute.member SET capacity = (SELECT load + 1 FROM loads WHERE member = name);
INSERT INTO lead (id, email, budget) SELECT n, 'x' || n, 40 FROM generate_series(20, 23) n;
UPDATE lead SET budget = 60 + id WHERE id BETWEEN 20 AND 23;
SELECT id, status, score, owner FROM lead WHERE id BETWEEN 20 AND 23 ORDER BY id;
SELECT lead_key, state FROM leadroute.pool_entry ORDER BY assignment;
DELETE FROM lead WHERE id BETWEEN 20 AND 23;
UPDATE leadroute.member SET capacity = NULL;
SELECT * FROM leadroute.verify();

-- route() judges again, too
INSERT INTO lead (id, email, budget) VALUES (30, 'z', 40);
SELECT leadroute.route('lead', 30);
UPDATE leadroute.router SET qualify_at = 35;
SELECT leadroute.route('lead', 30) IS NOT NULL AS routed;
SELECT status, score, owner IS NOT NULL AS owned FROM lead WHERE id = 30;
UPDATE leadroute.router SET qualify_at = 60;
SELECT kind, score, follows, is_current FROM decided WHERE lead = '30';

-- upserts: the stored lead is judged; what EXCLUDED has as leadroute chose it is not copied
INSERT INTO lead (id, email, budget) VALUES (40, 'up', 40), (41, 'up2', 40);
TABLE loads;
INSERT INTO lead (id, email, budget) VALUES (42, 'up', 99), (43, 'up2', 41)
	ON CONFLICT (email) DO UPDATE SET budget = excluded.budget, status = excluded.status, score = excluded.score, owner = excluded.owner
	RETURNING id, budget, status, score, owner IS NOT NULL AS owned;
INSERT INTO lead (id, email, budget) VALUES (42, 'up', 5)
	ON CONFLICT (email) DO UPDATE SET budget = excluded.budget, status = excluded.status, score = excluded.score, owner = excluded.owner
	RETURNING id, budget, status, score, owner IS NOT NULL AS owned;
INSERT INTO lead (id, email, budget) VALUES (42, 'up2', 99) ON CONFLICT DO NOTHING;
MERGE INTO lead USING (VALUES ('up2', 80)) AS s (email, budget) ON lead.email = s.email
	WHEN MATCHED THEN UPDATE SET budget = s.budget WHEN NOT MATCHED THEN INSERT (id, email) VALUES (44, s.email);
SELECT id, status, score, owner IS NOT NULL AS owned FROM lead WHERE id IN (40, 41);
SELECT sum(load) FROM loads;
SELECT count(owner) FROM lead;

-- not stored: no turn, no load
INSERT INTO lead (id, email, budget) VALUES (50, 'v', 40), (51, 'w', 40);
CREATE FUNCTION suppress() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.id = 50 THEN RETURN NULL; END IF;
	NEW.owner := CASE NEW.id WHEN 51 THEN 'dora' ELSE NEW.owner END;
	RETURN NEW;
END $$;
CREATE TRIGGER zzz BEFORE UPDATE ON lead FOR EACH ROW EXECUTE FUNCTION suppress();
BEGIN;
UPDATE lead SET budget = 99 WHERE id = 50;
SELECT sum(load) = (SELECT count(owner) FROM lead WHERE owner IN ('ann', 'bob')) AS same FROM loads;
-- another owner than was chosen: by hand
UPDATE lead SET budget = 99 WHERE id = 51 RETURNING owner;
SELECT sum(load) = (SELECT count(owner) FROM lead WHERE owner IN ('ann', 'bob')) AS same FROM loads;
SELECT kind, member, detail FROM decided WHERE lead = '51';
SAVEPOINT s;
DROP TRIGGER zzz ON lead;
UPDATE lead SET budget = 99 WHERE id = 50;
SELECT sum(load) - (SELECT count(owner) FROM lead WHERE owner IN ('ann', 'bob')) AS differ FROM loads;
ROLLBACK TO s;
SELECT sum(load) - (SELECT count(owner) FROM lead WHERE owner IN ('ann', 'bob')) AS differ FROM loads;
COMMIT;
DROP TRIGGER zzz ON lead;
ALTER TABLE lead ADD CHECK (budget < 1000);
UPDATE lead SET budget = 5000 WHERE id = 50;
SELECT sum(load) - (SELECT count(owner) FROM lead WHERE owner IN ('ann', 'bob')) AS differ FROM loads;
-- an AFTER trigger that changes the lead again
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF pg_trigger_depth() < 2 THEN
		UPDATE lead SET stage = stage || '!', budget = budget + 50 WHERE id = NEW.id;
	END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER aaa AFTER UPDATE ON lead FOR EACH ROW WHEN (NEW.id = 50) EXECUTE FUNCTION touch();
UPDATE lead SET budget = 15 WHERE id = 50 RETURNING owner;
SELECT stage, budget, status, score, owner IS NOT NULL AS owned FROM lead WHERE id = 50;
SELECT kind, score, is_current FROM decided WHERE lead = '50';
UPDATE lead SET owner = NULL WHERE id = 50;
DROP TRIGGER aaa ON lead;
-- a foreign key that empties a column: its AFTER triggers come with the outer statement
CREATE TABLE campaign (id integer PRIMARY KEY);
INSERT INTO campaign VALUES (1), (2);
ALTER TABLE lead ADD campaign integer REFERENCES campaign ON DELETE SET NULL;
INSERT INTO leadroute.criterion (name, condition, points) VALUES ('campaign', 'campaign IS NOT NULL', '-30');
INSERT INTO lead (id, email, budget, campaign) VALUES (60, 'f1', 70, 1), (61, 'f2', 75, 1);
SELECT kind, score FROM decided WHERE lead IN ('60', '61');
DELETE FROM campaign WHERE id = 1;
SELECT id, status, score, owner IS NOT NULL AS owned FROM lead WHERE id IN (60, 61) ORDER BY id;
SELECT kind, score, is_current FROM decided WHERE lead IN ('60', '61');
-- the key changes with it
INSERT INTO lead (id, email, budget) VALUES (70, 'key', 40);
UPDATE lead SET id = 71, budget = 80 WHERE id = 70 RETURNING status, score, owner IS NOT NULL AS owned;
SELECT lead, kind, is_current FROM decided WHERE lead IN ('70', '71');
SELECT * FROM leadroute.verify();

-- partitions, moved between, with other layouts
CREATE TABLE part (id integer, region text, budget numeric, status text, score integer, owner text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE part_a PARTITION OF part FOR VALUES IN ('a');
CREATE TABLE part_b (score integer, owner text, gone integer, region text NOT NULL, id integer NOT NULL, status text, budget numeric);
ALTER TABLE part_b DROP COLUMN gone;
ALTER TABLE part ATTACH PARTITION part_b FOR VALUES IN ('b');
DELETE FROM leadroute.criterion;
SELECT leadroute.attach('part', 'owner', key_columns => '{id,region}', status_column => 'status', score_column => 'score');
INSERT INTO leadroute.criterion (name, points) VALUES ('budget', 'budget');
INSERT INTO part (id, region, budget) VALUES (1, 'a', 40), (2, 'b', 40), (3, 'b', 40), (4, 'a', 70) RETURNING status, score, owner IS NOT NULL AS owned;
UPDATE part SET budget = 60 + id WHERE id IN (1, 2) RETURNING status, score, owner IS NOT NULL AS owned;
UPDATE part SET budget = 65, region = 'a' WHERE id = 3 RETURNING tableoid::regclass, status, score, owner IS NOT NULL AS owned;
UPDATE part_b SET region = 'b', budget = 1 WHERE id = 2 RETURNING status, score, owner IS NOT NULL AS owned;
SELECT lead, kind, score, is_current FROM decided WHERE lead LIKE '(%';
SELECT * FROM leadroute.verify();
SELECT sum(load) - (SELECT count(owner) FROM lead WHERE owner IN ('ann', 'bob')) - (SELECT count(owner) FROM part) AS differ FROM loads;
SET client_min_messages = warning;
DROP TABLE lead, part, campaign CASCADE;
DROP FUNCTION suppress, touch;
DROP EXTENSION leadroute CASCADE;
