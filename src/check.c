/*
 * check.c
 *	  Refusing a configuration row that cannot work, when it is saved.
 *
 * BEFORE ROW triggers, run with the rights of whoever writes: that role is
 * the one whose rights an expression gets, so a name given for another is
 * accepted only from who may SET ROLE to it.  Expressions are checked against
 * tables that carry the triggers now: during a restore none does, and one bad
 * rule must not lose all.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/catalog.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "commands/sequence.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/rel.h"

#include "changes.h"
#include "compat.h"
#include "config.h"
#include "expr.h"
#include "guard.h"
#include "leadroute.h"
#include "method_words.h"
#include "roster.h"
#include "owner_rights.h"
#include "scan.h"
#include "schedule.h"
#include "sticky_key.h"
#include "table.h"

PG_FUNCTION_INFO_V1(lr_check_config);
PG_FUNCTION_INFO_V1(lr_check_condition);
PG_FUNCTION_INFO_V1(lr_owner_text_sql);
PG_FUNCTION_INFO_V1(lr_condition_error);
PG_FUNCTION_INFO_V1(lr_expression_error);
PG_FUNCTION_INFO_V1(lr_sticky_key_error);

/* The row being checked, and what is to be changed in it. */
typedef struct Row
{
	TriggerData *td;
	TupleDesc	desc;
	HeapTuple	old;			/* NULL: INSERT */
	HeapTuple	new;			/* NULL: DELETE */
} Row;

static Datum
column(Row *row, HeapTuple tuple, const char *name, bool *isnull)
{
	int			attno = SPI_fnumber(row->desc, name);

	if (attno <= 0)
		elog(ERROR, "column \"%s\" of a leadroute table is missing", name);
	return heap_getattr(tuple, attno, row->desc, isnull);
}

static char *
text_of(Row *row, HeapTuple tuple, const char *name)
{
	bool		isnull;
	Datum		value = column(row, tuple, name, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

static void
set_text(Row *row, const char *name, const char *text)
{
	int			attno = SPI_fnumber(row->desc, name);
	Datum		value = CStringGetTextDatum(text);
	bool		isnull = false;

	row->new = heap_modify_tuple_by_cols(row->new, row->desc, 1, &attno,
										 &value, &isnull);
}

static bool
differs(Row *row, const char *name)
{
	char	   *a = text_of(row, row->old, name);
	char	   *b = text_of(row, row->new, name);

	return (a == NULL) != (b == NULL) || (a != NULL && strcmp(a, b) != 0);
}

/* The same for a column of any type. */
static bool
column_differs(Row *row, const char *name)
{
	Form_pg_attribute att = TupleDescAttr(row->desc,
										  SPI_fnumber(row->desc, name) - 1);
	bool		a_null;
	bool		b_null;
	Datum		a = column(row, row->old, name, &a_null);
	Datum		b = column(row, row->new, name, &b_null);

	return a_null != b_null ||
		(!a_null && !datum_image_eq(a, b, att->attbyval, att->attlen));
}

/* ---------- who wrote an expression ---------- */

/* Refuses to write in the name of a role that one may not become. */
static void
check_writer(const char *writer)
{
	Oid			role = get_role_oid(writer, true);

	if (superuser() || (OidIsValid(role) && lr_can_set_role(GetUserId(), role)))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("cannot write an expression in the name of role \"%s\"",
					writer),
			 errdetail("An expression runs with the rights of the role that wrote it."),
			 errhint("Leave written_by out, or SET ROLE to that role first.")));
}

/* Refuses a search_path that could not be set. */
static void
check_path(const char *path)
{
	(void) set_config_option("search_path", path, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, false, 0, false);
}

/* Fills written_by and search_path when an expression is new or changed. */
static void
fill_writer(Row *row, bool expression_changed)
{
	char	   *given = text_of(row, row->new, "written_by");
	bool		writer_changed = row->old == NULL ? given != NULL :
		given != NULL && differs(row, "written_by");

	/* under another path the same text may call another function */
	if (row->old != NULL && differs(row, "search_path"))
		expression_changed = true;

	if (writer_changed)
		check_writer(given);
	else if (expression_changed || given == NULL)
	{
		set_text(row, "written_by", GetUserNameFromId(GetUserId(), false));
		if (row->old != NULL && !differs(row, "search_path"))
			set_text(row, "search_path",
					 GetConfigOption("search_path", false, false));
	}
	if (text_of(row, row->new, "search_path") == NULL)
		set_text(row, "search_path",
				 GetConfigOption("search_path", false, false));
	check_path(text_of(row, row->new, "search_path"));
}

/* ---------- tables a row concerns ---------- */

/* One attached table. */
typedef struct Attached
{
	char	   *name;
	Oid			relid;
	char	   *owner_column;
	char	   *nobody;			/* NULL: SQL NULL means it */
	char	   *search_path;	/* for code of the table's owner */
} Attached;

/* Tables with triggers whose leads this router may decide; name: that one. */
static List *
tables_of(const char *router, const char *name)
{
	List	   *tables = NIL;
	LrScan		scan;

	lr_scan_begin(&scan, "routed_table", NULL, NULL, NULL);
	while (lr_scan_next(&scan))
	{
		char	   *its = lr_scan_text(&scan, "router");
		Attached   *t = (Attached *) palloc(sizeof(Attached));
		bool		isnull;

		t->name = lr_scan_text(&scan, "name");
		t->relid = DatumGetObjectId(lr_scan_datum(&scan, "relation", &isnull));
		t->owner_column = lr_scan_text(&scan, "owner_column");
		t->nobody = lr_scan_text(&scan, "nobody");
		t->search_path = lr_safe_path(lr_scan_text(&scan, "search_path"));
		if ((its == NULL || router == NULL || strcmp(its, router) == 0) &&
			(name == NULL || strcmp(name, t->name) == 0) &&
			lr_has_triggers(t->relid))
			tables = lappend(tables, t);
	}
	lr_scan_end(&scan);
	return tables;
}

static void
check_expression(Oid relid, const char *text, LrExprKind kind, Row *row,
				 const char *what)
{
	Relation	rel = table_open(relid, AccessShareLock);
	char	   *writer = text_of(row, row->new, "written_by");
	Oid			role = get_role_oid(writer, true);

	/* restored before its role: disabled until somebody takes it over */
	if (OidIsValid(role))
		(void) lr_expr_compile(rel, text, kind, role,
							   text_of(row, row->new, "search_path"), what);
	table_close(rel, AccessShareLock);
}

/* ---------- rule ---------- */

static void
check_word(const char *column_name, const char *word, const char *const *words)
{
	StringInfoData list;
	int			i;

	if (word == NULL)
		return;					/* NOT NULL says so */
	for (i = 0; words[i] != NULL; i++)
		if (strcmp(word, words[i]) == 0)
			return;
	initStringInfo(&list);
	for (i = 0; words[i] != NULL; i++)
		appendStringInfo(&list, "%s%s", i > 0 ? ", " : "", words[i]);
	ereport(ERROR,
			(errcode(ERRCODE_CHECK_VIOLATION),
			 errmsg("invalid %s \"%s\"", column_name, word),
			 errhint("Valid words: %s.", list.data)));
}

static bool
is_true(Row *row, HeapTuple tuple, const char *name)
{
	bool		isnull;
	Datum		value = column(row, tuple, name, &isnull);

	return !isnull && DatumGetBool(value);
}

/* Whether the row goes to another router; a router that is renamed is the same. */
static bool
changes_router(Row *row)
{
	LrScan		scan;
	bool		former_exists;

	if (!differs(row, "router"))
		return false;
	lr_scan_begin(&scan, "router", "router_pkey", "name",
				  text_of(row, row->old, "router"));
	former_exists = lr_scan_next(&scan);
	lr_scan_end(&scan);
	return former_exists;
}

/* What a rule says in SQL. */
static const struct
{
	const char *column;
	LrExprKind	kind;
}			rule_expressions[] = {
	{"condition", LR_EXPR_BOOL},
	{"team_expr", LR_EXPR_TEXT},
	{"member_expr", LR_EXPR_TEXT},
	{"member_condition", LR_EXPR_MEMBER},
	{"member_rank", LR_EXPR_RANK},
};

/* Whether an UPDATE of a rule writes another expression. */
static bool
expressions_differ(Row *row)
{
	int			i;

	for (i = 0; i < (int) lengthof(rule_expressions); i++)
		if (differs(row, rule_expressions[i].column))
			return true;
	return false;
}

/*
 * A condition is checked when it is new, concerns other tables, runs with
 * other rights or comes into force.  A rule whose condition has broken since
 * (a column was dropped) can still be switched off, moved and renamed, and
 * does not stop a change elsewhere that cascades to it.
 */
static bool
rule_needs_check(Row *row)
{
	return row->old == NULL || expressions_differ(row) ||
		changes_router(row) || differs(row, "routed_table") ||
		differs(row, "written_by") || differs(row, "search_path") ||
		(is_true(row, row->new, "enabled") &&
		 !is_true(row, row->old, "enabled"));
}

static bool
has_expressions(Row *row)
{
	int			i;

	for (i = 0; i < (int) lengthof(rule_expressions); i++)
		if (text_of(row, row->new, rule_expressions[i].column) != NULL)
			return true;
	return false;
}

/* Checks a rule's expressions for the leads of a table. */
static void
check_rule_over(Row *row, Oid relid)
{
	int			i;

	for (i = 0; i < (int) lengthof(rule_expressions); i++)
	{
		const char *column_name = rule_expressions[i].column;
		char	   *text = text_of(row, row->new, column_name);

		if (text != NULL)
			check_expression(relid, text, rule_expressions[i].kind, row,
							 psprintf("%s of rule \"%s\"", column_name,
									  text_of(row, row->new, "name")));
	}
}

static void
check_overflow_team(Row *row)
{
	char	   *overflow = text_of(row, row->new, "overflow");
	char	   *overflow_team = text_of(row, row->new, "overflow_team");
	char	   *team = text_of(row, row->new, "team");
	char	   *name = text_of(row, row->new, "name");

	if (overflow == NULL || strcmp(overflow, "team") != 0)
		return;
	if (overflow_team == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("overflow of rule \"%s\" is \"team\", but overflow_team is null",
						name),
				 errhint("Name the team to which its leads are offered then.")));
	if (team != NULL && strcmp(team, overflow_team) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("overflow_team of rule \"%s\" is its own team", name),
				 errhint("Name another team, or let overflow be \"next_rule\".")));
}

static void
check_rule(Row *row)
{
	static const char *const overflows[] = {
		"next_rule", "team", "hold", "ignore_limits", "none", NULL
	};
	bool		changed = row->old == NULL || expressions_differ(row);
	ListCell   *lc;

	check_word("method", text_of(row, row->new, "method"),
			   lr_method_list());
	if (text_of(row, row->new, "method") != NULL &&
		strcmp(text_of(row, row->new, "method"), "best_match") == 0 &&
		text_of(row, row->new, "member_rank") == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("method best_match of rule \"%s\" needs member_rank",
						text_of(row, row->new, "name")),
				 errhint("Say who goes first, for example: member_rank = '(member.attributes ->> ''level'')::integer'.")));
	check_word("overflow", text_of(row, row->new, "overflow"), overflows);
	check_overflow_team(row);
	fill_writer(row, changed);
	if (row->old != NULL && !lr_same_row(row->desc, row->old, row->new))
	{
		bool		isnull;
		int			attno = SPI_fnumber(row->desc, "version");
		Datum		value = Int32GetDatum(1 + DatumGetInt32(column(row, row->old,
																   "version",
																   &isnull)));

		isnull = false;
		row->new = heap_modify_tuple_by_cols(row->new, row->desc, 1, &attno,
											 &value, &isnull);
	}
	if (rule_needs_check(row) && has_expressions(row))
		foreach(lc, tables_of(text_of(row, row->new, "router"),
							  text_of(row, row->new, "routed_table")))
			check_rule_over(row, ((Attached *) lfirst(lc))->relid);
}

/* ---------- member, team_member, absence ---------- */

/* A value for an owner column; read with the rights of the table's owner. */
typedef struct Input
{
	Oid			type;
	int32		typmod;
	Oid			relowner;
	const char *search_path;
	char	   *value;
	char	   *canonical;
} Input;

/* The canonical text of a value; raises if the column cannot hold it. */
static void
read_input(void *arg)
{
	Input	   *in = (Input *) arg;
	LrRights	rights;
	Oid			function;
	Oid			param;
	Oid			output;
	bool		varlena;

	getTypeInputInfo(in->type, &function, &param);
	getTypeOutputInfo(getBaseType(in->type), &output, &varlena);
	/* a domain's constraints are code of its owner, see owner_rights.h */
	lr_become(in->relowner, in->search_path, true, &rights);
	in->canonical = lr_canonical_output(output,
										OidInputFunctionCall(function, in->value,
															 param,
															 in->typmod));
	lr_resign(&rights);
}

/* A member's owner value must fit the owner column of each of its tables. */
static void
check_owner_value(const char *member, char *owner_value, Attached *t)
{
	Relation	rel = table_open(t->relid, AccessShareLock);
	int			attno = SPI_fnumber(RelationGetDescr(rel), t->owner_column);
	Input		in = {0};
	Input		nobody;
	char	   *error = NULL;

	if (attno <= 0)
	{
		table_close(rel, AccessShareLock);
		return;
	}
	in.type = TupleDescAttr(RelationGetDescr(rel), attno - 1)->atttypid;
	in.typmod = TupleDescAttr(RelationGetDescr(rel), attno - 1)->atttypmod;
	in.relowner = rel->rd_rel->relowner;
	in.search_path = t->search_path;
	nobody = in;
	in.value = owner_value;
	nobody.value = t->nobody;
	error = lr_guarded(read_input, &in);
	table_close(rel, AccessShareLock);
	if (error != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("owner value \"%s\" of member \"%s\" does not fit column \"%s\" of lead table \"%s\"",
						owner_value, member, t->owner_column, t->name),
				 errdetail("The column says: %s.", error),
				 errhint("Set owner_value to what your application writes into \"%s\" for this person, for example its user id.",
						 t->owner_column)));
	if (nobody.value != NULL && lr_guarded(read_input, &nobody) == NULL &&
		strcmp(in.canonical, nobody.canonical) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("owner value \"%s\" of member \"%s\" means nobody in lead table \"%s\"",
						owner_value, member, t->name),
				 errhint("Set owner_value to what your application writes into \"%s\" for this person.",
						 t->owner_column)));
}

Datum
lr_owner_text_sql(PG_FUNCTION_ARGS)
{
	Relation	rel = relation_open(PG_GETARG_OID(0), AccessShareLock);
	int			attno = SPI_fnumber(RelationGetDescr(rel),
									text_to_cstring(PG_GETARG_TEXT_PP(1)));
	Input		in = {0};

	if (attno <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of table \"%s\" does not exist",
						text_to_cstring(PG_GETARG_TEXT_PP(1)),
						RelationGetRelationName(rel))));
	in.type = TupleDescAttr(RelationGetDescr(rel), attno - 1)->atttypid;
	in.typmod = TupleDescAttr(RelationGetDescr(rel), attno - 1)->atttypmod;
	in.relowner = rel->rd_rel->relowner;
	in.search_path = lr_safe_path(GetConfigOption("search_path", false, false));
	in.value = text_to_cstring(PG_GETARG_TEXT_PP(2));
	read_input(&in);
	relation_close(rel, AccessShareLock);
	PG_RETURN_TEXT_P(cstring_to_text(in.canonical));
}

/* A member that decisions refer to stays: its leads would lose their owner. */
static void
refuse_delete_with_history(Row *row)
{
	char	   *name = text_of(row, row->old, "name");
	bool		isnull;
	Oid			types[1] = {INT4OID};
	Datum		values[1];
	LrRights	rights;
	bool		found;

	values[0] = column(row, row->old, "id", &isnull);
	lr_become_owner(&rights);
	SPI_connect();
	if (SPI_execute_with_args("SELECT FROM leadroute.journal WHERE member = $1 LIMIT 1",
							  1, types, values, NULL, false, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not look into the journal");
	found = SPI_processed > 0;
	SPI_finish();
	lr_resign(&rights);
	if (found)
		ereport(ERROR,
				(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
				 errmsg("member \"%s\" has a history and cannot be deleted", name),
				 errdetail("Decisions in the journal refer to it."),
				 errhint("UPDATE leadroute.member SET active = false WHERE name = %s: it never receives a lead again.",
						 quote_literal_cstr(name))));
}

/* Restored rows of a router for which nothing is routed yet are not lost. */
static void
check_zone(Row *row, const char *router)
{
	char	   *zone = text_of(row, row->new, "timezone");

	if (zone != NULL && (row->old == NULL || differs(row, "timezone")) &&
		!lr_zone_is_named(zone))
		lr_zone_unknown(zone, tables_of(router, NULL) != NIL ? ERROR : WARNING);
}

static void
check_schedule(Row *row)
{
	check_zone(row, text_of(row, row->new, "router"));
	lr_hours_check(text_of(row, row->new, "name"),
				   text_of(row, row->new, "hours"));
}

/* Refuses a number that is not greater than 0; NULL passes. */
static void
check_positive(Row *row, const char *name, const char *of, const char *hint)
{
	bool		isnull;
	int32		value = DatumGetInt32(column(row, row->new, name, &isnull));

	if (!isnull && value <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("%s %d of %s is out of range", name, value, of),
				 errdetail("A %s is greater than 0.", name),
				 errhint("%s", hint)));
}

static void
check_member(Row *row)
{
	char	   *name;
	char	   *owner_value;
	ListCell   *lc;

	if (row->new == NULL)
	{
		refuse_delete_with_history(row);
		return;
	}
	name = text_of(row, row->new, "name");
	if (name == NULL)
		return;					/* NOT NULL says so */
	check_zone(row, text_of(row, row->new, "router"));
	if (text_of(row, row->new, "owner_value") == NULL)
		set_text(row, "owner_value", name);
	owner_value = text_of(row, row->new, "owner_value");
	check_positive(row, "tier", psprintf("member \"%s\"", name),
				   "1 is the best tier. NULL: the tier is measured.");
	if (row->old != NULL && !differs(row, "owner_value"))
		return;
	foreach(lc, tables_of(text_of(row, row->new, "router"), NULL))
		check_owner_value(name, owner_value, (Attached *) lfirst(lc));
}

/* Which leads reach the member: valid for every table of the router. */
static void
check_reach(Row *row)
{
	char	   *condition = text_of(row, row->new, "condition");
	ListCell   *lc;

	if (condition == NULL && text_of(row, row->new, "written_by") == NULL)
		return;
	fill_writer(row, row->old == NULL || differs(row, "condition"));
	if (condition == NULL ||
		(row->old != NULL && !differs(row, "condition") &&
		 !changes_router(row) && !differs(row, "written_by") &&
		 !differs(row, "search_path")))
		return;
	foreach(lc, tables_of(text_of(row, row->new, "router"), NULL))
		check_expression(((Attached *) lfirst(lc))->relid, condition,
						 LR_EXPR_BOOL, row,
						 psprintf("condition of member \"%s\" in team \"%s\"",
								  text_of(row, row->new, "member"),
								  text_of(row, row->new, "team")));
}

static void
check_team_member(Row *row)
{
	bool		isnull;
	Datum		value = column(row, row->new, "weight", &isnull);
	double		weight;

	if (isnull || text_of(row, row->new, "member") == NULL ||
		text_of(row, row->new, "team") == NULL)
		return;					/* NOT NULL says so */
	check_positive(row, "target",
				   psprintf("member \"%s\" in team \"%s\"",
							text_of(row, row->new, "member"),
							text_of(row, row->new, "team")),
				   "NULL: the member has no target, and by_target it comes after all who have one.");
	check_reach(row);
	weight = DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow,
												value));
	if (!(weight >= 1e-6 && weight <= 1e6))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("weight %s of member \"%s\" in team \"%s\" is out of range",
						DatumGetCString(DirectFunctionCall1(numeric_out, value)),
						text_of(row, row->new, "member"),
						text_of(row, row->new, "team")),
				 errdetail("A weight is greater than 0 (at least 0.000001) and at most 1000000."),
				 errhint("Delete the row to take the member out of the team, or pause it: SELECT leadroute.pause(%s).",
						 quote_literal_cstr(text_of(row, row->new, "member")))));
}

static void
check_absence(Row *row)
{
	char	   *writer = text_of(row, row->new, "written_by");

	if (writer != NULL &&
		strcmp(writer, GetUserNameFromId(GetUserId(), false)) != 0 &&
		(row->old == NULL || differs(row, "written_by")))
		check_writer(writer);
}

/* ---------- router ---------- */

static void
refuse_sticky_key(const char *name, const char *problem, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_CHECK_VIOLATION),
			 errmsg("sticky_key of router \"%s\" %s", name, problem),
			 errhint("%s", hint)));
}

/* The expressions by which a router knows leads again; NULL: it does not. */
static char **
sticky_keys(Row *row, const char *name, int *n)
{
	bool		isnull;
	Datum		value = column(row, row->new, "sticky_key", &isnull);
	Datum	   *element;
	bool	   *nulls;
	char	  **keys;
	int			i;

	if (isnull)
		return NULL;
	deconstruct_array(DatumGetArrayTypeP(value), TEXTOID, -1, false,
					  TYPALIGN_INT, &element, &nulls, n);
	if (*n == 0)
		refuse_sticky_key(name, "is empty", "NULL means that leads are not matched.");
	if (*n > LR_MAX_STICKY_KEYS)
		refuse_sticky_key(name, psprintf("has %d expressions", *n),
						  psprintf("At most %d are possible.", LR_MAX_STICKY_KEYS));
	keys = (char **) palloc(*n * sizeof(char *));
	for (i = 0; i < *n; i++)
	{
		if (nulls[i])
			refuse_sticky_key(name, "contains NULL", "Leave it out.");
		keys[i] = TextDatumGetCString(element[i]);
	}
	return keys;
}

/* An interval that must not be shorter than `least` microseconds. */
static void
check_window(Row *row, const char *name, const char *column_name, int64 least,
			 const char *hint)
{
	bool		isnull;
	Datum		value = column(row, row->new, column_name, &isnull);

	if (isnull || lr_interval_length(DatumGetIntervalP(value)) >= least)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_CHECK_VIOLATION),
			 errmsg("invalid %s of router \"%s\"", column_name, name),
			 errhint("%s", hint)));
}

static void
check_router(Row *row)
{
	char	   *name = text_of(row, row->new, "name");
	bool		no_window;
	char	  **keys;
	int			n;
	int			i;
	bool		changed;
	ListCell   *lc;

	if (name == NULL)
		return;					/* NOT NULL says so */
	check_window(row, name, "sticky_window", 0,
				 "It is 0 (no lead is matched but duplicates) or longer; NULL: without end.");
	check_window(row, name, "duplicate_window", 1,
				 "It is longer than 0; NULL: no lead is a duplicate.");
	keys = sticky_keys(row, name, &n);
	(void) column(row, row->new, "duplicate_window", &no_window);
	if (keys == NULL && !no_window)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("router \"%s\" has a duplicate_window and no sticky_key",
						name),
				 errhint("sticky_key says by what a lead is known again, for example ARRAY['leadroute.normalize_email(email)'].")));
	if (keys == NULL)
		return;
	changed = row->old == NULL || column_differs(row, "sticky_key");
	fill_writer(row, changed);
	if (!changed && !differs(row, "written_by") && !differs(row, "search_path"))
		return;
	foreach(lc, tables_of(row->old != NULL ? text_of(row, row->old, "name") : name,
						  NULL))
		for (i = 0; i < n; i++)
			check_expression(((Attached *) lfirst(lc))->relid, keys[i],
							 LR_EXPR_TEXT, row,
							 psprintf("sticky_key %d of router \"%s\"", i + 1, name));
}

/* ---------- cap ---------- */

/*
 * Whether a cap names another row of a table than before; one that was renamed
 * is the same.
 */
static bool
names_another(Row *row, const char *column_name, const char *index)
{
	LrScan		scan;
	bool		former_exists;

	if (!differs(row, column_name))
		return false;
	if (text_of(row, row->old, column_name) == NULL ||
		text_of(row, row->new, column_name) == NULL)
		return true;
	lr_scan_begin_pair(&scan, column_name, index, "router",
					   text_of(row, row->old, "router"), "name",
					   text_of(row, row->old, column_name));
	former_exists = lr_scan_next(&scan);
	lr_scan_end(&scan);
	return former_exists;
}

/* Whether an UPDATE changes what a cap counts. */
static bool
counts_another(Row *row)
{
	return changes_router(row) || names_another(row, "member", "member_pkey") ||
		names_another(row, "team", "team_pkey") ||
		names_another(row, "rule", "rule_pkey") ||
		is_true(row, row->old, "each_member") !=
		is_true(row, row->new, "each_member") ||
		differs(row, "period") || differs(row, "counts") ||
		differs(row, "condition") || differs(row, "timezone");
}

static TimestampTz
time_of(Row *row, HeapTuple tuple, const char *name)
{
	bool		isnull;
	Datum		value = column(row, tuple, name, &isnull);

	return isnull ? 0 : DatumGetTimestampTz(value);
}

/*
 * What counts something else is another cap, and counts anew: it gets another
 * id, which was never used, and (unless it is given) another beginning.
 */
static void
begin_anew(Row *row)
{
	bool		since_given = time_of(row, row->old, "since") !=
		time_of(row, row->new, "since");
	int			attno[2];
	Datum		values[2];
	bool		nulls[2] = {false, false};

	if (!since_given && !counts_another(row))
		return;
	attno[0] = SPI_fnumber(row->desc, "id");
	values[0] = Int32GetDatum((int32) nextval_internal(get_relname_relid("cap_id_seq",
																		 get_namespace_oid(LR_SCHEMA, false)),
													   false));
	attno[1] = SPI_fnumber(row->desc, "since");
	values[1] = TimestampTzGetDatum(since_given ? time_of(row, row->new, "since") :
									GetCurrentTransactionStartTimestamp());
	row->new = heap_modify_tuple_by_cols(row->new, row->desc, 2, attno, values,
										 nulls);
}

/* The attached table that a cap's rule is for; NULL: all. */
static char *
table_of_rule(Row *row)
{
	char	   *rule = text_of(row, row->new, "rule");
	char	   *table = NULL;
	LrScan		scan;

	if (rule == NULL)
		return NULL;
	lr_scan_begin_pair(&scan, "rule", "rule_pkey", "router",
					   text_of(row, row->new, "router"), "name", rule);
	if (lr_scan_next(&scan))
		table = lr_scan_text(&scan, "routed_table");
	lr_scan_end(&scan);
	return table;
}

static void
check_cap(Row *row)
{
	static const char *const periods[] = {
		"hour", "day", "week", "month", "total", NULL
	};
	static const char *const counts[] = {"leads", NULL};
	char	   *name = text_of(row, row->new, "name");
	char	   *condition = text_of(row, row->new, "condition");
	bool		no_leads;
	bool		no_amount;
	ListCell   *lc;

	if (name == NULL || text_of(row, row->new, "router") == NULL)
		return;					/* NOT NULL says so */
	check_word("period", text_of(row, row->new, "period"), periods);
	check_word("counts", text_of(row, row->new, "counts"), counts);
	(void) column(row, row->new, "max_leads", &no_leads);
	(void) column(row, row->new, "max_amount", &no_amount);
	if (!no_amount)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("max_amount of cap \"%s\" is not in effect yet", name),
				 errhint("Leave it NULL, and set max_leads.")));
	if (no_leads)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("cap \"%s\" has no limit", name),
				 errhint("Set max_leads to the most leads in a period; 0 means none.")));
	if (is_true(row, row->new, "each_member") &&
		text_of(row, row->new, "member") != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("cap \"%s\" names a member and is each member's own",
						name),
				 errhint("Leave member NULL, or let each_member be false.")));
	check_zone(row, text_of(row, row->new, "router"));
	fill_writer(row, row->old == NULL || differs(row, "condition"));
	if (row->old != NULL)
		begin_anew(row);
	if (condition == NULL)
		return;
	foreach(lc, tables_of(text_of(row, row->new, "router"), table_of_rule(row)))
		check_expression(((Attached *) lfirst(lc))->relid, condition,
						 LR_EXPR_BOOL, row,
						 psprintf("condition of cap \"%s\"", name));
}

/* ---------- routed_table ---------- */

static void
refuse_relation(Relation rel, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_WRONG_OBJECT_TYPE),
			 errmsg("\"%s\" cannot be routed", RelationGetRelationName(rel)),
			 errdetail("%s", detail),
			 errhint("Use leadroute.attach, which says what is needed.")));
}

/* What a row written without attach must not get wrong. */
static void
check_relation(Row *row, Relation rel)
{
	bool		isnull;
	ArrayType  *names = DatumGetArrayTypeP(column(row, row->new, "key_columns",
												  &isnull));
	Datum	   *key;
	bool	   *nulls;
	int			n;
	int			i;

	if (rel->rd_rel->relkind != RELKIND_RELATION &&
		rel->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		refuse_relation(rel, "It is not a table.");
	if (IsCatalogRelation(rel))
		refuse_relation(rel, "It belongs to the system.");
	if (SPI_fnumber(RelationGetDescr(rel),
					text_of(row, row->new, "owner_column")) <= 0)
		refuse_relation(rel, psprintf("It has no column \"%s\".",
									  text_of(row, row->new, "owner_column")));
	deconstruct_array(names, TEXTOID, -1, false, TYPALIGN_INT, &key, &nulls, &n);
	if (n == 0)
		refuse_relation(rel, "It needs a key.");
	for (i = 0; i < n; i++)
		if (nulls[i] || SPI_fnumber(RelationGetDescr(rel),
									TextDatumGetCString(key[i])) <= 0)
			refuse_relation(rel, "A key column is missing.");
}

static void
check_routed_table(Row *row)
{
	char	   *router_expr = text_of(row, row->new, "router_expr");
	bool		isnull;
	Oid			relid = DatumGetObjectId(column(row, row->new, "relation",
												&isnull));
	Relation	rel;
	bool		no_keys;
	bool		changed;
	int			i;

	(void) column(row, row->new, "key_columns", &no_keys);
	if (isnull || no_keys || text_of(row, row->new, "name") == NULL ||
		text_of(row, row->new, "owner_column") == NULL)
		return;					/* NOT NULL says so */
	if (row->old != NULL && differs(row, "name"))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("the name of an attached table does not change"),
				 errhint("leadroute.detach it and attach it under the other name.")));
	changed = row->old == NULL || differs(row, "router_expr");
	for (i = 0; i < LR_WHENS; i++)
		changed |= row->old != NULL && differs(row, lr_when_column[i]);
	changed |= row->old != NULL && differs(row, "load");
	fill_writer(row, changed);
	rel = try_relation_open(relid, AccessShareLock);
	if (rel == NULL)
		return;					/* restored before its table */
	check_relation(row, rel);
	relation_close(rel, AccessShareLock);
	if (router_expr != NULL)
		check_expression(relid, router_expr, LR_EXPR_TEXT, row, "router_expr");
	for (i = 0; i < LR_WHENS; i++)
	{
		char	   *text = text_of(row, row->new, lr_when_column[i]);

		if (text != NULL)
			check_expression(relid, text, LR_EXPR_WHEN, row, lr_when_column[i]);
	}
	if (text_of(row, row->new, "load") != NULL)
		check_expression(relid, text_of(row, row->new, "load"), LR_EXPR_NUMBER,
						 row, "load");
}

Datum
lr_check_config(PG_FUNCTION_ARGS)
{
	TriggerData *td = (TriggerData *) fcinfo->context;
	const char *table;
	Row			row;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("leadroute.check_config is a trigger function")));
	table = RelationGetRelationName(td->tg_relation);
	row.td = td;
	row.desc = RelationGetDescr(td->tg_relation);
	row.old = TRIGGER_FIRED_BY_INSERT(td->tg_event) ? NULL : td->tg_trigtuple;
	row.new = TRIGGER_FIRED_BY_INSERT(td->tg_event) ? td->tg_trigtuple :
		TRIGGER_FIRED_BY_UPDATE(td->tg_event) ? td->tg_newtuple : NULL;

	if (strcmp(table, "rule") == 0)
		check_rule(&row);
	else if (strcmp(table, "member") == 0)
		check_member(&row);
	else if (strcmp(table, "team_member") == 0)
		check_team_member(&row);
	else if (strcmp(table, "cap") == 0)
		check_cap(&row);
	else if (strcmp(table, "absence") == 0)
		check_absence(&row);
	else if (strcmp(table, "router") == 0)
	{
		check_zone(&row, text_of(&row, row.new, "name"));
		check_router(&row);
	}
	else if (strcmp(table, "schedule") == 0)
		check_schedule(&row);
	else if (strcmp(table, "routed_table") == 0)
		check_routed_table(&row);
	PG_RETURN_POINTER(row.new != NULL ? row.new : row.old);
}

/* ---------- judging expressions ---------- */

/* An expression to be compiled for an attached table. */
typedef struct Judged
{
	Oid			relid;
	LrExprKind	kind;
	char	   *text;			/* NULL: there is none */
	char	   *written_by;
	char	   *search_path;
	char	   *what;
} Judged;

static void
try_compile(void *arg)
{
	Judged	   *j = (Judged *) arg;
	Relation	rel = try_relation_open(j->relid, AccessShareLock);

	if (rel == NULL)
		return;
	(void) lr_expr_compile(rel, j->text, j->kind,
						   get_role_oid(j->written_by, false), j->search_path,
						   j->what);
	relation_close(rel, AccessShareLock);
}

/* NULL: it is valid, or there is nothing to judge. */
static char *
judge_one(Judged *j)
{
	/* a writer who does not exist is another problem */
	if (j->text == NULL || j->written_by == NULL ||
		!OidIsValid(get_role_oid(j->written_by, true)))
		return NULL;
	return lr_guarded(try_compile, j);
}

static Datum
judge(FunctionCallInfo fcinfo, Judged *j)
{
	char	   *error = judge_one(j);

	if (error == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(error));
}

Datum
lr_check_condition(PG_FUNCTION_ARGS)
{
	LrTable    *table;
	Judged		j = {0};

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	table = lr_table_require(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	j.relid = table->relid;
	lr_table_unpin(table);
	j.kind = LR_EXPR_BOOL;
	j.text = text_to_cstring(PG_GETARG_TEXT_PP(1));
	j.written_by = GetUserNameFromId(GetUserId(), false);
	j.search_path = pstrdup(GetConfigOption("search_path", false, false));
	j.what = "condition";
	return judge(fcinfo, &j);
}

/* The relation that is attached by a name, and a column of its row. */
static Oid
attached_relation(const char *name, LrScan *scan)
{
	bool		isnull;

	lr_scan_begin(scan, "routed_table", "routed_table_pkey", "name", name);
	if (!lr_scan_next(scan))
		return InvalidOid;
	return DatumGetObjectId(lr_scan_datum(scan, "relation", &isnull));
}

/*
 * Stored expressions are judged as they will run: with the rights and the
 * search_path of their writer, whoever asks.
 */
Datum
lr_condition_error(PG_FUNCTION_ARGS)
{
	Judged		j = {0};
	LrScan		scan;

	j.relid = attached_relation(text_to_cstring(PG_GETARG_TEXT_PP(2)), &scan);
	lr_scan_end(&scan);
	lr_scan_begin_pair(&scan, "rule", "rule_pkey",
					   "router", text_to_cstring(PG_GETARG_TEXT_PP(0)),
					   "name", text_to_cstring(PG_GETARG_TEXT_PP(1)));
	if (lr_scan_next(&scan))
	{
		j.kind = LR_EXPR_BOOL;
		j.text = lr_scan_text(&scan, "condition");
		j.written_by = lr_scan_text(&scan, "written_by");
		j.search_path = lr_scan_text(&scan, "search_path");
		j.what = "condition";
	}
	lr_scan_end(&scan);
	return judge(fcinfo, &j);
}

Datum
lr_expression_error(PG_FUNCTION_ARGS)
{
	char	   *column_name = text_to_cstring(PG_GETARG_TEXT_PP(1));
	bool		is_router = strcmp(column_name, "router_expr") == 0;
	bool		is_load = strcmp(column_name, "load") == 0;
	bool		known = is_router || is_load;
	Judged		j = {0};
	LrScan		scan;
	int			i;

	for (i = 0; i < LR_WHENS; i++)
		known |= strcmp(column_name, lr_when_column[i]) == 0;
	if (!known)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid column_name \"%s\"", column_name),
				 errhint("Valid words: router_expr, closed_when, responded_when, converted_when, load.")));
	j.relid = attached_relation(text_to_cstring(PG_GETARG_TEXT_PP(0)), &scan);
	if (OidIsValid(j.relid))
	{
		j.kind = is_router ? LR_EXPR_TEXT : is_load ? LR_EXPR_NUMBER :
			LR_EXPR_WHEN;
		j.text = lr_scan_text(&scan, column_name);
		j.written_by = lr_scan_text(&scan, "written_by");
		j.search_path = lr_scan_text(&scan, "search_path");
		j.what = column_name;
	}
	lr_scan_end(&scan);
	return judge(fcinfo, &j);
}

Datum
lr_sticky_key_error(PG_FUNCTION_ARGS)
{
	LrMatching *m = NULL;
	Judged		j = {0};
	char	   *error;
	LrScan		scan;
	int			i;

	j.relid = attached_relation(text_to_cstring(PG_GETARG_TEXT_PP(1)), &scan);
	lr_scan_end(&scan);
	lr_scan_begin(&scan, "router", "router_pkey", "name",
				  text_to_cstring(PG_GETARG_TEXT_PP(0)));
	if (lr_scan_next(&scan))
		m = lr_matching_read(&scan);
	lr_scan_end(&scan);
	for (i = 0; m != NULL && i < m->n; i++)
	{
		j.kind = LR_EXPR_TEXT;
		j.text = m->expr[i];
		j.written_by = m->written_by;
		j.search_path = m->search_path;
		j.what = psprintf("sticky_key %d", i + 1);
		error = judge_one(&j);
		if (error != NULL)
			PG_RETURN_TEXT_P(cstring_to_text(error));
	}
	PG_RETURN_NULL();
}
