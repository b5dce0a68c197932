-- The public contract: what the extension's objects have in common.
BEGIN;
SELECT plan(33);

CREATE EXTENSION leadroute;
SELECT has_extension('leadroute');

-- All objects of the extension, with what they are.
CREATE TEMP VIEW member_object AS
	SELECT d.classid, d.objid, pg_describe_object(d.classid, d.objid, 0) AS what
	FROM pg_depend d
	JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
	WHERE e.extname = 'leadroute' AND d.deptype = 'e';

SELECT is_empty($$
	SELECT what FROM member_object
	WHERE classid IN ('pg_class'::regclass, 'pg_proc'::regclass)
	AND objid NOT IN (SELECT oid FROM pg_class WHERE relkind = 'S')
	AND obj_description(objid, classid::regclass::name) IS NULL $$,
	'every function, table and view has a comment');
SELECT is_empty($$
	SELECT c.relname, a.attname FROM member_object m
	JOIN pg_class c ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
	JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
	WHERE c.relkind IN ('r', 'v') AND col_description(c.oid, a.attnum) IS NULL $$,
	'every column has a comment');
SELECT is_empty($$
	SELECT c.relname FROM member_object m
	JOIN pg_class c ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
	WHERE c.relkind = 'r'
	AND c.oid <> ALL ((SELECT extconfig FROM pg_extension WHERE extname = 'leadroute')::oid[])
	AND c.relname NOT IN ('checkpoint', 'config_state', 'incarnation', 'measured', 'rule_change') $$,
	'every table is dumped, but those that are made anew');
SELECT is_empty($$
	SELECT p.oid::regprocedure FROM member_object m
	JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
	WHERE p.prosecdef AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (p.proconfig), false) $$,
	'what runs with the rights of its owner has a search_path of its own');
SELECT is_empty($$
	SELECT p.oid::regprocedure FROM member_object m
	JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
	WHERE EXISTS (SELECT FROM unnest(p.proargnames) AS arg (name)
		JOIN pg_get_keywords() k ON k.word = arg.name WHERE k.catcode = 'R') $$,
	'no argument has a name that SQL reserves');
SELECT is_empty($$
	SELECT c.relname, a.attname FROM member_object m
	JOIN pg_class c ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
	JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
	JOIN pg_get_keywords() k ON k.word = a.attname AND k.catcode = 'R'
	WHERE c.relkind IN ('r', 'v') $$,
	'no column has a name that SQL reserves');
SELECT is_empty($$
	SELECT c.relname FROM member_object m
	JOIN pg_class c ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
	CROSS JOIN aclexplode(c.relacl) acl
	WHERE acl.grantee = 0 AND acl.privilege_type <> 'SELECT' $$,
	'PUBLIC may write no table');


-- Dumps
CREATE TEMP VIEW dumped AS
	SELECT c.oid, c.relname::text, c.relkind, x.condition
	FROM pg_extension e
	CROSS JOIN LATERAL unnest(e.extconfig, e.extcondition) x (oid, condition)
	JOIN pg_class c ON c.oid = x.oid
	WHERE e.extname = 'leadroute';
SELECT set_eq($$SELECT relname FROM dumped WHERE relkind = 'r'$$,
	ARRAY['router', 'routed_table', 'schedule', 'holiday', 'member', 'team', 'team_member', 'rule', 'cap', 'criterion', 'absence', 'territory', 'suppression', 'config_history',
		'journal', 'event', 'pool_entry', 'team_version', 'candidate_set', 'sticky_lead', 'former_name'],
	'these tables are dumped');
SELECT bag_eq($$SELECT oid FROM dumped WHERE relkind = 'S'$$,
	$$SELECT oid FROM pg_class WHERE relnamespace = 'leadroute'::regnamespace AND relkind = 'S'$$,
	'each sequence is dumped, by a call of its own');
SELECT is_empty($$SELECT relname FROM dumped WHERE condition <> ''$$, 'whole, not in part');
SELECT is_empty($$SELECT relname FROM dumped GROUP BY 1 HAVING count(*) > 1$$, 'once');
-- pg_dump orders extension tables by their foreign keys, which it cannot do in a circle
SELECT is_empty($$
	WITH RECURSIVE reached AS (
		SELECT conrelid, confrelid FROM pg_constraint
			WHERE contype = 'f' AND connamespace = 'leadroute'::regnamespace
		UNION
		SELECT r.conrelid, c.confrelid FROM reached r
			JOIN pg_constraint c ON c.contype = 'f' AND c.conrelid = r.confrelid)
	SELECT conrelid::regclass FROM reached WHERE conrelid = confrelid $$,
	'foreign keys form no circle');
SELECT is_empty($$
	SELECT c.conname FROM pg_constraint c
	JOIN dumped d ON d.oid = c.conrelid
	WHERE c.contype = 'f' AND c.confrelid NOT IN (SELECT oid FROM dumped) $$,
	'what is dumped refers to what is dumped');

-- Configuration
CREATE TEMP VIEW configuration AS
	SELECT format('leadroute.%I', name)::regclass AS relid, name
	FROM unnest('{router,routed_table,schedule,holiday,member,team,team_member,rule,cap,criterion,absence,territory,suppression}'::text[]) n (name);
SELECT bag_eq($$
	SELECT g.name, string_agg(a.attname, ', ' ORDER BY k.place) FROM configuration g
	JOIN pg_index x ON x.indrelid = g.relid AND (x.indisprimary OR (g.name IN ('absence', 'territory') AND x.indisunique))
	CROSS JOIN unnest(x.indkey::int2[]) WITH ORDINALITY k (attnum, place)
	JOIN pg_attribute a ON a.attrelid = g.relid AND a.attnum = k.attnum
	GROUP BY 1 $$,
	$$VALUES ('router', 'name'), ('routed_table', 'name'), ('schedule', 'router, name'), ('holiday', 'router, schedule, day'), ('member', 'router, name'), ('team', 'router, name'),
		('team_member', 'router, team, member'), ('rule', 'router, name'), ('cap', 'router, name'), ('criterion', 'router, name'), ('absence', 'router, member, during, team'),
		('territory', 'router, map, country, region, postal, postal_from, postal_to'), ('suppression', 'router, key')$$,
	'keys are made of names and begin with the router');
SELECT is_empty($$
	SELECT c.conrelid::regclass, c.conname FROM pg_constraint c
	WHERE c.contype = 'f' AND c.confupdtype <> 'c' AND c.connamespace = 'leadroute'::regnamespace
	AND c.confrelid <> 'leadroute.routed_table'::regclass $$,
	'names change by UPDATE');
SELECT is_empty($$
	SELECT c.conname FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
	WHERE c.contype = 'f' AND c.connamespace = 'leadroute'::regnamespace
	AND cardinality(c.conkey) > 1 AND a.attname <> 'router' $$,
	'foreign keys of several columns begin with the router: nothing names what is another''s');
SELECT is_empty($$
	SELECT g.name FROM configuration g
	WHERE EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = g.relid AND a.attname = 'id')
	AND NOT EXISTS (SELECT FROM pg_attribute a JOIN pg_index x ON x.indrelid = a.attrelid AND x.indisunique
			AND x.indnkeyatts = 1 AND x.indkey[0] = a.attnum
		WHERE a.attrelid = g.relid AND a.attname = 'id' AND a.attidentity = 'd' AND a.atttypid = 'integer'::regtype) $$,
	'ids are integers of their own sequence, and unique');
SELECT bag_eq($$
	SELECT g.name, t.tgenabled::text, t.tgtype & 1 = 1 FROM configuration g JOIN pg_trigger t ON t.tgrelid = g.relid AND t.tgname = 'config_changed' $$,
	$$SELECT name, 'A' AS enabled, true AS each_row FROM configuration$$,
	'each change raises the version, one that replication applies too');
SELECT bag_eq($$
	SELECT g.name, t.tgenabled::text FROM configuration g JOIN pg_trigger t ON t.tgrelid = g.relid AND t.tgname = 'config_truncated' $$,
	$$SELECT name, 'A' FROM configuration$$,
	'so does TRUNCATE');
SELECT bag_eq($$
	SELECT g.name, t.tgenabled::text FROM configuration g JOIN pg_trigger t ON t.tgrelid = g.relid AND t.tgname = 'config_truncating' $$,
	$$SELECT name, 'A' FROM configuration$$,
	'which keeps the former states, too');
SELECT is_empty($$
	SELECT t.tgrelid::regclass, t.tgname FROM pg_trigger t JOIN configuration g ON g.relid = t.tgrelid
	WHERE NOT t.tgisinternal AND t.tgname NOT IN ('config_changed', 'config_truncating', 'config_truncated', 'keep_name', 'keep_names', 'keep_former_name') AND t.tgenabled <> 'O' $$,
	'what checks and adopts stays away from replication');
SELECT is_empty($$
	SELECT g.name FROM configuration g
	WHERE EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = g.relid AND a.attname IN ('condition', 'router_expr', 'closed_when'))
	AND 2 > (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = g.relid AND a.attname IN ('written_by', 'search_path')) $$,
	'who wrote an expression, and under which search_path, stands beside it');

-- The journal and its companions
CREATE TEMP VIEW written_directly AS
	SELECT format('leadroute.%I', name)::regclass AS relid
	FROM unnest('{journal,event,pool_entry,team_version,candidate_set,checkpoint}'::text[]) n (name);
SELECT is_empty($$
	SELECT c.conname FROM pg_constraint c
	WHERE c.contype IN ('f', 'c', 'x') AND (c.conrelid IN (SELECT relid FROM written_directly) OR c.confrelid IN (SELECT relid FROM written_directly)) $$,
	'what the library writes directly has no constraints that would not be checked');
SELECT is((SELECT count(*) FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_am am ON am.oid = i.relam
	WHERE x.indrelid = 'leadroute.journal'::regclass AND am.amname <> 'brin' AND pg_get_expr(x.indpred, x.indrelid) <> 'superseded'), 1::bigint, 'a lead pays for one btree');
SELECT is((SELECT co.collname::text FROM pg_index x JOIN pg_collation co ON co.oid = x.indcollation[0]
	WHERE x.indexrelid = 'leadroute.journal_current'::regclass), 'C', 'of bytes');
SELECT is_empty($$
	SELECT a.attrelid::regclass, a.attname FROM pg_attribute a JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
	WHERE a.attrelid IN ('leadroute.journal'::regclass, 'leadroute.event'::regclass, 'leadroute.team_version'::regclass, 'leadroute.candidate_set'::regclass) $$,
	'no defaults: nobody evaluates them');

-- Everything else
SELECT is_empty($$
	SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'leadroute'::regnamespace
	AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('e', 'i', 'a')) $$,
	'every relation belongs to the extension');
SELECT is_empty($$
	SELECT m.what FROM member_object m WHERE m.classid NOT IN ('pg_class'::regclass, 'pg_proc'::regclass, 'pg_type'::regclass, 'pg_namespace'::regclass,
		'pg_operator'::regclass, 'pg_opfamily'::regclass, 'pg_opclass'::regclass) $$,
	'tables, views, functions, the order of keys, and their schema, nothing else');
SELECT ok(amvalidate(oid), 'the order of keys is a complete operator class') FROM pg_opclass WHERE opcname = 'key_ops';
SELECT is_empty($$
	SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'leadroute'::regnamespace AND c.relname LIKE 'my\_%'
	AND NOT coalesce('security_barrier=true' = ANY (c.reloptions), false) $$,
	'views of one''s own rows are security barriers');
SELECT is_empty($$
	SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'leadroute'::regnamespace AND (c.relrowsecurity OR EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid)) $$,
	'no row policies: dumps lose them');
SELECT results_eq($$SELECT extrelocatable, extnamespace::regnamespace::text FROM pg_extension WHERE extname = 'leadroute'$$,
	$$VALUES (false, 'leadroute')$$, 'in its schema, for good');

SELECT finish();
ROLLBACK;
