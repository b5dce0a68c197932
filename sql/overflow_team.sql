-- overflow: another team, or held at once.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
CREATE TABLE lead (id integer PRIMARY KEY, kind text, open boolean NOT NULL DEFAULT true, owner text);
SELECT leadroute.attach('lead', 'owner', closed_when => 'NOT open') IS NOT NULL AS attached;
INSERT INTO leadroute.member (name, capacity) VALUES ('a', 1), ('b', 1), ('x', NULL), ('y', 2), ('z', 0);
INSERT INTO leadroute.team (name) VALUES ('own'), ('other'), ('full'), ('rest');
INSERT INTO leadroute.team_member (team, member, position) VALUES
	('own', 'a', 1), ('own', 'b', 2), ('other', 'y', 1), ('full', 'z', 1), ('rest', 'x', 1);

-- refused: no team, its own team, an unknown one, an unknown word
INSERT INTO leadroute.rule (name, team, overflow) VALUES ('r', 'own', 'team');
INSERT INTO leadroute.rule (name, team, overflow, overflow_team) VALUES ('r', 'own', 'team', 'own');
INSERT INTO leadroute.rule (name, team, overflow, overflow_team) VALUES ('r', 'own', 'team', 'nowhere');
INSERT INTO leadroute.rule (name, team, overflow) VALUES ('r', 'own', 'somewhere');

INSERT INTO leadroute.rule (name, priority, condition, team, method, overflow, overflow_team) VALUES
	('to other', 1, $$kind = 'other'$$, 'own', 'least_loaded', 'team', 'other'),
	('to full', 2, $$kind = 'full'$$, 'own', 'round_robin', 'team', 'full'),
	('hold', 3, $$kind = 'hold'$$, 'own', 'round_robin', 'hold', NULL),
	('nobody fits', 4, $$kind = 'empty'$$, NULL, 'round_robin', 'hold', NULL),
	('everything else', 9, NULL, 'rest', 'round_robin', 'next_rule', NULL);
UPDATE leadroute.rule SET condition = $$kind = 'named'$$, team = NULL, member_expr = $$'a'::text$$, method = 'round_robin', overflow = 'team', overflow_team = 'other'
	WHERE name = 'nobody fits';
-- it names a team: that cannot be deleted
DELETE FROM leadroute.team WHERE name = 'full';
UPDATE leadroute.team SET name = 'brimful' WHERE name = 'full';
SELECT name, overflow, overflow_team FROM leadroute.rule ORDER BY priority;

-- One transaction: the worker decides nothing before us.
BEGIN;
INSERT INTO lead (id, kind) SELECT i, 'other' FROM generate_series(1, 5) i RETURNING id, owner;
INSERT INTO lead (id, kind) VALUES (6, 'full'), (7, 'hold'), (8, 'named'), (9, 'none') RETURNING id, owner;
SELECT lead_key, kind, member, rule, team, method, reason, detail FROM leadroute.assignment ORDER BY id;
-- the rotation of the other team takes the turn, for a rule whose method takes turns
UPDATE leadroute.member SET capacity = 9 WHERE name = 'y';
INSERT INTO lead (id, kind) VALUES (10, 'named');
SELECT lead_key, kind, member, rule, team, method, reason, turn FROM leadroute.assignment WHERE lead_key = '10';
SELECT regexp_replace(s, '^[^:]*:[^:]*:[^:]*: ', '') AS why FROM leadroute.why('lead', 10) s;
SELECT leadroute.explain_lead('lead', '{"id": 11, "kind": "other"}');
SELECT leadroute.explain_lead('lead', '{"id": 12, "kind": "hold"}', rules => 1);
SELECT jsonb_path_query(leadroute.explain_lead('lead', '{"id": 11, "kind": "other"}', 'json')::jsonb, '$.rules[*].overflow_team.members[*].member');
ROLLBACK;
SELECT count(*) FROM leadroute.pool_entry;

-- a document has it too
SELECT r ->> 'overflow' AS overflow, r ->> 'overflow_team' AS overflow_team FROM jsonb_array_elements(leadroute.export_config() -> 'rule') r WHERE r ->> 'name' = 'to other';
SELECT * FROM leadroute.verify();
DROP TABLE lead;
DROP EXTENSION leadroute;
DROP SCHEMA leadroute;
