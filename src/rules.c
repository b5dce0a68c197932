/*
 * rules.c
 *	  Reading a router's rules: from rows to an image with its index.
 *
 * Each condition is parsed and analysed here, with its writer's rights, to
 * find out what the index can know of it; the result is thrown away.  One that
 * cannot be compiled any more is kept as a rule to be tried always: that it is
 * broken is found, and reported, when a lead comes to it.
 */
#include "postgres.h"

#include "access/table.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "compile.h"
#include "generated.h"
#include "leadroute.h"
#include "rule_scope.h"
#include "rules.h"
#include "scan.h"

static char
method_code(const char *word)
{
	if (strcmp(word, "least_loaded") == 0)
		return LR_METHOD_LEAST_LOADED;
	if (strcmp(word, "longest_idle") == 0)
		return LR_METHOD_LONGEST_IDLE;
	if (strcmp(word, "random") == 0)
		return LR_METHOD_RANDOM;
	return LR_METHOD_ROUND_ROBIN;
}

static char
overflow_code(const char *word)
{
	if (strcmp(word, "ignore_limits") == 0)
		return LR_OVERFLOW_IGNORE_LIMITS;
	if (strcmp(word, "none") == 0)
		return LR_OVERFLOW_NONE;
	return LR_OVERFLOW_NEXT_RULE;
}

/* Whether the row at a scan is an enabled rule for the table. */
static bool
applies(LrScan *scan, LrTable *table)
{
	char	   *name;

	if (!lr_scan_bool(scan, "enabled"))
		return false;
	name = lr_scan_text(scan, "routed_table");
	return name == NULL || strcmp(name, table->name) == 0;
}

static void
read_row(LrScan *scan, LrRouter *router, LrRuleRow *row)
{
	char	   *name = lr_scan_text(scan, "team");
	LrTeam	   *team = name ? lr_team_by_name(router, name) : router->everyone;

	row->name = lr_scan_text(scan, "name");
	if (team == NULL)
		elog(ERROR, "team \"%s\" of rule \"%s\" is missing", name, row->name);
	row->id = lr_scan_int(scan, "id", 0);
	row->version = lr_scan_int(scan, "version", 0);
	row->priority = lr_scan_int(scan, "priority", 0);
	row->team = team->id;
	row->method = method_code(lr_scan_text(scan, "method"));
	row->overflow = overflow_code(lr_scan_text(scan, "overflow"));
	row->condition = lr_scan_text(scan, "condition");
	row->team_expr = lr_scan_text(scan, "team_expr");
	row->member_expr = lr_scan_text(scan, "member_expr");
	row->written_by = lr_scan_text(scan, "written_by");
	row->search_path = lr_scan_text(scan, "search_path");
	lr_rule_scope_read(&row->scope, scan);
}

/* What the index can know of a rule; NULL: nothing.  In the current context. */
static LrCondition *
analyse(Relation rel, const LrRuleRow *row)
{
	MemoryContext old = CurrentMemoryContext;
	MemoryContext temporary;
	LrCondition *condition = NULL;
	LrExpr	   *expr;
	char	   *broken;

	if (row->condition == NULL)
		return NULL;
	temporary = AllocSetContextCreate(old, "leadroute condition",
									  ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(temporary);
	expr = lr_compile_guarded(rel, row->condition, LR_EXPR_BOOL,
							  row->written_by, row->search_path,
							  psprintf("condition of rule \"%s\"", row->name),
							  &broken);
	MemoryContextSwitchTo(old);
	if (expr != NULL)
		condition = lr_condition_analyse(lr_generated_hidden(expr));
	MemoryContextDelete(temporary);
	return condition;
}

LrImage *
lr_rules_read(LrTable *table, LrRouter *router)
{
	MemoryContext where = CurrentMemoryContext;
	MemoryContext building = AllocSetContextCreate(CurTransactionContext,
												   "leadroute rules",
												   ALLOCSET_DEFAULT_SIZES);
	LrImageBuilder *builder;
	Relation	rel = table_open(table->relid, AccessShareLock);
	LrImage    *image;
	LrScan		scan;

	MemoryContextSwitchTo(building);
	builder = lr_image_begin();
	lr_scan_begin(&scan, "rule", "rule_pkey", "router", router->name);
	while (lr_scan_next(&scan))
	{
		LrRuleRow	row;

		CHECK_FOR_INTERRUPTS();
		if (!applies(&scan, table))
			continue;
		read_row(&scan, router, &row);
		lr_image_add(builder, &row, analyse(rel, &row));
	}
	lr_scan_end(&scan);
	table_close(rel, AccessShareLock);
	image = lr_image_finish(builder, where);
	MemoryContextSwitchTo(where);
	MemoryContextDelete(building);
	return image;
}
