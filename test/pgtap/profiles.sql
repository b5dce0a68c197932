-- What grant_to gives: exactly the rights that its comment names, to nobody else,
-- and none of them to hand on.
BEGIN;
SELECT plan(47);
CREATE EXTENSION leadroute;

CREATE ROLE tap_rep;
CREATE ROLE tap_app;
CREATE ROLE tap_analyst;
CREATE ROLE tap_manager;
CREATE ROLE tap_admin;
CREATE ROLE tap_backup;
CREATE ROLE tap_both;
CREATE ROLE tap_nobody;

-- relation_right, function_right: what a role has been granted by name
CREATE TEMP VIEW relation_right AS
	SELECT r.rolname AS role, c.relname, c.relkind,
		string_agg(lower(a.privilege_type), ' ' ORDER BY a.privilege_type) AS rights, bool_or(a.is_grantable) AS grantable
	FROM pg_class c CROSS JOIN aclexplode(c.relacl) a JOIN pg_roles r ON r.oid = a.grantee
	WHERE c.relnamespace = 'leadroute'::regnamespace
	GROUP BY 1, 2, 3;
CREATE TEMP VIEW function_right AS
	SELECT r.rolname AS role, p.proname, bool_or(a.is_grantable) AS grantable, count(*) AS forms
	FROM pg_proc p CROSS JOIN aclexplode(p.proacl) a JOIN pg_roles r ON r.oid = a.grantee
	WHERE p.pronamespace = 'leadroute'::regnamespace
	GROUP BY 1, 2;

-- PUBLIC
SELECT ok(NOT has_schema_privilege('tap_nobody', 'leadroute', 'USAGE'), 'without a profile: no USAGE on the schema');
SELECT ok(NOT has_schema_privilege('tap_nobody', 'leadroute', 'CREATE'), 'and no CREATE');
SELECT is_empty($$
	SELECT c.relname, p.name FROM pg_class c
	CROSS JOIN unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}'::text[]) p (name)
	WHERE c.relnamespace = 'leadroute'::regnamespace AND c.relkind IN ('r', 'v')
	AND has_table_privilege('tap_nobody', c.oid, p.name) $$,
	'none on a table or view');
SELECT is_empty($$
	SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attacl IS NOT NULL
	WHERE c.relnamespace = 'leadroute'::regnamespace $$,
	'none on a column');
SELECT is_empty($$
	SELECT c.relname, p.name FROM pg_class c CROSS JOIN unnest('{USAGE,SELECT,UPDATE}'::text[]) p (name)
	WHERE c.relnamespace = 'leadroute'::regnamespace AND c.relkind = 'S'
	AND has_sequence_privilege('tap_nobody', c.oid, p.name) $$,
	'none on a sequence');
SELECT set_eq($$
	SELECT p.proname::text FROM pg_proc p
	WHERE p.pronamespace = 'leadroute'::regnamespace AND has_function_privilege('tap_nobody', p.oid, 'EXECUTE') $$,
	ARRAY['version', 'default_router', 'is_preloaded', 'require_preload', 'row_stored', 'score', 'share_of', 'normalize_email', 'normalize_phone', 'is_email', 'is_phone', 'is_country', 'is_postal',
		'kind_name', 'method_name', 'passed_name', 'passed_entries', 'passed_detail', 'condition', 'filter_node', 'filter_test',
		'filter_list', 'filter_pattern', 'filter_constant', 'filter_error'],
	'EXECUTE on what changes nothing and tells nothing');

-- Monitoring
SELECT ok(has_schema_privilege('pg_monitor', 'leadroute', 'USAGE'), 'pg_monitor: USAGE on the schema');
SELECT bag_eq($$SELECT relname::text, rights FROM relation_right WHERE role = 'pg_monitor'$$,
	$$VALUES ('member_status', 'select'), ('rotation', 'select'), ('problem', 'select'), ('progress', 'select')$$,
	'pg_monitor: four views');
SELECT set_eq($$SELECT proname::text FROM function_right WHERE role = 'pg_monitor'$$,
	ARRAY['member_counter', 'seat_counter', 'next_turns', 'cap_status', 'cap_uncounted', 'room', 'is_open', 'available_from', 'condition_error', 'criterion_error', 'expression_error', 'lint', 'progress_entry'],
	'pg_monitor: what these views call');

-- Profiles
SELECT is(leadroute.grant_to('tap_rep', 'rep'), 'role "tap_rep" has profile "rep"', 'grant_to says what it did');
SELECT lives_ok($$SELECT leadroute.grant_to('tap_app', 'app')$$, 'profile app');
SELECT lives_ok($$SELECT leadroute.grant_to('tap_analyst', 'analyst')$$, 'profile analyst');
SELECT lives_ok($$SELECT leadroute.grant_to('tap_manager', 'manager')$$, 'profile manager');
SELECT lives_ok($$SELECT leadroute.grant_to('tap_admin', 'admin')$$, 'profile admin');
SELECT lives_ok($$SELECT leadroute.grant_to('tap_backup', 'backup')$$, 'profile backup');
SELECT lives_ok($$SELECT leadroute.grant_to('tap_backup', 'backup')$$, 'a second time');

SELECT bag_eq($$SELECT relname::text, rights FROM relation_right WHERE role = 'tap_rep'$$,
	$$VALUES ('my_status', 'select'), ('my_lead_history', 'select'), ('my_triage', 'select'), ('my_absence', 'delete insert select update')$$,
	'rep: its own rows');
SELECT set_eq($$SELECT proname::text FROM function_right WHERE role = 'tap_rep'$$,
	ARRAY['pause', 'resume', 'away', 'busy', 'absence_of', 'local_days', 'why', 'key_text', 'respond', 'close', 'reopen', 'assign', 'lead_data', 'triage_candidates'],
	'rep: pause and resume, ask why, assign what it decides');

SELECT bag_eq($$SELECT relname::text, rights FROM relation_right WHERE role = 'tap_app'$$,
	$$VALUES ('lead_history', 'select')$$,
	'app: what was decided');
SELECT set_eq($$SELECT proname::text FROM function_right WHERE role = 'tap_app'$$,
	ARRAY['why', 'key_text', 'explain', 'explain_lead', 'route', 'release', 'respond', 'close', 'reopen'],
	'app: ask why, explain and route');

CREATE TEMP TABLE readable (relname text);
INSERT INTO readable VALUES ('assignment'), ('lead_history'), ('member_status'), ('rotation'), ('member_facts'), ('performance'), ('problem'), ('fairness'), ('ownership'), ('trigger_status'),
	('later_trigger'), ('progress'), ('triage'), ('journal'), ('event'), ('pool_entry'), ('team_version'), ('candidate_set'), ('former_name');
CREATE TEMP TABLE configuration (relname text);
INSERT INTO configuration VALUES ('router'), ('routed_table'), ('schedule'), ('holiday'), ('member'), ('team'), ('team_member'), ('rule'), ('cap'), ('criterion'), ('territory'), ('suppression');

SELECT bag_eq($$SELECT relname::text, rights FROM relation_right WHERE role = 'tap_analyst'$$,
	$$SELECT relname, 'select' FROM readable UNION ALL SELECT relname, 'select' FROM configuration$$,
	'analyst: reads decisions, views and configuration');
SELECT set_eq($$SELECT proname::text FROM function_right WHERE role = 'tap_analyst'$$,
	ARRAY['why', 'key_text', 'explain', 'explain_lead', 'fairness', 'ownership', 'member_counter', 'seat_counter', 'next_turns', 'cap_status', 'cap_uncounted', 'room', 'condition_error', 'criterion_error', 'expression_error', 'sticky_key_error', 'check_condition', 'rule_at', 'lint', 'territory', 'is_open', 'next_opening', 'working_time', 'available_from', 'local_days', 'progress_entry', 'lead_data', 'triage_candidates'],
	'analyst: asks and computes');
SELECT ok(NOT has_table_privilege('tap_analyst', 'leadroute.absence', 'SELECT'), 'analyst: not why somebody is away');
SELECT is_empty($$
	SELECT relname FROM relation_right WHERE role IN ('tap_analyst', 'tap_app', 'tap_backup', 'pg_monitor') AND rights <> 'select' $$,
	'analyst, app, backup and pg_monitor write nothing');

SELECT bag_eq($$SELECT relname::text, rights FROM relation_right WHERE role = 'tap_manager'$$,
	$$SELECT relname, 'select' FROM readable UNION ALL SELECT relname, 'select' FROM configuration WHERE relname NOT IN ('schedule', 'holiday', 'member', 'team', 'team_member', 'suppression')
		UNION ALL SELECT unnest('{absence,schedule,holiday,member,team,team_member,suppression}'::text[]), 'delete insert select update'$$,
	'manager: writes members, teams, schedules, absences and suppressions');
SELECT set_eq($$SELECT proname::text FROM function_right WHERE role = 'tap_manager'$$,
	ARRAY['why', 'key_text', 'fairness', 'ownership', 'member_counter', 'seat_counter', 'next_turns', 'cap_status', 'cap_uncounted', 'room', 'condition_error', 'criterion_error', 'expression_error', 'sticky_key_error', 'check_condition', 'rule_at', 'lint', 'territory', 'is_open', 'next_opening', 'working_time', 'available_from', 'local_days', 'progress_entry', 'lead_data', 'triage_candidates',
		'config_table', 'export_config', 'pause', 'resume', 'away', 'busy', 'absence_of', 'explain', 'explain_lead', 'route', 'route_all', 'release', 'assign', 'handover', 'offboard', 'respond', 'close', 'reopen'],
	'manager: routes and assigns');
SELECT ok(NOT has_table_privilege('tap_manager', 'leadroute.rule', 'INSERT, UPDATE, DELETE'), 'manager: no rules');

SELECT bag_eq($$SELECT relname::text, rights FROM relation_right WHERE role = 'tap_admin'$$,
	$$SELECT relname, 'select' FROM readable UNION ALL SELECT unnest('{config_state,config_history,checkpoint,sticky_lead,measured}'::text[]), 'select'
		UNION ALL SELECT relname, 'delete insert select update' FROM configuration UNION ALL SELECT 'absence', 'delete insert select update'$$,
	'admin: writes all configuration');
SELECT set_eq($$SELECT proname::text FROM function_right WHERE role = 'tap_admin'$$,
	ARRAY['why', 'key_text', 'fairness', 'ownership', 'member_counter', 'seat_counter', 'next_turns', 'cap_status', 'cap_uncounted', 'room', 'condition_error', 'criterion_error', 'expression_error', 'sticky_key_error', 'check_condition', 'rule_at', 'lint', 'territory', 'is_open', 'next_opening', 'working_time', 'available_from', 'local_days', 'progress_entry', 'lead_data', 'triage_candidates',
		'config_table', 'export_config', 'pause', 'resume', 'away', 'busy', 'absence_of', 'explain', 'explain_lead', 'route', 'route_all', 'release', 'assign', 'handover', 'offboard', 'respond', 'close', 'reopen', 'board', 'rule_index', 'attach', 'attach_under', 'finish_attach', 'only_renamed', 'check_relation', 'key_of',
		'check_owner_column', 'owner_text', 'detach', 'lead_trigger', 'adopt', 'adopted', 'release_table', 'release_missing', 'forget_keys', 'renew_keys', 'verify', 'rebuild', 'checkpoint_now', 'measure', 'forget',
		'await_editors', 'import_config', 'import_config_under', 'import_rows', 'import_routed_table', 'prune_config', 'check_document_rows',
		'document_error', 'document_place', 'same_key', 'keyed_rows', 'take_over'],
	'admin: attaches, detaches, verifies and rebuilds');
SELECT ok(NOT has_function_privilege('tap_admin', 'leadroute.grant_to(text, text)', 'EXECUTE'), 'admin: gives no profiles');
SELECT is_empty($$
	SELECT c.relname, p.name FROM unnest('{journal,event,pool_entry,team_version,candidate_set,sticky_lead,checkpoint,former_name,config_state,config_history,incarnation,rule_change}'::text[]) c (relname)
	CROSS JOIN unnest('{INSERT,UPDATE,DELETE,TRUNCATE}'::text[]) p (name)
	CROSS JOIN unnest('{tap_rep,tap_app,tap_analyst,tap_manager,tap_admin,tap_backup}'::name[]) r (name)
	WHERE has_table_privilege(r.name, format('leadroute.%I', c.relname)::regclass, p.name) $$,
	'no profile writes the journal and its companions');

SELECT bag_eq($$SELECT relname::text, rights FROM relation_right WHERE role = 'tap_backup'$$,
	$$SELECT relname::text, 'select' FROM pg_class WHERE relnamespace = 'leadroute'::regnamespace AND relkind IN ('r', 'S')$$,
	'backup: reads all tables and sequences');
SELECT is_empty($$SELECT proname FROM function_right WHERE role = 'tap_backup'$$, 'backup: no function');
SELECT is_empty($$
	SELECT c.oid::regclass FROM pg_class c, pg_extension e
	WHERE e.extname = 'leadroute' AND c.oid = ANY (e.extconfig) AND NOT has_table_privilege('tap_backup', c.oid, 'SELECT') $$,
	'backup: whatever pg_dump reads');

-- What all have in common
SELECT is_empty($$SELECT role, relname FROM relation_right WHERE grantable AND role LIKE 'tap%'$$, 'no right on a relation can be handed on');
SELECT is_empty($$SELECT role, proname FROM function_right WHERE grantable AND role LIKE 'tap%'$$, 'none on a function');
SELECT is_empty($$
	SELECT f.role, f.proname FROM function_right f
	WHERE f.role LIKE 'tap%' AND f.forms <> (SELECT count(*) FROM pg_proc p
		WHERE p.pronamespace = 'leadroute'::regnamespace AND p.proname = f.proname) $$,
	'a function is granted in all its forms');
SELECT is_empty($$
	SELECT d.classid::regclass, d.objid FROM pg_shdepend d JOIN pg_roles r ON d.refclassid = 'pg_authid'::regclass AND d.refobjid = r.oid
	WHERE r.rolname LIKE 'tap%' AND d.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
	AND NOT (d.classid = 'pg_namespace'::regclass AND d.objid = 'leadroute'::regnamespace)
	AND NOT (d.classid = 'pg_class'::regclass AND d.objid IN (SELECT oid FROM pg_class WHERE relnamespace = 'leadroute'::regnamespace))
	AND NOT (d.classid = 'pg_proc'::regclass AND d.objid IN (SELECT oid FROM pg_proc WHERE pronamespace = 'leadroute'::regnamespace)) $$,
	'nothing outside of the schema is granted');
SELECT is_empty($$SELECT member FROM pg_auth_members WHERE member IN (SELECT oid FROM pg_roles WHERE rolname LIKE 'tap%')$$,
	'nobody becomes a member of a role');
SELECT is_empty($$
	SELECT r.rolname FROM pg_roles r WHERE r.rolname LIKE 'tap%' AND r.rolname NOT IN ('tap_nobody', 'tap_both')
	AND (NOT has_schema_privilege(r.rolname, 'leadroute', 'USAGE') OR has_schema_privilege(r.rolname, 'leadroute', 'CREATE')) $$,
	'every profile may use the schema, none may create in it');

-- Two profiles add up.
SELECT lives_ok($$SELECT leadroute.grant_to('tap_both', 'rep'), leadroute.grant_to('tap_both', 'app')$$, 'two profiles');
SELECT set_eq($$SELECT proname FROM function_right WHERE role = 'tap_both'$$,
	$$SELECT proname FROM function_right WHERE role IN ('tap_rep', 'tap_app')$$,
	'the functions of both');

-- Refused
SELECT throws_ok($$SELECT leadroute.grant_to('tap_rep', 'boss')$$, '22023', 'unknown profile "boss"');
SELECT throws_ok($$SELECT leadroute.grant_to('tap_unknown', 'rep')$$, '42704', 'role "tap_unknown" does not exist');
SELECT throws_ok($$SELECT leadroute.grant_to(NULL, 'rep')$$, '42704');
SELECT throws_ok($$SELECT leadroute.grant_to('tap_rep', NULL)$$, '22023');
SELECT is_empty($$SELECT relname FROM relation_right WHERE role = 'tap_nobody'$$, 'who was given none has none');

SELECT finish();
ROLLBACK;
