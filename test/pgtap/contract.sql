-- The public contract: what the extension's objects have in common.
BEGIN;
SELECT plan(8);

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
	AND c.relname NOT IN ('checkpoint', 'config_state', 'incarnation') $$,
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

SELECT finish();
ROLLBACK;
