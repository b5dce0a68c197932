-- condition: from a user interface's filter to a condition in SQL.
--
-- Whatever the filter says becomes a quoted name or a constant, never SQL of
-- its own.  What comes out is of the forms that the rule index reads: column =
-- constant, IN, BETWEEN, <, LIKE with a constant beginning, IS NULL.

CREATE FUNCTION leadroute.filter_error(problem text, at text,
	hint text DEFAULT 'The comment of leadroute.condition says what a filter is made of.') RETURNS void
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RAISE EXCEPTION '%', filter_error.problem
		USING ERRCODE = 'invalid_parameter_value',
			DETAIL = format('Place in the filter: %s', filter_error.at),
			HINT = filter_error.hint;
END
$$;
COMMENT ON FUNCTION leadroute.filter_error(text, text, text) IS 'Part of condition: raises an error with its place in the filter.';

CREATE FUNCTION leadroute.filter_constant(value jsonb, at text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	CASE coalesce(jsonb_typeof(filter_constant.value), 'missing')
		WHEN 'string' THEN
			RETURN quote_literal(filter_constant.value #>> '{}');
		WHEN 'number', 'boolean' THEN
			RETURN filter_constant.value #>> '{}';
		WHEN 'missing' THEN
			PERFORM leadroute.filter_error('a value is missing', filter_constant.at);
		WHEN 'null' THEN
			PERFORM leadroute.filter_error('null cannot be compared', filter_constant.at,
				'Use the operator is_null or not_null.');
		ELSE
			PERFORM leadroute.filter_error(format('a value must be a string, a number or a boolean, not an %s',
				jsonb_typeof(filter_constant.value)), filter_constant.at);
	END CASE;
END
$$;
COMMENT ON FUNCTION leadroute.filter_constant(jsonb, text) IS 'Part of condition: a JSON string, number or boolean as a constant of SQL. Error for anything else.';

CREATE FUNCTION leadroute.filter_pattern(value jsonb, at text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF jsonb_typeof(filter_pattern.value) IS DISTINCT FROM 'string' THEN
		PERFORM leadroute.filter_error('the value must be a string', filter_pattern.at);
	END IF;
	RETURN regexp_replace(filter_pattern.value #>> '{}', '([\\%_])', '\\\1', 'g');
END
$$;
COMMENT ON FUNCTION leadroute.filter_pattern(jsonb, text) IS 'Part of condition: a string as it must stand in a pattern of LIKE to mean itself. Error for anything else.';

CREATE FUNCTION leadroute.filter_list(value jsonb, at text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	constants text[] := '{}';
	type text;
	e record;
BEGIN
	IF jsonb_typeof(filter_list.value) IS DISTINCT FROM 'array' THEN
		PERFORM leadroute.filter_error('the value must be an array', filter_list.at);
	END IF;
	FOR e IN SELECT x.value, format('%s[%s]', filter_list.at, x.place - 1) AS at
		FROM jsonb_array_elements(filter_list.value) WITH ORDINALITY x (value, place)
		WHERE jsonb_typeof(x.value) <> 'null'
	LOOP
		constants := constants || leadroute.filter_constant(e.value, e.at);
		type := coalesce(type, jsonb_typeof(e.value));
		IF jsonb_typeof(e.value) <> type THEN
			PERFORM leadroute.filter_error(format('a %s stands in a list of %ss', jsonb_typeof(e.value), type), e.at);
		END IF;
	END LOOP;
	RETURN nullif(array_to_string(constants, ', '), '');
END
$$;
COMMENT ON FUNCTION leadroute.filter_list(jsonb, text) IS 'Part of condition: the elements of an array as constants of SQL, joined by commas; null is left out. NULL: nothing is left. Error for anything else, and for elements of several types.';

CREATE FUNCTION leadroute.filter_test(filter jsonb, at text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	op text := filter_test.filter ->> 'op';
	col text := quote_ident(filter_test.filter ->> 'column');
	value jsonb := filter_test.filter -> 'value';
	at_value text := filter_test.at || '.value';
	list text;
	unknown text;
BEGIN
	SELECT k INTO unknown FROM jsonb_object_keys(filter_test.filter) k
		WHERE k NOT IN ('column', 'op', 'value') LIMIT 1;
	IF FOUND THEN
		PERFORM leadroute.filter_error(format('unknown key "%s"', unknown), filter_test.at,
			'A test is {"column": ..., "op": ..., "value": ...}, a group {"all": [...]}, {"any": [...]} or {"not": ...}.');
	ELSIF jsonb_typeof(filter_test.filter -> 'column') IS DISTINCT FROM 'string' OR col = '""' THEN
		PERFORM leadroute.filter_error('column must be the name of a column', filter_test.at || '.column');
	ELSIF jsonb_typeof(filter_test.filter -> 'op') IS DISTINCT FROM 'string' THEN
		PERFORM leadroute.filter_error('op must be the name of an operator', filter_test.at || '.op');
	END IF;

	CASE
		WHEN op IN ('is_null', 'not_null', 'true', 'false') THEN
			IF filter_test.filter ? 'value' THEN
				PERFORM leadroute.filter_error(format('operator "%s" takes no value', op), at_value);
			END IF;
			RETURN CASE op WHEN 'is_null' THEN col || ' IS NULL' WHEN 'not_null' THEN col || ' IS NOT NULL'
				WHEN 'true' THEN col ELSE 'NOT ' || col END;
		WHEN op IN ('eq', 'ne') AND jsonb_typeof(value) = 'null' THEN
			RETURN col || CASE op WHEN 'eq' THEN ' IS NULL' ELSE ' IS NOT NULL' END;
		WHEN op IN ('eq', 'ne', 'lt', 'lte', 'gt', 'gte') THEN
			RETURN concat_ws(' ', col,
				CASE op WHEN 'eq' THEN '=' WHEN 'ne' THEN '<>' WHEN 'lt' THEN '<' WHEN 'lte' THEN '<='
					WHEN 'gt' THEN '>' ELSE '>=' END,
				leadroute.filter_constant(value, at_value));
		WHEN op IN ('in', 'not_in') THEN
			-- null among the values stands for a column that is NULL
			list := leadroute.filter_list(value, at_value);
			RETURN CASE
				WHEN list IS NULL AND value @> 'null' THEN col || CASE op WHEN 'in' THEN ' IS NULL' ELSE ' IS NOT NULL' END
				WHEN list IS NULL THEN CASE op WHEN 'in' THEN 'false' ELSE 'true' END
				WHEN op = 'not_in' THEN concat(col, ' NOT IN (', list, ')')
				WHEN value @> 'null' THEN concat('(', col, ' IN (', list, ') OR ', col, ' IS NULL)')
				ELSE concat(col, ' IN (', list, ')') END;
		WHEN op = 'between' THEN
			IF jsonb_typeof(value) IS DISTINCT FROM 'array' OR jsonb_array_length(value) <> 2 THEN
				PERFORM leadroute.filter_error('the value must be an array of two', at_value);
			END IF;
			list := leadroute.filter_list(value, at_value);
			RETURN concat(col, ' BETWEEN ', leadroute.filter_constant(value -> 0, at_value || '[0]'),
				' AND ', leadroute.filter_constant(value -> 1, at_value || '[1]'));
		WHEN op = 'starts_with' THEN
			RETURN concat(col, ' LIKE ', quote_literal(leadroute.filter_pattern(value, at_value) || '%'));
		WHEN op = 'ends_with' THEN
			RETURN concat(col, ' LIKE ', quote_literal('%' || leadroute.filter_pattern(value, at_value)));
		WHEN op = 'contains' THEN
			RETURN concat(col, ' LIKE ', quote_literal('%' || leadroute.filter_pattern(value, at_value) || '%'));
		ELSE
			PERFORM leadroute.filter_error(format('unknown operator "%s"', op), filter_test.at || '.op',
				'Operators are eq, ne, in, not_in, lt, lte, gt, gte, between, contains, starts_with, ends_with, is_null, not_null, true and false.');
	END CASE;
END
$$;
COMMENT ON FUNCTION leadroute.filter_test(jsonb, text) IS 'Part of condition: one test of a column, {"column", "op", "value"}, as SQL. Error, with the place, for anything else.';

CREATE FUNCTION leadroute.filter_node(filter jsonb, at text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	word text;
	parts text[] := '{}';
	e record;
BEGIN
	IF jsonb_typeof(filter_node.filter) = 'boolean' THEN
		RETURN filter_node.filter #>> '{}';
	ELSIF jsonb_typeof(filter_node.filter) <> 'object' THEN
		PERFORM leadroute.filter_error(format('a filter must be an object, true or false, not: %s',
			left(filter_node.filter::text, 40)), filter_node.at);
	END IF;
	SELECT k INTO word FROM jsonb_object_keys(filter_node.filter) k WHERE k IN ('all', 'any', 'not') LIMIT 1;
	IF NOT FOUND THEN
		RETURN leadroute.filter_test(filter_node.filter, filter_node.at);
	ELSIF (SELECT count(*) FROM jsonb_object_keys(filter_node.filter)) > 1 THEN
		PERFORM leadroute.filter_error(format('beside "%s" stands something else', word), filter_node.at,
			'A group has one key: all, any or not.');
	ELSIF word = 'not' THEN
		RETURN concat('NOT (', leadroute.filter_node(filter_node.filter -> 'not', filter_node.at || '.not'), ')');
	ELSIF jsonb_typeof(filter_node.filter -> word) <> 'array' THEN
		PERFORM leadroute.filter_error(format('"%s" must be an array of filters', word), filter_node.at || '.' || word);
	END IF;
	FOR e IN SELECT x.value, format('%s.%s[%s]', filter_node.at, word, x.place - 1) AS at
		FROM jsonb_array_elements(filter_node.filter -> word) WITH ORDINALITY x (value, place)
	LOOP
		parts := parts || leadroute.filter_node(e.value, e.at);
	END LOOP;
	RETURN CASE cardinality(parts)
		WHEN 0 THEN CASE word WHEN 'all' THEN 'true' ELSE 'false' END
		WHEN 1 THEN parts[1]
		ELSE concat('(', array_to_string(parts, CASE word WHEN 'all' THEN ' AND ' ELSE ' OR ' END), ')') END;
END
$$;
COMMENT ON FUNCTION leadroute.filter_node(jsonb, text) IS 'Part of condition: a filter or a part of one as SQL; at is its place. A group of more than one part stands in parentheses.';

CREATE FUNCTION leadroute.condition(filter jsonb) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE STRICT
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN leadroute.filter_node(condition.filter, '$');
END
$$;
COMMENT ON FUNCTION leadroute.condition(jsonb) IS
'The filter of a user interface as a condition in SQL. A filter is a test {"column": name, "op": operator, "value": constant}, a group {"all": [filters]}, {"any": [filters]} or {"not": filter}, or true or false. Operators: eq, ne, lt, lte, gt, gte (a string, number or boolean; eq and ne also null), in, not_in (an array of them; null stands for a column that is NULL), between (two, both included), contains, starts_with, ends_with (a string; case matters), is_null, not_null, true, false (no value). As in SQL, a column that is NULL satisfies neither ne nor not_in nor a negated test. Names and constants are quoted; whether the columns exist, check_condition says. all of nothing is true, any of nothing false. Error, with the place in the filter, for anything unknown.';
