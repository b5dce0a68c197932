-- member_condition: who may have a lead, by SQL over lead and member.
CREATE EXTENSION leadroute;
CREATE TABLE leads (id int PRIMARY KEY, lang text, product text, budget int, owner_id text);
SELECT leadroute.attach('leads', 'owner_id');
INSERT INTO leadroute.team (name) VALUES ('t');

-- Weights 10, 15, 5, 30, the third not matching: 10/55, 15/55, 30/55.
INSERT INTO leadroute.member (name, attributes) VALUES
	('a', '{"languages": ["de", "fr"]}'), ('b', '{"languages": ["de"]}'), ('c', '{"languages": ["en"]}'), ('d', '{"languages": ["de", "en"]}');
INSERT INTO leadroute.team_member (team, member, position, weight) VALUES ('t', 'a', 1, 10), ('t', 'b', 2, 15), ('t', 'c', 3, 5), ('t', 'd', 4, 30);
INSERT INTO leadroute.rule (name, team, member_condition) VALUES ('r', 't', $$member.attributes -> 'languages' ? lead.lang$$);
INSERT INTO leads (id, lang) SELECT i, 'de' FROM generate_series(1, 110) i;
SELECT owner_id, count(*) FROM leads GROUP BY 1 ORDER BY 1;
SELECT what, subject, expected, found FROM leadroute.verify();
-- The third has kept its credit of 0: when all fit again, it is as if it had been there from now on.
TRUNCATE leads;
UPDATE leadroute.rule SET member_condition = NULL WHERE name = 'r';
INSERT INTO leads (id, lang) SELECT i, 'de' FROM generate_series(201, 260) i;
SELECT owner_id, count(*) FROM leads GROUP BY 1 ORDER BY 1;
TRUNCATE leads;
UPDATE leadroute.rule SET member_condition = $$member.attributes -> 'languages' ? lead.lang$$ WHERE name = 'r';

-- Candidates differ from lead to lead; nobody fits: the next rule, then held.
INSERT INTO leadroute.rule (name, priority, condition, member_expr) VALUES ('nobody speaks it', 200, $$lang = 'nl'$$, $$'c'$$);
INSERT INTO leads (id, lang) VALUES (301, 'fr'), (302, 'en'), (303, 'nl'), (304, 'xx'), (305, NULL) RETURNING id, lang, owner_id;
SELECT lead_key, kind, reason, detail, rule, member FROM leadroute.assignment WHERE lead_key >= '301' AND lead_key <= '305' ORDER BY id;

-- overflow is for those who fit and cannot now: not for those who do not fit.
UPDATE leadroute.rule SET overflow = 'none' WHERE name = 'r';
INSERT INTO leads (id, lang) VALUES (311, 'nl') RETURNING id, lang, owner_id;
SELECT leadroute.pause('a');
INSERT INTO leads (id, lang) VALUES (312, 'fr') RETURNING id, lang, owner_id;
SELECT lead_key, kind, reason, detail FROM leadroute.assignment WHERE lead_key IN ('311', '312') ORDER BY id;
SELECT leadroute.resume('a');
UPDATE leadroute.rule SET overflow = 'next_rule' WHERE name = 'r';

-- Passed over: who was due and does not fit.  Order of the team, limits first.
UPDATE leadroute.member SET capacity = 0 WHERE name = 'd';
TRUNCATE leads;
INSERT INTO leads (id, lang) VALUES (321, 'en'), (322, 'de'), (323, 'en');
SELECT lead_key, member, kind, passed_over, passed_over_count FROM leadroute.assignment WHERE lead_key BETWEEN '321' AND '323' ORDER BY id;
SELECT * FROM leadroute.explain_lead('leads', '{"lang": "en"}');
SELECT * FROM leadroute.explain_lead('leads', '{"lang": "nl"}');
SELECT * FROM leadroute.explain_lead('leads', '{"lang": "xx"}');
UPDATE leadroute.member SET capacity = NULL WHERE name = 'd';

-- An error for one member costs this member only; wrong shapes of attributes.
UPDATE leadroute.rule SET member_condition = $$(member.attributes ->> 'level')::integer >= 1 AND member.attributes -> 'languages' ? lead.lang$$ WHERE name = 'r';
UPDATE leadroute.member SET attributes = attributes || '{"level": "high"}' WHERE name = 'a';
UPDATE leadroute.member SET attributes = attributes || '{"level": 2}' WHERE name = 'b';
UPDATE leadroute.member SET attributes = '{"level": 2, "languages": {"de": "yes"}}' WHERE name = 'c';
UPDATE leadroute.member SET attributes = '{"level": 2, "languages": 7}' WHERE name = 'd';
INSERT INTO leads (id, lang) SELECT i, 'de' FROM generate_series(331, 336) i RETURNING id, owner_id;
SELECT lead_key, member, detail, passed_over FROM leadroute.assignment WHERE lead_key BETWEEN '331' AND '333' ORDER BY id;
SELECT substring(why FROM ': .*') FROM leadroute.why('leads', 331);
SELECT kind, payload ->> 'error' AS error FROM leadroute.event WHERE kind = 'rule_error';
SELECT * FROM leadroute.explain_lead('leads', '{"lang": "de"}');
-- A saved member is seen by the next statement.
UPDATE leadroute.member SET attributes = '{"level": 1, "languages": ["de"]}' WHERE name = 'a';
INSERT INTO leads (id, lang) SELECT i, 'de' FROM generate_series(341, 346) i;
SELECT owner_id, count(*) FROM leads WHERE id BETWEEN 341 AND 346 GROUP BY 1 ORDER BY 1;

-- Broken since it was saved: the rule has nobody, the lead goes on.
ALTER TABLE leads RENAME COLUMN lang TO language;
INSERT INTO leads (id, language) VALUES (351, 'de') RETURNING id, owner_id;
SELECT kind, reason, detail FROM leadroute.assignment WHERE lead_key = '351';
DELETE FROM leads WHERE id = 351;
SELECT rule, severity, what, detail FROM leadroute.lint() ORDER BY 1, 2, 3;
ALTER TABLE leads RENAME COLUMN language TO lang;
-- A rule for every lead whose member_condition may fit nobody leaves leads to later ones.
UPDATE leadroute.rule SET overflow = 'none' WHERE name = 'r';
SELECT rule, what FROM leadroute.lint() ORDER BY 1, 2;
UPDATE leadroute.rule SET overflow = 'next_rule' WHERE name = 'r';

-- What changes with each lead; other methods; rules without a team.
UPDATE leadroute.rule SET enabled = false;
TRUNCATE leads;
INSERT INTO leadroute.rule (name, priority, method, member_condition) VALUES ('few', 1, 'longest_idle', 'coalesce(member.open_leads, 0) < lead.budget');
INSERT INTO leads (id, budget) SELECT i, 2 FROM generate_series(361, 370) i;
SELECT owner_id, count(*) FROM leads GROUP BY 1 ORDER BY 1;
TRUNCATE leads;
UPDATE leadroute.rule SET method = 'least_loaded', member_condition = $$member.name <> lead.product$$ WHERE name = 'few';
INSERT INTO leads (id, product) SELECT i, 'a' FROM generate_series(371, 379) i;
SELECT owner_id, count(*) FROM leads GROUP BY 1 ORDER BY 1;
TRUNCATE leads;
UPDATE leadroute.rule SET method = 'random' WHERE name = 'few';
INSERT INTO leads (id, product) SELECT i, 'b' FROM generate_series(1, 300) i;
SELECT owner_id, count(*) > 50 AS enough FROM leads GROUP BY 1 ORDER BY 1;
-- A lead that everybody fits: as without.
UPDATE leadroute.rule SET method = 'round_robin' WHERE name = 'few';
TRUNCATE leads;
INSERT INTO leads (id, product) SELECT i, 'nobody' FROM generate_series(1, 40) i;
SELECT owner_id, count(*) FROM leads GROUP BY 1 ORDER BY 1;
SELECT what, subject, expected, found FROM leadroute.verify();

-- team_member.condition: only these leads reach the member here.
UPDATE leadroute.rule SET enabled = name = 'r', member_condition = NULL, overflow = 'none' WHERE name IN ('r', 'few');
TRUNCATE leads;
UPDATE leadroute.team_member SET condition = 'budget >= 100' WHERE member IN ('a', 'b');
UPDATE leadroute.team_member SET condition = 'budget < 100' WHERE member = 'c';
UPDATE leadroute.team_member SET weight = 1;
SET leadroute.check_picks = on;
INSERT INTO leads (id, budget) SELECT i, CASE WHEN i <= 30 THEN 100 WHEN i <= 50 THEN 10 END FROM generate_series(1, 60) i;
SELECT budget, owner_id, count(*) FROM leads GROUP BY 1, 2 ORDER BY 1, 2;
SELECT what, subject, expected, found FROM leadroute.verify();
-- Both kinds together: who fits by both.
UPDATE leadroute.rule SET member_condition = $$member.name <> coalesce(product, '')$$ WHERE name = 'r';
INSERT INTO leads (id, budget, product) SELECT i, 500, 'a' FROM generate_series(61, 80) i;
SELECT owner_id, count(*) FROM leads WHERE id > 60 GROUP BY 1 ORDER BY 1;
SELECT * FROM leadroute.explain_lead('leads', '{"budget": 500, "product": "a"}');
-- An error costs those whose condition it is.
UPDATE leadroute.team_member SET condition = '1000 / budget > 1' WHERE member IN ('a', 'd');
INSERT INTO leads (id, budget) VALUES (481, 0), (482, 500) RETURNING id, owner_id;
SELECT lead_key, member, detail FROM leadroute.assignment WHERE lead_key IN ('481', '482') ORDER BY id;
-- What does not compile is refused; who wrote it is kept with it.
UPDATE leadroute.team_member SET condition = 'member.name = product' WHERE member = 'a';
UPDATE leadroute.team_member SET condition = 'budget' WHERE member = 'a';
UPDATE leadroute.team_member SET condition = 'random() < 0.5' WHERE member = 'a';
SELECT member, condition, written_by = current_user AS mine, search_path FROM leadroute.team_member ORDER BY 1;
-- A stable function has one answer a statement, and may have another in the next one.
CREATE TABLE open_now (product text);
CREATE FUNCTION takes(product text) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT EXISTS (SELECT FROM open_now o WHERE o.product = takes.product)';
UPDATE leadroute.team_member SET condition = NULL;
UPDATE leadroute.rule SET overflow = 'next_rule', member_condition = $$takes(lead.product) OR member.name = 'c'$$ WHERE name = 'r';
INSERT INTO leads (id, product) VALUES (91, 'x') RETURNING owner_id;
INSERT INTO leads (id, product) VALUES (92, 'x') RETURNING owner_id;
INSERT INTO open_now VALUES ('x');
INSERT INTO leads (id, product) SELECT i, 'x' FROM generate_series(93, 96) i;
SELECT count(DISTINCT owner_id) FROM leads WHERE id > 92;
DELETE FROM open_now;
INSERT INTO leads (id, product) VALUES (97, 'x') RETURNING owner_id;
SELECT what, subject, expected, found FROM leadroute.verify();
-- In a big team the roll is called for everybody, though the lead that wants it
-- fits few: who is away gets none of the next one either.
INSERT INTO leadroute.member (name, owner_value, capacity) VALUES ('big a', '11', 10), ('big b', '12', 0), ('big c', '13', 100), ('big d', '14', NULL);
INSERT INTO leadroute.team (name) VALUES ('big');
INSERT INTO leadroute.team_member (team, member, position) VALUES ('big', 'big a', 1), ('big', 'big b', 2), ('big', 'big c', 3), ('big', 'big d', 4);
INSERT INTO leadroute.rule (name, priority, condition, team, method, member_condition) VALUES
	('big', 0, $$product LIKE 'big%'$$, 'big', 'least_loaded', $$member.name <= lead.product AND member.name <> 'big b' OR member.name = lead.product || ' b'$$);
SET leadroute.board_members = 2;
SELECT leadroute.pause('big c') IS NOT NULL AS paused;
INSERT INTO leads (id, product) VALUES (501, 'big a') RETURNING owner_id;
INSERT INTO leads (id, product) VALUES (502, 'big c') RETURNING owner_id;
SELECT leadroute.resume('big c') IS NOT NULL AS resumed;
-- Loads are compared by capacity where every candidate has one, whoever is full:
-- 2 of 10 against 4 of 100.
UPDATE leadroute.rule SET member_condition = $$member.name <> 'big d'$$ WHERE name = 'big';
INSERT INTO leads (id, owner_id) SELECT i, 13 FROM generate_series(503, 506) i;
INSERT INTO leads (id, product) VALUES (507, 'big') RETURNING owner_id;
SELECT what, subject, expected, found FROM leadroute.verify();
RESET leadroute.board_members;
RESET leadroute.check_picks;

-- Of whom it does not fit, the first ones are asked whether they were due: 8 of a
-- big team, 64 of another.
INSERT INTO leadroute.member (name) SELECT 'many' || g FROM generate_series(1, 100) g;
INSERT INTO leadroute.team (name) VALUES ('many');
INSERT INTO leadroute.team_member (team, member, position) SELECT 'many', 'many' || g, g FROM generate_series(1, 100) g;
INSERT INTO leadroute.rule (name, priority, team, method, member_condition) VALUES
	('many', 1, 'many', 'waterfall', 'substr(member.name, 5)::integer > 60');
INSERT INTO leads (id) SELECT g FROM generate_series(1001, 1030) g;
SET leadroute.board_members = 200;
INSERT INTO leads (id) VALUES (1031);
RESET leadroute.board_members;
SELECT member, passed_over_count, count(*) FROM leadroute.assignment WHERE rule = 'many' GROUP BY 1, 2 ORDER BY 3;
SELECT parts FROM leadroute.board();

SET client_min_messages = warning;
DROP EXTENSION leadroute CASCADE;
DROP TABLE open_now;
DROP FUNCTION takes;
DROP TABLE leads;
