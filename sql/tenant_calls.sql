-- route, release, respond, close, reopen under row-level security: an application
-- role that all tenants share does nothing to the leads of another tenant.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
CREATE TABLE lead (tenant integer, id integer, email text, locked boolean DEFAULT false, owner text, PRIMARY KEY (tenant, id)) PARTITION BY LIST (tenant);
CREATE TABLE lead_1 PARTITION OF lead FOR VALUES IN (1);
CREATE TABLE lead_2 PARTITION OF lead FOR VALUES IN (2);
INSERT INTO leadroute.router (name) VALUES ('1'), ('2');
SELECT leadroute.attach('lead', 'owner', router_expr => 'tenant') IS NOT NULL AS attached;
INSERT INTO leadroute.member (router, name) VALUES ('1', 'ann'), ('2', 'bob');
INSERT INTO leadroute.rule (router, name) VALUES ('1', 'everyone'), ('2', 'everyone');
INSERT INTO leadroute.criterion (router, name, kind, condition)
	SELECT name, 'e-mail', 'quarantine', 'email IS NULL OR NOT leadroute.is_email(email)' FROM leadroute.router;
ALTER TABLE lead ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON lead USING (tenant = current_setting('app.tenant')::integer);
CREATE POLICY locked ON lead AS RESTRICTIVE FOR UPDATE USING (NOT locked);
CREATE ROLE regress_leadroute_app;
CREATE ROLE regress_leadroute_blind;
CREATE ROLE regress_leadroute_manager;
SELECT leadroute.grant_to('regress_leadroute_app', 'app'), leadroute.grant_to('regress_leadroute_blind', 'app'),
	leadroute.grant_to('regress_leadroute_manager', 'manager');
GRANT SELECT, UPDATE ON lead TO regress_leadroute_app;
GRANT UPDATE, SELECT (email) ON lead TO regress_leadroute_blind;
INSERT INTO lead (tenant, id, email, locked) VALUES (1, 1, 'a@x.example', false), (2, 1, 'b@x.example', false), (1, 2, NULL, false), (2, 2, NULL, false), (1, 3, 'c@x.example', true);
SET leadroute.routing = off;
INSERT INTO lead VALUES (1, 4, 'd@x.example'), (2, 4, 'e@x.example');
RESET leadroute.routing;
SET app.tenant = 1;

\echo == leads of the own tenant
SET ROLE regress_leadroute_app;
SELECT leadroute.respond('lead', ROW(1, 1)), leadroute.close('lead', ROW(1, 1), 'won', 12), leadroute.reopen('lead', ROW(1, 1));
SELECT leadroute.release('lead', ROW(1, 2), 'asked on the phone'), leadroute.route('lead', ROW(1, 4));
\echo == leads of another
SELECT leadroute.respond('lead', ROW(2, 1));
SELECT leadroute.close('lead', ROW(2, 1));
SELECT leadroute.reopen('lead', ROW(2, 1));
SELECT leadroute.release('lead', ROW(2, 2));
SELECT leadroute.route('lead', ROW(2, 4));
-- as of one that does not exist
SELECT leadroute.close('lead', ROW(2, 99));
SELECT leadroute.release('lead', ROW(2, 99));
SELECT leadroute.route('lead', ROW(1, 99));
\echo == one that it may see and not change
SELECT leadroute.route('lead', ROW(1, 3));
SELECT leadroute.close('lead', ROW(1, 3));
\echo == assign, for a role that may have both profiles
RESET ROLE;
SELECT leadroute.grant_to('regress_leadroute_app', 'rep');
INSERT INTO leadroute.member (router, name) VALUES ('1', 'amy'), ('2', 'ben');
-- what his policies say of the row that an UPDATE leaves holds too
CREATE POLICY keeps ON lead AS RESTRICTIVE FOR UPDATE TO regress_leadroute_app USING (true) WITH CHECK (owner <> 'amy');
SET ROLE regress_leadroute_app;
SELECT leadroute.assign('lead', ROW(1, 1), 'amy');
RESET ROLE;
DROP POLICY keeps ON lead;
SET ROLE regress_leadroute_app;
SELECT leadroute.assign('lead', ROW(1, 1), 'amy');
SELECT leadroute.assign('lead', ROW(1, 3), 'amy');
SELECT leadroute.assign('lead', ROW(2, 1), 'ben');
\echo == who cannot name a lead
SET ROLE regress_leadroute_blind;
SELECT leadroute.close('lead', ROW(1, 1));
SELECT leadroute.route('lead', ROW(1, 1));
\echo == a manager, and without row-level security
SET ROLE regress_leadroute_manager;
SELECT leadroute.close('lead', ROW(2, 1)), leadroute.release('lead', ROW(2, 2)), leadroute.route('lead', ROW(2, 4));
RESET ROLE;
ALTER TABLE lead DISABLE ROW LEVEL SECURITY;
SET ROLE regress_leadroute_app;
SELECT leadroute.reopen('lead', ROW(2, 1)), leadroute.close('lead', ROW(1, 3));
SET ROLE regress_leadroute_blind;
SELECT leadroute.reopen('lead', ROW(1, 3)), leadroute.route('lead', ROW(1, 1));
RESET ROLE;
SELECT lead_key, kind, member, closed, responded, outcome, value, role_name FROM leadroute.assignment WHERE is_current ORDER BY lead_key;
SELECT * FROM leadroute.verify();

DROP TABLE lead;
DROP EXTENSION leadroute CASCADE;
DROP OWNED BY regress_leadroute_app, regress_leadroute_blind, regress_leadroute_manager;
DROP ROLE regress_leadroute_app, regress_leadroute_blind, regress_leadroute_manager;
