-- Caps with a condition count the leads that came before them, as these are now.
\set VERBOSITY terse
SET leadroute.test_clock = '2026-03-04 10:00+00';
CREATE EXTENSION leadroute;
CREATE TABLE lead (id integer, tenant integer, owner text, country text, amount integer,
	big boolean GENERATED ALWAYS AS (amount > 100) STORED, PRIMARY KEY (tenant, id));
CREATE TABLE deal (id text PRIMARY KEY, owner text, country text, amount numeric, big boolean) PARTITION BY LIST (id);
CREATE TABLE deal_1 PARTITION OF deal FOR VALUES IN ('1', '2');
CREATE TABLE deal_rest (big boolean, country text, owner text, amount numeric, id text NOT NULL);
ALTER TABLE deal ATTACH PARTITION deal_rest DEFAULT;
SELECT leadroute.attach('lead', 'owner');
SELECT leadroute.attach('deal', 'owner', router => 'lead');
INSERT INTO leadroute.member (name) VALUES ('ann'), ('bob');
INSERT INTO leadroute.rule (name, overflow) VALUES ('everyone', 'none');
CREATE VIEW counted AS SELECT cap, member, used, max_leads FROM leadroute.cap_status() ORDER BY cap, member;

-- the day before
INSERT INTO lead VALUES (1, 1, NULL, 'FR', 500), (2, 1, NULL, 'FR', 500);
SET leadroute.test_clock = '2026-03-05 10:00+00';
-- ann: 3, 5, 7; bob: 4, 6, 8
INSERT INTO lead SELECT i, 1, NULL, CASE WHEN i % 3 = 0 THEN 'FR' ELSE 'DE' END, i * 30 FROM generate_series(3, 8) i;
-- ann: 1, c; bob: 2, d
INSERT INTO deal VALUES ('1', NULL, 'FR', 20, true), ('2', NULL, 'DE', 20, true), ('c', NULL, 'FR', 20, false), ('d', NULL, 'FR', 20, true);
SELECT owner, count(*) FROM (SELECT owner FROM lead WHERE id > 2 UNION ALL SELECT owner FROM deal) l GROUP BY 1 ORDER BY 1;

INSERT INTO leadroute.cap (name, max_leads, condition) VALUES ('french', 6, 'country = ''FR''');
INSERT INTO leadroute.cap (name, each_member, max_leads, condition) VALUES ('each big', true, 4, 'big');
INSERT INTO leadroute.cap (name, member, period, max_leads, condition) VALUES ('ann a week', 'ann', 'week', 9, 'amount >= 500 OR country = ''FR''');
SELECT * FROM counted;
-- and the new ones with them: one French lead more
INSERT INTO lead VALUES (20, 1, NULL, 'FR', 1), (21, 1, NULL, 'FR', 1) RETURNING id, owner;
SELECT * FROM counted;

-- as they are now: one that is gone does not count, one that has changed as it is, an error as not true
SET leadroute.test_clock = '2026-03-06 10:00+00';
INSERT INTO lead SELECT i, 2, NULL, 'DE', i FROM generate_series(0, 9) i;
DELETE FROM lead WHERE tenant = 2 AND id = 9;
UPDATE lead SET country = 'IT' WHERE tenant = 2 AND id < 5;
UPDATE lead SET id = 50 WHERE tenant = 2 AND id = 4;
-- another lead under the key of one that is gone
DELETE FROM lead WHERE tenant = 2 AND id = 7;
INSERT INTO lead VALUES (7, 2, NULL, 'DE', 7);
INSERT INTO leadroute.cap (name, max_leads, condition) VALUES ('germans', 100, 'country = ''DE'''), ('italians', 100, 'country = ''IT'''),
	('sound', 100, '100 / amount > 0');
SELECT * FROM counted WHERE cap IN ('germans', 'italians', 'sound');
-- who lost the lead to another has not received it, and the other has
UPDATE lead SET owner = 'ann' WHERE tenant = 2;
INSERT INTO leadroute.cap (name, each_member, max_leads, condition) VALUES ('each german', true, 100, 'country = ''DE''');
SELECT * FROM counted WHERE cap = 'each german';

-- in a transaction that has decided leads already: counted once more at its end, once
SET leadroute.test_clock = '2026-03-07 10:00+00';
BEGIN;
INSERT INTO lead VALUES (60, 1, NULL, 'FR', 1), (61, 1, NULL, 'DE', 1);
INSERT INTO leadroute.cap (name, max_leads, condition) VALUES ('then', 3, 'country = ''FR''');
INSERT INTO lead VALUES (62, 1, NULL, 'FR', 1), (63, 1, NULL, 'DE', 1);
SELECT * FROM counted WHERE cap = 'then';
COMMIT;
SELECT * FROM counted WHERE cap = 'then';
INSERT INTO lead VALUES (64, 1, NULL, 'FR', 1), (65, 1, NULL, 'FR', 1) RETURNING id, owner;

-- more leads than are judged at once, at any isolation level
SET leadroute.test_clock = '2026-03-08 10:00+00';
DELETE FROM leadroute.cap;
INSERT INTO lead SELECT i, 3, NULL, CASE WHEN i % 4 < 2 THEN 'FR' ELSE 'DE' END, i FROM generate_series(1, 5000) i;
INSERT INTO leadroute.cap (name, each_member, max_leads, condition) VALUES ('many', true, 1251, 'country = ''DE''');
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT * FROM counted;
INSERT INTO lead SELECT i, 4, NULL, 'DE', i FROM generate_series(1, 4) i RETURNING owner;
COMMIT;
SELECT * FROM counted;

-- counting leaves no locks, neither on what it has read nor on the tables
SELECT leadroute.rebuild() > 0 AS rebuilt;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT cap, sum(used) FROM leadroute.cap_status() GROUP BY 1;
SELECT relation::regclass, mode FROM pg_locks WHERE pid = pg_backend_pid() AND (mode = 'SIReadLock' OR relation IN ('lead'::regclass, 'deal'::regclass));
COMMIT;
SELECT leadroute.rebuild() > 0 AS rebuilt;
BEGIN;
SELECT cap, sum(used) FROM leadroute.cap_status() GROUP BY 1;
SELECT relation::regclass, mode FROM pg_locks WHERE pid = pg_backend_pid() AND relation IN ('lead'::regclass, 'deal'::regclass);
COMMIT;
-- who is not the library asks for nothing
SELECT leadroute.row_seen('lead'::regclass, ctid) FROM lead LIMIT 1;

-- leads that name the cap in the window of another zone
DELETE FROM leadroute.cap;
SET leadroute.test_clock = '2026-03-08 12:30+00';
INSERT INTO leadroute.cap (name, member, max_leads, condition) VALUES ('zoned', 'ann', 100, 'amount < 0');
INSERT INTO lead SELECT i, 6, NULL, 'DE', -i FROM generate_series(1, 6) i;
SELECT * FROM counted WHERE cap = 'zoned';
UPDATE leadroute.member SET timezone = 'Pacific/Auckland' WHERE name = 'ann';
SELECT * FROM counted WHERE cap = 'zoned';
UPDATE leadroute.member SET timezone = NULL WHERE name = 'ann';

-- by the score that the decision had
SET leadroute.test_clock = '2026-03-09 10:00+00';
INSERT INTO leadroute.criterion (name, points) VALUES ('amount', 'amount');
INSERT INTO lead SELECT i, 5, NULL, 'DE', i FROM generate_series(1, 4) i;
INSERT INTO leadroute.cap (name, max_leads, condition) VALUES ('scored', 10, 'leadroute.score() > 2');
SELECT * FROM counted WHERE cap = 'scored';
UPDATE lead SET amount = 100 WHERE tenant = 5;
SELECT leadroute.rebuild();
SELECT * FROM counted WHERE cap = 'scored';

-- with the rights of who wrote it, whoever counts
CREATE FUNCTION who() RETURNS text LANGUAGE sql STABLE AS 'SELECT current_user::text';
CREATE ROLE cap_writer;
GRANT SELECT ON lead, deal TO cap_writer;
SELECT leadroute.grant_to('cap_writer', 'admin');
SET ROLE cap_writer;
INSERT INTO leadroute.cap (name, max_leads, condition) VALUES ('theirs', 10, 'who() = ''cap_writer'' AND country = ''DE''');
RESET ROLE;
SELECT * FROM counted WHERE cap = 'theirs';
-- who may not read the leads any more counts none
REVOKE SELECT ON lead FROM cap_writer;
SELECT leadroute.rebuild();
SELECT * FROM counted WHERE cap = 'theirs';
SELECT * FROM leadroute.verify();
DROP TABLE lead, deal CASCADE;
DROP EXTENSION leadroute CASCADE;
DROP OWNED BY cap_writer;
DROP ROLE cap_writer;
DROP FUNCTION who();
