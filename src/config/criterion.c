/*
 * criterion.c
 *	  Criteria of a router.  See criterion.h.
 */
#include "postgres.h"

#include <math.h>

#include "access/table.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

#include "base/scan.h"
#include "config/criterion.h"
#include "expression/generated.h"
#include "lead/binding.h"

/* Least time between two events about the same error of a criterion. */
#define REPORT_INTERVAL		(60 * USECS_PER_SEC)

const char *const lr_criterion_kinds[] = {
	[LR_CRITERION_SCORE] = "score",
	[LR_CRITERION_REQUIRE] = "require",
	[LR_CRITERION_DISQUALIFY] = "disqualify",
	[LR_CRITERION_QUARANTINE] = "quarantine",
	NULL
};

/* ---------- reading ---------- */

static LrCriterionKind
kind_of(const char *word)
{
	int			i;

	for (i = 0; lr_criterion_kinds[i] != NULL; i++)
		if (strcmp(lr_criterion_kinds[i], word) == 0)
			return (LrCriterionKind) i;
	elog(ERROR, "unknown kind of criterion \"%s\"", word);
}

/* A threshold of the router; NaN: none. */
static double
threshold(LrScan *scan, const char *column)
{
	bool		isnull;
	Datum		value = lr_scan_datum(scan, column, &isnull);

	return isnull ? get_float8_nan() :
		DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, value));
}

static void
read_criteria(LrQualification *q, const char *router)
{
	int			room = 8;
	LrScan		scan;

	q->criterion = (LrCriterion *) palloc(room * sizeof(LrCriterion));
	lr_scan_begin(&scan, "criterion", "criterion_pkey", "router", router);
	while (lr_scan_next(&scan))
	{
		LrCriterion *c;

		if (!lr_scan_bool(&scan, "enabled"))
			continue;
		if (q->n == room)
			q->criterion = (LrCriterion *) repalloc(q->criterion,
													(room *= 2) * sizeof(LrCriterion));
		c = &q->criterion[q->n];
		c->index = q->n++;
		c->name = lr_scan_text(&scan, "name");
		c->kind = kind_of(lr_scan_text(&scan, "kind"));
		c->condition = lr_scan_text(&scan, "condition");
		c->points = lr_scan_text(&scan, "points");
		c->routed_table = lr_scan_text(&scan, "routed_table");
		c->written_by = lr_scan_text(&scan, "written_by");
		c->search_path = lr_scan_text(&scan, "search_path");
	}
	lr_scan_end(&scan);
}

LrQualification *
lr_qualification_read(LrScan *scan, const char *router)
{
	LrQualification *q = (LrQualification *) palloc0(sizeof(LrQualification));

	q->qualify_at = threshold(scan, "qualify_at");
	q->nurture_at = threshold(scan, "nurture_at");
	read_criteria(q, router);
	if (q->n == 0 && isnan(q->qualify_at))
		return NULL;
	return q;
}

/* ---------- compiling ---------- */

typedef struct BoundCriterion BoundCriterion;

/* A criterion of a router over one lead table. */
struct BoundCriterion
{
	bool		compiled;
	LrExpr	   *condition;		/* NULL: none, or broken */
	LrExpr	   *points;
	char	   *broken;			/* why either cannot be evaluated; NULL: it can */
	TimestampTz reported_at;	/* last event about an error of it */
};

static LrExpr *
compile(LrTable *table, LrBinding *b, Relation rel, const LrCriterion *c,
		const char *text, LrExprKind kind, const char *column,
		BoundCriterion *bound)
{
	MemoryContext old;
	LrExpr	   *expr;

	if (text == NULL || bound->broken != NULL)
		return NULL;
	old = MemoryContextSwitchTo(b->context);
	expr = lr_compile_for_leads(table, rel, text, kind, c->written_by,
								c->search_path,
								psprintf("%s of criterion \"%s\"", column,
										 c->name), &bound->broken);
	MemoryContextSwitchTo(old);
	return expr;
}

static BoundCriterion *
bound_criterion(LrTable *table, LrBinding *b, const LrCriterion *c)
{
	const LrQualification *q = b->router->qualification;
	BoundCriterion *bound;
	Relation	rel;

	if (b->criteria == NULL)
		b->criteria = (BoundCriterion *) MemoryContextAllocZero(b->context, q->n *
																sizeof(BoundCriterion));
	bound = &b->criteria[c->index];
	if (bound->compiled)
		return bound;
	rel = table_open(table->relid, AccessShareLock);
	bound->condition = compile(table, b, rel, c, c->condition, LR_EXPR_BOOL,
							   "condition", bound);
	bound->points = compile(table, b, rel, c, c->points, LR_EXPR_NUMBER,
							"points", bound);
	table_close(rel, AccessShareLock);
	bound->compiled = true;
	return bound;
}

/* ---------- judging ---------- */

static Datum
evaluate(LrEvaluation *ev, LrExpr *expr, LrFinding *finding, bool *isnull,
		 char **detail)
{
	Datum		value;

	lr_evaluate_generated(ev, expr, detail);
	value = lr_evaluate(ev, expr, isnull);
	finding->said_by = expr;
	finding->error = ev->error;
	return value;
}

/* What a score criterion that concerns the lead adds. */
static void
find_points(LrEvaluation *ev, LrExpr *expr, LrFinding *finding, char **detail)
{
	bool		isnull;
	double		points = DatumGetFloat8(evaluate(ev, expr, finding, &isnull,
												 detail));

	if (finding->error != NULL || isnull)
		return;
	if (isnan(points) || fabs(points) > LR_MAX_POINTS)
		finding->error = isnan(points) ? pstrdup("its points are not a number") :
			pstrdup("its points are out of range");
	else
		finding->points = rint(points * LR_SCORE_UNITS) / LR_SCORE_UNITS;
}

static void
judge(LrEvaluation *ev, BoundCriterion *bound, LrFinding *finding,
	  char **detail)
{
	bool		isnull = false;
	Datum		value = BoolGetDatum(true);

	finding->error = bound->broken;
	if (finding->error == NULL && bound->condition != NULL)
		value = evaluate(ev, bound->condition, finding, &isnull, detail);
	finding->says = !isnull && DatumGetBool(value) ? LR_SAYS_TRUE : LR_SAYS_FALSE;
	if (finding->error == NULL && finding->says == LR_SAYS_TRUE &&
		bound->points != NULL)
		find_points(ev, bound->points, finding, detail);
	if (finding->error == NULL)
		return;
	finding->says = LR_SAYS_ERROR;
	lr_add_detail(detail, psprintf("criterion \"%s\"", finding->criterion->name),
				  finding->error);
}

LrFinding *
lr_criteria_judge(LrBinding *b, LrEvaluation *ev, char **detail)
{
	const LrQualification *q = b->router->qualification;
	LrFinding  *findings = (LrFinding *) palloc0((q->n + 1) * sizeof(LrFinding));
	int			i;

	for (i = 0; i < q->n; i++)
	{
		const LrCriterion *c = &q->criterion[i];

		findings[i].criterion = c;
		if (c->routed_table != NULL &&
			strcmp(c->routed_table, ev->table->name) != 0)
			findings[i].says = LR_SAYS_OTHER_TABLE;
		else
			judge(ev, bound_criterion(ev->table, b, c), &findings[i], detail);
	}
	return findings;
}

bool
lr_criterion_reports(LrBinding *b, const LrFinding *finding, TimestampTz now)
{
	BoundCriterion *bound = &b->criteria[finding->criterion->index];

	if (finding->says != LR_SAYS_ERROR ||
		(bound->reported_at != 0 && now - bound->reported_at < REPORT_INTERVAL))
		return false;
	bound->reported_at = now;
	return true;
}
