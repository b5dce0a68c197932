/*
 * check.c
 *	  Refusing a configuration row that cannot work, when it is saved.
 *
 * The trigger of all configuration tables, and the check of a router.  How
 * they check, and with whose rights: check_row.h.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "base/clock.h"
#include "config/check_row.h"
#include "roster/claim.h"

PG_FUNCTION_INFO_V1(lr_check_config);

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
sticky_keys(LrRow *row, const char *name, int *n)
{
	bool		isnull;
	Datum		value = lr_row_column(row, row->new, "sticky_key", &isnull);
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
check_window(LrRow *row, const char *name, const char *column_name, int64 least,
			 const char *hint)
{
	bool		isnull;
	Datum		value = lr_row_column(row, row->new, column_name, &isnull);

	if (isnull || lr_interval_length(DatumGetIntervalP(value)) >= least)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_CHECK_VIOLATION),
			 errmsg("invalid %s of router \"%s\"", column_name, name),
			 errhint("%s", hint)));
}

static void
check_router(LrRow *row)
{
	char	   *name = lr_row_text(row, row->new, "name");
	bool		no_window;
	char	   *test_when = lr_row_text(row, row->new, "test_when");
	char	  **keys;
	int			n = 0;
	int			i;
	bool		changed;
	ListCell   *lc;

	if (name == NULL)
		return;					/* NOT NULL says so */
	check_window(row, name, "sticky_window", 0,
				 "It is 0 (no lead is matched but duplicates) or longer; NULL: without end.");
	check_window(row, name, "duplicate_window", 1,
				 "It is longer than 0; NULL: no lead is a duplicate.");
	lr_check_thresholds(row, name);
	keys = sticky_keys(row, name, &n);
	(void) lr_row_column(row, row->new, "duplicate_window", &no_window);
	if (keys == NULL && !no_window)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("router \"%s\" has a duplicate_window and no sticky_key",
						name),
				 errhint("sticky_key says by what a lead is known again, for example ARRAY['leadroute.normalize_email(email)'].")));
	if (keys == NULL && test_when == NULL)
		return;
	changed = row->old == NULL || lr_row_column_differs(row, "sticky_key") ||
		lr_row_differs(row, "test_when");
	lr_fill_writer(row, changed);
	if (!changed && !lr_row_differs(row, "written_by") && !lr_row_differs(row, "search_path"))
		return;
	foreach(lc, lr_tables_of(row->old != NULL ? lr_row_text(row, row->old, "name") : name,
						  NULL))
	{
		Oid			relid = ((LrAttached *) lfirst(lc))->relid;

		for (i = 0; i < n; i++)
			lr_check_expression(relid, keys[i], LR_EXPR_TEXT, row,
								psprintf("sticky_key %d of router \"%s\"", i + 1,
										 name));
		if (test_when != NULL)
			lr_check_expression(relid, test_when, LR_EXPR_BOOL, row,
								psprintf("test_when of router \"%s\"", name));
	}
}

/* ---------- the trigger ---------- */

Datum
lr_check_config(PG_FUNCTION_ARGS)
{
	TriggerData *td = (TriggerData *) fcinfo->context;
	const char *table;
	LrRow			row;

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
		lr_check_rule(&row);
	else if (strcmp(table, "member") == 0)
		lr_check_member(&row);
	else if (strcmp(table, "team_member") == 0)
		lr_check_team_member(&row);
	else if (strcmp(table, "cap") == 0)
		lr_check_cap(&row);
	else if (strcmp(table, "criterion") == 0)
		lr_check_criterion(&row);
	else if (strcmp(table, "absence") == 0)
		lr_check_absence(&row);
	else if (strcmp(table, "router") == 0)
	{
		lr_check_zone(&row, lr_row_text(&row, row.new, "name"));
		check_router(&row);
	}
	else if (strcmp(table, "schedule") == 0)
		lr_check_schedule(&row);
	else if (strcmp(table, "routed_table") == 0)
		lr_check_routed_table(&row);
	PG_RETURN_POINTER(row.new != NULL ? row.new : row.old);
}
