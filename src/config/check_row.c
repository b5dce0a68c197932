/*
 * check_row.c
 *	  What the checks of all configuration tables need.  See check_row.h.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/guc.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "base/owner_rights.h"
#include "base/scan.h"
#include "calendar/schedule.h"
#include "config/check_row.h"
#include "lead/table.h"

Datum
lr_row_column(LrRow *row, HeapTuple tuple, const char *name, bool *isnull)
{
	int			attno = SPI_fnumber(row->desc, name);

	if (attno <= 0)
		elog(ERROR, "column \"%s\" of a leadroute table is missing", name);
	return heap_getattr(tuple, attno, row->desc, isnull);
}

char *
lr_row_text(LrRow *row, HeapTuple tuple, const char *name)
{
	bool		isnull;
	Datum		value = lr_row_column(row, tuple, name, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

void
lr_row_set_text(LrRow *row, const char *name, const char *text)
{
	int			attno = SPI_fnumber(row->desc, name);
	Datum		value = CStringGetTextDatum(text);
	bool		isnull = false;

	row->new = heap_modify_tuple_by_cols(row->new, row->desc, 1, &attno,
										 &value, &isnull);
}

bool
lr_row_differs(LrRow *row, const char *name)
{
	char	   *a = lr_row_text(row, row->old, name);
	char	   *b = lr_row_text(row, row->new, name);

	return (a == NULL) != (b == NULL) || (a != NULL && strcmp(a, b) != 0);
}

/* The same for a column of any type. */
bool
lr_row_column_differs(LrRow *row, const char *name)
{
	Form_pg_attribute att = TupleDescAttr(row->desc,
										  SPI_fnumber(row->desc, name) - 1);
	bool		a_null;
	bool		b_null;
	Datum		a = lr_row_column(row, row->old, name, &a_null);
	Datum		b = lr_row_column(row, row->new, name, &b_null);

	return a_null != b_null ||
		(!a_null && !datum_image_eq(a, b, att->attbyval, att->attlen));
}

/* ---------- who wrote an expression ---------- */

/* Refuses to write in the name of a role that one may not become. */
void
lr_check_writer(const char *writer)
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
void
lr_fill_writer(LrRow *row, bool expression_changed)
{
	char	   *given = lr_row_text(row, row->new, "written_by");
	bool		writer_changed = row->old == NULL ? given != NULL :
		given != NULL && lr_row_differs(row, "written_by");

	/* under another path the same text may call another function */
	if (row->old != NULL && lr_row_differs(row, "search_path"))
		expression_changed = true;

	if (writer_changed)
		lr_check_writer(given);
	else if (expression_changed || given == NULL)
	{
		lr_row_set_text(row, "written_by", GetUserNameFromId(GetUserId(), false));
		if (row->old != NULL && !lr_row_differs(row, "search_path"))
			lr_row_set_text(row, "search_path",
					 GetConfigOption("search_path", false, false));
	}
	if (lr_row_text(row, row->new, "search_path") == NULL)
		lr_row_set_text(row, "search_path",
				 GetConfigOption("search_path", false, false));
	check_path(lr_row_text(row, row->new, "search_path"));
}

/* ---------- tables a row concerns ---------- */

/* Tables with triggers whose leads this router may decide; name: that one. */
List *
lr_tables_of(const char *router, const char *name)
{
	List	   *tables = NIL;
	LrScan		scan;

	lr_scan_begin(&scan, "routed_table", NULL, NULL, NULL);
	while (lr_scan_next(&scan))
	{
		char	   *its = lr_scan_text(&scan, "router");
		LrAttached   *t = (LrAttached *) palloc(sizeof(LrAttached));
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
check_expression(Oid relid, const char *text, LrExprKind kind, LrRow *row,
				 const char *what, bool of_table)
{
	Relation	rel = table_open(relid, AccessShareLock);
	char	   *writer = lr_row_text(row, row->new, "written_by");
	char	   *path = lr_row_text(row, row->new, "search_path");
	Oid			role = get_role_oid(writer, true);

	/* restored before its role: disabled until somebody takes it over */
	if (OidIsValid(role))
		(void) (of_table ?
				lr_expr_compile_of_table(rel, text, kind, role, path, what) :
				lr_expr_compile(rel, text, kind, role, path, what));
	table_close(rel, AccessShareLock);
}

void
lr_check_expression(Oid relid, const char *text, LrExprKind kind, LrRow *row,
					const char *what)
{
	check_expression(relid, text, kind, row, what, false);
}

void
lr_check_expression_of_table(Oid relid, const char *text, LrExprKind kind,
							 LrRow *row, const char *what)
{
	check_expression(relid, text, kind, row, what, true);
}

/* ---------- checks that several tables share ---------- */

void
lr_check_word(const char *column_name, const char *word, const char *const *words)
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

bool
lr_row_is_true(LrRow *row, HeapTuple tuple, const char *name)
{
	bool		isnull;
	Datum		value = lr_row_column(row, tuple, name, &isnull);

	return !isnull && DatumGetBool(value);
}

/* Whether the row goes to another router; a router that is renamed is the same. */
bool
lr_row_changes_router(LrRow *row)
{
	LrScan		scan;
	bool		former_exists;

	if (!lr_row_differs(row, "router"))
		return false;
	lr_scan_begin(&scan, "router", "router_pkey", "name",
				  lr_row_text(row, row->old, "router"));
	former_exists = lr_scan_next(&scan);
	lr_scan_end(&scan);
	return former_exists;
}

/* Restored rows of a router for which nothing is routed yet are not lost. */
void
lr_check_zone(LrRow *row, const char *router)
{
	char	   *zone = lr_row_text(row, row->new, "timezone");

	if (zone != NULL && (row->old == NULL || lr_row_differs(row, "timezone")) &&
		!lr_zone_is_named(zone))
		lr_zone_unknown(zone, lr_tables_of(router, NULL) != NIL ? ERROR : WARNING);
}
