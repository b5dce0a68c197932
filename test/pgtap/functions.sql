-- Every function: arguments with their names and defaults, result, language,
-- volatility, strictness, and whether everybody may call it.  PUBLIC stands at
-- what says nothing about leads and changes nothing; all else has to be granted.
BEGIN;
CREATE TEMP TABLE expected (call text, result text, how text);
INSERT INTO expected VALUES
	('absence_of(router text, member text)', 'regclass', 'plpgsql stable'),
	('adopt(lead_table text)', 'bigint', 'c volatile'),
	('adopted()', 'bigint', 'c volatile'),
	('adopt_lead(lead_table text, key text)', 'boolean', 'c volatile'),
	('assign(lead_table text, key anyelement, member text, reason text DEFAULT NULL::text, ignore_limits boolean DEFAULT false)', 'text', 'c volatile'),
	('assign(lead_table text, key text, member text, reason text DEFAULT NULL::text, ignore_limits boolean DEFAULT false)', 'text', 'c volatile'),
	('available_from(member text, team text DEFAULT NULL::text, at timestamp with time zone DEFAULT now(), router text DEFAULT NULL::text)', 'timestamp with time zone', 'c stable parallel restricted'),
	('attach(relation regclass, owner_column text, name text DEFAULT NULL::text, router text DEFAULT NULL::text, router_expr text DEFAULT NULL::text, key_columns text[] DEFAULT NULL::text[], nobody text DEFAULT NULL::text, closed_when text DEFAULT NULL::text, responded_when text DEFAULT NULL::text, converted_when text DEFAULT NULL::text, load text DEFAULT NULL::text, protect_owner boolean DEFAULT NULL::boolean, accepted_when text DEFAULT NULL::text, captured_at text DEFAULT NULL::text, source text DEFAULT NULL::text, value text DEFAULT NULL::text, reroute_on text[] DEFAULT NULL::text[], status_column text DEFAULT NULL::text, score_column text DEFAULT NULL::text)', 'text', 'sql volatile'),
	('attach_under(path text, relation regclass, owner_column text, name text, router text, router_expr text, key_columns text[], nobody text, closed_when text, responded_when text, converted_when text, load text, protect_owner boolean, accepted_when text, captured_at text, source text, value text, reroute_on text[], status_column text, score_column text)', 'text', 'plpgsql volatile'),
	('await_editors(router text)', 'void', 'c volatile strict'),
	('away(member text, first_day date, last_day date DEFAULT NULL::date, reason text DEFAULT NULL::text)', 'tstzrange', 'plpgsql volatile'),
	('busy(member text, busy boolean)', 'boolean', 'c volatile strict'),
	('check_condition(lead_table text, condition text)', 'text', 'c volatile'),
	('check_config()', 'trigger', 'c volatile'),
	('check_document_rows(relation regclass, key_columns text[], hidden_columns text[], content jsonb, at text)', 'void', 'plpgsql stable'),
	('check_owner_column(relation regclass, owner_column text, key_columns text[], nobody text)', 'text', 'plpgsql stable'),
	('check_relation(relation regclass)', 'void', 'plpgsql volatile strict'),
	('check_table_owner()', 'trigger', 'plpgsql volatile'),
	('check_reroute_on()', 'trigger', 'plpgsql volatile'),
	('check_table_row()', 'trigger', 'plpgsql volatile'),
	('checkpoint_now()', 'bigint', 'c volatile'),
	('condition(filter jsonb)', 'text', 'plpgsql immutable strict parallel safe PUBLIC'),
	('condition_error(router text, rule text, lead_table text)', 'text', 'c volatile strict'),
	('config_changed()', 'trigger', 'c volatile'),
	('config_table(OUT table_name text, OUT relation regclass, OUT key_columns text[], OUT hidden_columns text[], OUT place integer)', 'SETOF record', 'sql stable'),
	('default_router()', 'text', 'c stable parallel safe PUBLIC'),
	('detach(lead_table text)', 'text', 'plpgsql volatile'),
	('document_error(problem text, at text, hint text)', 'void', 'plpgsql immutable'),
	('document_place(at text, place bigint)', 'text', 'sql immutable'),
	('drop_pool_entries()', 'trigger', 'plpgsql volatile security definer'),
	('editors_queue()', 'trigger', 'c volatile'),
	('explain(lead_table text, key anyelement, format text DEFAULT ''text''::text, rules integer DEFAULT 20, rule text DEFAULT NULL::text, members integer DEFAULT 20, timings boolean DEFAULT false)', 'SETOF text', 'c volatile'),
	('explain(lead_table text, key text, format text DEFAULT ''text''::text, rules integer DEFAULT 20, rule text DEFAULT NULL::text, members integer DEFAULT 20, timings boolean DEFAULT false)', 'SETOF text', 'c volatile'),
	('explain_lead(lead_table text, lead jsonb, format text DEFAULT ''text''::text, rules integer DEFAULT 20, rule text DEFAULT NULL::text, members integer DEFAULT 20, timings boolean DEFAULT false)', 'SETOF text', 'c volatile'),
	('export_config(router text DEFAULT NULL::text)', 'jsonb', 'plpgsql stable'),
	('criterion_error(router text, criterion text, lead_table text)', 'text', 'c volatile strict'),
	('expression_error(lead_table text, column_name text)', 'text', 'c volatile strict'),
	('fairness(since timestamp with time zone DEFAULT (now() - ''30 days''::interval), until timestamp with time zone DEFAULT now(), router text DEFAULT NULL::text)', 'TABLE(router text, team text, member text, weight double precision, received bigint, exact_share double precision, deviation double precision)', 'sql stable'),
	('filter_constant(value jsonb, at text)', 'text', 'plpgsql immutable parallel safe PUBLIC'),
	('filter_error(problem text, at text, hint text DEFAULT ''The comment of leadroute.condition says what a filter is made of.''::text)', 'void', 'plpgsql immutable parallel safe PUBLIC'),
	('filter_list(value jsonb, at text)', 'text', 'plpgsql immutable parallel safe PUBLIC'),
	('filter_node(filter jsonb, at text)', 'text', 'plpgsql immutable parallel safe PUBLIC'),
	('filter_pattern(value jsonb, at text)', 'text', 'plpgsql immutable parallel safe PUBLIC'),
	('filter_test(filter jsonb, at text)', 'text', 'plpgsql immutable parallel safe PUBLIC'),
	('finish_attach(lead_table text, changed boolean)', 'boolean', 'plpgsql volatile'),
	('grant_to(role text, profile text)', 'text', 'plpgsql volatile'),
	('import_config(config jsonb, router text DEFAULT NULL::text, prune boolean DEFAULT false)', 'TABLE(table_name text, key jsonb, action text, old jsonb, new jsonb)', 'sql volatile'),
	('import_config_under(path text, config jsonb, router text, prune boolean)', 'TABLE(table_name text, key jsonb, action text, old jsonb, new jsonb)', 'plpgsql volatile'),
	('import_routed_table(path text, router text, content jsonb, place integer)', 'void', 'plpgsql volatile'),
	('import_rows(path text, router text, relation regclass, key_columns text[], content jsonb, at text, place integer)', 'void', 'plpgsql volatile'),
	('is_open(schedule text DEFAULT NULL::text, at timestamp with time zone DEFAULT now(), member text DEFAULT NULL::text, team text DEFAULT NULL::text, router text DEFAULT NULL::text)', 'boolean', 'c stable parallel restricted'),
	('is_preloaded()', 'boolean', 'c stable PUBLIC'),
	('journal_written()', 'trigger', 'c volatile'),
	('keep_name()', 'trigger', 'plpgsql volatile security definer'),
	('key_cmp(text, text)', 'integer', 'c immutable strict parallel safe'),
	('key_ge(text, text)', 'boolean', 'c immutable strict parallel safe'),
	('key_gt(text, text)', 'boolean', 'c immutable strict parallel safe'),
	('key_le(text, text)', 'boolean', 'c immutable strict parallel safe'),
	('key_lt(text, text)', 'boolean', 'c immutable strict parallel safe'),
	('key_of(relation regclass, key_columns text[], owner_column text)', 'text[]', 'plpgsql stable'),
	('key_text(key anyelement)', 'text', 'plpgsql stable parallel safe'),
	('keyed_rows(content jsonb, key_columns text[])', 'TABLE(key jsonb, content jsonb)', 'sql immutable'),
	('kind_name(kind "char")', 'text', 'sql immutable strict parallel safe PUBLIC'),
	('lead_trigger()', 'trigger', 'c volatile'),
	('lint(router text DEFAULT NULL::text, OUT severity text, OUT rule text, OUT what text, OUT detail text, OUT what_to_do text)', 'SETOF record', 'c volatile'),
	('local_days(member text, first_day date, last_day date, router text DEFAULT NULL::text)', 'tstzrange', 'c stable parallel restricted'),
	('member_counter(OUT member integer, OUT load bigint, OUT last_turn bigint, OUT busy boolean)', 'SETOF record', 'c volatile'),
	('measure()', 'bigint', 'c volatile'),
	('members_saved()', 'trigger', 'c volatile'),
	('method_name(method "char")', 'text', 'sql immutable strict parallel safe PUBLIC'),
	('next_opening(schedule text DEFAULT NULL::text, at timestamp with time zone DEFAULT now(), member text DEFAULT NULL::text, team text DEFAULT NULL::text, router text DEFAULT NULL::text)', 'timestamp with time zone', 'c stable parallel restricted'),
	('owner_text(relation regclass, column_name text, value text)', 'text', 'c volatile strict'),
	('only_renamed(old leadroute.routed_table, new leadroute.routed_table)', 'boolean', 'sql stable'),
	('passed_detail(code integer, until timestamp with time zone, figure integer, most integer, cap text, zone text, at timestamp with time zone)', 'text', 'c stable parallel safe PUBLIC'),
	('passed_entries(passed_over bigint[], OUT member integer, OUT code integer, OUT cap integer, OUT until timestamp with time zone, OUT figure integer, OUT most integer, OUT members integer)', 'SETOF record', 'c immutable strict parallel safe PUBLIC'),
	('passed_name(code integer)', 'text', 'c immutable strict parallel safe PUBLIC'),
	('pause(member text, until timestamp with time zone DEFAULT ''infinity''::timestamp with time zone, reason text DEFAULT NULL::text, team text DEFAULT NULL::text)', 'void', 'plpgsql volatile'),
	('prune_config(router text, config jsonb, must boolean)', 'boolean', 'plpgsql volatile'),
	('rebuild()', 'bigint', 'c volatile'),
	('release_missing(lead_table text)', 'bigint', 'c volatile strict'),
	('release_table(lead_table text)', 'bigint', 'c volatile'),
	('require_preload()', 'void', 'c volatile PUBLIC'),
	('resume(member text, team text DEFAULT NULL::text)', 'void', 'plpgsql volatile'),
	('room(OUT setting text, OUT used integer, OUT most integer, OUT refused_since timestamp with time zone)', 'SETOF record', 'c volatile'),
	('progress_entry(OUT what text, OUT subject text, OUT state text, OUT done bigint, OUT total bigint, OUT detail text, OUT since timestamp with time zone, OUT state_since timestamp with time zone, OUT pid integer, OUT role oid)', 'SETOF record', 'c volatile parallel restricted'),
	('route_all(IN lead_table text, IN filter text DEFAULT NULL::text, IN again boolean DEFAULT false, IN batch_size integer DEFAULT 1000)', NULL, 'c volatile'),
	('route(lead_table text, key anyelement)', 'text', 'c volatile'),
	('route(lead_table text, key text)', 'text', 'c volatile'),
	('row_stored()', 'boolean', 'c volatile PUBLIC'),
	('rule_at(router text, rule text, version integer)', 'jsonb', 'sql stable security definer'),
	('same_key(relation regclass, key_columns text[])', 'text', 'sql stable'),
	('board(OUT router integer, OUT team integer, OUT members integer, OUT candidates integer, OUT picks bigint, OUT parts integer)', 'SETOF record', 'c volatile'),
	('rule_index(OUT database text, OUT router integer, OUT routed_table integer, OUT version bigint, OUT rules integer, OUT bytes bigint, OUT readers integer, OUT is_current boolean)', 'SETOF record', 'c volatile'),
	('next_turns(team text DEFAULT NULL::text, router text DEFAULT NULL::text, OUT member text, OUT weight double precision, OUT credit double precision, OUT next_in bigint, OUT not_available_because text, OUT until timestamp with time zone)', 'SETOF record', 'c volatile'),
	('seat_counter(OUT router integer, OUT team integer, OUT member integer, OUT credit double precision, OUT target_month integer, OUT received integer, OUT received_before integer)', 'SETOF record', 'c volatile'),
	('cap_status(router text DEFAULT NULL::text, OUT cap text, OUT member text, OUT since timestamp with time zone, OUT until timestamp with time zone, OUT used bigint, OUT max_leads bigint, OUT remaining bigint)', 'SETOF record', 'c volatile'),
	('share_of(candidates bytea, member_index integer, weight double precision[], accruing bytea DEFAULT NULL::bytea)', 'double precision', 'c immutable parallel safe PUBLIC'),
	('normalize_email(email text)', 'text', 'c immutable strict parallel safe PUBLIC'),
	('normalize_phone(phone text, country text DEFAULT NULL::text)', 'text', 'c immutable parallel safe PUBLIC'),
	('sticky_key_changed()', 'trigger', 'plpgsql volatile'),
	('sticky_key_error(router text, lead_table text)', 'text', 'c volatile strict'),
	('forget_keys(router integer)', 'void', 'plpgsql volatile strict security definer'),
	('table_row_changed()', 'trigger', 'plpgsql volatile'),
	('renew_keys(router text DEFAULT NULL::text)', 'void', 'plpgsql volatile'),
	('take_over(router text DEFAULT NULL::text, rule text DEFAULT NULL::text)', 'TABLE(table_name text, name text, former_writer text, error text)', 'plpgsql volatile'),
	('territory(map text, country text, region text, postal text)', 'text', 'c stable'),
	('verify(OUT what text, OUT router text, OUT subject text, OUT expected text, OUT found text)', 'SETOF record', 'c volatile'),
	('version(OUT library text, OUT sql text)', 'record', 'c stable PUBLIC'),
	('why(lead_table text, key anyelement)', 'SETOF text', 'plpgsql stable'),
	('why(lead_table text, key text)', 'SETOF text', 'plpgsql stable'),
	('working_time(schedule text, since timestamp with time zone, until timestamp with time zone, member text DEFAULT NULL::text, team text DEFAULT NULL::text, router text DEFAULT NULL::text)', 'interval', 'c stable parallel restricted');

SELECT plan(2 * count(*)::integer + 3) FROM expected;
CREATE EXTENSION leadroute;

CREATE TEMP VIEW found AS
	SELECT format('%s(%s)', p.proname, pg_get_function_arguments(p.oid)) AS call,
		pg_get_function_result(p.oid) AS result,
		concat_ws(' ', l.lanname,
			CASE p.provolatile WHEN 'v' THEN 'volatile' WHEN 's' THEN 'stable' ELSE 'immutable' END,
			CASE WHEN p.proisstrict THEN 'strict' END,
			CASE p.proparallel WHEN 's' THEN 'parallel safe' WHEN 'r' THEN 'parallel restricted' END,
			CASE WHEN p.prosecdef THEN 'security definer' END,
			CASE WHEN has_function_privilege('public', p.oid, 'EXECUTE') THEN 'PUBLIC' END) AS how
	FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
	WHERE p.pronamespace = 'leadroute'::regnamespace;

SELECT is((SELECT f.result FROM found f WHERE f.call = e.call), e.result, 'result of ' || e.call) FROM expected e;
SELECT is((SELECT f.how FROM found f WHERE f.call = e.call), e.how, e.call || ' is ' || e.how) FROM expected e;
SELECT is_empty('SELECT call FROM found EXCEPT SELECT call FROM expected', 'every function is listed here');
SELECT is_empty($$
	SELECT proname FROM pg_proc WHERE pronamespace = 'leadroute'::regnamespace
	GROUP BY proname HAVING count(*) > 1 AND NOT bool_or('anyelement'::regtype = ANY (proargtypes::oid[])) $$,
	'only calls with a key have two forms, one for text and one for any type');
SELECT is_empty($$
	SELECT p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
	JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
	JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
	WHERE e.extname = 'leadroute' AND n.nspname <> 'leadroute' $$,
	'no function outside of the schema');

SELECT finish();
ROLLBACK;
