-- Several routers: one table each, one table for all, and who is meant where
-- none is written.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
-- none: an error that says what to do
INSERT INTO leadroute.team (name) VALUES ('t');
SELECT leadroute.default_router();
CREATE TABLE shared (id integer PRIMARY KEY, tenant text, kind text, owner text);
CREATE TABLE own (id integer PRIMARY KEY, color text, owner text);
-- one table whose leads say to whom they belong
SELECT leadroute.attach('shared', 'owner', router_expr => $$CASE WHEN tenant <> 'none' THEN tenant END$$);
INSERT INTO shared VALUES (1, 'acme') RETURNING owner;
INSERT INTO leadroute.router (name) VALUES ('acme');
-- one: meant everywhere
INSERT INTO leadroute.member (name) VALUES ('a1'), ('a2');
INSERT INTO leadroute.rule (name) VALUES ('everyone');
INSERT INTO leadroute.router (name) VALUES ('bolt');
-- several: an error, the setting, or written out
INSERT INTO leadroute.member (name) VALUES ('b1');
SET leadroute.router = 'bolt';
INSERT INTO leadroute.member (name) VALUES ('b1'), ('same');
SET leadroute.router = 'nothing';
INSERT INTO leadroute.member (name) VALUES ('b2');
RESET leadroute.router;
BEGIN;
SET LOCAL leadroute.router = 'bolt';
INSERT INTO leadroute.rule (name) VALUES ('everyone');
COMMIT;
INSERT INTO leadroute.member (router, name) VALUES ('acme', 'same');
SELECT router, name FROM leadroute.member ORDER BY 1, 2;
SELECT router, name FROM leadroute.rule ORDER BY 1, 2;

-- Each lead by the rules of its own; none or an unknown one: stored, not routed.
INSERT INTO shared VALUES (2, 'acme'), (3, 'bolt'), (4, 'acme'), (5, 'none'), (6, NULL), (7, 'unknown'), (8, 'bolt'), (9, 'acme'), (10, 'acme'), (11, 'bolt')
	RETURNING id, tenant, owner;
SELECT router, lead_key, member FROM leadroute.assignment ORDER BY id;
-- names of one tenant mean nothing in another
INSERT INTO leadroute.team (router, name) VALUES ('acme', 'team'), ('bolt', 'other team');
INSERT INTO leadroute.team_member (router, team, member) VALUES ('acme', 'team', 'b1');
INSERT INTO leadroute.team_member (router, team, member) VALUES ('acme', 'other team', 'a1');
INSERT INTO leadroute.rule (router, name, team) VALUES ('acme', 'x', 'other team');
INSERT INTO leadroute.absence (router, member) VALUES ('acme', 'b1');
INSERT INTO leadroute.team_member (router, team, member) VALUES ('acme', 'team', 'a1');
UPDATE leadroute.team_member SET router = 'bolt';
SELECT leadroute.assign('shared', 2, 'b1');
-- the same owner value is somebody else in each
INSERT INTO shared VALUES (20, 'acme', NULL, 'same'), (21, 'bolt', NULL, 'same'), (22, 'acme', NULL, 'b1');
SELECT router, lead_key, kind, member, reason FROM leadroute.assignment WHERE lead_key IN ('20', '21', '22') ORDER BY id;
SELECT m.router, m.name, c.load FROM leadroute.member_counter() c JOIN leadroute.member m ON m.id = c.member ORDER BY 1, 2;
SELECT * FROM leadroute.verify();

-- A table of its own, for one of them; rules of the one are for both tables,
-- unless they say for which.
SELECT leadroute.attach('own', 'owner', router => 'acme');
INSERT INTO leadroute.rule (router, name, condition) VALUES ('acme', 'blue', $$color = 'blue'$$);
INSERT INTO leadroute.rule (router, name, priority, routed_table, condition) VALUES ('acme', 'blue', 1, 'own', $$color = 'blue'$$);
INSERT INTO leadroute.rule (router, name, priority, routed_table, condition) VALUES ('acme', 'kind', 1, 'shared', $$kind = 'x'$$);
INSERT INTO own VALUES (1, 'blue'), (2, 'red');
INSERT INTO shared VALUES (30, 'acme', 'x'), (31, 'acme', 'y'), (32, 'bolt', 'x');
SELECT routed_table, lead_key, router, rule FROM leadroute.assignment WHERE routed_table = 'own' OR lead_key IN ('30', '31', '32') ORDER BY id;

-- A lead that changes hands between tenants: its load goes along.
UPDATE shared SET tenant = 'bolt', owner = 'b1' WHERE id = 2;
UPDATE shared SET tenant = 'bolt' WHERE id = 20;
SELECT router, member FROM leadroute.assignment WHERE lead_key IN ('2', '20') AND routed_table = 'shared' AND is_current ORDER BY lead_key;
SELECT m.router, m.name, c.load, l.n AS leads FROM leadroute.member_counter() c JOIN leadroute.member m ON m.id = c.member
	JOIN (SELECT router, owner, count(*) AS n FROM (SELECT tenant AS router, owner FROM shared UNION ALL SELECT 'acme', owner FROM own) x GROUP BY 1, 2) l
		ON l.router = m.router AND l.owner = m.owner_value
	ORDER BY 1, 2;
SELECT * FROM leadroute.verify();
-- an expression that fails costs the decision, not the lead
SELECT leadroute.attach('shared', 'owner', router_expr => $$CASE WHEN 1 / (id - 40) <> 5 THEN tenant END$$) IS NOT NULL AS attached;
INSERT INTO shared VALUES (40, 'acme'), (41, 'acme') RETURNING id, owner IS NOT NULL AS owned;
-- an integer, an enum
CREATE TYPE tenant AS ENUM ('acme', 'bolt');
CREATE TABLE typed (id integer PRIMARY KEY, org integer, e tenant, owner text);
INSERT INTO leadroute.router (name) VALUES ('17');
INSERT INTO leadroute.member (router, name) VALUES ('17', 'm17');
INSERT INTO leadroute.rule (router, name) VALUES ('17', 'everyone');
SELECT leadroute.attach('typed', 'owner', router_expr => 'org') IS NOT NULL AS attached;
INSERT INTO typed VALUES (1, 17), (2, 18) RETURNING owner;
SELECT leadroute.attach('typed', 'owner', router_expr => 'e') IS NOT NULL AS attached;
INSERT INTO typed VALUES (3, 17, 'bolt') RETURNING owner IS NOT NULL AS owned;
SELECT router FROM leadroute.assignment WHERE routed_table = 'typed' AND lead_key = '3';

-- A router is deleted with nothing left in it, renamed with everything in it.
DELETE FROM leadroute.router WHERE name = 'bolt';
UPDATE leadroute.router SET name = 'bolt & co' WHERE name = 'bolt';
UPDATE shared SET tenant = 'bolt & co' WHERE tenant = 'bolt';
INSERT INTO shared VALUES (50, 'bolt & co') RETURNING owner IS NOT NULL AS owned;
SELECT router, count(*) FROM leadroute.member GROUP BY 1 ORDER BY 1;
SELECT * FROM leadroute.verify();

DROP TABLE shared, own, typed;
DROP TYPE tenant;
DROP EXTENSION leadroute;
DROP SCHEMA leadroute;
