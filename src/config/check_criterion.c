/*
 * check_criterion.c
 *	  Refusing a criterion, or thresholds of a router, that cannot work.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

#include "config/check_row.h"
#include "config/criterion.h"

static void
refuse(const char *name, const char *problem, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_CHECK_VIOLATION),
			 errmsg("criterion \"%s\" %s", name, problem),
			 errhint("%s", hint)));
}

/* What each kind needs and what it has no use for. */
static void
check_columns(LrRow *row, const char *name, const char *kind)
{
	bool		score = strcmp(kind, lr_criterion_kinds[LR_CRITERION_SCORE]) == 0;

	if (score && lr_row_text(row, row->new, "points") == NULL)
		refuse(name, "has no points",
			   "Say what it adds to the score: a number, or SQL over the lead. Other kinds: require, disqualify, quarantine.");
	if (!score && lr_row_text(row, row->new, "points") != NULL)
		refuse(name, psprintf("of kind %s has points", kind),
			   "Only those of kind score do.");
	if (!score && lr_row_text(row, row->new, "condition") == NULL)
		refuse(name, psprintf("of kind %s has no condition", kind),
			   strcmp(kind, lr_criterion_kinds[LR_CRITERION_REQUIRE]) == 0 ?
			   "Say what every lead must fulfil, for example: budget >= 1000." :
			   "Say which leads it is about, for example: NOT leadroute.is_email(email).");
}

/* As a rule's: see check_rule.c. */
static bool
needs_check(LrRow *row)
{
	return row->old == NULL || lr_row_differs(row, "condition") ||
		lr_row_differs(row, "points") || lr_row_changes_router(row) ||
		lr_row_differs(row, "routed_table") ||
		lr_row_differs(row, "written_by") || lr_row_differs(row, "search_path") ||
		(lr_row_is_true(row, row->new, "enabled") &&
		 !lr_row_is_true(row, row->old, "enabled"));
}

static void
check_over(LrRow *row, const char *name, Oid relid)
{
	char	   *condition = lr_row_text(row, row->new, "condition");
	char	   *points = lr_row_text(row, row->new, "points");

	if (condition != NULL)
		lr_check_expression(relid, condition, LR_EXPR_BOOL, row,
							psprintf("condition of criterion \"%s\"", name));
	if (points != NULL)
		lr_check_expression(relid, points, LR_EXPR_NUMBER, row,
							psprintf("points of criterion \"%s\"", name));
}

void
lr_check_criterion(LrRow *row)
{
	char	   *name = lr_row_text(row, row->new, "name");
	char	   *kind = lr_row_text(row, row->new, "kind");
	ListCell   *lc;

	if (name == NULL || kind == NULL ||
		lr_row_text(row, row->new, "router") == NULL)
		return;					/* NOT NULL says so */
	lr_check_word("kind", kind, lr_criterion_kinds);
	check_columns(row, name, kind);
	lr_fill_writer(row, row->old == NULL || lr_row_differs(row, "condition") ||
				   lr_row_differs(row, "points"));
	if (needs_check(row))
		foreach(lc, lr_tables_of(lr_row_text(row, row->new, "router"),
								 lr_row_text(row, row->new, "routed_table")))
			check_over(row, name, ((LrAttached *) lfirst(lc))->relid);
}

/* ---------- thresholds ---------- */

static char *
number_words(Datum value)
{
	return DatumGetCString(DirectFunctionCall1(numeric_out, value));
}

/* A threshold must be a number that a score can reach. */
static Datum
threshold(LrRow *row, const char *name, const char *column, bool *isnull)
{
	Datum		value = lr_row_column(row, row->new, column, isnull);

	if (!*isnull && (numeric_is_nan(DatumGetNumeric(value)) ||
					 numeric_is_inf(DatumGetNumeric(value))))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("%s %s of router \"%s\" is not a score", column,
						number_words(value), name),
				 errhint("It is a number; NULL: there is no such threshold.")));
	return value;
}

void
lr_check_thresholds(LrRow *row, const char *name)
{
	bool		no_qualify;
	bool		no_nurture;
	Datum		qualify_at = threshold(row, name, "qualify_at", &no_qualify);
	Datum		nurture_at = threshold(row, name, "nurture_at", &no_nurture);

	if (no_nurture)
		return;
	if (no_qualify)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("router \"%s\" has nurture_at and no qualify_at", name),
				 errdetail("Without qualify_at every score is enough."),
				 errhint("Set qualify_at to the score from which on leads are given to sales.")));
	if (!DatumGetBool(DirectFunctionCall2(numeric_lt, nurture_at, qualify_at)))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("nurture_at %s of router \"%s\" is not below qualify_at %s",
						number_words(nurture_at), name, number_words(qualify_at)),
				 errhint("Leads are nurtured from nurture_at on and qualified from qualify_at on.")));
}
