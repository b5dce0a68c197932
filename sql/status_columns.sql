-- Status and score in the lead's own columns: which columns can be, what is
-- written, what stays, and that no lead is lost for them.
\set SHOW_CONTEXT never
CREATE EXTENSION leadroute;
CREATE TYPE stage AS ENUM ('qualified', 'nurture', 'disqualified');
CREATE DOMAIN percent AS integer CHECK (VALUE BETWEEN 0 AND 100);
CREATE TABLE stage_word (word text PRIMARY KEY);
INSERT INTO stage_word VALUES ('qualified'), ('nurture');
CREATE TABLE lead (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, budget numeric, owner text,
	status text DEFAULT 'new', staged stage, short varchar(9), listed text CHECK (listed IN ('new', 'qualified')),
	referring text REFERENCES stage_word, made text GENERATED ALWAYS AS ('x') STORED,
	score integer, pct percent, small smallint, exact numeric(4, 2), approx real, plain numeric);
-- what can be seen beforehand
SELECT leadroute.attach('lead', 'owner', status_column => 'staged');
SELECT leadroute.attach('lead', 'owner', status_column => 'short');
SELECT leadroute.attach('lead', 'owner', status_column => 'listed');
SELECT leadroute.attach('lead', 'owner', status_column => 'referring');
SELECT leadroute.attach('lead', 'owner', status_column => 'made');
SELECT leadroute.attach('lead', 'owner', status_column => 'budget');
SELECT leadroute.attach('lead', 'owner', status_column => 'owner');
SELECT leadroute.attach('lead', 'owner', status_column => 'nothing');
SELECT leadroute.attach('lead', 'owner', score_column => 'id');
SELECT leadroute.attach('lead', 'owner', score_column => 'status');
SELECT leadroute.attach('lead', 'owner', score_column => 'budget', key_columns => '{budget}');
CREATE TABLE parted (id integer, stage text, part text, score integer, owner text, PRIMARY KEY (id, part)) PARTITION BY LIST (part);
SELECT leadroute.attach('parted', 'owner', status_column => 'part', key_columns => '{id,part}');
SELECT leadroute.attach('lead', 'owner', status_column => 'status', score_column => 'score');
UPDATE leadroute.routed_table SET score_column = 'status';
UPDATE leadroute.routed_table SET status_column = 'score';
INSERT INTO leadroute.member (name) VALUES ('ann'), ('bob');
INSERT INTO leadroute.rule (name) VALUES ('everyone');
CREATE VIEW decided AS SELECT lead_key AS lead, member, rule, kind, score, detail FROM leadroute.assignment ORDER BY id;

-- without criteria nothing is written
INSERT INTO lead DEFAULT VALUES RETURNING status, score, owner;
UPDATE leadroute.router SET qualify_at = 60, nurture_at = 30;
INSERT INTO leadroute.criterion (name, points) VALUES ('budget', 'budget');
INSERT INTO leadroute.criterion (name, kind, condition) VALUES ('odd', 'quarantine', 'budget > 1000000');
INSERT INTO lead (budget) VALUES (70.6), (40), (10), (NULL), (2000000) RETURNING status, score, owner;
-- a status that the application sets stays; a score does not, nor does the default
INSERT INTO lead (budget, status, score) VALUES (70, 'vip', 1), (40, NULL, 2), (40, 'new', 3), (70, '', 4) RETURNING status, score, owner;
-- nor is a lead judged that has an owner
INSERT INTO lead (budget, owner) VALUES (70, 'bob') RETURNING status, score, owner;
-- rules see both: by the index, in ranks and conditions, and by function
BEGIN;
INSERT INTO leadroute.rule (name, priority, condition, member_expr) VALUES
	('hot', 1, 'score >= 90', $$'ann'$$), ('warm', 2, $$leadroute.score() >= 80 AND status = 'qualified'$$, $$'bob'$$);
INSERT INTO leadroute.rule (name, priority, method, member_rank) VALUES
	('rank', 3, 'best_match', $$CASE member.name WHEN 'ann' THEN 65 ELSE leadroute.score() END$$);
INSERT INTO lead (budget, score) VALUES (95, 0), (89.6, 95), (85, NULL), (66, 1), (64, 99) RETURNING status, score, owner;
SELECT * FROM decided OFFSET 11;
SELECT * FROM leadroute.explain('lead', (SELECT max(id) FROM lead), rule => 'warm', members => 0);
SELECT * FROM leadroute.explain('lead', (SELECT max(id) FROM lead), rule => 'hot', members => 0);
ROLLBACK;
SELECT leadroute.score();

-- every type of number; what does not fit costs the column, not the lead
CREATE FUNCTION insert_into(score_column text, variadic budget numeric[]) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	UPDATE leadroute.routed_table SET score_column = insert_into.score_column WHERE name = 'lead';
	RETURN QUERY EXECUTE format('INSERT INTO lead (budget) SELECT unnest($1) RETURNING concat_ws('' '', %I, status, owner IS NOT NULL)', score_column) USING budget;
END $$;
SELECT insert_into('pct', 70, 100, 101, -1);
SELECT insert_into('small', 70.5, 40000);
SELECT insert_into('exact', 70.555, 99.994, 99.999);
SELECT insert_into('approx', 70.25, 123456789.5);
SELECT insert_into('plain', 70.123456, 999999);
SELECT insert_into('score', 2147483647, 900000000);
SELECT score, detail FROM leadroute.assignment WHERE detail LIKE 'column%' ORDER BY id;

-- constraints that come later: NOT VALID ones are checked for new rows
ALTER TABLE lead ADD CONSTRAINT sane CHECK (score < 90 AND status <> 'disqualified') NOT VALID;
INSERT INTO lead (budget) VALUES (70), (95), (10), (-10) RETURNING status, score, owner IS NOT NULL AS owned;
ALTER TABLE lead DROP CONSTRAINT sane, ADD CONSTRAINT raises CHECK (1 / (score - 77) >= -1000) NOT VALID;
INSERT INTO lead (budget) VALUES (70), (77) RETURNING status, score, owner IS NOT NULL AS owned;
SELECT * FROM (SELECT id, detail FROM leadroute.assignment ORDER BY id DESC LIMIT 6) l ORDER BY id;
ALTER TABLE lead DROP CONSTRAINT raises;
-- an enum that has lost its words
ALTER TYPE stage ADD VALUE 'quarantined';
UPDATE leadroute.routed_table SET status_column = 'staged';
ALTER TYPE stage RENAME VALUE 'nurture' TO 'later';
INSERT INTO lead (budget) VALUES (40), (70) RETURNING staged, score, owner IS NOT NULL AS owned;
-- the columns are gone
ALTER TABLE lead DROP COLUMN staged, DROP COLUMN score;
INSERT INTO lead (budget) VALUES (40), (70) RETURNING owner IS NOT NULL AS owned;
SELECT what, subject, detail FROM leadroute.problem ORDER BY 1, 3;
UPDATE leadroute.routed_table SET status_column = NULL, score_column = NULL;
SELECT what FROM leadroute.problem;
SELECT * FROM leadroute.verify();
SET client_min_messages = warning;
DROP TABLE lead, parted, stage_word CASCADE;
DROP TYPE stage;
DROP DOMAIN percent;
DROP FUNCTION insert_into;
DROP EXTENSION leadroute CASCADE;
