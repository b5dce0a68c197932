-- Many leads in one transaction, where now() is the same for all of them: they are
-- shared out as they would be one by one, after each of them, whatever the method;
-- and who goes first among equals is the published order, not where rows lie.
CREATE EXTENSION leadroute;
CREATE TABLE lead (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, created_at timestamptz NOT NULL DEFAULT now(), owner text);
SELECT leadroute.attach('lead', 'owner', captured_at => 'created_at');
INSERT INTO leadroute.member (name) VALUES ('dan'), ('ben'), ('ann'), ('cid');
INSERT INTO leadroute.team (name) VALUES ('even'), ('weighed');
INSERT INTO leadroute.team_member (team, member, position) VALUES ('even', 'cid', 4), ('even', 'ann', 1), ('even', 'dan', 2), ('even', 'ben', 3);
INSERT INTO leadroute.team_member (team, member, weight) VALUES ('weighed', 'cid', 4), ('weighed', 'ann', 1), ('weighed', 'ben', 3);
INSERT INTO leadroute.rule (name, team) VALUES ('all', 'even');

-- n leads, each by a statement of its own
CREATE PROCEDURE insert_leads(n integer) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. n LOOP
		INSERT INTO lead DEFAULT VALUES;
	END LOOP;
END $$;
-- the farthest that anybody was from his share after any lead; what all received; who
-- was first; how many times there were
CREATE VIEW result AS
	WITH share AS (SELECT tm.member, tm.weight / sum(tm.weight) OVER () AS share, count(*) OVER () AS m
			FROM leadroute.team_member tm JOIN leadroute.rule r ON r.team = tm.team),
		nth AS (SELECT s.member, s.share, s.m, row_number() OVER w AS n, count(*) FILTER (WHERE l.owner = s.member) OVER w AS received
			FROM lead l CROSS JOIN share s WINDOW w AS (PARTITION BY s.member ORDER BY l.id))
	SELECT max(abs(received - n * share)) <= max(1 - 1.0 / (2 * m - 2)) + 1e-9 AS within,
		(SELECT string_agg(owner || ' ' || n, ', ' ORDER BY owner) FROM (SELECT owner, count(*) AS n FROM lead GROUP BY 1) o) AS received,
		(SELECT string_agg(owner, ' ' ORDER BY id) FROM (SELECT * FROM lead ORDER BY id LIMIT 8) f) AS first,
		(SELECT count(DISTINCT captured_at) FROM leadroute.assignment) AS times,
		(SELECT count(*) FROM leadroute.verify()) AS wrong
	FROM nth;

BEGIN;
CALL insert_leads(1000);
SELECT * FROM result;
ROLLBACK;
UPDATE leadroute.rule SET method = 'longest_idle';
BEGIN;
CALL insert_leads(1000);
SELECT * FROM result;
ROLLBACK;
UPDATE leadroute.rule SET method = 'least_loaded';
BEGIN;
CALL insert_leads(1000);
SELECT * FROM result;
ROLLBACK;
UPDATE leadroute.rule SET method = 'round_robin', team = 'weighed';
BEGIN;
CALL insert_leads(1000);
SELECT * FROM result;
ROLLBACK;
-- by one statement
BEGIN;
INSERT INTO lead SELECT FROM generate_series(1, 1000);
SELECT * FROM result;
ROLLBACK;
UPDATE leadroute.rule SET team = 'even';

-- The rows of members and memberships change their places.
CREATE VIEW places AS SELECT string_agg(name, ' ' ORDER BY ctid) = 'dan ben ann cid' AS as_inserted FROM leadroute.member;
TABLE places;
UPDATE leadroute.member SET timezone = 'UTC' WHERE name = 'ann';
UPDATE leadroute.member SET timezone = 'UTC' WHERE name = 'dan';
UPDATE leadroute.team_member SET target = 1 WHERE member = 'dan';
UPDATE leadroute.team_member SET target = 1 WHERE member = 'ann';
TABLE places;
BEGIN;
CALL insert_leads(1000);
SELECT * FROM result;
ROLLBACK;
UPDATE leadroute.rule SET method = 'longest_idle';
BEGIN;
CALL insert_leads(1000);
SELECT * FROM result;
ROLLBACK;
UPDATE leadroute.rule SET method = 'least_loaded';
BEGIN;
CALL insert_leads(1000);
SELECT * FROM result;
-- the next session goes on behind them
COMMIT;
\c -
INSERT INTO lead DEFAULT VALUES RETURNING owner;
INSERT INTO lead DEFAULT VALUES RETURNING owner;

DROP VIEW result, places;
DROP PROCEDURE insert_leads;
DROP TABLE lead;
DROP EXTENSION leadroute;
DROP SCHEMA leadroute;
