-- A tour of leadroute, run by make demo.  The leads are made up, from a hash of
-- their number, so that every run shows the same ones.

\set ECHO none
\pset footer off
\pset null '-'
\timing off

\echo '== 1. An application that keeps its leads in a table'
\echo
\set ECHO queries
CREATE TABLE users (
	id			integer PRIMARY KEY,
	full_name	text NOT NULL,
	role		text NOT NULL
);
CREATE TABLE leads (
	id			bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	company		text NOT NULL,
	country		text,
	employees	integer,
	budget		numeric,
	source		text,
	stage		text NOT NULL DEFAULT 'new',
	owner_id	integer REFERENCES users,
	created_at	timestamptz NOT NULL DEFAULT now()
);
\set ECHO none
INSERT INTO users VALUES
	(1, 'Anna', 'sales'), (2, 'Bruno', 'sales'), (3, 'Chiara', 'sales'),
	(4, 'Dan', 'sales'), (5, 'Emily', 'sales'),
	(6, 'Farid', 'sales'), (7, 'Grace', 'sales'), (8, 'Hugo', 'support');

-- Leads as they come in: countries and sources in unequal parts, few big ones.
CREATE VIEW pg_temp.intake AS
SELECT g,
	'Company ' || g AS company,
	(ARRAY['DE', 'DE', 'AT', 'CH', 'US', 'US', 'US', 'CA', 'FR', 'JP'])[1 + abs(hashint4(g)) % 10] AS country,
	(ARRAY[5, 20, 80, 200, 400, 600, 900, 2500])[1 + abs(hashint4(g + 1000000)) % 8] AS employees,
	1000 * (1 + abs(hashint4(g + 2000000)) % 90) AS budget,
	(ARRAY['web', 'web', 'event', 'partner'])[1 + abs(hashint4(g + 3000000)) % 4] AS source
FROM generate_series(1, 20000) g;

\echo
\echo '== 2. Attach the table, say who is who'
\echo
\set ECHO queries
CREATE EXTENSION leadroute;
SELECT leadroute.attach('leads', 'owner_id');
INSERT INTO leadroute.member (name, owner_value)
	SELECT full_name, id FROM users WHERE role = 'sales';
INSERT INTO leadroute.team (name) VALUES ('dach'), ('americas'), ('enterprise');
INSERT INTO leadroute.team_member (team, member, weight) VALUES
	('dach', 'Anna', 3), ('dach', 'Bruno', 2), ('dach', 'Chiara', 1),
	('americas', 'Dan', 1), ('americas', 'Emily', 1),
	('enterprise', 'Farid', 1), ('enterprise', 'Grace', 1);
-- These two can have 500 open leads, no more.
UPDATE leadroute.member SET capacity = 500 WHERE name IN ('Farid', 'Grace');

\set ECHO none
\echo
\echo '== 3. Rules: the first one whose condition is true decides'
\echo
\set ECHO queries
INSERT INTO leadroute.rule (name, priority, condition, team, method) VALUES
	('big', 10, 'employees >= 1000 OR budget > 80000', 'enterprise', 'least_loaded'),
	('german speaking', 20, $$country IN ('DE', 'AT', 'CH')$$, 'dach', 'round_robin'),
	('americas', 20, $$country IN ('US', 'CA')$$, 'americas', 'round_robin');
INSERT INTO leadroute.rule (name) VALUES ('everyone else');

\set ECHO none
\echo
\echo '-- What cannot work is refused when it is saved:'
\echo
\set ECHO queries
\set ON_ERROR_STOP off
INSERT INTO leadroute.rule (name, condition, team) VALUES ('typo', 'budgte > 1000', 'dach');
\set ON_ERROR_STOP on

\set ECHO none
\echo
\echo '== 4. Each INSERT comes back with its owner'
\echo
\set ECHO queries
INSERT INTO leads (company, country, employees, budget, source) VALUES
	('Alpenblick GmbH', 'AT', 40, 12000, 'web'),
	('Berg & Tal AG', 'CH', 200, 30000, 'event'),
	('Maple Software', 'CA', 15, 4000, 'partner'),
	('Grands Magasins', 'FR', 5000, 250000, 'web'),
	('Kyoto Tea', 'JP', 12, 3000, 'web')
RETURNING id, company, (SELECT full_name FROM users u WHERE u.id = owner_id) AS owner;

\set ECHO none
\echo
\echo '== 5. 20,000 leads in one statement, beside the same table without routing'
\echo
CREATE TABLE leads_bare (LIKE leads INCLUDING ALL);
ALTER TABLE leads_bare ADD FOREIGN KEY (owner_id) REFERENCES users;
CHECKPOINT;
\set ECHO queries
\timing on
INSERT INTO leads_bare (company, country, employees, budget, source, owner_id)
	SELECT company, country, employees, budget, source, 1 + g % 7 FROM pg_temp.intake;
INSERT INTO leads (company, country, employees, budget, source)
	SELECT company, country, employees, budget, source FROM pg_temp.intake;
\timing off

\set ECHO none
\echo
\echo '== 6. Who got what'
\echo
\set ECHO queries
SELECT rule, member, count(*) AS leads
FROM leadroute.assignment WHERE is_current
GROUP BY rule, member ORDER BY rule, member;

\set ECHO none
\echo
\echo '-- Shares against weights: what each received by turns, and what was due exactly.'
\echo '-- No team: every member, the rule everyone else. Who is full is due nothing.'
\echo
\set ECHO queries
SELECT team, member, weight, received, round(exact_share::numeric, 2) AS due,
	round(deviation::numeric, 2) AS deviation
FROM leadroute.fairness;

\set ECHO none
\echo
\echo '-- Leads by the kind of their decision; none is held, as the last rule takes every lead.'
\echo
\set ECHO queries
SELECT kind, count(*) FROM leadroute.assignment WHERE is_current GROUP BY kind;

\set ECHO none
\echo
\echo '== 7. Why? Anna is away; one lead, explained'
\echo
\set ECHO queries
SELECT leadroute.pause('Anna', now() + interval '2 hours', 'dentist');
INSERT INTO leads (company, country, employees, budget, source)
	VALUES ('Donau Logistik', 'DE', 90, 20000, 'web')
	RETURNING id, (SELECT full_name FROM users u WHERE u.id = owner_id) AS owner;
\set ECHO none
SELECT max(id) AS lead FROM leads \gset
\echo
\echo '-- What was decided, from the journal:'
\echo
\pset format unaligned
\pset tuples_only on
\set ECHO queries
SELECT leadroute.why('leads', :lead);
\set ECHO none
\echo
\echo '-- What would be decided now, without any effect:'
\echo
\set ECHO queries
SELECT leadroute.explain('leads', :lead);
\set ECHO none
\echo
\echo '-- And for a lead that does not exist:'
\echo
\set ECHO queries
SELECT leadroute.explain_lead('leads', '{"id": 99999, "country": "US", "employees": 2000}', timings => true);

\set ECHO none
\pset format aligned
\pset tuples_only off
\echo
\echo '== 8. Owners, journal and counters agree: no row, no disagreement'
\echo
\set ECHO queries
SELECT * FROM leadroute.verify();

\set ECHO none
\echo
\echo '== 9. What is odd about the rules, and what is wrong now: nothing'
\echo
\set ECHO queries
SELECT * FROM leadroute.lint('leads');
SELECT severity, what, subject FROM leadroute.problem;
