/*
 * lint_sticky.c
 *	  What is odd about the keys by which a router knows leads again: one that
 *	  cannot be computed, and such as no lead has.  And a test_when that cannot
 *	  be computed.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "datatype/timestamp.h"
#include "executor/spi.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "base/owner_rights.h"
#include "config/router_sql.h"
#include "explain/lint.h"
#include "expression/compile.h"
#include "lead/test_lead.h"

/* Leads with an owner of which one should have had a key. */
#define ENOUGH_LEADS	20

/* An expression of the router over one table; reports it if it is broken. */
static void
look_at_expression(LrLint *lint, const char *table,
				   const char *text, LrExprKind kind, const char *written_by,
				   const char *search_path, const char *name, const char *what,
				   char *what_to_do)
{
	MemoryContext temporary = AllocSetContextCreate(CurrentMemoryContext,
													"leadroute router expression",
													ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(temporary);
	char	   *broken = NULL;

	(void) lr_compile_guarded(lint->rel, text, kind, written_by, search_path,
							  name, &broken);
	MemoryContextSwitchTo(old);
	if (broken != NULL)
		lr_lint_finding(lint, "error", NULL, what,
						psprintf("%s, on table \"%s\": %s", name, table, broken),
						what_to_do);
	MemoryContextDelete(temporary);
}

/* The keys and test_when over one table. */
static void
look_at_table(LrLint *lint, const LrLintTables *table)
{
	const LrMatching *m = lint->router->matching;
	const LrTestWhen *t = lint->router->test_when;
	int			i;

	if (!lr_lint_table_begin(lint, table))
		return;
	for (i = 0; m != NULL && i < m->n; i++)
		look_at_expression(lint, table->name, m->expr[i], LR_EXPR_TEXT,
						   m->written_by, m->search_path,
						   psprintf("sticky_key %d", i + 1),
						   "sticky_key_invalid",
						   "Change it; until then no lead of that table is known by it.");
	if (t != NULL)
		look_at_expression(lint, table->name, t->expr, LR_EXPR_BOOL,
						   t->written_by, t->search_path, "test_when",
						   "test_when_invalid",
						   "Change it; until then no lead of that table is a test.");
	lr_lint_table_end(lint);
}

static void
look_at_tables(LrLint *lint)
{
	LrLintTables table;

	lr_lint_tables_begin(&table, lint);
	while (lr_lint_tables_next(&table))
		look_at_table(lint, &table);
	lr_lint_tables_end(&table);
}

/* Whether enough leads have an owner that keys may be of, and none a key. */
static bool
nobody_has_keys(LrLint *lint, const LrMatching *m)
{
	int64		window = Max(m->sticky_window, m->duplicate_window);
	Oid			types[3] = {INT4OID, TIMESTAMPTZOID, INT8OID};
	Datum		values[3];
	LrRights	rights;
	bool		isnull;
	bool		nobody;

	values[0] = Int32GetDatum(lint->router->id);
	values[1] = TimestampTzGetDatum(m->sticky_window < 0 ||
									window > lint->now - MIN_TIMESTAMP ?
									DT_NOBEGIN : lint->now - window);
	values[2] = Int64GetDatum(ENOUGH_LEADS);
	lr_become_owner(&rights);
	SPI_connect();
	PushActiveSnapshot(GetLatestSnapshot());
	if (SPI_execute_with_args("SELECT (SELECT pg_catalog.count(*) FROM (SELECT FROM leadroute.journal j"
							  " WHERE j.router = $1 AND j.member IS NOT NULL AND j.is_test IS NULL AND j.assigned_at > $2 LIMIT $3) l) = $3"
							  " AND NOT EXISTS (SELECT FROM leadroute.sticky_lead s WHERE s.router = $1)",
							  3, types, values, NULL, true,
							  1) != SPI_OK_SELECT)
		elog(ERROR, "could not read the journal");
	nobody = DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0],
										SPI_tuptable->tupdesc, 1, &isnull));
	PopActiveSnapshot();
	SPI_finish();
	lr_resign(&rights);
	return nobody;
}

void
lr_lint_sticky(LrLint *lint)
{
	const LrMatching *m = lint->router->matching;

	if (m == NULL && lint->router->test_when == NULL)
		return;
	look_at_tables(lint);
	if (m != NULL && nobody_has_keys(lint, m))
		lr_lint_finding(lint, "warning", NULL, "sticky_key_unused",
						pstrdup("No lead with an owner has a value of any sticky_key: nobody is known again."),
						"Name columns that are filled in when a lead is inserted; what comes by a later UPDATE is not looked at.");
}
