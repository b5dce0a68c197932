-- member_words: what names mean in SQL over lead and member, and what is refused.
CREATE EXTENSION leadroute;
CREATE TABLE leads (id int PRIMARY KEY, lang text, product text, budget numeric, member text, lead text, owner_id text);
SELECT leadroute.attach('leads', 'owner_id');
INSERT INTO leadroute.member (name, attributes) VALUES ('anna', '{"languages": ["de", "fr"]}'), ('bert', '{}');

-- The lead: by names alone, as lead, by its table's name.  The member: as member,
-- also where the lead has a column of that name, which is meant where it is alone.
INSERT INTO leadroute.rule (name, member_condition) VALUES
	('words', $$member.attributes -> 'languages' ? lead.lang AND leads.product IS NULL AND budget IS NULL$$),
	('columns', $$member.name <> member AND lead.lead IS NULL AND lead IS NULL$$),
	('facts', $$member.router = 'leads' AND member.owner_value <> '' AND member.role_name IS NULL AND member.joined_at < now() AND coalesce(member.open_leads < member.capacity, true)$$);
INSERT INTO leadroute.rule (name, condition) VALUES ('lead', $$lead.lang = leads.product$$);
INSERT INTO leadroute.rule (name, member_rank) VALUES ('rank', $$(member.attributes ->> 'level')::integer$$), ('constant', '1'), ('numeric', '1.5::numeric');

-- Refused, with the place.
INSERT INTO leadroute.rule (name, member_condition) VALUES ('x', 'languages ? lang');
\set VERBOSITY terse
INSERT INTO leadroute.rule (name, member_condition) VALUES ('x', 'attributes ? lang');
\set VERBOSITY default
INSERT INTO leadroute.rule (name, member_condition) VALUES ('x', 'member.languages ? lang');
INSERT INTO leadroute.rule (name, member_condition) VALUES ('x', 'member.attributes');
INSERT INTO leadroute.rule (name, member_condition) VALUES ('x', 'random() < 0.5');
INSERT INTO leadroute.rule (name, member_condition) VALUES ('x', '(SELECT member.active)');
INSERT INTO leadroute.rule (name, member_condition) VALUES ('x', 'member.name = $1');
INSERT INTO leadroute.rule (name, member_condition) VALUES ('x', 'member.name =');
INSERT INTO leadroute.rule (name, member_condition) VALUES ('x', 'count(*) > 1');
INSERT INTO leadroute.rule (name, member_rank) VALUES ('x', 'member.attributes');
INSERT INTO leadroute.rule (name, member_rank) VALUES ('x', 'member.joined_at');
INSERT INTO leadroute.rule (name, member_rank) VALUES ('x', $$member.name = 'anna'$$);
UPDATE leadroute.rule SET member_rank = 'random()' WHERE name = 'rank';
UPDATE leadroute.rule SET member_condition = 'lang' WHERE name = 'rank';
INSERT INTO leadroute.rule (name, condition) VALUES ('x', 'lang = member.name');
INSERT INTO leadroute.rule (name, team_expr) VALUES ('x', 'member.name');

-- A table called lead, one called member.
CREATE TABLE lead (id int PRIMARY KEY, a int, owner_id text);
CREATE TABLE member (id int PRIMARY KEY, a int, owner_id text);
INSERT INTO leadroute.router (name) VALUES ('other');
SELECT leadroute.attach('lead', 'owner_id', router => 'other');
SELECT leadroute.attach('member', 'owner_id', router => 'other');
INSERT INTO leadroute.rule (router, name, member_condition) VALUES ('other', 'x', $$lead.a = 1 AND a = 1 AND member.name = 'x'$$);
INSERT INTO leadroute.rule (router, name, member_condition) VALUES ('other', 'y', $$member.a = 1$$);
INSERT INTO leadroute.rule (router, name, routed_table, condition) VALUES ('other', 'y', 'member', $$member.a = lead.a$$);
SELECT router, name, written_by = current_user AS mine, version FROM leadroute.rule ORDER BY 1, 2;

-- The same facts in a query.
SELECT name, capacity, open_leads, attributes FROM leadroute.member_facts ORDER BY name;
SET client_min_messages = warning;
DROP EXTENSION leadroute CASCADE;
DROP TABLE leads, lead, member;
