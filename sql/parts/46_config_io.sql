-- export_config and import_config: a router's configuration as one document.
--
-- Both read from the catalogs which tables there are, which columns make
-- their keys and in which order they depend on each other: every table that
-- has the trigger config_changed is configuration.  Neither ids nor writers
-- are in a document: whoever imports expressions vouches for them.  The rows
-- of routed_table go through attach and detach.

CREATE FUNCTION leadroute.config_table(OUT table_name text, OUT relation regclass, OUT key_columns text[],
	OUT hidden_columns text[], OUT place integer) RETURNS SETOF record
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	WITH RECURSIVE config AS (
		SELECT c.oid, c.relname FROM pg_class c
		WHERE c.relnamespace = 'leadroute'::regnamespace
		AND EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = 'config_changed')),
	needs AS (
		SELECT DISTINCT f.conrelid AS oid, f.confrelid AS needed FROM pg_constraint f
		JOIN config a ON a.oid = f.conrelid JOIN config b ON b.oid = f.confrelid
		WHERE f.contype = 'f' AND f.conrelid <> f.confrelid),
	-- ends, for foreign keys of the configuration form no circle
	depth AS (
		SELECT c.oid, 0 AS n FROM config c
		UNION SELECT s.oid, d.n + 1 FROM needs s JOIN depth d ON d.oid = s.needed),
	ordered AS (
		SELECT c.oid, c.relname, max(d.n) AS n FROM config c JOIN depth d ON d.oid = c.oid GROUP BY 1, 2)
	SELECT o.relname::text, o.oid::regclass,
		-- a key that may hold NULL is not the primary one
		(SELECT array_agg(a.attname::text ORDER BY k.place)
			FROM (SELECT x.indkey::int2[] AS attnums FROM pg_index x
				WHERE x.indrelid = o.oid AND x.indisunique
				ORDER BY x.indisprimary DESC, x.indnullsnotdistinct DESC, x.indexrelid LIMIT 1) i
			CROSS JOIN LATERAL unnest(i.attnums) WITH ORDINALITY k (attnum, place)
			JOIN pg_attribute a ON a.attrelid = o.oid AND a.attnum = k.attnum
			WHERE a.attname <> 'router'),
		(SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_attribute a
			WHERE a.attrelid = o.oid AND a.attnum > 0 AND NOT a.attisdropped
			AND (a.attidentity <> '' OR a.attname IN ('router', 'router_expr', 'version', 'written_by'))),
		(row_number() OVER (ORDER BY o.n, o.relname))::integer
	FROM ordered o
	ORDER BY 5;
END;
COMMENT ON FUNCTION leadroute.config_table() IS 'The configuration tables, those that others refer to first: name, relation, the columns of the key beside router, and those that no document of export_config has.';

CREATE FUNCTION leadroute.export_config(router text DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET DateStyle = 'ISO, YMD'
SET IntervalStyle = 'postgres'
SET TimeZone = 'UTC'
SET extra_float_digits = 1
AS $$
DECLARE
	name text := coalesce(export_config.router, leadroute.default_router());
	document jsonb := '{"leadroute": 1}';
	content jsonb;
	t record;
BEGIN
	FOR t IN SELECT * FROM leadroute.config_table() LOOP
		EXECUTE format('SELECT jsonb_agg(to_jsonb(t) - $2 ORDER BY %s) FROM leadroute.%I t WHERE t.%I = $1',
				(SELECT string_agg(format('t.%I', k.name), ', ' ORDER BY k.place)
					FROM unnest(t.key_columns) WITH ORDINALITY k (name, place)),
				t.table_name, CASE t.table_name WHEN 'router' THEN 'name' ELSE 'router' END)
			INTO content USING name, t.hidden_columns;
		IF t.table_name = 'router' AND content IS NULL THEN
			RAISE EXCEPTION 'router "%" does not exist', name USING ERRCODE = 'undefined_object';
		END IF;
		document := document || jsonb_build_object(t.table_name,
			CASE t.table_name WHEN 'router' THEN content -> 0 ELSE coalesce(content, '[]') END);
	END LOOP;
	RETURN document;
END
$$;
COMMENT ON FUNCTION leadroute.export_config(text) IS
'The whole configuration of a router (NULL: the default one) as one document: {"leadroute": 1, "router": {...}, and for each other configuration table an array of its rows in the order of their keys}. Rows are objects of the table''s columns, but router, ids, versions and writers; times in UTC. Tables with router_expr belong to no router and are left out. import_config reads it. Error: unknown router.';

CREATE FUNCTION leadroute.document_place(at text, place bigint, column_name text, content jsonb, key_columns text[]) RETURNS text
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
RETURN CASE at WHEN '$.router' THEN at ELSE format('%s[%s]', at, place) END || coalesce('.' || column_name, '')
	|| CASE WHEN at <> '$.router' AND jsonb_typeof(content) = 'object' THEN
		coalesce((SELECT ' (' || string_agg(format('%s %s', k.name, content -> k.name), ', ' ORDER BY k.place) || ')'
			FROM unnest(key_columns) WITH ORDINALITY k (name, place) WHERE content ->> k.name IS NOT NULL), '')
		ELSE '' END;
COMMENT ON FUNCTION leadroute.document_place(text, bigint, text, jsonb, text[]) IS 'Part of import_config: the place of a row of a table, counted from 0 (the router is one row), or of a column of it, and which row that is, by its key.';

CREATE FUNCTION leadroute.document_error(problem text, at text, hint text) RETURNS void
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RAISE EXCEPTION '%', document_error.problem
		USING ERRCODE = 'invalid_parameter_value',
			DETAIL = format('Place in the document: %s', document_error.at), HINT = document_error.hint;
END
$$;
COMMENT ON FUNCTION leadroute.document_error(text, text, text) IS 'Part of import_config: raises an error with its place in the document.';

-- What can be said without looking at the database: nothing is unknown, and
-- every value is of the kind that its column takes.
CREATE FUNCTION leadroute.check_document_rows(relation regclass, key_columns text[], hidden_columns text[], content jsonb, at text) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	e record;
BEGIN
	IF jsonb_typeof(check_document_rows.content) <> 'array' THEN
		PERFORM leadroute.document_error('the value must be an array of rows', check_document_rows.at,
			'A row is an object of the columns of the table.');
	END IF;
	SELECT leadroute.document_place(check_document_rows.at, r.place - 1, NULL, NULL, NULL) AS at INTO e
		FROM jsonb_array_elements(check_document_rows.content) WITH ORDINALITY r (content, place)
		WHERE jsonb_typeof(r.content) <> 'object' LIMIT 1;
	IF FOUND THEN
		PERFORM leadroute.document_error('a row must be an object', e.at, 'A row is an object of the columns of the table.');
	END IF;

	WITH col AS (
		SELECT a.attname::text AS name, CASE
				WHEN a.atttypid = 'boolean'::regtype THEN 'boolean'
				WHEN a.atttypid IN ('jsonb'::regtype, 'json'::regtype) THEN NULL
				WHEN ty.typcategory = 'N' AND a.atttypid <> 'regclass'::regtype THEN 'number'
				WHEN ty.typcategory = 'A' THEN 'array'
				ELSE 'string' END AS kind
		FROM pg_attribute a JOIN pg_type ty ON ty.oid = a.atttypid
		WHERE a.attrelid = check_document_rows.relation AND a.attnum > 0 AND NOT a.attisdropped
		AND a.attname <> ALL (check_document_rows.hidden_columns))
	SELECT leadroute.document_place(check_document_rows.at, r.place - 1, CASE WHEN c.kind IS NOT NULL THEN v.key END, r.content, check_document_rows.key_columns) AS at, v.key, c.kind, jsonb_typeof(v.value) AS found INTO e
		FROM jsonb_array_elements(check_document_rows.content) WITH ORDINALITY r (content, place)
		CROSS JOIN LATERAL jsonb_each(r.content) v
		LEFT JOIN col c ON c.name = v.key
		WHERE c.name IS NULL OR jsonb_typeof(v.value) NOT IN ('null', coalesce(c.kind, jsonb_typeof(v.value)))
		ORDER BY r.place, v.key LIMIT 1;
	IF FOUND AND e.found IS NOT NULL AND e.kind IS NOT NULL THEN
		PERFORM leadroute.document_error(format('column "%s" does not take a value of type %s', e.key, e.found),
			e.at, format('Its values are of type %s, or null.', e.kind));
	ELSIF FOUND THEN
		PERFORM leadroute.document_error(format('unknown column "%s"', e.key), e.at,
			format('Columns: %s.', (SELECT string_agg(a.attname, ', ' ORDER BY a.attnum) FROM pg_attribute a
				WHERE a.attrelid = check_document_rows.relation AND a.attnum > 0 AND NOT a.attisdropped
				AND a.attname <> ALL (check_document_rows.hidden_columns))));
	END IF;

	SELECT leadroute.document_place(check_document_rows.at, r.place - 1, NULL, r.content, check_document_rows.key_columns) AS at, k.name INTO e
		FROM jsonb_array_elements(check_document_rows.content) WITH ORDINALITY r (content, place)
		CROSS JOIN unnest(check_document_rows.key_columns) k (name)
		JOIN pg_attribute a ON a.attrelid = check_document_rows.relation AND a.attname = k.name AND a.attnotnull
		WHERE coalesce(jsonb_typeof(r.content -> k.name), 'null') = 'null'
		ORDER BY r.place LIMIT 1;
	IF FOUND THEN
		PERFORM leadroute.document_error(format('column "%s" is missing', e.name), e.at, 'It belongs to the key of the table.');
	END IF;
	SELECT leadroute.document_place(check_document_rows.at, max(r.place) - 1, NULL, (array_agg(r.content))[1], check_document_rows.key_columns) AS at,
			leadroute.document_place(check_document_rows.at, min(r.place) - 1, NULL, NULL, NULL) AS first INTO e
		FROM jsonb_array_elements(check_document_rows.content) WITH ORDINALITY r (content, place)
		GROUP BY (SELECT jsonb_agg(r.content -> k.name) FROM unnest(check_document_rows.key_columns) k (name))
		HAVING count(*) > 1 LIMIT 1;
	IF FOUND THEN
		PERFORM leadroute.document_error('the row is there twice', e.at, format('The other one is at %s.', e.first));
	END IF;
END
$$;
COMMENT ON FUNCTION leadroute.check_document_rows(regclass, text[], text[], jsonb, text) IS 'Part of import_config: error, with its place, for rows of a document that are no objects, have unknown columns or values of another kind, lack their key, or are there twice.';

-- Condition that t, a row of the table, and r, one of the document, have the
-- same key.  Operators are named in full: it is read under any search_path.
CREATE FUNCTION leadroute.same_key(relation regclass, key_columns text[]) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT CASE WHEN bool_and(a.attnotnull)
		THEN string_agg(format('t.%1$I OPERATOR(pg_catalog.=) r.%1$I', k.name), ' AND ' ORDER BY k.place)
		-- of values that may be NULL, in a form that can be hashed
		ELSE format('pg_catalog.jsonb_build_array(%s) OPERATOR(pg_catalog.=) pg_catalog.jsonb_build_array(%s)',
			string_agg(format('t.%I', k.name), ', ' ORDER BY k.place),
			string_agg(format('r.%I', k.name), ', ' ORDER BY k.place)) END
	FROM unnest(same_key.key_columns) WITH ORDINALITY k (name, place)
	JOIN pg_attribute a ON a.attrelid = same_key.relation AND a.attname = k.name;
END;
COMMENT ON FUNCTION leadroute.same_key(regclass, text[]) IS 'Part of import_config: SQL, the keys of t and r are the same.';

-- One table's rows of a document.  place is that of the first row.
CREATE FUNCTION leadroute.import_rows(path text, router text, relation regclass, key_columns text[], content jsonb, at text, place integer) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	target text := (SELECT format('leadroute.%I', c.relname) FROM pg_class c WHERE c.oid = import_rows.relation);
	has_path boolean := EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = import_rows.relation AND a.attname = 'search_path');
	matching text := leadroute.same_key(import_rows.relation, import_rows.key_columns);
	scope text := CASE import_rows.relation WHEN 'leadroute.router'::regclass THEN 'name' ELSE 'router' END;
	source text;
	one_by_one boolean := false;
	changed jsonb;
	batch record;
	set_list text;
	columns text;
	sources text;
	state text;
	message text;
	detail text;
	hint text;
BEGIN
	-- Those that are not there as they are; the rest is not looked at again.
	EXECUTE format('SELECT jsonb_agg(jsonb_build_array(d.place - 1, d.content) ORDER BY d.place)
			FROM jsonb_array_elements($1) WITH ORDINALITY d (content, place)
			LEFT JOIN (SELECT to_jsonb(t) AS content, jsonb_build_array(%s) AS key FROM %s t WHERE t.%I = $2) e
				ON e.key = jsonb_build_array(%s)
			WHERE e.key IS NULL OR e.content || d.content <> e.content',
		(SELECT string_agg(format('t.%I', k.name), ', ' ORDER BY k.place) FROM unnest(import_rows.key_columns) WITH ORDINALITY k (name, place)),
		target, scope,
		(SELECT string_agg(format('d.content -> %L', k.name), ', ' ORDER BY k.place) FROM unnest(import_rows.key_columns) WITH ORDINALITY k (name, place)))
		INTO changed USING import_rows.content, import_rows.router;
	IF changed IS NULL THEN
		RETURN;
	END IF;

	-- Rows of the same columns in one statement: what is done once a statement is
	-- done once.  Only where there is an error they are taken one by one.
	source := format('pg_catalog.jsonb_populate_recordset(NULL::%s, $1) r', target);
	LOOP
		BEGIN
			FOR batch IN
				SELECT x.names, coalesce(x.own_path, import_rows.path) AS path,
					jsonb_agg(x.content ORDER BY x.place) AS content, min(x.place) AS place
				FROM (SELECT (e.value ->> 0)::integer AS place, e.value -> 1 AS content,
						e.value -> 1 ->> 'search_path' AS own_path,
						(SELECT array_agg(k ORDER BY k) FROM jsonb_object_keys(e.value -> 1) k WHERE k <> scope) AS names
					FROM jsonb_array_elements(changed) e) x
				GROUP BY x.names, x.own_path, CASE WHEN one_by_one THEN x.place END
				ORDER BY min(x.place)
			LOOP
				set_list := (SELECT string_agg(format('%1$I = r.%1$I', n.name), ', ')
					FROM unnest(batch.names) n (name) WHERE n.name <> ALL (import_rows.key_columns));
				columns := (SELECT concat_ws(', ', scope, string_agg(format('%I', n.name), ', ')) FROM unnest(batch.names) n (name));
				sources := (SELECT concat_ws(', ', '$2', string_agg(format('r.%I', n.name), ', ')) FROM unnest(batch.names) n (name));
				-- As its writer has it, for expressions and names of relations; so
				-- nothing here may need ours.
				IF has_path THEN
					PERFORM pg_catalog.set_config('search_path', batch.path, true);
				END IF;
				IF set_list IS NOT NULL THEN
					EXECUTE pg_catalog.format('UPDATE %s t SET %s FROM %s WHERE t.%I OPERATOR(pg_catalog.=) $2 AND %s',
						target, set_list, source, scope, matching) USING batch.content, import_rows.router;
				END IF;
				EXECUTE pg_catalog.format('INSERT INTO %s (%s) SELECT %s FROM %s
						WHERE NOT EXISTS (SELECT FROM %s t WHERE t.%I OPERATOR(pg_catalog.=) $2 AND %s)',
					target, columns, sources, source, target, scope, matching) USING batch.content, import_rows.router;
				PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
			END LOOP;
			RETURN;
		EXCEPTION WHEN OTHERS THEN
			GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
				detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
		END;
		IF one_by_one OR jsonb_array_length(changed) = 1 THEN
			RAISE EXCEPTION USING ERRCODE = state, MESSAGE = message,
				DETAIL = concat_ws(E'\n', nullif(detail, ''),
					'Place in the document: ' || leadroute.document_place(import_rows.at, import_rows.place + batch.place, NULL, batch.content -> 0, import_rows.key_columns)),
				HINT = coalesce(nullif(hint, ''), 'Nothing was imported.');
		END IF;
		one_by_one := true;
	END LOOP;
END
$$;
COMMENT ON FUNCTION leadroute.import_rows(text, text, regclass, text[], jsonb, text, integer) IS 'Part of import_config: inserts and updates the rows of one table; path is the search_path of expressions that do not say theirs. An error gets its place in the document.';

CREATE FUNCTION leadroute.import_routed_table(path text, router text, content jsonb, place integer) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	old leadroute.routed_table;
	new leadroute.routed_table;
	own_path text := coalesce(import_routed_table.content ->> 'search_path', import_routed_table.path);
BEGIN
	SELECT * INTO old FROM leadroute.routed_table rt WHERE rt.name = import_routed_table.content ->> 'name';
	IF FOUND AND old.router IS DISTINCT FROM import_routed_table.router THEN
		RAISE NOTICE 'lead table "%" stays with %', old.name,
			coalesce('router "' || old.router || '"', 'the routers that its router_expr names');
		RETURN;
	END IF;

	PERFORM pg_catalog.set_config('search_path', own_path, true);
	IF pg_catalog.to_regclass(import_routed_table.content ->> 'relation') IS NULL
		AND import_routed_table.content ->> 'relation' IS NOT NULL
	THEN
		PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
		PERFORM leadroute.document_error(format('relation "%s" does not exist', import_routed_table.content ->> 'relation'),
			leadroute.document_place('$.routed_table', import_routed_table.place, 'relation', import_routed_table.content, '{name}'), 'Create the table first, or take it out of the document.');
	END IF;
	new := pg_catalog.jsonb_populate_record(old, import_routed_table.content);
	PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);

	IF old.name IS NULL THEN
		PERFORM leadroute.attach_under(own_path, new.relation, new.owner_column, new.name, import_routed_table.router,
			NULL, new.key_columns, new.nobody, new.closed_when, new.responded_when, new.converted_when, new.load, new.protect_owner,
			new.accepted_when, new.captured_at, new.source, new.value, new.reroute_on,
			new.status_column, new.score_column, new.decide_at, new.ready_when, new.ready_within);
	ELSIF new IS NOT DISTINCT FROM old THEN
		RETURN;
	END IF;
	-- what attach does not set, or cannot set to NULL; the UPDATE sees to the rest
	PERFORM leadroute.import_rows(own_path, import_routed_table.router, 'leadroute.routed_table', '{name}',
		jsonb_build_array(import_routed_table.content), '$.routed_table', import_routed_table.place);
END
$$;
COMMENT ON FUNCTION leadroute.import_routed_table(text, text, jsonb, integer) IS 'Part of import_config: attaches a table, or changes how it is attached; one that another router has stays with it, with a NOTICE.';

-- What the document lacks, of the tables that it has; those that others refer
-- to last.  False: something is still referred to and was left.
CREATE FUNCTION leadroute.prune_config(router text, config jsonb, must boolean) RETURNS boolean
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	done boolean := true;
	t record;
	r record;
BEGIN
	FOR t IN SELECT c.*, format('t.router = $2 AND NOT EXISTS (SELECT FROM jsonb_populate_recordset(NULL::leadroute.%I, $1) r WHERE %s)',
				c.table_name, leadroute.same_key(c.relation, c.key_columns)) AS lacking
		FROM leadroute.config_table() c
		WHERE c.table_name <> 'router' AND prune_config.config ? c.table_name
		ORDER BY c.place DESC
	LOOP
		BEGIN
			IF t.table_name = 'routed_table' THEN
				FOR r IN SELECT rt.name FROM leadroute.routed_table rt
					WHERE rt.router = prune_config.router
					AND NOT EXISTS (SELECT FROM jsonb_array_elements(prune_config.config -> 'routed_table') e WHERE e.value ->> 'name' = rt.name)
				LOOP
					PERFORM leadroute.detach(r.name);
				END LOOP;
			ELSIF t.table_name <> 'member' THEN
				EXECUTE format('DELETE FROM leadroute.%I t WHERE %s', t.table_name, t.lacking)
					USING prune_config.config -> t.table_name, prune_config.router;
			ELSE
				FOR r IN EXECUTE format('SELECT t.name FROM leadroute.member t WHERE %s', t.lacking)
					USING prune_config.config -> t.table_name, prune_config.router
				LOOP
					BEGIN
						DELETE FROM leadroute.member m WHERE m.router = prune_config.router AND m.name = r.name;
					EXCEPTION WHEN dependent_objects_still_exist THEN
						UPDATE leadroute.member m SET active = false
							WHERE m.router = prune_config.router AND m.name = r.name AND m.active;
					END;
				END LOOP;
			END IF;
		EXCEPTION WHEN foreign_key_violation OR dependent_objects_still_exist THEN
			IF prune_config.must THEN
				RAISE;
			END IF;
			done := false;
		END;
	END LOOP;
	RETURN done;
END
$$;
COMMENT ON FUNCTION leadroute.prune_config(text, jsonb, boolean) IS 'Part of import_config: deletes the rows that a document lacks, of the tables that it has; members with a history become inactive. must: error when something else refers to one; else false.';

CREATE FUNCTION leadroute.keyed_rows(content jsonb, key_columns text[]) RETURNS TABLE (key jsonb, content jsonb)
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT (SELECT jsonb_object_agg(k.name, r.value -> k.name) FROM unnest($2) k (name)), r.value
	FROM jsonb_array_elements(CASE jsonb_typeof($1) WHEN 'array' THEN $1 WHEN 'object' THEN jsonb_build_array($1) ELSE '[]' END) r (value);
END;
COMMENT ON FUNCTION leadroute.keyed_rows(jsonb, text[]) IS 'Part of import_config: the rows of one table of a document, with their keys.';

CREATE FUNCTION leadroute.import_config_under(path text, config jsonb, router text, prune boolean)
RETURNS TABLE (table_name text, key jsonb, action text, old jsonb, new jsonb)
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
SET DateStyle = 'ISO, YMD'
SET IntervalStyle = 'postgres'
SET TimeZone = 'UTC'
SET extra_float_digits = 1
AS $$
#variable_conflict use_column
-- key, old and new are also what it returns
DECLARE
	its_router text;
	t record;
	e record;
	unknown text;
	pruned boolean := true;
	was jsonb := '{}';
	is_now jsonb;
BEGIN
	PERFORM leadroute.require_preload();
	IF jsonb_typeof(import_config_under.config) IS DISTINCT FROM 'object' THEN
		PERFORM leadroute.document_error('the configuration must be an object', '$', 'leadroute.export_config makes one.');
	END IF;
	SELECT k INTO unknown FROM jsonb_object_keys(import_config_under.config) k
		WHERE k <> 'leadroute' AND k NOT IN (SELECT c.table_name FROM leadroute.config_table() c) LIMIT 1;
	IF FOUND THEN
		PERFORM leadroute.document_error(format('unknown table "%s"', unknown), '$.' || unknown,
			format('Configuration tables: %s.', (SELECT string_agg(c.table_name, ', ' ORDER BY c.place) FROM leadroute.config_table() c)));
	ELSIF coalesce(import_config_under.config -> 'leadroute', '1') <> '1' THEN
		PERFORM leadroute.document_error('the document is of a form that this version does not read', '$.leadroute', 'It reads form 1.');
	ELSIF jsonb_typeof(coalesce(import_config_under.config -> 'router', '{}')) <> 'object' THEN
		PERFORM leadroute.document_error('router must be an object', '$.router', 'It holds the columns of the router.');
	END IF;
	FOR t IN SELECT * FROM leadroute.config_table() LOOP
		IF t.table_name = 'router' THEN
			PERFORM leadroute.check_document_rows(t.relation, '{}', t.hidden_columns,
				jsonb_build_array(coalesce(import_config_under.config -> 'router', '{}')), '$.router');
		ELSIF import_config_under.config ? t.table_name THEN
			PERFORM leadroute.check_document_rows(t.relation, t.key_columns, t.hidden_columns,
				import_config_under.config -> t.table_name, '$.' || t.table_name);
		END IF;
	END LOOP;

	its_router := coalesce(import_config_under.router, import_config_under.config -> 'router' ->> 'name');
	its_router := coalesce(its_router, leadroute.default_router());
	PERFORM leadroute.await_editors(its_router);
	IF EXISTS (SELECT FROM leadroute.router ro WHERE ro.name = its_router) THEN
		was := leadroute.export_config(its_router);
	END IF;
	IF import_config_under.prune THEN
		-- first: a new row may take what an old one has, a member's owner_value
		pruned := leadroute.prune_config(its_router, import_config_under.config, false);
	END IF;
	FOR t IN SELECT * FROM leadroute.config_table() LOOP
		IF t.table_name = 'router' THEN
			PERFORM leadroute.import_rows(import_config_under.path, its_router, t.relation, t.key_columns,
				jsonb_build_array(coalesce(import_config_under.config -> 'router', '{}') || jsonb_build_object('name', its_router)), '$.router', 0);
		ELSIF t.table_name = 'routed_table' THEN
			FOR e IN SELECT r.value AS content, r.place
				FROM jsonb_array_elements(coalesce(import_config_under.config -> 'routed_table', '[]')) WITH ORDINALITY r (value, place)
			LOOP
				PERFORM leadroute.import_routed_table(import_config_under.path, its_router, e.content, e.place::integer - 1);
			END LOOP;
		ELSIF import_config_under.config ? t.table_name THEN
			PERFORM leadroute.import_rows(import_config_under.path, its_router, t.relation, t.key_columns,
				import_config_under.config -> t.table_name, '$.' || t.table_name, 0);
		END IF;
	END LOOP;
	IF NOT pruned THEN
		PERFORM leadroute.prune_config(its_router, import_config_under.config, true);
	END IF;

	-- What has changed is what now differs, whatever did it.
	is_now := leadroute.export_config(its_router);
	IF is_now = was THEN
		RETURN;
	END IF;
	RETURN QUERY
	SELECT c.table_name, d.key, CASE WHEN d.old IS NULL THEN 'insert' WHEN d.new IS NULL THEN 'delete' ELSE 'update' END,
		CASE WHEN d.new IS NULL THEN d.old ELSE d.old - d.same END,
		CASE WHEN d.old IS NULL THEN d.new ELSE d.new - d.same END
	FROM leadroute.config_table() c
	CROSS JOIN LATERAL (
		SELECT coalesce(o.key, n.key) AS key, o.content AS old, n.content AS new,
			ARRAY(SELECT x.key FROM jsonb_each(o.content) x WHERE n.content -> x.key = x.value) AS same
		FROM leadroute.keyed_rows(was -> c.table_name, c.key_columns) o
		FULL JOIN leadroute.keyed_rows(is_now -> c.table_name, c.key_columns) n ON n.key = o.key
		WHERE o.content IS DISTINCT FROM n.content) d
	ORDER BY c.place, d.key;
END
$$;
COMMENT ON FUNCTION leadroute.import_config_under(text, jsonb, text, boolean) IS 'What import_config does; path is the search_path of expressions that do not say theirs. Call import_config.';

-- Its body was resolved when it was created: the caller's search_path, which
-- it hands on, cannot mislead it.
CREATE FUNCTION leadroute.import_config(config jsonb, router text DEFAULT NULL, prune boolean DEFAULT false)
RETURNS TABLE (table_name text, key jsonb, action text, old jsonb, new jsonb)
LANGUAGE sql VOLATILE
BEGIN ATOMIC
	SELECT i.table_name, i.key, i.action, i.old, i.new
	FROM leadroute.import_config_under(pg_catalog.current_setting('search_path'), import_config.config, import_config.router, coalesce(import_config.prune, false)) i;
END;
COMMENT ON FUNCTION leadroute.import_config(jsonb, text, boolean) IS
'Makes the configuration of a router what a document of export_config says, all or nothing; router NULL: the one that the document names, else the default one; it is made if it does not exist. Rows are found by their keys; columns that a row does not have stay as they are (new rows: get the default), so does what the document lacks; with prune rows are deleted that the document lacks, of the tables that it has; members with a history become inactive. Tables that are not attached are attached; one that another router has stays with it, with a NOTICE. The caller becomes the writer of the expressions that change. Returns a row for each change: table, key, action (insert, update, delete), and old and new row, of an update the columns that differ. Error, with the place in the document ($.rule[3]), for anything unknown or refused. The caller must have the profile admin.';
