-- condition: a user interface's filter becomes SQL; nothing in it becomes SQL of its own.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
CREATE TABLE lead (id integer PRIMARY KEY, country text, n integer, amount numeric, vip boolean, at date,
	"Odd "" name" text, owner text);
INSERT INTO lead VALUES
	(1, 'DE', 5, 10.5, true, '2030-01-01', 'x', NULL),
	(2, 'd''%_\e', -5, NULL, false, '2030-06-01', '50%', NULL),
	(3, NULL, NULL, 1000, NULL, NULL, NULL, NULL),
	(4, 'FR', 7, 0, true, '2031-01-01', 'a_b', NULL);
SELECT leadroute.attach('lead', 'owner') IS NOT NULL AS attached;

-- What it makes, and which of the leads satisfy it.
CREATE FUNCTION pg_temp.try(filter jsonb, OUT condition text, OUT leads text) LANGUAGE plpgsql AS $$
BEGIN
	condition := leadroute.condition(filter);
	leads := leadroute.check_condition('lead', condition);
	IF leads IS NULL THEN
		EXECUTE format('SELECT string_agg(id::text, '' '' ORDER BY id) FROM lead WHERE %s', condition) INTO leads;
	END IF;
EXCEPTION WHEN invalid_parameter_value THEN
	GET STACKED DIAGNOSTICS leads = PG_EXCEPTION_DETAIL;
	leads := concat_ws(' | ', SQLERRM, leads);
END
$$;
\pset format unaligned
\pset tuples_only on
SELECT t.* FROM (VALUES
	(1, '{"column": "country", "op": "eq", "value": "DE"}'),
	(2, '{"column": "country", "op": "ne", "value": "DE"}'),
	(3, '{"column": "country", "op": "eq", "value": null}'),
	(4, '{"column": "country", "op": "ne", "value": null}'),
	(5, '{"column": "country", "op": "in", "value": ["DE", "d''%_\\e"]}'),
	(6, '{"column": "country", "op": "in", "value": ["DE", null]}'),
	(7, '{"column": "country", "op": "in", "value": [null]}'),
	(8, '{"column": "country", "op": "in", "value": []}'),
	(9, '{"column": "country", "op": "not_in", "value": ["DE"]}'),
	(10, '{"column": "country", "op": "not_in", "value": ["DE", null]}'),
	(11, '{"column": "country", "op": "not_in", "value": [null]}'),
	(12, '{"column": "country", "op": "not_in", "value": []}'),
	(13, '{"column": "n", "op": "lt", "value": 5}'),
	(14, '{"column": "n", "op": "lte", "value": 5}'),
	(15, '{"column": "n", "op": "gt", "value": -5}'),
	(16, '{"column": "n", "op": "gte", "value": -5.0}'),
	(17, '{"column": "amount", "op": "between", "value": [0, 10.5]}'),
	(18, '{"column": "at", "op": "between", "value": ["2030-01-01", "2030-12-31"]}'),
	(19, '{"column": "country", "op": "starts_with", "value": "d''%"}'),
	(20, '{"column": "country", "op": "ends_with", "value": "_\\e"}'),
	(21, '{"column": "Odd \" name", "op": "contains", "value": "_"}'),
	(22, '{"column": "Odd \" name", "op": "contains", "value": ""}'),
	(23, '{"column": "country", "op": "is_null"}'),
	(24, '{"column": "country", "op": "not_null"}'),
	(25, '{"column": "vip", "op": "true"}'),
	(26, '{"column": "vip", "op": "false"}'),
	(27, '{"column": "vip", "op": "eq", "value": false}'),
	(28, 'true'),
	(29, 'false'),
	(30, '{"all": []}'),
	(31, '{"any": []}'),
	(32, '{"all": [{"column": "n", "op": "gt", "value": 0}, {"any": [{"column": "country", "op": "eq", "value": "DE"}, {"column": "amount", "op": "eq", "value": 0}]}]}'),
	(33, '{"not": {"any": [{"column": "country", "op": "eq", "value": "DE"}, {"column": "n", "op": "eq", "value": 7}]}}'),
	(34, '{"not": {"column": "vip", "op": "true"}}'),
	(35, '{"any": [{"all": [{"column": "vip", "op": "false"}]}, {"not": {"not": {"column": "id", "op": "eq", "value": 3}}}]}'),
	(36, '{"column": "country\" = '''' OR true --", "op": "eq", "value": "x"}'),
	(37, '{"column": "country", "op": "eq", "value": "'' OR true --"}'),
	(38, '{"column": "country", "op": "eq", "value": "\\'' OR true --"}'),
	(39, '{"column": "country", "op": "eq", "value": 5}')) v (place, filter),
	pg_temp.try(v.filter::jsonb) t ORDER BY place;

-- Refused, with the place.
SELECT t.leads FROM (VALUES
	(1, 'null'), (2, '"true"'), (3, '5'), (4, '[]'), (5, '{}'),
	(6, '{"op": "eq", "value": 1}'),
	(7, '{"column": "n", "value": 1}'),
	(8, '{"column": "n", "op": "=", "value": 1}'),
	(9, '{"column": "n", "op": "eq"}'),
	(10, '{"column": "n", "op": "eq", "value": [1]}'),
	(11, '{"column": "n", "op": "lt", "value": null}'),
	(12, '{"column": "n", "op": "eq", "values": 1}'),
	(13, '{"column": "", "op": "eq", "value": 1}'),
	(14, '{"column": 7, "op": "eq", "value": 1}'),
	(15, '{"column": "n", "op": 7, "value": 1}'),
	(16, '{"column": "n", "op": "is_null", "value": 1}'),
	(17, '{"column": "n", "op": "in", "value": 1}'),
	(18, '{"column": "n", "op": "in", "value": [1, "2"]}'),
	(19, '{"column": "n", "op": "in", "value": [1, {}]}'),
	(20, '{"column": "n", "op": "between", "value": [1]}'),
	(21, '{"column": "n", "op": "between", "value": [1, null]}'),
	(22, '{"column": "n", "op": "between", "value": [1, "2"]}'),
	(23, '{"column": "n", "op": "contains", "value": 1}'),
	(24, '{"all": {}}'),
	(25, '{"all": [], "any": []}'),
	(26, '{"all": [], "column": "n"}'),
	(27, '{"any": [true, {"all": [true, {"not": {"column": "n", "op": "like", "value": "x"}}]}]}'),
	(28, '{"any": [true, {"all": [true, {"column": "n", "op": "in", "value": [1, true]}]}]}')) v (place, filter),
	pg_temp.try(v.filter::jsonb) t ORDER BY place;
SELECT leadroute.condition(NULL) IS NULL;
-- Whatever the session's settings, it is read as it is meant.
SET standard_conforming_strings = off;
SET backslash_quote = off;
SELECT t.* FROM pg_temp.try(E'{"column": "country", "op": "starts_with", "value": "d\x27%_\\\\"}') t;
RESET standard_conforming_strings;
SELECT length(leadroute.condition(jsonb_build_object('column', 'n', 'op', 'in', 'value',
	(SELECT jsonb_agg(g) FROM generate_series(1, 10000) g))));
DROP TABLE lead CASCADE;
DROP EXTENSION leadroute CASCADE;
