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
#include "lib/qunique.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/scan.h"
#include "config/changes.h"
#include "expression/compile.h"
#include "expression/generated.h"
#include "leadroute.h"
#include "rule/method_words.h"
#include "rule/rule_build.h"
#include "rule/rule_scope.h"
#include "rule/rules.h"

/* More changes than this are not worth telling apart. */
#define MAX_CHANGES		20000

static char
overflow_code(const char *word)
{
	if (strcmp(word, "ignore_limits") == 0)
		return LR_OVERFLOW_IGNORE_LIMITS;
	if (strcmp(word, "none") == 0)
		return LR_OVERFLOW_NONE;
	if (strcmp(word, "team") == 0)
		return LR_OVERFLOW_TEAM;
	if (strcmp(word, "hold") == 0)
		return LR_OVERFLOW_HOLD;
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

/* id of the team that a column names; if_null: it names none. */
static int32
team_of(LrScan *scan, LrRouter *router, const char *column, int32 if_null)
{
	char	   *name = lr_scan_text(scan, column);
	LrTeam	   *team = name ? lr_team_by_name(router, name) : NULL;

	if (name == NULL)
		return if_null;
	if (team == NULL)
		elog(ERROR, "team \"%s\" of rule \"%s\" is missing", name,
			 lr_scan_text(scan, "name"));
	return team->id;
}

static void
read_row(LrScan *scan, LrRouter *router, LrRuleRow *row)
{
	row->name = lr_scan_text(scan, "name");
	row->id = lr_scan_int(scan, "id", 0);
	row->version = lr_scan_int(scan, "version", 0);
	row->priority = lr_scan_int(scan, "priority", 0);
	row->team = team_of(scan, router, "team", 0);
	row->method = lr_method_code(lr_scan_text(scan, "method"));
	row->overflow = overflow_code(lr_scan_text(scan, "overflow"));
	row->overflow_team = team_of(scan, router, "overflow_team", -1);
	row->condition = lr_scan_text(scan, "condition");
	row->team_expr = lr_scan_text(scan, "team_expr");
	row->member_expr = lr_scan_text(scan, "member_expr");
	row->member_condition = lr_scan_text(scan, "member_condition");
	row->member_rank = lr_scan_text(scan, "member_rank");
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
	/* what a user's function computes may change without any rule changing */
	if (expr != NULL && !expr->folded)
		condition = lr_condition_analyse(lr_generated_hidden(expr));
	MemoryContextDelete(temporary);
	return condition;
}

/* Adds the rule at a scan, if it is one for the table. */
static void
add_rule(LrImageBuilder *builder, LrScan *scan, Relation rel, LrTable *table,
		 LrRouter *router)
{
	LrRuleRow	row;

	CHECK_FOR_INTERRUPTS();
	if (!applies(scan, table))
		return;
	read_row(scan, router, &row);
	lr_image_add(builder, &row, analyse(rel, &row));
}

/* A context for building, which an error frees; the current one from now on. */
static MemoryContext
begin_building(void)
{
	return MemoryContextSwitchTo(AllocSetContextCreate(CurTransactionContext,
													   "leadroute rules",
													   ALLOCSET_DEFAULT_SIZES));
}

static LrImage *
finish_building(LrImageBuilder *builder, MemoryContext where)
{
	LrImage    *image = lr_image_finish(builder, where);
	MemoryContext building = MemoryContextSwitchTo(where);

	MemoryContextDelete(building);
	return image;
}

LrImage *
lr_rules_read(LrTable *table, LrRouter *router)
{
	MemoryContext where = begin_building();
	LrImageBuilder *builder = lr_image_begin();
	Relation	rel = table_open(table->relid, AccessShareLock);
	LrScan		scan;

	lr_scan_begin(&scan, "rule", "rule_pkey", "router", router->name);
	while (lr_scan_next(&scan))
		add_rule(builder, &scan, rel, table, router);
	lr_scan_end(&scan);
	table_close(rel, AccessShareLock);
	return finish_building(builder, where);
}

LrImage *
lr_rules_merge(const LrImage *base, const uint8 *dead, const LrImage *delta)
{
	MemoryContext where = begin_building();
	LrImageBuilder *builder = lr_image_begin();

	lr_image_add_all(builder, base, dead);
	if (delta != NULL)
		lr_image_add_all(builder, delta, NULL);
	return finish_building(builder, where);
}

LrImage *
lr_rules_read_changed(LrTable *table, LrRouter *router, const LrImage *base,
					  const LrImage *delta, const int32 *ids, int n)
{
	MemoryContext where = begin_building();
	LrImageBuilder *builder = lr_image_begin();
	Relation	rel = table_open(table->relid, AccessShareLock);
	int			i;

	lr_image_beside(builder, base);
	if (delta != NULL)
	{
		uint8	   *dead = (uint8 *) palloc0(delta->nrules / 8 + 1);

		for (i = 0; i < n; i++)
		{
			int			rank = lr_image_find(delta, ids[i]);

			if (rank >= 0)
				dead[rank / 8] |= 1 << (rank % 8);
		}
		lr_image_add_all(builder, delta, dead);
	}
	for (i = 0; i < n; i++)
	{
		LrScan		scan;

		lr_scan_begin_id(&scan, "rule", "rule_id_key", "id", ids[i]);
		if (lr_scan_next(&scan) &&
			strcmp(lr_scan_text(&scan, "router"), router->name) == 0)
			add_rule(builder, &scan, rel, table, router);
		lr_scan_end(&scan);
	}
	table_close(rel, AccessShareLock);
	return finish_building(builder, where);
}

int
lr_rules_changed(LrRouter *router, int64 version, int32 **ids)
{
	int			room = 64;
	int			n = 0;
	bool		many = false;
	LrScan		scan;

	if (version > router->version ||
		router->version - version > LR_RULE_CHANGES_KEPT)
		return -1;
	*ids = (int32 *) palloc(room * sizeof(int32));
	if (version == router->version)
		return 0;
	lr_scan_begin_after(&scan, "rule_change", "rule_change_find", "router",
						router->name, "version", version);
	while (!many && lr_scan_next(&scan))
	{
		if (n == room)
			*ids = (int32 *) repalloc(*ids, (room *= 2) * sizeof(int32));
		(*ids)[n] = lr_scan_int(&scan, "rule", 0);
		many = (*ids)[n++] == 0 || n > MAX_CHANGES;
	}
	lr_scan_end(&scan);
	if (many)
		return -1;
	qsort(*ids, n, sizeof(int32), lr_compare_int32);
	return qunique(*ids, n, sizeof(int32), lr_compare_int32);
}
