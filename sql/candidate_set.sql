-- candidate_set: who of a team could take a lead, said once for many rows of the
-- journal.  What anybody reads is the same as without.
CREATE EXTENSION leadroute;
CREATE TABLE lead (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, lang text, owner text);
SELECT leadroute.attach('lead', 'owner');
INSERT INTO leadroute.member (name, attributes)
	SELECT 'm' || i, jsonb_build_object('languages', CASE WHEN i % 2 = 0 THEN '["de", "fr"]' WHEN i % 3 = 0 THEN '["fr"]' ELSE '["en"]' END::jsonb) FROM generate_series(1, 150) i;
INSERT INTO leadroute.team (name, catch_up) VALUES ('t', true);
INSERT INTO leadroute.team_member (team, member, position, weight) SELECT 't', 'm' || i, i, 1 + i % 3 FROM generate_series(1, 150) i;
INSERT INTO leadroute.rule (name, team, member_condition) VALUES ('r', 't', $$member.attributes -> 'languages' ? lead.lang$$);

-- How a row says it: itself, or by a set; and what it says.  Every id that is
-- referred to is there, and says something of the team's version.
CREATE VIEW said AS SELECT l.id, l.lang, CASE WHEN j.candidate_set IS NOT NULL THEN 'set' WHEN j.candidates IS NULL THEN 'all' ELSE 'row' END AS by,
		a.candidates, coalesce(bit_count(coalesce(j.candidates, s.candidates)), a.team_size) AS counted, bit_count(coalesce(j.accruing, s.accruing)) AS accruing
	FROM lead l JOIN leadroute.journal j ON j.lead_key = l.id::text AND NOT j.superseded JOIN leadroute.assignment a ON a.id = j.id
	LEFT JOIN leadroute.candidate_set s ON s.id = j.candidate_set;
CREATE VIEW invariant AS SELECT
	(SELECT count(*) FROM leadroute.verify()) AS disagreements,
	(SELECT count(*) FROM (SELECT candidate_set, team_version, candidates, accruing FROM leadroute.journal
			UNION ALL SELECT candidate_set, team_version, candidates, accruing FROM leadroute.event) j LEFT JOIN leadroute.candidate_set s ON s.id = j.candidate_set
		WHERE j.candidate_set IS NOT NULL AND (s.id IS NULL OR s.team_version <> j.team_version OR j.candidates IS NOT NULL OR j.accruing IS NOT NULL
			OR s.size <> bit_count(s.candidates))) AS wrong;
-- what each member was due, from what conditions say, not from bitmaps
CREATE VIEW unfair AS
	WITH seat AS (SELECT l.id, m.name, tm.weight, l.owner FROM lead l JOIN leadroute.member m ON m.attributes -> 'languages' ? l.lang
			JOIN leadroute.team_member tm ON tm.member = m.name WHERE NOT EXISTS (SELECT FROM leadroute.journal j WHERE j.lead_key = l.id::text AND j.hop > 0)),
		due AS (SELECT name, weight / sum(weight) OVER (PARTITION BY id) AS share, owner FROM seat),
		brute AS (SELECT name AS member, sum(share) AS share, count(*) FILTER (WHERE owner = name) AS n FROM due GROUP BY 1)
	SELECT member, b.share, f.exact_share, b.n, f.received FROM brute b FULL JOIN leadroute.fairness() f USING (member)
	WHERE abs(coalesce(b.share, 0) - coalesce(f.exact_share, 0)) > 1e-9 OR coalesce(b.n, 0) <> f.received;

-- The first rows say it themselves, 4 kB of them; 19 bytes each, 216 rows.
INSERT INTO lead (lang) SELECT 'de' FROM generate_series(1, 220);
SELECT lang, by, count(*), min(id) AS first, min(candidates) AS candidates, bool_and(candidates = counted) AS right FROM said GROUP BY 1, 2 ORDER BY 4;
SELECT id = (SELECT DISTINCT candidate_set FROM leadroute.journal WHERE candidate_set IS NOT NULL) AS its, size, accruing FROM leadroute.candidate_set;
SELECT * FROM invariant;
SELECT * FROM unfair;
-- Whoever may read the journal may read it.
CREATE ROLE regress_set_analyst;
SELECT leadroute.grant_to('regress_set_analyst', 'analyst');
SET ROLE regress_set_analyst;
SELECT size FROM leadroute.candidate_set;
SELECT candidates FROM leadroute.assignment WHERE lead_key = '220';
DELETE FROM leadroute.candidate_set;
RESET ROLE;

-- A session that knows nothing finds the row that is there.
\c -
SET leadroute.candidate_set_after = 0;
INSERT INTO lead (lang) VALUES ('de'), ('de');
SELECT by, count(*) FROM said WHERE id > 220 GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM leadroute.candidate_set;

-- Who may set it.
SET ROLE regress_set_analyst;
SET leadroute.candidate_set_after = 1;
RESET ROLE;

-- What is rolled back is nobody's: a savepoint's, a transaction's.
BEGIN;
INSERT INTO lead (lang) VALUES ('fr');
SAVEPOINT a;
INSERT INTO lead (lang) VALUES ('fr'), ('fr');
SELECT count(*) FROM leadroute.candidate_set;
ROLLBACK TO a;
SELECT count(*) FROM leadroute.candidate_set;
INSERT INTO lead (lang) VALUES ('fr'), ('fr');
SELECT * FROM invariant;
ROLLBACK;
SELECT count(*) FROM leadroute.candidate_set;
INSERT INTO lead (lang) VALUES ('fr'), ('fr'), ('fr');
-- ... nor is what came before an error lost
BEGIN;
INSERT INTO lead (lang) VALUES ('en'), ('en'), ('en');
SAVEPOINT a;
INSERT INTO lead (lang) VALUES ('en'), ('en/0');
SELECT 1 / 0;
ROLLBACK TO a;
INSERT INTO lead (lang) VALUES ('en'), ('en'), ('fr');
COMMIT;
SELECT lang, by, count(*), min(candidates) AS candidates, bool_and(candidates = counted) AS right FROM said WHERE id > 222 GROUP BY 1, 2 ORDER BY 1, 2;
SELECT count(*) FROM leadroute.candidate_set;
SELECT * FROM invariant;
SELECT * FROM unfair;

-- A turn that is given back: the event refers to the set, too.
BEGIN;
SELECT count(*) FROM leadroute.seat_counter() WHERE credit <> 0;
CREATE TEMP TABLE before AS SELECT member, credit FROM leadroute.seat_counter();
INSERT INTO lead (lang) VALUES ('en');
UPDATE lead SET owner = 'm2' WHERE id = (SELECT max(id) FROM lead) AND lang = 'en';
SELECT kind, candidates, candidate_set IS NOT NULL AS set FROM leadroute.event WHERE team_version IS NOT NULL;
SELECT member, a.credit, b.credit FROM before b FULL JOIN leadroute.seat_counter() a USING (member) WHERE a.credit IS DISTINCT FROM b.credit;
SELECT * FROM invariant;
COMMIT;
SELECT * FROM invariant;
SELECT leadroute.rebuild();
SELECT * FROM invariant;

-- Who is away and is owed its share is part of the set.
SELECT leadroute.pause('m4');
INSERT INTO lead (lang) VALUES ('de'), ('de'), ('de');
SELECT id - (SELECT max(id) FROM lead) AS n, by, candidates, counted, accruing FROM said WHERE id > (SELECT max(id) FROM lead) - 3 ORDER BY id;
SELECT size, bit_count(accruing) FROM leadroute.candidate_set ORDER BY id DESC LIMIT 1;
SELECT leadroute.resume('m4');
INSERT INTO lead (lang) VALUES ('de') RETURNING owner;
SELECT by, candidates, counted, accruing FROM said WHERE id = (SELECT max(id) FROM lead);
SELECT * FROM invariant;
SELECT leadroute.rebuild();
SELECT * FROM invariant;
SELECT * FROM unfair;

-- Another composition has sets of its own.
DELETE FROM leadroute.team_member WHERE member = 'm2';
INSERT INTO lead (lang) VALUES ('de'), ('de'), ('de');
SELECT by, candidates, counted FROM said WHERE id > (SELECT max(id) FROM lead) - 3 ORDER BY id;
SELECT * FROM invariant;

-- What a row refers to is missing: of these leads nobody knows what was due to whom.
CREATE TEMP TABLE was AS SELECT member, received, exact_share FROM leadroute.fairness();
BEGIN;
WITH gone AS (DELETE FROM leadroute.candidate_set WHERE id = (SELECT min(candidate_set) FROM leadroute.journal j JOIN lead l ON l.id::text = j.lead_key WHERE l.lang = 'fr') RETURNING id)
	SELECT id AS gone, (SELECT count(*) FROM leadroute.journal WHERE candidate_set = gone.id AND turn) AS turns FROM gone \gset
SELECT sum(w.received) - sum(f.received) = :turns AS without, round(sum(f.received) - sum(f.exact_share)::numeric, 6) AS deviation,
	count(*) FILTER (WHERE f.exact_share > w.exact_share + 1e-9) AS more FROM leadroute.fairness() f JOIN was w USING (member);
SELECT what, router, subject = 'candidate_set ' || :gone AS its, expected, found FROM leadroute.verify() WHERE what <> 'credit';
ROLLBACK;
BEGIN;
WITH gone AS (DELETE FROM leadroute.team_version WHERE id = (SELECT max(team_version) FROM leadroute.journal) RETURNING id)
	SELECT id AS gone, (SELECT count(*) FROM leadroute.journal WHERE team_version = gone.id AND turn) AS turns FROM gone \gset
SELECT sum(w.received) - sum(coalesce(f.received, 0)) = :turns AS without, round(sum(f.received) - sum(f.exact_share)::numeric, 6) AS deviation FROM was w LEFT JOIN leadroute.fairness() f USING (member);
SELECT what, router, subject = 'team_version ' || :gone AS its, expected, found FROM leadroute.verify() WHERE what <> 'credit';
ROLLBACK;
SELECT * FROM invariant;

-- SQL that empties the tables: a session does not go on to refer to what was there.
TRUNCATE lead;
TRUNCATE leadroute.journal, leadroute.event, leadroute.team_version, leadroute.candidate_set;
INSERT INTO lead (lang) VALUES ('de'), ('de'), ('de');
SELECT by, candidates, counted FROM said ORDER BY id;
SELECT * FROM invariant;
SELECT count(*) FROM leadroute.candidate_set;
-- nor does the transaction itself
BEGIN;
INSERT INTO lead (lang) VALUES ('de'), ('de');
TRUNCATE lead;
TRUNCATE leadroute.journal, leadroute.event, leadroute.team_version, leadroute.candidate_set;
INSERT INTO lead (lang) VALUES ('de'), ('de'), ('de');
COMMIT;
SELECT by, candidates, counted FROM said ORDER BY id;
SELECT * FROM invariant;
SELECT count(*) FROM leadroute.journal j WHERE NOT EXISTS (SELECT FROM leadroute.team_version v WHERE v.id = j.team_version);

DROP TABLE lead CASCADE;
DROP EXTENSION leadroute CASCADE;
DROP OWNED BY regress_set_analyst;
DROP ROLE regress_set_analyst;
