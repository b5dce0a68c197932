-- attach and detach: from a table of the application to a routed table.
--
-- Both run with the rights of their caller.  Whoever attaches a table makes
-- its INSERTs run our trigger and lets rules read its columns, so he must own
-- it, and CREATE TRIGGER could not be lent to him anyway; and he writes
-- configuration, so he needs what the profile admin gives (grant_to): INSERT
-- on router and routed_table, EXECUTE on the functions called here.  A
-- function with the rights of the extension's owner would have to judge its
-- caller by itself, and would run his expressions as a superuser.
--
-- attach runs twice in a migration without harm: it compares what there is
-- with what is wanted and changes what differs.  Concurrent calls for one
-- table queue behind its lock; calls for different tables do not meet, but for
-- the first of a database, which makes the router.
--
-- What a change of a row of routed_table needs is done by triggers on it,
-- whether attach changes the row, import_config, or an UPDATE by hand: a row
-- that cannot work is refused, and what is stored is put right for it.  An
-- INSERT by hand attaches nothing (a restore inserts rows).

-- What must be there: one row a trigger, and how it is.
CREATE VIEW leadroute.trigger_status AS
SELECT rt.name AS routed_table,
	rt.relation,
	w.name AS trigger_name,
	CASE
		WHEN t.oid IS NULL THEN 'missing'
		WHEN t.tgtype <> w.type
			OR t.tgfoid <> 'leadroute.lead_trigger()'::regprocedure
			OR t.tgargs IS DISTINCT FROM convert_to(rt.name, getdatabaseencoding()) || '\x00'::bytea
			OR (t.tgqual IS NOT NULL) <> w.stored
			OR (w.stored AND pg_get_triggerdef(t.oid) NOT LIKE '%WHEN (leadroute.row_stored())%')
			OR t.tgattr <> ''::int2vector
			OR (t.tgconstraint <> 0) <> w.at_commit
			OR (w.at_commit AND NOT (t.tgdeferrable AND t.tginitdeferred))
			OR num_nonnulls(t.tgoldtable, t.tgnewtable) > 0 THEN 'different'
		WHEN t.tgenabled <> 'O'
			OR EXISTS (SELECT FROM pg_partition_tree(rt.relation) p
				JOIN pg_trigger clone ON clone.tgrelid = p.relid AND clone.tgname = t.tgname
				WHERE clone.tgenabled <> 'O') THEN 'disabled'
		ELSE 'ok'
	END AS state,
	format('CREATE %s TRIGGER %I %s ON %I.%I %sFOR EACH %s %sEXECUTE FUNCTION leadroute.lead_trigger(%L)',
		CASE WHEN w.at_commit THEN 'CONSTRAINT' ELSE 'OR REPLACE' END,
		w.name, w.fires, n.nspname, c.relname,
		CASE WHEN w.at_commit THEN 'DEFERRABLE INITIALLY DEFERRED ' ELSE '' END,
		CASE WHEN w.type & 1 = 1 THEN 'ROW' ELSE 'STATEMENT' END,
		CASE WHEN w.stored THEN 'WHEN (leadroute.row_stored()) ' ELSE '' END,
		rt.name) AS definition
FROM leadroute.routed_table rt
JOIN pg_class c ON c.oid = rt.relation
JOIN pg_namespace n ON n.oid = c.relnamespace
-- No more of them than needed: the server copies their descriptions for each
-- statement.  Type as in pg_trigger.tgtype: 1 row, 2 before, 4 insert, 8 delete, 16 update, 32 truncate
JOIN (VALUES
	('zz_leadroute_decide'::name, 'BEFORE INSERT OR UPDATE', 1 + 2 + 4 + 16, false, false),
	('zz_leadroute_stored', 'AFTER INSERT', 1 + 4, true, false),
	('zz_leadroute_changed', 'AFTER UPDATE OR DELETE', 1 + 8 + 16, false, false),
	('zz_leadroute_truncated', 'AFTER TRUNCATE', 32, false, false),
	('zz_leadroute_commit', 'AFTER INSERT', 1 + 4, false, true))
	AS w (name, fires, type, stored, at_commit) ON NOT w.at_commit OR rt.decide_at = 'commit'
LEFT JOIN pg_trigger t ON t.tgrelid = rt.relation AND t.tgname = w.name;
COMMENT ON VIEW leadroute.trigger_status IS 'One row is a trigger that an attached table must have, and whether it has it. Tables that are gone do not appear.';
COMMENT ON COLUMN leadroute.trigger_status.routed_table IS 'Name of the attached table.';
COMMENT ON COLUMN leadroute.trigger_status.relation IS 'The table.';
COMMENT ON COLUMN leadroute.trigger_status.trigger_name IS 'Name of the trigger.';
COMMENT ON COLUMN leadroute.trigger_status.state IS 'ok, missing, different (a trigger of that name does something else), disabled (on the table or a partition, or enabled otherwise than by default).';
COMMENT ON COLUMN leadroute.trigger_status.definition IS 'The statement that makes it.';

CREATE VIEW leadroute.later_trigger AS
SELECT rt.name AS routed_table,
	t.tgrelid::regclass AS relation,
	t.tgname AS trigger_name
FROM leadroute.routed_table rt
CROSS JOIN LATERAL (
	SELECT rt.relation::oid AS relid
	UNION SELECT p.relid FROM pg_partition_tree(rt.relation) p) r
JOIN pg_trigger t ON t.tgrelid = r.relid
WHERE t.tgtype & 7 = 7		-- BEFORE INSERT FOR EACH ROW
AND t.tgname > 'zz_leadroute_decide'
AND t.tgparentid = 0
AND t.tgenabled <> 'D';
COMMENT ON VIEW leadroute.later_trigger IS 'One row is a BEFORE INSERT trigger that runs after leadroute has decided, so that rules do not see what it sets.';
COMMENT ON COLUMN leadroute.later_trigger.routed_table IS 'Name of the attached table.';
COMMENT ON COLUMN leadroute.later_trigger.relation IS 'The table or the partition that has the trigger.';
COMMENT ON COLUMN leadroute.later_trigger.trigger_name IS 'Name of the trigger; triggers fire in the order of their names.';

CREATE FUNCTION leadroute.check_relation(relation regclass) RETURNS void
LANGUAGE plpgsql VOLATILE STRICT
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	c record;
	other text;
BEGIN
	SELECT cl.relname, cl.relkind, cl.relpersistence, cl.relispartition, cl.relowner,
			cl.oid < 16384 AS built_in, n.nspname INTO c
		FROM pg_class cl JOIN pg_namespace n ON n.oid = cl.relnamespace
		WHERE cl.oid = check_relation.relation;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'relation with OID % does not exist', check_relation.relation::oid
			USING ERRCODE = 'undefined_table';
	ELSIF c.built_in OR c.nspname LIKE 'pg\_%' OR c.nspname = 'information_schema' THEN
		IF c.relpersistence = 't' THEN
			RAISE EXCEPTION 'table "%" is temporary', c.relname
				USING ERRCODE = 'wrong_object_type',
					DETAIL = 'Other sessions could not decide its leads.',
					HINT = 'Attach a permanent table.';
		END IF;
		RAISE EXCEPTION '"%" belongs to the system', c.relname
			USING ERRCODE = 'wrong_object_type', HINT = 'Attach a table of the application.';
	ELSIF c.nspname = 'leadroute' THEN
		RAISE EXCEPTION '"%" belongs to leadroute', c.relname
			USING ERRCODE = 'wrong_object_type', HINT = 'Attach a table of the application.';
	ELSIF c.relkind = 'v' THEN
		RAISE EXCEPTION '"%" is a view', c.relname
			USING ERRCODE = 'wrong_object_type',
				HINT = 'Attach the table into which the view writes; what is inserted through the view is then routed too.';
	ELSIF c.relkind = 'm' THEN
		RAISE EXCEPTION '"%" is a materialized view', c.relname
			USING ERRCODE = 'wrong_object_type', HINT = 'Attach the table from which it is filled.';
	ELSIF c.relkind = 'f' THEN
		RAISE EXCEPTION '"%" is a foreign table', c.relname
			USING ERRCODE = 'wrong_object_type',
				DETAIL = 'Its rows can be stored and changed without any trigger here.',
				HINT = 'Install leadroute in the database that stores the table, and attach it there.';
	ELSIF c.relkind NOT IN ('r', 'p') THEN
		RAISE EXCEPTION '"%" is not a table', c.relname
			USING ERRCODE = 'wrong_object_type', HINT = 'Attach a table of the application.';
	ELSIF NOT pg_has_role(c.relowner, 'USAGE') THEN
		RAISE EXCEPTION 'must be owner of table %', c.relname
			USING ERRCODE = 'insufficient_privilege';
	ELSIF c.relispartition THEN
		other := pg_partition_root(check_relation.relation)::text;
		RAISE EXCEPTION 'table "%" is a partition of table "%"', c.relname,
			(SELECT cl.relname FROM pg_class cl WHERE cl.oid = pg_partition_root(check_relation.relation))
			USING ERRCODE = 'wrong_object_type',
				DETAIL = 'A lead may move between partitions; its table is their root.',
				HINT = format('Attach the root, which covers all partitions: SELECT leadroute.attach(%L, ...).', other);
	END IF;

	SELECT cl.relname INTO other
		FROM pg_partition_tree(check_relation.relation) p
		JOIN pg_class cl ON cl.oid = p.relid
		WHERE cl.relkind = 'f' ORDER BY cl.relname LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'partition "%" of table "%" is a foreign table', other, c.relname
			USING ERRCODE = 'wrong_object_type',
				DETAIL = 'Its rows can be stored and changed without any trigger here.',
				HINT = 'Detach the foreign partition, or make it a partition of its own parent beside the lead table.';
	END IF;

	SELECT rt.name INTO other
		FROM pg_partition_tree(check_relation.relation) p
		JOIN leadroute.routed_table rt ON rt.relation = p.relid
		WHERE p.relid <> check_relation.relation ORDER BY rt.name LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'a partition of table "%" is attached by itself as "%"', c.relname, other
			USING ERRCODE = 'object_not_in_prerequisite_state',
				HINT = format('Detach it first: SELECT leadroute.detach(%L). The root covers all partitions.', other);
	END IF;

	IF c.relkind = 'r' AND EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = check_relation.relation) THEN
		RAISE WARNING 'rows of the tables that inherit from "%" are not routed', c.relname
			USING DETAIL = 'A lead is known by its key, and an inherited table has keys of its own.',
				HINT = 'Attach each of these tables too, or make them partitions.';
	END IF;
	EXECUTE format('LOCK TABLE %I.%I IN SHARE ROW EXCLUSIVE MODE', c.nspname, c.relname);
END
$$;
COMMENT ON FUNCTION leadroute.check_relation(regclass) IS 'Part of attach: error, with the reason and what to do instead, when this relation cannot be attached or the caller does not own it; else it is locked against writers.';

CREATE FUNCTION leadroute.key_of(relation regclass, key_columns text[], owner_column text) RETURNS text[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	table_name text := (SELECT c.relname FROM pg_class c WHERE c.oid = key_of.relation);
	missing text;
	generated text;
	key text[];
BEGIN
	SELECT k.name INTO missing
		FROM unnest(key_of.key_columns) k (name)
		WHERE NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = key_of.relation
			AND a.attname = k.name AND a.attnum > 0 AND NOT a.attisdropped)
		LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'key column "%" of table "%" does not exist', missing, table_name
			USING ERRCODE = 'undefined_column';
	END IF;
	SELECT a.attname INTO generated
		FROM pg_attribute a
		LEFT JOIN pg_index x ON x.indrelid = a.attrelid AND x.indisprimary
		WHERE a.attrelid = key_of.relation AND a.attgenerated <> ''
		AND CASE WHEN key_of.key_columns IS NULL THEN a.attnum = ANY (x.indkey::int2[])
			ELSE a.attname = ANY (key_of.key_columns) END
		ORDER BY a.attnum LIMIT 1;

	SELECT i.columns INTO key
		FROM (SELECT x.indexrelid, x.indisprimary,
				array_agg(a.attname::text ORDER BY k.place) AS columns,
				array_agg(a.attname::text ORDER BY a.attname) AS sorted
			FROM pg_index x
			CROSS JOIN LATERAL unnest(x.indkey::int2[]) WITH ORDINALITY k (attnum, place)
			JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.attnum
			WHERE x.indrelid = key_of.relation
			AND x.indisunique AND x.indisvalid AND x.indislive AND x.indimmediate
			AND x.indpred IS NULL AND x.indexprs IS NULL
			AND k.place <= x.indnkeyatts
			GROUP BY x.indexrelid, x.indisprimary
			HAVING bool_and(a.attnotnull AND a.attgenerated = '')) i
		WHERE key_of.key_columns IS NULL
		OR i.sorted = (SELECT array_agg(k.name ORDER BY k.name::name) FROM unnest(key_of.key_columns) k (name))
		ORDER BY key_of.owner_column = ANY (i.columns), i.indisprimary DESC, cardinality(i.columns), i.indexrelid
		LIMIT 1;
	IF FOUND THEN
		RETURN coalesce(key_of.key_columns, key);
	ELSIF generated IS NOT NULL THEN
		RAISE EXCEPTION 'key column "%" of table "%" is generated', generated, table_name
			USING ERRCODE = 'invalid_table_definition',
				DETAIL = 'The server computes generated columns after the triggers that decide: the key of a new lead is not known then.',
				HINT = 'Name other columns by key_columns that have a unique index and are NOT NULL, for example an identity column.';
	ELSIF key_of.key_columns IS NULL THEN
		RAISE EXCEPTION 'table "%" has no key', table_name
			USING ERRCODE = 'invalid_table_definition',
				DETAIL = 'The journal needs columns that identify a lead: a primary key or a unique index over NOT NULL columns, neither deferrable nor partial, without expressions.',
				HINT = format('Add one, for example: ALTER TABLE %s ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY.', key_of.relation);
	END IF;
	RAISE EXCEPTION 'columns (%) are no key of table "%"',
			(SELECT string_agg(format('%I', k.name), ', ' ORDER BY k.place) FROM unnest(key_of.key_columns) WITH ORDINALITY k (name, place)),
			table_name
		USING ERRCODE = 'invalid_table_definition',
			DETAIL = 'A key is a primary key or a unique index over exactly these columns, all NOT NULL, neither deferrable nor partial, without expressions.',
			HINT = 'Leave key_columns out to use the primary key, or create the unique index first.';
END
$$;
COMMENT ON FUNCTION leadroute.key_of(regclass, text[], text) IS 'Part of attach: the columns that identify a lead: the given ones, which must be a key; NULL: the primary key, else the smallest unique index that is one, without the owner column if possible. Generated columns are no part of a key. Error when there is none.';

CREATE FUNCTION leadroute.check_owner_column(relation regclass, owner_column text, key_columns text[], nobody text) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	table_name text := (SELECT c.relname FROM pg_class c WHERE c.oid = check_owner_column.relation);
	a record;
	base oid;
	hit text;
BEGIN
	SELECT at.attnum, at.atttypid, at.attgenerated, at.attidentity,
			format_type(at.atttypid, at.atttypmod) AS type INTO a
		FROM pg_attribute at
		WHERE at.attrelid = check_owner_column.relation
		AND at.attname = check_owner_column.owner_column
		AND at.attnum > 0 AND NOT at.attisdropped;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'column "%" of table "%" does not exist', check_owner_column.owner_column, table_name
			USING ERRCODE = 'undefined_column',
				HINT = 'The owner column receives the owner_value of a member; add it, or name the column that holds the owner.';
	ELSIF a.attgenerated <> '' THEN
		RAISE EXCEPTION 'owner column "%" of table "%" is generated', check_owner_column.owner_column, table_name
			USING ERRCODE = 'generated_always',
				HINT = 'Name a column that can be written.';
	ELSIF a.attidentity <> '' THEN
		RAISE EXCEPTION 'owner column "%" of table "%" is an identity column', check_owner_column.owner_column, table_name
			USING ERRCODE = 'wrong_object_type',
				HINT = 'Name the column that holds the owner.';
	END IF;

	-- partition keys depend internally on the columns they use
	SELECT c.relname INTO hit
		FROM (SELECT check_owner_column.relation::oid AS relid
			UNION SELECT p.relid FROM pg_partition_tree(check_owner_column.relation) p) r
		JOIN pg_class c ON c.oid = r.relid AND c.relkind = 'p'
		JOIN pg_attribute at ON at.attrelid = c.oid AND at.attname = check_owner_column.owner_column
		JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.objsubid = at.attnum
			AND d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid AND d.refobjsubid = 0
			AND d.deptype = 'i'
		LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'owner column "%" is part of the partition key of table "%"', check_owner_column.owner_column, hit
			USING ERRCODE = 'invalid_table_definition',
				DETAIL = 'The partition is chosen before triggers can set the owner.',
				HINT = 'Partition the table by another column.';
	END IF;
	IF check_owner_column.owner_column = ANY (check_owner_column.key_columns) THEN
		RAISE EXCEPTION 'owner column "%" of table "%" is part of its key', check_owner_column.owner_column, table_name
			USING ERRCODE = 'invalid_table_definition',
				DETAIL = 'A lead would become another one with each change of its owner.',
				HINT = 'Name a key without the owner by key_columns.';
	END IF;

	WITH RECURSIVE d (oid, typtype, typbasetype) AS (
		SELECT t.oid, t.typtype, t.typbasetype FROM pg_type t WHERE t.oid = a.atttypid
		UNION ALL
		SELECT t.oid, t.typtype, t.typbasetype FROM d JOIN pg_type t ON t.oid = d.typbasetype
			WHERE d.typtype = 'd')
	SELECT d.oid INTO base FROM d WHERE d.typtype <> 'd';
	IF base NOT IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'uuid'::regtype,
			'text'::regtype, 'varchar'::regtype, 'bpchar'::regtype, 'name'::regtype)
		AND NOT EXISTS (SELECT FROM pg_type t
			JOIN pg_depend d ON d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e'
			JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
			WHERE t.oid = base AND t.typname = 'citext' AND e.extname = 'citext')
	THEN
		RAISE EXCEPTION 'owner column "%" of table "%" is of type %', check_owner_column.owner_column, table_name, a.type
			USING ERRCODE = 'datatype_mismatch',
				DETAIL = 'An owner is a smallint, integer, bigint, uuid, text, varchar, char, name or citext, or a domain over one of them.',
				HINT = 'Name a column of such a type.';
	END IF;

	IF check_owner_column.nobody IS NULL THEN
		RETURN NULL;
	END IF;

	BEGIN
		hit := leadroute.owner_text(check_owner_column.relation, check_owner_column.owner_column, check_owner_column.nobody);
	EXCEPTION
		WHEN data_exception OR integrity_constraint_violation THEN
			RAISE EXCEPTION 'owner column "%" of table "%" cannot hold the value "%" of nobody', check_owner_column.owner_column, table_name, check_owner_column.nobody
				USING ERRCODE = 'invalid_parameter_value', DETAIL = initcap(left(SQLERRM, 1)) || substr(SQLERRM, 2) || '.',
					HINT = format('Name a value of type %s by nobody, or leave it out when NULL means no owner.', a.type);
	END;
	-- the type name cuts off what is too long
	IF base = 'name'::regtype
		AND rtrim(hit) <> rtrim(check_owner_column.nobody)
	THEN
		RAISE EXCEPTION 'owner column "%" of table "%" cannot hold the value "%" of nobody', check_owner_column.owner_column, table_name, check_owner_column.nobody
			USING ERRCODE = 'invalid_parameter_value', DETAIL = format('It is too long for type %s.', a.type),
				HINT = 'Name a shorter value by nobody, or leave it out when NULL means no owner.';
	END IF;
	RETURN hit;
END
$$;
COMMENT ON FUNCTION leadroute.check_owner_column(regclass, text, text[], text) IS 'Part of attach: error when this column cannot hold owners or the value of nobody. Returns the value of nobody as the column shows it; NULL: SQL NULL means it.';

CREATE FUNCTION leadroute.finish_attach(lead_table text, changed boolean) RETURNS boolean
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	rt record;
	t record;
	restored boolean := false;
BEGIN
	SELECT r.name, r.router, r.nobody, r.owner_column, r.relation, n.nspname, c.relname AS table_name, a.atthasdef, a.attnotnull INTO rt
		FROM leadroute.routed_table r
		JOIN pg_class c ON c.oid = r.relation
		JOIN pg_namespace n ON n.oid = c.relnamespace
		JOIN pg_attribute a ON a.attrelid = r.relation AND a.attname = r.owner_column
		WHERE r.name = finish_attach.lead_table;
	IF rt.nobody IS NOT NULL THEN
		NULL;
	ELSIF rt.atthasdef THEN
		RAISE WARNING 'owner column "%" of table "%" has a default', rt.owner_column, rt.table_name
			USING DETAIL = 'A lead inserted without an owner has the default as its owner, which counts as given by the application: it is not routed.',
				HINT = 'Drop the default, or say by nobody that its value means no owner.';
	ELSIF rt.attnotnull THEN
		RAISE WARNING 'owner column "%" of table "%" is NOT NULL', rt.owner_column, rt.table_name
			USING DETAIL = 'A lead that nobody can take is refused by the table, instead of being held.',
				HINT = 'Drop the NOT NULL constraint, or say by nobody which value means no owner.';
	END IF;

	-- one that the table must not have, or that cannot be replaced
	IF EXISTS (SELECT FROM pg_trigger tg WHERE tg.tgrelid = rt.relation AND tg.tgname = 'zz_leadroute_commit')
		AND NOT EXISTS (SELECT FROM leadroute.trigger_status s
			WHERE s.routed_table = rt.name AND s.trigger_name = 'zz_leadroute_commit' AND s.state = 'ok')
	THEN
		EXECUTE format('DROP TRIGGER zz_leadroute_commit ON %I.%I', rt.nspname, rt.table_name);
	END IF;
	FOR t IN SELECT s.definition FROM leadroute.trigger_status s
		WHERE s.routed_table = rt.name AND s.state <> 'ok'
	LOOP
		EXECUTE t.definition;
		restored := true;
	END LOOP;

	-- What a router has for every table is for this one too.
	FOR t IN
		SELECT w.subject, w.whose, w.error, w.meanwhile, w.hint FROM (
			SELECT 1 AS part, r.router, r.priority, r.name,
				format('condition of rule "%s"', r.name) AS subject, format(' of router "%s"', r.router) AS whose,
				leadroute.condition_error(r.router, r.name, rt.name) AS error,
				'the rule does not match leads of this table' AS meanwhile,
				'A rule without routed_table is for every attached table of its router. Set its routed_table, change its condition, or attach to another router.' AS hint
			FROM leadroute.rule r
			WHERE r.enabled AND r.condition IS NOT NULL
			AND (r.routed_table = rt.name OR r.routed_table IS NULL)
			UNION ALL
			SELECT 2, c.router, NULL, c.name,
				format('criterion "%s"', c.name), format(' of router "%s"', c.router),
				leadroute.criterion_error(c.router, c.name, rt.name),
				'it says nothing of leads of this table',
				'A criterion without routed_table is for every attached table of its router. Set its routed_table, change it, or attach to another router.'
			FROM leadroute.criterion c
			WHERE c.enabled AND (c.routed_table = rt.name OR c.routed_table IS NULL)
			UNION ALL
			SELECT 3, ro.name, NULL, NULL,
				format('sticky_key of router "%s"', ro.name), '',
				leadroute.sticky_key_error(ro.name, rt.name),
				'leads of this table have no such key',
				'Its expressions are for every attached table of the router. Change them, or attach to another router.'
			FROM leadroute.router ro
			WHERE ro.sticky_key IS NOT NULL) w
		WHERE finish_attach.changed AND (w.router = rt.router OR rt.router IS NULL)
		ORDER BY w.part, w.router, w.priority, w.name
	LOOP
		CONTINUE WHEN t.error IS NULL;
		IF rt.router IS NULL THEN
			-- one tenant shall not keep the others from being served
			RAISE WARNING '% is not valid for table "%"', t.subject || t.whose, rt.table_name
				USING DETAIL = t.error, HINT = format('Until it is changed, %s.', t.meanwhile);
		ELSE
			RAISE EXCEPTION '% is not valid for table "%"', t.subject, rt.table_name
				USING ERRCODE = 'object_not_in_prerequisite_state', DETAIL = t.error, HINT = t.hint;
		END IF;
	END LOOP;

	FOR t IN SELECT l.relation, l.trigger_name FROM leadroute.later_trigger l
		WHERE l.routed_table = rt.name ORDER BY 1, 2
	LOOP
		RAISE WARNING 'trigger "%" of table % runs after leadroute has decided', t.trigger_name, t.relation
			USING DETAIL = 'Rules do not see what it sets.',
				HINT = format('Give it a name that sorts before "zz_leadroute_decide": ALTER TRIGGER %I ON %s RENAME TO ...', t.trigger_name, t.relation);
	END LOOP;
	RETURN restored;
END
$$;
COMMENT ON FUNCTION leadroute.finish_attach(text, boolean) IS 'Part of attach: makes the triggers that are missing or different, and warns of what will not be routed as one may expect. changed: the row of routed_table is new or another; then also an error for a rule, a criterion or a sticky_key that is not valid for the table (a warning with router_expr). Returns whether a trigger was made.';

CREATE FUNCTION leadroute.attach_under(path text, relation regclass, owner_column text, name text, router text, router_expr text, key_columns text[], nobody text, closed_when text, responded_when text, converted_when text, load text, protect_owner boolean, accepted_when text, captured_at text, source text, value text, reroute_on text[],
	status_column text, score_column text, decide_at text, ready_when text, ready_within interval) RETURNS text
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	given ALIAS FOR $4;
	table_name text;
	old leadroute.routed_table;
	new leadroute.routed_table;
	again boolean;
	done text[] := '{}';
	adopted bigint;
BEGIN
	PERFORM leadroute.require_preload();
	IF attach_under.relation IS NULL OR attach_under.owner_column IS NULL THEN
		RAISE EXCEPTION 'relation and owner_column must not be NULL'
			USING ERRCODE = 'null_value_not_allowed';
	ELSIF num_nonnulls(attach_under.router, attach_under.router_expr) = 2 THEN
		RAISE EXCEPTION 'router and router_expr exclude each other'
			USING ERRCODE = 'invalid_parameter_value',
				HINT = 'Give router when one router decides all leads of the table, router_expr when the lead says which.';
	END IF;
	PERFORM leadroute.check_relation(attach_under.relation);
	PERFORM leadroute.adopted();
	table_name := (SELECT c.relname FROM pg_class c WHERE c.oid = attach_under.relation);

	-- is it attached, or was one of that name that is gone?
	SELECT * INTO old FROM leadroute.routed_table rt WHERE rt.relation = attach_under.relation;
	again := FOUND;
	IF NOT again THEN
		SELECT * INTO old FROM leadroute.routed_table rt WHERE rt.name = coalesce(given, table_name);
		again := FOUND;
		IF again AND EXISTS (SELECT FROM pg_class c WHERE c.oid = old.relation) THEN
			RAISE EXCEPTION 'table % is attached as "%" already', old.relation, old.name
				USING ERRCODE = 'duplicate_object',
					HINT = 'Give the table another name: SELECT leadroute.attach(..., name => ''...'').';
		END IF;
	ELSIF given <> old.name THEN
		RAISE EXCEPTION 'table "%" is attached already, as "%"', table_name, old.name
			USING ERRCODE = 'duplicate_object',
				HINT = format('The name of an attached table does not change. Leave name out, or call leadroute.detach(%L) first.', old.name);
	END IF;

	-- what is wanted; NULL leaves what there is
	new := old;
	new.name := coalesce(old.name, given, table_name);
	new.relation := attach_under.relation;
	new.owner_column := attach_under.owner_column;
	new.key_columns := leadroute.key_of(new.relation,
		coalesce(attach_under.key_columns, old.key_columns), new.owner_column);
	new.closed_when := coalesce(attach_under.closed_when, old.closed_when);
	new.responded_when := coalesce(attach_under.responded_when, old.responded_when);
	new.converted_when := coalesce(attach_under.converted_when, old.converted_when);
	new.load := coalesce(attach_under.load, old.load);
	new.protect_owner := coalesce(attach_under.protect_owner, old.protect_owner);
	new.status_column := coalesce(attach_under.status_column, old.status_column);
	new.score_column := coalesce(attach_under.score_column, old.score_column);
	new.status_column := coalesce(attach_under.status_column, old.status_column);
	new.score_column := coalesce(attach_under.score_column, old.score_column);
	new.accepted_when := coalesce(attach_under.accepted_when, old.accepted_when);
	new.captured_at := coalesce(attach_under.captured_at, old.captured_at);
	new.source := coalesce(attach_under.source, old.source);
	new.value := coalesce(attach_under.value, old.value);
	new.reroute_on := coalesce(attach_under.reroute_on, old.reroute_on);
	new.decide_at := coalesce(attach_under.decide_at, old.decide_at);
	new.ready_when := coalesce(attach_under.ready_when, old.ready_when);
	new.ready_within := coalesce(attach_under.ready_within, old.ready_within);
	new.nobody := leadroute.check_owner_column(new.relation, new.owner_column, new.key_columns,
		coalesce(attach_under.nobody, old.nobody));
	IF attach_under.router_expr IS NOT NULL THEN
		new.router := NULL;
		new.router_expr := attach_under.router_expr;
	ELSIF attach_under.router IS NOT NULL THEN
		new.router := attach_under.router;
		new.router_expr := NULL;
	ELSIF NOT again THEN
		IF NOT EXISTS (SELECT FROM leadroute.router) THEN
			-- two first calls shall not make two routers
			LOCK TABLE leadroute.router IN SHARE ROW EXCLUSIVE MODE;
		END IF;
		IF NOT EXISTS (SELECT FROM leadroute.router) THEN
			new.router := coalesce(nullif(current_setting('leadroute.router', true), ''), new.name);
		ELSE
			new.router := leadroute.default_router();
		END IF;
	END IF;
	IF NOT EXISTS (SELECT FROM leadroute.router r WHERE r.name = new.router) AND new.router IS NOT NULL THEN
		INSERT INTO leadroute.router (name) VALUES (new.router) ON CONFLICT DO NOTHING;
		IF FOUND THEN
			done := done || format('router "%s" made', new.router);
		END IF;
	END IF;

	-- The writer's search_path, for expressions; so nothing here may need ours.
	IF NOT again THEN
		PERFORM pg_catalog.set_config('search_path', path, true);
		INSERT INTO leadroute.routed_table
				(name, relation, router, router_expr, key_columns, owner_column, nobody, closed_when,
				responded_when, converted_when, load, protect_owner,
				accepted_when, captured_at, source, value, reroute_on, status_column, score_column,
				decide_at, ready_when, ready_within)
			VALUES (new.name, new.relation, new.router, new.router_expr, new.key_columns,
				new.owner_column, new.nobody, new.closed_when, new.responded_when, new.converted_when, new.load,
				coalesce(new.protect_owner, true), new.accepted_when, new.captured_at, new.source, new.value,
				new.reroute_on, new.status_column, new.score_column, coalesce(new.decide_at, 'insert'),
				new.ready_when, new.ready_within);
		PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
		done := done || format('table "%s" attached as "%s" to %s', table_name, new.name,
			coalesce('router "' || new.router || '"', 'the routers that router_expr names'));
	ELSIF new IS DISTINCT FROM old THEN
		PERFORM pg_catalog.set_config('search_path', path, true);
		UPDATE leadroute.routed_table
			SET relation = new.relation, router = new.router, router_expr = new.router_expr,
				key_columns = new.key_columns, owner_column = new.owner_column,
				nobody = new.nobody, closed_when = new.closed_when,
				responded_when = new.responded_when, converted_when = new.converted_when, load = new.load,
				protect_owner = new.protect_owner,
				accepted_when = new.accepted_when, captured_at = new.captured_at, source = new.source, value = new.value,
				reroute_on = new.reroute_on, status_column = new.status_column, score_column = new.score_column,
				decide_at = new.decide_at, ready_when = new.ready_when, ready_within = new.ready_within
			WHERE name OPERATOR(pg_catalog.=) new.name;
		PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
		done := done || format('table "%s" attached as "%s" to %s; changed: %s', table_name, new.name,
			coalesce('router "' || new.router || '"', 'the routers that router_expr names'),
			(SELECT string_agg(n.key, ', ' ORDER BY n.key)
				FROM jsonb_each(to_jsonb(new)) n JOIN jsonb_each(to_jsonb(old)) o USING (key)
				WHERE n.value <> o.value));
	END IF;

	-- an UPDATE has done so
	IF NOT again OR new IS NOT DISTINCT FROM old THEN
		IF leadroute.finish_attach(new.name, NOT again) AND again THEN
			done := done || format('table "%s" is attached as "%s"; triggers restored', table_name, new.name);
		END IF;
		PERFORM leadroute.adopt(new.name);
	END IF;
	adopted := leadroute.adopted();
	IF cardinality(done) = 0 THEN
		done := done || format('table "%s" is attached as "%s" to %s', table_name, new.name,
			coalesce('router "' || new.router || '"', 'the routers that router_expr names'));
		IF adopted = 0 THEN
			RETURN done[1] || '; nothing changed';
		END IF;
	END IF;
	RETURN array_to_string(done, '; ')
		|| format('; %s owned %s adopted', adopted, CASE adopted WHEN 1 THEN 'lead' ELSE 'leads' END);
END
$$;
COMMENT ON FUNCTION leadroute.attach_under(text, regclass, text, text, text, text, text[], text, text, text, text, text, boolean, text, text, text, text, text[], text, text, text, text, interval) IS 'What attach does; path is the search_path under which its expressions are read. Call attach.';

-- Its body was resolved when it was created: the caller's search_path, which
-- it hands on, cannot mislead it.
CREATE FUNCTION leadroute.attach(relation regclass, owner_column text, name text DEFAULT NULL,
	router text DEFAULT NULL, router_expr text DEFAULT NULL, key_columns text[] DEFAULT NULL,
	nobody text DEFAULT NULL, closed_when text DEFAULT NULL, responded_when text DEFAULT NULL,
	converted_when text DEFAULT NULL, load text DEFAULT NULL, protect_owner boolean DEFAULT NULL,
	accepted_when text DEFAULT NULL, captured_at text DEFAULT NULL, source text DEFAULT NULL, value text DEFAULT NULL,
	reroute_on text[] DEFAULT NULL, status_column text DEFAULT NULL, score_column text DEFAULT NULL,
	decide_at text DEFAULT NULL, ready_when text DEFAULT NULL, ready_within interval DEFAULT NULL) RETURNS text
LANGUAGE sql VOLATILE
RETURN leadroute.attach_under(pg_catalog.current_setting('search_path'), relation, owner_column,
	name, router, router_expr, key_columns, nobody, closed_when, responded_when, converted_when, load, protect_owner,
	accepted_when, captured_at, source, value, reroute_on, status_column, score_column, decide_at, ready_when, ready_within);
COMMENT ON FUNCTION leadroute.attach(regclass, text, text, text, text, text[], text, text, text, text, text, boolean, text, text, text, text, text[], text, text, text, text, interval) IS
'Attaches a lead table: writes its row of routed_table, installs the triggers zz_leadroute_... and adopts the leads that have an owner. Every argument but relation is the column of routed_table of that name; NULL leaves what there is. name defaults to the table''s name, key_columns to the primary key; without router and router_expr it is the default router, and when there is none at all, one named like the table is made; a router that is named and does not exist is made. Called again it changes what differs; a change of anything but nobody, responded_when, converted_when, accepted_when, captured_at, source, value, load, protect_owner, reroute_on, status_column, score_column, decide_at, ready_when and ready_within ends the assignments and adopts the open leads anew. Locks the table against writers until the end of the transaction. Returns a sentence that says what was done. The caller must own the table and have the profile admin. Error, with the reason and what to do instead, when the table cannot be routed.';

-- Decisions read and write the lead table with the rights of its owner and under
-- the search_path of its row, so what says which table and columns, and under
-- which path, is written by the owner only: by attach or directly.  An ordinary
-- trigger, which fires after check_config has filled the row: a restore brings
-- back what was there.
CREATE FUNCTION leadroute.check_table_owner() RETURNS trigger
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	c record;
BEGIN
	IF TG_OP = 'UPDATE'
		AND (NEW.relation, NEW.key_columns, NEW.owner_column, NEW.router_expr, NEW.closed_when, NEW.responded_when, NEW.converted_when, NEW.accepted_when, NEW.captured_at, NEW.source, NEW.value, NEW.load, NEW.ready_when, NEW.status_column, NEW.score_column, NEW.written_by, NEW.search_path)
		IS NOT DISTINCT FROM (OLD.relation, OLD.key_columns, OLD.owner_column, OLD.router_expr, OLD.closed_when, OLD.responded_when, OLD.converted_when, OLD.accepted_when, OLD.captured_at, OLD.source, OLD.value, OLD.load, OLD.ready_when, OLD.status_column, OLD.score_column, OLD.written_by, OLD.search_path)
	THEN
		RETURN NEW;
	END IF;
	SELECT cl.relname, cl.relowner INTO c FROM pg_class cl WHERE cl.oid = NEW.relation;
	IF FOUND AND NOT pg_has_role(c.relowner, 'USAGE') THEN
		RAISE EXCEPTION 'must be owner of table %', c.relname
			USING ERRCODE = 'insufficient_privilege',
				DETAIL = 'Leads are read and written with the rights of their table''s owner, and its triggers run under the search_path of who attached it.';
	END IF;
	RETURN NEW;
END
$$;
COMMENT ON FUNCTION leadroute.check_table_owner() IS 'Trigger: error when somebody who does not own a table attaches it, or changes its key, its owner column, those for status and score, its expressions, their writer or search_path.';
CREATE TRIGGER check_table_owner BEFORE INSERT OR UPDATE ON leadroute.routed_table
	FOR EACH ROW EXECUTE FUNCTION leadroute.check_table_owner();

-- Ordinary triggers: a restore brings back row and journal as they were.  They
-- fire after those that fill the row and tell other sessions of it.
CREATE FUNCTION leadroute.check_table_row() RETURNS trigger
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF num_nulls(NEW.relation, NEW.owner_column, NEW.key_columns) > 0 OR leadroute.only_renamed(OLD, NEW) THEN
		RETURN NEW;
	ELSIF NEW.relation <> OLD.relation AND EXISTS (SELECT FROM pg_class c WHERE c.oid = OLD.relation) THEN
		RAISE EXCEPTION 'table % is attached as "%" already', OLD.relation, OLD.name
			USING ERRCODE = 'duplicate_object',
				HINT = 'Attach the other table under a name of its own: SELECT leadroute.attach(..., name => ''...'').';
	END IF;
	PERFORM leadroute.check_relation(NEW.relation);
	NEW.key_columns := leadroute.key_of(NEW.relation, NEW.key_columns, NEW.owner_column);
	NEW.nobody := leadroute.check_owner_column(NEW.relation, NEW.owner_column, NEW.key_columns, NEW.nobody);
	RETURN NEW;
END
$$;
COMMENT ON FUNCTION leadroute.check_table_row() IS 'Trigger: a change of how a table is attached is refused as attach would refuse it; locks the table against writers.';

-- Beside check_table_row, which fires for what ends assignments: no lock is needed.
CREATE FUNCTION leadroute.check_reroute_on() RETURNS trigger
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	c record;
BEGIN
	IF NOT EXISTS (SELECT FROM pg_class cl WHERE cl.oid = NEW.relation) THEN
		RETURN NEW;
	END IF;
	FOR c IN SELECT k.name, a.attgenerated,
			(SELECT cl.relname FROM pg_class cl WHERE cl.oid = NEW.relation) AS relname
		FROM unnest(NEW.reroute_on) WITH ORDINALITY k (name, place)
		LEFT JOIN pg_attribute a ON a.attrelid = NEW.relation AND a.attname = k.name AND a.attnum > 0 AND NOT a.attisdropped
		ORDER BY k.place
	LOOP
		IF c.attgenerated IS NULL THEN
			RAISE EXCEPTION 'reroute_on: column "%" of table "%" does not exist', coalesce(c.name, 'NULL'), c.relname
				USING ERRCODE = 'undefined_column',
					HINT = 'Name the columns of the lead table whose change is to decide a lead anew, for example {country,product}.';
		ELSIF c.name = NEW.owner_column THEN
			RAISE EXCEPTION 'reroute_on: column "%" of table "%" is its owner column', c.name, c.relname
				USING ERRCODE = 'invalid_parameter_value',
					HINT = 'An UPDATE of the owner is a move by hand, or a release; name other columns.';
		ELSIF c.attgenerated <> '' THEN
			RAISE EXCEPTION 'reroute_on: column "%" of table "%" is generated', c.name, c.relname
				USING ERRCODE = 'invalid_parameter_value',
					DETAIL = 'The server computes generated columns after the trigger that decides.',
					HINT = 'Name the columns that it is computed from.';
		END IF;
	END LOOP;
	RETURN NEW;
END
$$;
COMMENT ON FUNCTION leadroute.check_reroute_on() IS 'Trigger: error when routed_table.reroute_on names what is no column of the table, its owner, or a generated one.';
CREATE TRIGGER check_reroute_on BEFORE INSERT OR UPDATE ON leadroute.routed_table
	FOR EACH ROW WHEN (NEW.reroute_on IS NOT NULL)
	EXECUTE FUNCTION leadroute.check_reroute_on();

CREATE FUNCTION leadroute.decide_at_changed() RETURNS trigger
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM leadroute.finish_attach(NEW.name, false)
		FROM pg_class c WHERE c.oid = NEW.relation;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION leadroute.decide_at_changed() IS 'Trigger: makes or drops the trigger that decides at commit.';
CREATE TRIGGER decide_at_changed AFTER UPDATE ON leadroute.routed_table
	FOR EACH ROW WHEN (NEW.decide_at IS DISTINCT FROM OLD.decide_at)
	EXECUTE FUNCTION leadroute.decide_at_changed();

CREATE FUNCTION leadroute.table_row_changed() RETURNS trigger
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF leadroute.only_renamed(OLD, NEW) THEN
		RETURN NULL;
	END IF;
	-- These say which lead it is, whose, and whether it counts: the
	-- assignments under the former ones end, adopt makes new ones.
	IF (NEW.relation, NEW.owner_column, NEW.key_columns, NEW.router, NEW.router_expr, NEW.closed_when)
		IS DISTINCT FROM (OLD.relation, OLD.owner_column, OLD.key_columns, OLD.router, OLD.router_expr, OLD.closed_when)
	THEN
		PERFORM leadroute.release_table(NEW.name);
	END IF;
	PERFORM leadroute.finish_attach(NEW.name, true);
	PERFORM leadroute.adopt(NEW.name);
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION leadroute.table_row_changed() IS 'Trigger: after a change of how a table is attached its assignments end (unless only nobody differs), its triggers are made and its open leads adopted anew.';

CREATE FUNCTION leadroute.only_renamed(old leadroute.routed_table, new leadroute.routed_table) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
RETURN ((new).relation, (new).owner_column, (new).key_columns, (new).router_expr, (new).closed_when, (new).nobody)
		IS NOT DISTINCT FROM ((old).relation, (old).owner_column, (old).key_columns, (old).router_expr, (old).closed_when, (old).nobody)
	AND (new).router IS NOT NULL AND (old).router IS NOT NULL
	AND ((new).router = (old).router OR NOT EXISTS (SELECT FROM leadroute.router r WHERE r.name = (old).router));
COMMENT ON FUNCTION leadroute.only_renamed(leadroute.routed_table, leadroute.routed_table) IS 'Whether an UPDATE of routed_table changes nothing but the name of the router, which itself is the same: the UPDATE is the cascade of its own.';

CREATE TRIGGER check_table_row BEFORE UPDATE ON leadroute.routed_table
	FOR EACH ROW WHEN ((NEW.relation, NEW.router, NEW.router_expr, NEW.key_columns, NEW.owner_column, NEW.nobody, NEW.closed_when)
		IS DISTINCT FROM (OLD.relation, OLD.router, OLD.router_expr, OLD.key_columns, OLD.owner_column, OLD.nobody, OLD.closed_when))
	EXECUTE FUNCTION leadroute.check_table_row();
CREATE TRIGGER table_row_changed AFTER UPDATE ON leadroute.routed_table
	FOR EACH ROW WHEN ((NEW.relation, NEW.router, NEW.router_expr, NEW.key_columns, NEW.owner_column, NEW.nobody, NEW.closed_when)
		IS DISTINCT FROM (OLD.relation, OLD.router, OLD.router_expr, OLD.key_columns, OLD.owner_column, OLD.nobody, OLD.closed_when))
	EXECUTE FUNCTION leadroute.table_row_changed();

-- What leads are known by has changed: those that are there are looked at with
-- the tables locked against writers, so that none is missed.
CREATE FUNCTION leadroute.forget_keys(router integer) RETURNS void
LANGUAGE plpgsql VOLATILE STRICT SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	t record;
BEGIN
	FOR t IN SELECT n.nspname, c.relname FROM leadroute.routed_table rt
		JOIN pg_class c ON c.oid = rt.relation
		JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE rt.router IS NULL OR rt.router = (SELECT ro.name FROM leadroute.router ro WHERE ro.id = forget_keys.router)
		ORDER BY rt.name
	LOOP
		EXECUTE format('LOCK TABLE %I.%I IN SHARE ROW EXCLUSIVE MODE', t.nspname, t.relname);
	END LOOP;
	DELETE FROM leadroute.sticky_lead s WHERE s.router = forget_keys.router;
END
$$;
COMMENT ON FUNCTION leadroute.forget_keys(integer) IS 'Part of saving a router whose sticky_key has changed: locks its attached tables against writers and forgets the keys of its leads. router: its id.';

CREATE FUNCTION leadroute.sticky_key_changed() RETURNS trigger
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NOT leadroute.is_preloaded() THEN
		RETURN NULL;
	END IF;
	PERFORM leadroute.forget_keys(NEW.id);
	PERFORM leadroute.adopt(t.name)
		FROM (SELECT rt.name FROM leadroute.routed_table rt
			WHERE NEW.sticky_key IS NOT NULL
			AND (rt.router IS NULL OR rt.router IN (NEW.name, OLD.name))
			AND EXISTS (SELECT FROM leadroute.trigger_status s WHERE s.routed_table = rt.name AND s.state = 'ok')
			ORDER BY rt.name) t;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION leadroute.sticky_key_changed() IS 'Trigger: after a change of what leads are known by, notes the keys of all leads that have an owner; locks the attached tables of the router against writers.';
CREATE TRIGGER sticky_key_changed AFTER UPDATE ON leadroute.router
	FOR EACH ROW WHEN ((NEW.sticky_key, NEW.search_path) IS DISTINCT FROM (OLD.sticky_key, OLD.search_path))
	EXECUTE FUNCTION leadroute.sticky_key_changed();

CREATE FUNCTION leadroute.renew_keys(router text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	its leadroute.router;
BEGIN
	SELECT r.* INTO its FROM leadroute.router r WHERE r.name = coalesce(renew_keys.router, leadroute.default_router());
	IF its.id IS NULL THEN
		RAISE EXCEPTION 'router "%" does not exist', renew_keys.router
			USING ERRCODE = 'undefined_object';
	END IF;
	PERFORM leadroute.require_preload();
	PERFORM leadroute.forget_keys(its.id);
	PERFORM leadroute.adopt(t.name)
		FROM (SELECT rt.name FROM leadroute.routed_table rt
			WHERE its.sticky_key IS NOT NULL
			AND (rt.router IS NULL OR rt.router = its.name)
			AND EXISTS (SELECT FROM leadroute.trigger_status s WHERE s.routed_table = rt.name AND s.state = 'ok')
			ORDER BY rt.name) t;
END
$$;
COMMENT ON FUNCTION leadroute.renew_keys(text) IS 'Notes the keys of all leads of a router (NULL: the default one) that have an owner, as they are now, in the place of those that are noted: when leadroute.sticky_lead was lost, or e-mail addresses were filled in later. Locks its tables against writers to the end of the transaction and reads them once. Error: unknown router.';

-- pool_entry is the library's own: nobody needs the right to delete from it.
CREATE FUNCTION leadroute.drop_pool_entries() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	DELETE FROM leadroute.pool_entry p WHERE p.routed_table = OLD.id;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION leadroute.drop_pool_entries() IS 'Trigger: leads of a table that is detached wait no longer.';
CREATE TRIGGER drop_pool_entries AFTER DELETE ON leadroute.routed_table
	FOR EACH ROW EXECUTE FUNCTION leadroute.drop_pool_entries();

CREATE FUNCTION leadroute.detach(lead_table text) RETURNS text
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	rt leadroute.routed_table;
	c record;
	gone boolean;
	rules text;
	n bigint;
	released bigint;
	t record;
BEGIN
	PERFORM leadroute.require_preload();
	SELECT * INTO rt FROM leadroute.routed_table r WHERE r.name = detach.lead_table;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'no table is attached as "%"', detach.lead_table
			USING ERRCODE = 'undefined_object',
				HINT = 'The names of attached tables are in leadroute.routed_table.';
	END IF;
	SELECT cl.relname, cl.relowner, ns.nspname INTO c
		FROM pg_class cl JOIN pg_namespace ns ON ns.oid = cl.relnamespace
		WHERE cl.oid = rt.relation;
	gone := NOT FOUND;
	IF NOT gone THEN
		IF NOT pg_has_role(c.relowner, 'USAGE') THEN
			RAISE EXCEPTION 'must be owner of table %', c.relname
				USING ERRCODE = 'insufficient_privilege';
		END IF;
		-- the lock that DROP TRIGGER needs, at once: taking more later may deadlock
		EXECUTE format('LOCK TABLE %I.%I IN ACCESS EXCLUSIVE MODE', c.nspname, c.relname);
	END IF;

	SELECT count(*), string_agg(format('"%s" of router "%s"', r.name, r.router), ', ' ORDER BY r.router, r.name)
			FILTER (WHERE r.place <= 5) INTO n, rules
		FROM (SELECT ru.name, ru.router, row_number() OVER (ORDER BY ru.router, ru.name) AS place
			FROM leadroute.rule ru WHERE ru.routed_table = rt.name) r;
	IF n > 0 THEN
		RAISE EXCEPTION 'rules are for table "%" alone', rt.name
			USING ERRCODE = 'dependent_objects_still_exist',
				DETAIL = format('Rules: %s%s.', rules, CASE WHEN n > 5 THEN format(' and %s more', n - 5) ELSE '' END),
				HINT = format('Delete them, or change them: UPDATE leadroute.rule SET routed_table = ... WHERE routed_table = %L.', rt.name);
	END IF;

	SELECT string_agg(format('"%s" of router "%s"', cr.name, cr.router), ', ' ORDER BY cr.router, cr.name) INTO rules
		FROM leadroute.criterion cr WHERE cr.routed_table = rt.name;
	IF rules IS NOT NULL THEN
		RAISE EXCEPTION 'criteria are for table "%" alone', rt.name
			USING ERRCODE = 'dependent_objects_still_exist',
				DETAIL = format('Criteria: %s.', rules),
				HINT = format('Delete them, or change them: UPDATE leadroute.criterion SET routed_table = ... WHERE routed_table = %L.', rt.name);
	END IF;

	released := leadroute.release_table(rt.name);
	IF NOT gone THEN
		FOR t IN SELECT tg.tgname FROM pg_trigger tg
			WHERE tg.tgrelid = rt.relation AND tg.tgparentid = 0
			AND tg.tgfoid = 'leadroute.lead_trigger()'::regprocedure
		LOOP
			EXECUTE format('DROP TRIGGER %I ON %I.%I', t.tgname, c.nspname, c.relname);
		END LOOP;
	END IF;
	DELETE FROM leadroute.routed_table r WHERE r.name = rt.name;

	RETURN format('table "%s" detached%s; %s open %s released', rt.name,
		CASE WHEN gone THEN ', it had been dropped' ELSE '' END,
		released, CASE released WHEN 1 THEN 'assignment' ELSE 'assignments' END);
END
$$;
COMMENT ON FUNCTION leadroute.detach(text) IS 'Takes the triggers off an attached table, ends its assignments (their load is given back), and forgets the table; the leads keep their owners, the journal keeps its rows. A table that was dropped is cleaned up. Returns a sentence that says what was done. The caller must own the table and have the profile admin. Error: no such table, or rules or criteria are for it alone.';
