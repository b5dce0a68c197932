/*
 * lint_tables.c
 *	  The attached tables whose leads a router decides; see lint.h.
 *
 * A table without a router leaves it to each lead: every router may get some.
 */
#include "postgres.h"

#include "access/relation.h"
#include "utils/memutils.h"

#include "explain/lint.h"

void
lr_lint_tables_begin(LrLintTables *tables, const LrLint *lint)
{
	tables->decided_by = lint->router->name;
	lr_scan_begin(&tables->scan, "routed_table", NULL, NULL, NULL);
}

bool
lr_lint_tables_next(LrLintTables *tables)
{
	bool		isnull;

	while (lr_scan_next(&tables->scan))
	{
		tables->router = lr_scan_text(&tables->scan, "router");
		if (tables->router != NULL &&
			strcmp(tables->router, tables->decided_by) != 0)
			continue;
		tables->name = lr_scan_text(&tables->scan, "name");
		tables->relid = DatumGetObjectId(lr_scan_datum(&tables->scan,
													   "relation", &isnull));
		return true;
	}
	return false;
}

void
lr_lint_tables_end(LrLintTables *tables)
{
	lr_scan_end(&tables->scan);
}

bool
lr_lint_table_begin(LrLint *lint, const LrLintTables *tables)
{
	lint->rel = try_relation_open(tables->relid, AccessShareLock);
	if (lint->rel == NULL)
		return false;
	lint->context = AllocSetContextCreate(CurrentMemoryContext,
										  "leadroute lint",
										  ALLOCSET_DEFAULT_SIZES);
	return true;
}

void
lr_lint_table_end(LrLint *lint)
{
	MemoryContextDelete(lint->context);
	relation_close(lint->rel, AccessShareLock);
}
