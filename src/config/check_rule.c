/*
 * check_rule.c
 *	  Refusing a rule that cannot work.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "config/changes.h"
#include "config/check_row.h"
#include "rule/method_words.h"

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
expressions_differ(LrRow *row)
{
	int			i;

	for (i = 0; i < (int) lengthof(rule_expressions); i++)
		if (lr_row_differs(row, rule_expressions[i].column))
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
rule_needs_check(LrRow *row)
{
	return row->old == NULL || expressions_differ(row) ||
		lr_row_changes_router(row) || lr_row_differs(row, "routed_table") ||
		lr_row_differs(row, "written_by") || lr_row_differs(row, "search_path") ||
		(lr_row_is_true(row, row->new, "enabled") &&
		 !lr_row_is_true(row, row->old, "enabled"));
}

static bool
has_expressions(LrRow *row)
{
	int			i;

	for (i = 0; i < (int) lengthof(rule_expressions); i++)
		if (lr_row_text(row, row->new, rule_expressions[i].column) != NULL)
			return true;
	return false;
}

/* Checks a rule's expressions for the leads of a table. */
static void
check_rule_over(LrRow *row, Oid relid)
{
	int			i;

	for (i = 0; i < (int) lengthof(rule_expressions); i++)
	{
		const char *column_name = rule_expressions[i].column;
		char	   *text = lr_row_text(row, row->new, column_name);

		if (text != NULL)
			lr_check_expression(relid, text, rule_expressions[i].kind, row,
							 psprintf("%s of rule \"%s\"", column_name,
									  lr_row_text(row, row->new, "name")));
	}
}

static void
check_overflow_team(LrRow *row)
{
	char	   *overflow = lr_row_text(row, row->new, "overflow");
	char	   *overflow_team = lr_row_text(row, row->new, "overflow_team");
	char	   *team = lr_row_text(row, row->new, "team");
	char	   *name = lr_row_text(row, row->new, "name");

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

void
lr_check_rule(LrRow *row)
{
	static const char *const overflows[] = {
		"next_rule", "team", "hold", "ignore_limits", "none", NULL
	};
	bool		changed = row->old == NULL || expressions_differ(row);
	ListCell   *lc;

	lr_check_word("method", lr_row_text(row, row->new, "method"),
			   lr_method_list());
	if (lr_row_text(row, row->new, "method") != NULL &&
		strcmp(lr_row_text(row, row->new, "method"), "best_match") == 0 &&
		lr_row_text(row, row->new, "member_rank") == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("method best_match of rule \"%s\" needs member_rank",
						lr_row_text(row, row->new, "name")),
				 errhint("Say who goes first, for example: member_rank = '(member.attributes ->> ''level'')::integer'.")));
	if (lr_row_text(row, row->new, "method") != NULL &&
		strcmp(lr_row_text(row, row->new, "method"), "manual") == 0 &&
		lr_row_text(row, row->new, "member_expr") != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("method manual of rule \"%s\" needs a team, not member_expr",
						lr_row_text(row, row->new, "name")),
				 errhint("The lead_member of the team decides; a rule with member_expr needs no method.")));
	lr_check_word("overflow", lr_row_text(row, row->new, "overflow"), overflows);
	check_overflow_team(row);
	lr_fill_writer(row, changed);
	if (row->old != NULL && !lr_same_row(row->desc, row->old, row->new))
	{
		bool		isnull;
		int			attno = SPI_fnumber(row->desc, "version");
		Datum		value = Int32GetDatum(1 + DatumGetInt32(lr_row_column(row, row->old,
																   "version",
																   &isnull)));

		isnull = false;
		row->new = heap_modify_tuple_by_cols(row->new, row->desc, 1, &attno,
											 &value, &isnull);
	}
	if (rule_needs_check(row) && has_expressions(row))
		foreach(lc, lr_tables_of(lr_row_text(row, row->new, "router"),
							  lr_row_text(row, row->new, "routed_table")))
			check_rule_over(row, ((LrAttached *) lfirst(lc))->relid);
}
