-- Who wrote an expression, and what a rule was: take_over and rule_at.

CREATE FUNCTION leadroute.take_over(router text DEFAULT NULL, rule text DEFAULT NULL)
RETURNS TABLE (table_name text, name text, former_writer text, error text)
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	its_router text := coalesce(take_over.router, leadroute.default_router());
	t record;
	r record;
BEGIN
	IF take_over.rule IS NOT NULL AND NOT EXISTS (SELECT FROM leadroute.rule ru
		WHERE ru.router = its_router AND ru.name = take_over.rule)
	THEN
		RAISE EXCEPTION 'rule "%" of router "%" does not exist', take_over.rule, its_router
			USING ERRCODE = 'undefined_object',
				HINT = 'The names of rules are in leadroute.rule.';
	END IF;
	FOR t IN SELECT c.table_name, c.key_columns,
			EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.relation AND a.attname = 'router_expr') AS shared
		FROM leadroute.config_table() c
		WHERE (take_over.rule IS NULL OR c.table_name = 'rule')
		AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.relation AND a.attname = 'search_path')
		ORDER BY c.place
	LOOP
		FOR r IN EXECUTE format('SELECT t.ctid, %s AS name, t.written_by FROM leadroute.%I t
				WHERE (t.%I = $1%s)%s
				AND t.written_by IS NOT NULL AND NOT EXISTS (SELECT FROM pg_roles w WHERE w.rolname = t.written_by)
				ORDER BY 2',
				(SELECT 'concat_ws('', '', ' || string_agg(format('t.%I', k.name), ', ' ORDER BY k.place) || ')'
					FROM unnest(t.key_columns) WITH ORDINALITY k (name, place)),
				t.table_name, CASE t.table_name WHEN 'router' THEN 'name' ELSE 'router' END,
				CASE WHEN t.shared THEN ' OR t.router IS NULL' ELSE '' END,
				CASE WHEN take_over.rule IS NOT NULL THEN ' AND t.name = $2' ELSE '' END)
			USING its_router, take_over.rule
		LOOP
			take_over.table_name := t.table_name;
			take_over.name := r.name;
			take_over.former_writer := r.written_by;
			take_over.error := NULL;
			-- one that does not compile shall not keep the others from matching
			BEGIN
				EXECUTE format('UPDATE leadroute.%I t SET written_by = current_user WHERE t.ctid = $1', t.table_name)
					USING r.ctid;
			EXCEPTION WHEN OTHERS THEN
				take_over.error := SQLERRM;
			END;
			RETURN NEXT;
		END LOOP;
	END LOOP;
END
$$;
COMMENT ON FUNCTION leadroute.take_over(text, text) IS
'Makes the caller the writer of the expressions of a router (NULL: the default one) whose writer does not exist, as after a restore: of one rule, or (NULL) of all its rules and other rows, those of tables with router_expr included. They run with the rights of the caller from then on, so read them first. Returns a row for each, with the writer that it had; error: why it cannot be taken over (it does not compile under the caller), NULL: it was. Error: unknown router or rule; the caller must be allowed to UPDATE them.';

-- A rule's history tells nothing that the rule does not, so whoever may read
-- rules may read it; config_history also tells of absences.
CREATE FUNCTION leadroute.rule_at(router text, rule text, version integer) RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	WITH state AS (
		SELECT to_jsonb(r) AS content, 'infinity'::timestamptz AS until FROM leadroute.rule r
		UNION ALL
		SELECT h.old, h.at FROM leadroute.config_history h WHERE h.table_name = 'rule')
	SELECT s.content FROM state s
	WHERE (s.content ->> 'version')::integer = $3
	-- under any name that it has had
	AND s.content -> 'id' IN (SELECT n.content -> 'id' FROM state n
		WHERE n.content ->> 'router' = $1 AND n.content ->> 'name' = $2)
	ORDER BY s.content ->> 'name' = $2 DESC, s.until DESC
	LIMIT 1;
END;
COMMENT ON FUNCTION leadroute.rule_at(text, text, integer) IS 'A rule as it was at a version, as assignment.rule_version names it: the row of leadroute.rule as jsonb, from the present state or config_history; rule may be any name that it has had, also of one that is deleted. NULL: not known.';
