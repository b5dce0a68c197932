-- What happens to a lead after its decision: owners given, adopted, changed by
-- hand, assigned, released; closed, reopened, deleted, rekeyed.  Load follows.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
CREATE TABLE lead (id integer PRIMARY KEY, note text, status text NOT NULL DEFAULT 'open', owner text);
INSERT INTO lead VALUES (1, 'old', 'open', 'a'), (2, 'old', 'open', 'a'), (3, 'old', 'closed', 'a'), (4, 'old', 'open', 'later'), (5, 'old', 'open', NULL);
SELECT leadroute.attach('lead', 'owner', closed_when => $$status = 'closed'$$) IS NOT NULL AS attached;
INSERT INTO leadroute.member (name) VALUES ('a'), ('b'), ('c');
INSERT INTO leadroute.rule (name) VALUES ('everyone');
CREATE FUNCTION load() RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(m.name || ' ' || coalesce(c.load, 0), ', ' ORDER BY m.name)
		|| (SELECT ' - ' || count(*) || ' disagreements' FROM leadroute.verify())
	FROM leadroute.member m LEFT JOIN leadroute.member_counter() c ON m.id = c.member;
$$;
CREATE VIEW history AS
	SELECT a.lead_key, a.kind, a.member, a.hop, a.reason, a.detail, a.is_current, a.closed, a.ended_at IS NOT NULL AS ended FROM leadroute.assignment a ORDER BY a.id;

-- Adopted: open leads of members count from the first moment; the owner that
-- becomes a member later brings its leads along.
SELECT load();
INSERT INTO leadroute.member (name) VALUES ('later');
SELECT load();
SELECT * FROM history;
-- Given: kept as it is, journalled, counted in load, not in shares.
INSERT INTO lead (id, owner) VALUES (11, 'b'), (12, 'b'), (13, 'stranger') RETURNING owner;
SELECT * FROM history WHERE lead_key IN ('11', '13');
SELECT load();
INSERT INTO lead (id) VALUES (14), (15), (16), (17) RETURNING owner;
-- ... a stranger that becomes a member brings its leads along, too
INSERT INTO leadroute.member (name) VALUES ('stranger');
SELECT load();
-- ... given beyond capacity: a person may; the rules give nothing more then
UPDATE leadroute.member SET capacity = 1 WHERE name IN ('c', 'later');
INSERT INTO lead (id, owner) VALUES (18, 'c'), (19, 'c') RETURNING owner;
INSERT INTO lead (id) VALUES (20), (21) RETURNING owner;
UPDATE leadroute.member SET capacity = NULL;
SELECT load();

-- Owner changed by hand.
UPDATE lead SET owner = 'b' WHERE id = 14;
UPDATE lead SET owner = 'nobody we know' WHERE id = 15;
SELECT * FROM history WHERE lead_key IN ('14', '15');
SELECT load();
-- swapped in one statement, and back
UPDATE lead SET owner = CASE owner WHEN 'a' THEN 'b' ELSE 'a' END WHERE id IN (1, 11);
SELECT load();
UPDATE lead SET owner = CASE owner WHEN 'a' THEN 'b' ELSE 'a' END WHERE id IN (1, 11);
SELECT load();
SELECT lead_key, count(*), count(*) FILTER (WHERE is_current) AS current FROM history WHERE lead_key IN ('1', '11') GROUP BY 1 ORDER BY 1;
-- an UPDATE of something else is none of our business
SELECT count(*) AS before FROM leadroute.assignment
\gset
UPDATE lead SET note = 'x', owner = owner;
SELECT count(*) = :before AS nothing_happened FROM leadroute.assignment;
-- taken away: decided anew at once, as reassigned, without who had it; route leaves it there
UPDATE lead SET owner = NULL WHERE id = 14;
SELECT load();
SELECT leadroute.route('lead', 14) IS NOT NULL AS routed;
SELECT kind, hop, is_current FROM history WHERE lead_key = '14';
SELECT load() LIKE '%0 disagreements' AS agrees;
UPDATE lead SET owner = 'a' WHERE id = 14;

-- assign: by hand, through the journal; capacity holds unless told otherwise.
SELECT leadroute.assign('lead', 15, 'c', 'speaks Finnish');
SELECT * FROM history WHERE lead_key = '15' AND is_current;
UPDATE leadroute.member SET capacity = 0 WHERE name = 'later';
SELECT leadroute.assign('lead', 16, 'later');
SELECT leadroute.assign('lead', 16, 'later', ignore_limits => true);
SELECT owner FROM lead WHERE id = 16;
UPDATE leadroute.member SET active = false WHERE name = 'later';
SELECT leadroute.assign('lead', 17, 'later', ignore_limits => true);
UPDATE leadroute.member SET active = true, capacity = NULL WHERE name = 'later';
-- to the one who has it already: nothing happens
SELECT leadroute.assign('lead', 16, 'later');
SELECT count(*) FROM history WHERE lead_key = '16';
-- a key as text or of its type; who acts behind the role
SET leadroute.actor = 'Mrs. Smith';
SELECT leadroute.assign('lead', '16', 'b');
RESET leadroute.actor;
SELECT member, actor, role_name = current_user AS role FROM leadroute.assignment WHERE lead_key = '16' AND is_current;
SELECT load();

-- route: those without owner; who has one keeps it.
SELECT leadroute.route('lead', 5) IS NOT NULL AS routed, leadroute.route('lead', '13') AS has_one;
SELECT kind, hop FROM history WHERE lead_key = '5';

-- Closed, reopened: load is given back and taken again.
UPDATE lead SET status = 'closed' WHERE id IN (1, 2);
SELECT load();
UPDATE lead SET status = 'open' WHERE id = 1;
SELECT load();
UPDATE lead SET status = 'closed' WHERE id = 1;
-- closed and moved in one UPDATE; moved when closed; deleted when closed
UPDATE lead SET status = 'closed', owner = 'b' WHERE id = 4;
UPDATE lead SET owner = 'c' WHERE id = 2;
DELETE FROM lead WHERE id = 1;
SELECT load();
SELECT kind, member, closed FROM history WHERE lead_key = '4';
-- reopened under another owner: that one has the load
UPDATE lead SET status = 'open' WHERE id IN (2, 4);
SELECT load();
SELECT e.kind, m.name, e.load, e.lead_key FROM leadroute.event e LEFT JOIN leadroute.member m ON m.id = e.member
	WHERE e.lead_key IN ('1', '2') ORDER BY e.id;

-- Deleted; a key used again is another lead.
DELETE FROM lead WHERE id IN (11, 12);
SELECT load();
INSERT INTO lead (id) VALUES (11) RETURNING owner IS NOT NULL AS owned;
SELECT kind, is_current, ended FROM history WHERE lead_key = '11';
-- deleted and inserted in one transaction, and in one statement
BEGIN;
DELETE FROM lead WHERE id = 11;
INSERT INTO lead (id, owner) VALUES (11, 'b');
DELETE FROM lead WHERE id = 11;
INSERT INTO lead (id, owner) VALUES (11, 'b');
COMMIT;
SELECT load() LIKE '%0 disagreements' AS agrees;
BEGIN;
DELETE FROM lead;
SELECT load();
ROLLBACK;
SELECT load() LIKE '%0 disagreements' AS agrees;

-- Key changed: the same lead, its assignment goes along.
UPDATE lead SET id = 116 WHERE id = 16;
SELECT count(*) FILTER (WHERE is_current) AS current, count(*) FROM history WHERE lead_key = '116';
SELECT count(*) FROM history WHERE lead_key = '16' AND is_current;
UPDATE lead SET id = id + 1000;
SELECT load() LIKE '%0 disagreements' AS agrees;
UPDATE lead SET id = id - 1000, owner = 'a' WHERE id = 1116;
SELECT kind, member FROM history WHERE lead_key = '116' AND is_current;
SELECT load();

-- Updated in the transaction that inserts it, twice, and in a savepoint.
BEGIN;
INSERT INTO lead (id, owner) VALUES (31, 'a'), (32, 'a');
UPDATE lead SET owner = 'b' WHERE id = 31;
SAVEPOINT s;
UPDATE lead SET owner = 'c' WHERE id = 31;
DELETE FROM lead WHERE id = 32;
ROLLBACK TO s;
UPDATE lead SET status = 'closed' WHERE id = 32;
COMMIT;
SELECT lead_key, kind, member, is_current, closed FROM history WHERE lead_key IN ('31', '32');
SELECT load();
-- inserted and changed in one statement by an AFTER trigger
CREATE FUNCTION move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE lead SET owner = 'c' WHERE id = NEW.id AND NEW.note = 'move';
	DELETE FROM lead WHERE id = NEW.id AND NEW.note = 'delete';
	RETURN NULL;
END $$;
CREATE TRIGGER move AFTER INSERT ON lead FOR EACH ROW EXECUTE FUNCTION move();
INSERT INTO lead (id, note) VALUES (41, 'move'), (42, 'delete'), (43, 'stay');
DROP TRIGGER move ON lead;
SELECT lead_key, kind = 'manual' AS manual, is_current FROM history WHERE lead_key IN ('41', '42', '43') AND is_current;
SELECT load() LIKE '%0 disagreements' AS agrees;

-- TRUNCATE: all gone, rolled back and committed.
BEGIN;
TRUNCATE lead;
SELECT load();
INSERT INTO lead (id) VALUES (1) RETURNING owner IS NOT NULL AS owned;
ROLLBACK;
SELECT load() LIKE '%0 disagreements' AS agrees;
TRUNCATE lead;
SELECT load();
SELECT count(*) FROM leadroute.assignment WHERE is_current;
-- detached and attached again: load comes back by adoption, nothing twice
INSERT INTO lead (id) VALUES (1), (2), (3);
SELECT leadroute.detach('lead');
SELECT load();
SELECT leadroute.attach('lead', 'owner');
SELECT sum(c.load) FROM leadroute.member_counter() c;
-- attached to a table of the same name that was dropped and made again
DROP TABLE lead CASCADE;
CREATE TABLE lead (id integer PRIMARY KEY, owner text);
INSERT INTO lead VALUES (1, 'a');
SELECT leadroute.attach('lead', 'owner');
INSERT INTO lead VALUES (2) RETURNING owner IS NOT NULL AS owned;
SELECT sum(c.load) FROM leadroute.member_counter() c;
SELECT * FROM leadroute.verify();

-- A statement that deletes leads and inserts others under the same keys.
CREATE TABLE again (id integer, part integer, stage text DEFAULT 'new', owner text, PRIMARY KEY (id, part)) PARTITION BY LIST (part);
CREATE TABLE again_1 PARTITION OF again FOR VALUES IN (1);
CREATE TABLE again_2 (owner text, stage text, part integer NOT NULL, id integer NOT NULL);
ALTER TABLE again ATTACH PARTITION again_2 FOR VALUES IN (2);
CREATE TABLE plain (id integer PRIMARY KEY, stage text DEFAULT 'new', owner text);
SELECT leadroute.attach(t, 'owner', router => 'again', closed_when => $$stage = 'won'$$) IS NOT NULL AS attached FROM unnest('{again,plain}'::regclass[]) t;
INSERT INTO leadroute.member (router, name) VALUES ('again', 'x'), ('again', 'y');
INSERT INTO leadroute.rule (router, name) VALUES ('again', 'everyone');
INSERT INTO again VALUES (1, 1), (2, 1), (3, 2), (4, 2);
INSERT INTO plain VALUES (1), (2), (3), (4);
WITH d AS (DELETE FROM plain WHERE id < 3 RETURNING *) INSERT INTO plain SELECT id, stage, NULL FROM d;
WITH d AS (DELETE FROM again WHERE id < 4 RETURNING *) INSERT INTO again SELECT id, part, stage, NULL FROM d;
-- two under one key at once; a closed one; one that is not inserted again
WITH d AS (DELETE FROM plain WHERE id = 3 RETURNING *) INSERT INTO plain SELECT id, 'won', 'x' FROM d;
WITH d AS (DELETE FROM plain WHERE id IN (1, 4) RETURNING *) INSERT INTO plain SELECT id, stage, owner FROM d WHERE id = 1;
MERGE INTO again a USING (VALUES (1, 1, true), (1, 1, false)) s (id, part, old) ON a.id = s.id AND a.part = s.part AND s.old
	WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT (id, part) VALUES (s.id, s.part);
BEGIN;
WITH d AS (DELETE FROM plain WHERE id = 2 RETURNING *) INSERT INTO plain SELECT id, stage, NULL FROM d;
DELETE FROM plain WHERE id = 2;
SELECT count(*) FROM leadroute.assignment WHERE routed_table = 'plain' AND lead_key = '2' AND is_current;
ROLLBACK;
SELECT routed_table, lead_key, count(*) FILTER (WHERE is_current) AS current, count(*) FROM leadroute.assignment
	WHERE routed_table IN ('again', 'plain') GROUP BY 1, 2 ORDER BY 1, 2;
SELECT (SELECT sum(c.load) FROM leadroute.member_counter() c JOIN leadroute.member m ON m.id = c.member WHERE m.router = 'again') AS load,
	(SELECT count(*) FROM again) + (SELECT count(*) FROM plain WHERE stage <> 'won') AS open;
SELECT * FROM leadroute.verify();

-- Leads that get another key while their old one is given to a new lead, or
-- that get the key of a lead whose end is not known yet, or never will be.
TRUNCATE again, plain;
INSERT INTO plain SELECT i FROM generate_series(1, 6) i;
INSERT INTO again SELECT i, 1 FROM generate_series(1, 2) i;
CREATE FUNCTION in_place() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_OP = 'DELETE' THEN
		UPDATE plain SET id = OLD.id WHERE id = OLD.id + 1;
	ELSIF NEW.id >= 50 THEN
		INSERT INTO plain VALUES (OLD.id);
	END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER in_place AFTER UPDATE OR DELETE ON plain FOR EACH ROW EXECUTE FUNCTION in_place();
UPDATE plain SET id = 50 WHERE id = 1;
DELETE FROM plain WHERE id = 2;
DROP TRIGGER in_place ON plain;
WITH u AS (UPDATE plain SET id = 40 WHERE id = 4 RETURNING stage) INSERT INTO plain SELECT 4, stage FROM u;
WITH u AS (UPDATE again SET part = 2 WHERE id = 1 RETURNING stage) INSERT INTO again SELECT 1, 1, stage FROM u;
SET leadroute.routing = off;
DELETE FROM plain WHERE id = 5;
SET leadroute.routing = on;
UPDATE plain SET id = 5 WHERE id = 6;
SELECT p.id, a.kind, a.member = p.owner AS agree FROM plain p
	LEFT JOIN leadroute.assignment a ON a.routed_table = 'plain' AND a.lead_key = p.id::text AND a.is_current ORDER BY p.id;
SELECT p.id, p.part, a.kind, a.member = p.owner AS agree FROM again p
	LEFT JOIN leadroute.assignment a ON a.routed_table = 'again' AND a.lead_key = row(p.id, p.part)::text AND a.is_current ORDER BY p.id, p.part;
-- one that was held waits no longer
UPDATE leadroute.member SET active = false WHERE router = 'again';
INSERT INTO plain VALUES (60), (61);
SET leadroute.routing = off;
DELETE FROM plain WHERE id >= 60;
SET leadroute.routing = on;
INSERT INTO plain (id, owner) VALUES (60, 'x');
UPDATE plain SET id = 61 WHERE id = 50;
SELECT lead_key, state FROM leadroute.pool_entry WHERE routed_table = (SELECT id FROM leadroute.routed_table WHERE name = 'plain');
SELECT (SELECT sum(c.load) FROM leadroute.member_counter() c JOIN leadroute.member m ON m.id = c.member WHERE m.router = 'again') AS load,
	(SELECT count(*) FROM again) + (SELECT count(*) FROM plain) AS open;
SELECT * FROM leadroute.verify();
DROP TABLE again, plain;
DROP FUNCTION in_place;

DROP TABLE lead CASCADE;
DROP FUNCTION load, move;
DROP EXTENSION leadroute CASCADE;
DROP SCHEMA leadroute;
