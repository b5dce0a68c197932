/*
 * lint_ready.c
 *	  What is odd about what new leads wait for (ready.h).
 */
#include "postgres.h"

#include "nodes/primnodes.h"
#include "optimizer/optimizer.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "base/scan.h"
#include "explain/lint.h"
#include "expression/compile.h"

/* What ready_when says by itself. */
static void
look_at_expression(LrLint *lint, const char *table, const LrExpr *when)
{
	const Const *c = (const Const *) when->tree;

	if (IsA(c, Const) && !c->constisnull && DatumGetBool(c->constvalue))
		lr_lint_finding(lint, "notice", NULL, "always_ready",
						psprintf("Every lead of table \"%s\" is ready: none waits.",
								 table),
						"Set ready_when to NULL, or to what a lead waits for.");
	else if (IsA(c, Const))
		lr_lint_finding(lint, "warning", NULL, "never_ready",
						psprintf("No lead of table \"%s\" is ever ready: ready_when is not true of any.",
								 table),
						"Change ready_when; it is true of a lead that is complete.");
	else if (contain_mutable_functions((Node *) when->tree))
		lr_lint_finding(lint, "notice", NULL, "ready_unseen",
						psprintf("ready_when of table \"%s\" may become true while the lead stays as it is, by the time or by other tables: that is not noticed.",
								 table),
						"Let it depend on the lead's columns alone, or set ready_within.");
}

/* What its leads wait for, and how long. */
static void
look_at_waiting(LrLint *lint, LrLintTables *table)
{
	LrScan	   *scan = &table->scan;
	char	   *text = lr_scan_text(scan, "ready_when");
	char	   *broken = NULL;
	LrExpr	   *when;
	bool		no_end;

	(void) lr_scan_datum(scan, "ready_within", &no_end);
	if (text == NULL)
	{
		if (!no_end)
			lr_lint_finding(lint, "notice", NULL, "ready_within_unused",
							psprintf("Table \"%s\" has a ready_within and no ready_when: no lead waits.",
									 table->name),
							"Say in ready_when what a lead waits for, or set ready_within to NULL.");
		return;
	}
	when = lr_compile_of_table(lint->rel, text, LR_EXPR_BOOL,
							   lr_scan_text(scan, "written_by"),
							   lr_scan_text(scan, "search_path"), "ready_when",
							   &broken);
	/* leadroute.problem tells of one that is broken */
	if (when == NULL)
		return;
	look_at_expression(lint, table->name, when);
	if (no_end)
		lr_lint_finding(lint, "notice", NULL, "waits_without_end",
						psprintf("A lead of table \"%s\" that never becomes ready waits without end.",
								 table->name),
						psprintf("UPDATE leadroute.routed_table SET ready_within = '1 hour' WHERE name = %s; for example.",
								 quote_literal_cstr(table->name)));
}

static void
look_at_table(LrLint *lint, LrLintTables *table)
{
	MemoryContext old;

	if (!lr_lint_table_begin(lint, table))
		return;
	old = MemoryContextSwitchTo(lint->context);
	look_at_waiting(lint, table);
	MemoryContextSwitchTo(old);
	lr_lint_table_end(lint);
}

void
lr_lint_ready(LrLint *lint)
{
	LrLintTables table;

	lr_lint_tables_begin(&table, lint);
	while (lr_lint_tables_next(&table))
		look_at_table(lint, &table);
	lr_lint_tables_end(&table);
}
