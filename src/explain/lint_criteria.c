/*
 * lint_criteria.c
 *	  What is odd about the criteria of a router and its thresholds.
 *
 * Reported is what can be proved of every lead, by the planner's proofs as for
 * rules (lint_proof.c).  A criterion that raises for a lead says nothing of it:
 * so one that may raise proves nothing of others.  Of criteria that are for
 * several lead tables that is reported which holds for each.
 */
#include "postgres.h"

#include <math.h>

#include "access/sysattr.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/guard.h"
#include "base/scan.h"
#include "config/criterion.h"
#include "decide/qualify.h"
#include "explain/lint.h"

/* Criteria that are compared with each other. */
#define MAX_COMPARED	500

/* What is proved about a criterion; each is worse than the one before. */
typedef enum Oddity
{
	NOTHING_ODD,
	SAME,						/* scores what another one scores */
	REDUNDANT,					/* keeps back nobody whom others do not */
	USELESS,					/* scores none but leads that are kept back */
	NEVER
} Oddity;

typedef struct Criterion Criterion;

struct Criterion
{
	const LrCriterion *c;
	/* over the table that is being looked at */
	bool		known;			/* it is for it, and what follows is filled */
	LrLearned	condition;
	LrLearned	points;
	bool		never;			/* no lead that can be stored makes it true */
	bool		always;			/* every one does, without an error */
	bool		idle;			/* no lead that is let through gets points */
	bool		used;			/* in the proof that no lead is */
	/* over all tables so far */
	bool		elsewhere;		/* it is for a table of another router */
	bool		looked_at;
	Oddity		oddity;
	const Criterion *because;
	bool		adds_nothing;	/* its points are 0 */
	bool		reads_score;
	bool		reads_column;	/* the one that the score is written to */
	char	   *broken;
};

typedef struct Criteria
{
	LrLint	   *lint;
	const LrQualification *q;
	Criterion  *criterion;
	/* the table */
	const char *table;
	char	   *score_column;	/* NULL: none */
	List	   *stored;			/* clauses that each stored lead fulfils */
	Criterion  *looking_at;
	char	   *nobody;			/* why no lead is let through; NULL: not proved */
} Criteria;

/* ---------- one table ---------- */

/* Clauses for the columns of a table that are NOT NULL. */
static List *
not_null_columns(Relation rel)
{
	List	   *clauses = NIL;
	int			i;

	for (i = 0; i < RelationGetNumberOfAttributes(rel); i++)
	{
		Form_pg_attribute att = TupleDescAttr(RelationGetDescr(rel), i);
		NullTest   *test;

		if (att->attisdropped || !att->attnotnull)
			continue;
		test = makeNode(NullTest);
		test->arg = (Expr *) makeVar(LR_LEAD_VARNO, att->attnum, att->atttypid,
									 att->atttypmod, att->attcollation, 0);
		test->nulltesttype = IS_NOT_NULL;
		test->location = -1;
		clauses = lappend(clauses, test);
	}
	return clauses;
}

static bool
learn_one(Criteria *all, Criterion *k, const char *text, LrExprKind kind,
		  const char *column, LrLearned *learned)
{
	memset(learned, 0, sizeof(LrLearned));
	if (text == NULL || k->broken != NULL)
		return k->broken == NULL;
	return lr_lint_learn(all->lint, text, kind, k->c->written_by,
						 k->c->search_path, column, learned, &k->broken);
}

static bool
is_for(const Criterion *k, const char *table)
{
	return k->c->routed_table == NULL || strcmp(k->c->routed_table, table) == 0;
}

static bool
reads_column(Criteria *all, const LrLearned *learned)
{
	AttrNumber	attno = all->score_column == NULL ? InvalidAttrNumber :
		get_attnum(RelationGetRelid(all->lint->rel), all->score_column);

	return attno != InvalidAttrNumber &&
		bms_is_member(attno - FirstLowInvalidHeapAttributeNumber,
					  learned->columns);
}

static void
learn(Criteria *all, Criterion *k)
{
	k->known = k->never = k->always = k->idle = false;
	if (!is_for(k, all->table))
		return;
	if (!learn_one(all, k, k->c->condition, LR_EXPR_BOOL, "condition",
				   &k->condition) ||
		!learn_one(all, k, k->c->points, LR_EXPR_NUMBER, "points", &k->points))
		return;
	k->known = true;
	k->reads_score |= k->condition.reads_score || k->points.reads_score;
	k->reads_column |= reads_column(all, &k->condition) ||
		reads_column(all, &k->points);
}

/* Whether truth of a AND of clauses makes another true, or not true. */
static bool
implies(List *clauses, List *then)
{
	return then == NIL || predicate_implied_by(then, clauses, false);
}

static bool
excludes(List *clauses, List *other)
{
	return clauses != NIL && other != NIL &&
		predicate_refuted_by(other, clauses, true);
}

/* Which leads make a condition true at all. */
static void
look_alone(void *arg)
{
	Criteria   *all = (Criteria *) arg;
	Criterion  *k = all->looking_at;

	k->never = k->condition.never ||
		excludes(all->stored, k->condition.clauses);
	k->always = !k->condition.can_raise &&
		implies(all->stored, k->condition.clauses);
}

/* Two conditions mean the same only if the same role asks. */
static bool
comparable(const Criterion *a, const Criterion *b)
{
	if (!a->condition.depends_on_writer && !b->condition.depends_on_writer)
		return true;
	return a->c->written_by != NULL && b->c->written_by != NULL &&
		a->c->search_path != NULL && b->c->search_path != NULL &&
		strcmp(a->c->written_by, b->c->written_by) == 0 &&
		strcmp(a->c->search_path, b->c->search_path) == 0;
}

/*
 * Whether a criterion keeps back all leads for which another one is true.  One
 * of quarantine does so until the lead is released only.
 */
static bool
keeps_back(const Criterion *a, const Criterion *b)
{
	switch (a->c->kind)
	{
		case LR_CRITERION_REQUIRE:
			return excludes(b->condition.clauses, a->condition.clauses);
		case LR_CRITERION_DISQUALIFY:
			return implies(b->condition.clauses, a->condition.clauses);
		default:
			return false;
	}
}

/* What is odd about a criterion, given another one that raises nothing. */
static Oddity
compare(const Criterion *k, const Criterion *other)
{
	bool		first = k->c->index < other->c->index;
	bool		within = implies(k->condition.clauses, other->condition.clauses);
	bool		around = implies(other->condition.clauses, k->condition.clauses);
	/* of two that are the same one is odd */
	bool		same = within && around;
	bool		spared = same && first && !k->condition.can_raise;

	switch (k->c->kind)
	{
		case LR_CRITERION_SCORE:
			if (keeps_back(other, k))
				return USELESS;
			return other->c->kind == LR_CRITERION_SCORE && same && !first &&
				(k->c->condition != NULL ||
				 strcmp(k->c->points, other->c->points) == 0) ? SAME :
				NOTHING_ODD;
		case LR_CRITERION_REQUIRE:
			return other->c->kind == LR_CRITERION_REQUIRE && around && !spared ?
				REDUNDANT : NOTHING_ODD;
		case LR_CRITERION_DISQUALIFY:
			if (other->c->kind == LR_CRITERION_REQUIRE)
				return keeps_back(other, k) ? REDUNDANT : NOTHING_ODD;
			/* fall through */
		default:
			return other->c->kind == k->c->kind && within && !spared ?
				REDUNDANT : NOTHING_ODD;
	}
}

/* Keeps the least that is proved for any of the tables. */
static void
note(Criterion *k, Oddity oddity, const Criterion *because)
{
	if (!k->looked_at || oddity < k->oddity)
	{
		k->oddity = oddity;
		k->because = because;
	}
	k->looked_at = true;
}

static void
look_at_others(void *arg)
{
	Criteria   *all = (Criteria *) arg;
	Criterion  *k = all->looking_at;
	Oddity		worst = NOTHING_ODD;
	const Criterion *because = NULL;
	int			i;

	for (i = 0; i < all->q->n && worst < USELESS; i++)
	{
		Criterion  *other = &all->criterion[i];
		Oddity		oddity;

		CHECK_FOR_INTERRUPTS();
		/* what concerns every lead or none is reported by itself */
		if (other == k || !other->known || other->never ||
			(other->always && other->c->kind != LR_CRITERION_SCORE) ||
			other->condition.can_raise || !comparable(k, other))
			continue;
		oddity = compare(k, other);
		if (oddity > worst)
		{
			worst = oddity;
			because = other;
		}
	}
	k->idle = worst == USELESS;
	note(k, worst, because);
}

/* Calls fn for a criterion, in a context that is left behind. */
static void
guarded(Criteria *all, Criterion *k, LrGuardedFn fn)
{
	MemoryContext scratch = AllocSetContextCreate(all->lint->context,
												  "leadroute comparison",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);

	all->looking_at = k;
	if (lr_guarded(fn, all) != NULL && k != NULL)
		note(k, NOTHING_ODD, NULL);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
}

/* ---------- does any lead get through ---------- */

/* One criterion that keeps back every lead. */
static char *
one_for_all(Criteria *all)
{
	int			i;

	for (i = 0; i < all->q->n; i++)
	{
		Criterion  *k = &all->criterion[i];

		if (!k->known || k->condition.can_raise)
			continue;
		if (k->c->kind == LR_CRITERION_REQUIRE && k->never)
			return psprintf("criterion \"%s\", which is required, can never be true",
							k->c->name);
		if (k->always && (k->c->kind == LR_CRITERION_DISQUALIFY ||
						  k->c->kind == LR_CRITERION_QUARANTINE))
			return psprintf("criterion \"%s\" of kind %s is true for every lead",
							k->c->name, lr_criterion_kinds[k->c->kind]);
	}
	return NULL;
}

/* Whether the criteria that are used in the proof let no lead through. */
static bool
none_passes(const Criteria *all)
{
	List	   *required = NIL;
	List	   *dropped = NIL;
	int			i;

	for (i = 0; i < all->q->n; i++)
	{
		const Criterion *k = &all->criterion[i];

		if (!k->used)
			continue;
		if (k->c->kind == LR_CRITERION_REQUIRE)
			required = list_concat_copy(required, k->condition.clauses);
		else
			dropped = lappend(dropped, make_ands_explicit(k->condition.clauses));
	}
	if (required != NIL &&
		lr_lint_never(required,
					  lr_condition_analyse(make_ands_explicit(required))))
		return true;
	return dropped != NIL &&
		implies(list_concat_copy(all->stored, required),
				list_length(dropped) > 1 ? list_make1(make_orclause(dropped)) :
				make_ands_implicit((Expr *) linitial(dropped)));
}

/* Whether several criteria together keep back every lead, and which. */
static void
look_together(void *arg)
{
	Criteria   *all = (Criteria *) arg;
	StringInfoData names;
	int			i;

	for (i = 0; i < all->q->n; i++)
	{
		Criterion  *k = &all->criterion[i];

		k->used = k->known && !k->condition.can_raise &&
			!k->condition.depends_on_writer &&
			(k->c->kind == LR_CRITERION_REQUIRE ||
			 k->c->kind == LR_CRITERION_DISQUALIFY);
	}
	if (!none_passes(all))
		return;
	initStringInfo(&names);
	for (i = 0; i < all->q->n; i++)
	{
		Criterion  *k = &all->criterion[i];

		if (!k->used)
			continue;
		k->used = false;
		if (none_passes(all))
			continue;			/* the others prove it */
		k->used = true;
		appendStringInfo(&names, "%s\"%s\" (%s)", names.len == 0 ? "" : ", ",
						 k->c->name, lr_criterion_kinds[k->c->kind]);
	}
	all->nobody = MemoryContextStrdup(all->lint->context,
									  psprintf("the criteria %s together keep back every lead",
											   names.data));
}

/* ---------- thresholds ---------- */

/* What leads that are let through can have of a criterion, at least and at most. */
static LrBounds
points_of(const Criterion *k)
{
	LrBounds	b;

	if (k->known)
		b = lr_lint_points(&k->points);
	else
	{
		b.low = -LR_MAX_POINTS;
		b.high = LR_MAX_POINTS;
	}
	if (k->known && (k->never || k->idle))
		b.low = b.high = 0;
	else if (!k->known || !k->always)
	{
		b.low = Min(b.low, 0);
		b.high = Max(b.high, 0);
	}
	return b;
}

static double
as_score(double sum)
{
	return rint(sum * LR_SCORE_UNITS) / LR_SCORE_UNITS;
}

static void
look_at_thresholds(Criteria *all)
{
	LrBounds	sum = {0, 0, false};
	double		qualify_at = all->q->qualify_at;
	int			n = 0;
	int			i;

	if (isnan(qualify_at))
		return;
	for (i = 0; i < all->q->n; i++)
	{
		const Criterion *k = &all->criterion[i];
		LrBounds	b;

		if (k->c->kind != LR_CRITERION_SCORE || !is_for(k, all->table))
			continue;
		b = points_of(k);
		sum.low += b.low;
		sum.high += b.high;
		n++;
	}
	if (n == 0 && qualify_at > 0)
		lr_lint_finding(all->lint, "warning", NULL, "no_score",
						psprintf("No criterion gives leads of table \"%s\" points, so none reaches qualify_at %s.",
								 all->table, lr_score_words(qualify_at)),
						"Add criteria of kind score, or set qualify_at and nurture_at to NULL.");
	else if (as_score(sum.high) < qualify_at)
		lr_lint_finding(all->lint, "warning", NULL, "qualify_at_unreachable",
						psprintf("No lead of table \"%s\" can reach qualify_at %s: all criteria together give at most %s.",
								 all->table, lr_score_words(qualify_at),
								 lr_score_words(as_score(sum.high))),
						"Lower qualify_at, or give more points.");
	else if (as_score(sum.low) >= qualify_at)
		lr_lint_finding(all->lint, "warning", NULL, "qualify_at_always",
						psprintf("Every lead of table \"%s\" reaches qualify_at %s: the score is at least %s.",
								 all->table, lr_score_words(qualify_at),
								 lr_score_words(as_score(sum.low))),
						"Raise qualify_at; or set it to NULL if the score is not to decide.");
}

bool
lr_lint_has_scores(const LrRouter *router)
{
	const LrQualification *q = router->qualification;
	int			i;

	if (q == NULL || !isnan(q->qualify_at))
		return q != NULL;
	for (i = 0; i < q->n; i++)
		if (q->criterion[i].kind == LR_CRITERION_SCORE)
			return true;
	return false;
}

/* ---------- all tables ---------- */

static void
look_at_table(Criteria *all, const LrLintTables *table)
{
	LrLint	   *lint = all->lint;
	int			i;

	if (!lr_lint_table_begin(lint, table))
		return;
	all->stored = not_null_columns(lint->rel);
	for (i = 0; i < all->q->n; i++)
	{
		learn(all, &all->criterion[i]);
		if (all->criterion[i].known)
			guarded(all, &all->criterion[i], look_alone);
	}
	for (i = 0; i < all->q->n; i++)
	{
		Criterion  *k = &all->criterion[i];
		LrBounds	b;

		if (!k->known)
			continue;
		if (k->never)
			note(k, NEVER, NULL);
		else if (all->q->n <= MAX_COMPARED)
			guarded(all, k, look_at_others);
		if (k->c->points == NULL)
			continue;
		b = lr_lint_points(&k->points);
		k->adds_nothing = b.low == 0 && b.high == 0;
	}
	if ((all->nobody = one_for_all(all)) == NULL)
		guarded(all, NULL, look_together);
	if (all->nobody != NULL)
		lr_lint_finding(lint, "warning", NULL, "nobody_qualifies",
						psprintf("No lead of table \"%s\" is qualified: %s.",
								 all->table, all->nobody),
						"Change or disable a criterion.");
	else
		look_at_thresholds(all);
	lr_lint_table_end(lint);
}

/* Columns that are to receive what nothing gives. */
static void
look_at_columns(LrLint *lint, const char *table, const char *status_column,
				const char *score_column)
{
	if (status_column != NULL && lint->router->qualification == NULL)
		lr_lint_finding(lint, "notice", NULL, "status_column_unused",
						psprintf("Nothing is written into status_column \"%s\" of table \"%s\": the router has neither criteria nor qualify_at.",
								 status_column, table),
						"Add criteria, or set status_column to NULL.");
	if (score_column != NULL && !lr_lint_has_scores(lint->router))
		lr_lint_finding(lint, "notice", NULL, "score_column_unused",
						psprintf("Nothing is written into score_column \"%s\" of table \"%s\": no lead has a score.",
								 score_column, table),
						"Add criteria of kind score, or set score_column to NULL.");
}

static void
look_at_tables(LrLint *lint, Criteria *all)
{
	LrLintTables table;
	int			i;

	lr_lint_tables_begin(&table, lint);
	while (lr_lint_tables_next(&table))
	{
		all->table = table.name;
		all->score_column = lr_scan_text(&table.scan, "score_column");
		/* other routers may need the columns of a table that is not its alone */
		if (table.router != NULL)
			look_at_columns(lint, all->table,
							lr_scan_text(&table.scan, "status_column"),
							all->score_column);
		if (all->q == NULL)
			continue;
		for (i = 0; i < all->q->n; i++)
			all->criterion[i].elsewhere &= !is_for(&all->criterion[i], all->table);
		look_at_table(all, &table);
	}
	lr_lint_tables_end(&table);
}

/* ---------- what is reported ---------- */

static void
report_oddity(LrLint *lint, const Criterion *k)
{
	const char *name = k->c->name;
	const char *other = k->because != NULL ? k->because->c->name : NULL;

	switch (k->oddity)
	{
		case NEVER:
			lr_lint_finding(lint, "warning", NULL, "criterion_never",
							psprintf("Condition of criterion \"%s\" can never be true.",
									 name),
							psprintf("Correct the condition, or delete the criterion: %s",
									 k->c->condition));
			break;
		case USELESS:
			lr_lint_finding(lint, "warning", NULL, "criterion_useless",
							psprintf("The points of criterion \"%s\" never count: every lead that gets them is disqualified by criterion \"%s\".",
									 name, other),
							"Change one of them, or delete the one that gives points.");
			break;
		case REDUNDANT:
			lr_lint_finding(lint, "notice", NULL, "criterion_redundant",
							psprintf("Criterion \"%s\" keeps back no lead that criterion \"%s\" does not.",
									 name, other),
							"Nothing, if both are to be named as reasons; else delete it.");
			break;
		case SAME:
			lr_lint_finding(lint, "notice", NULL, "criterion_same",
							psprintf("Criteria \"%s\" and \"%s\" give points to the same leads.",
									 other, name),
							"Nothing, if both are to count; else delete one.");
			break;
		case NOTHING_ODD:
			break;
	}
}

static void
report(LrLint *lint, const Criterion *k)
{
	const char *name = k->c->name;

	if (k->broken != NULL)
		lr_lint_finding(lint, "error", NULL, "criterion_invalid",
						psprintf("Criterion \"%s\": %s", name, k->broken),
						"Change it, or its routed_table; until then it says nothing of leads of that table.");
	if (k->elsewhere)
		lr_lint_elsewhere(lint, NULL, psprintf("Criterion \"%s\"", name),
						  k->c->routed_table);
	if (k->reads_score)
		lr_lint_finding(lint, "warning", NULL, "criterion_reads_score",
						psprintf("Criterion \"%s\" reads leadroute.score(), which is NULL until all criteria are judged.",
								 name),
						"Compare the score with qualify_at and nurture_at, or in the conditions of rules.");
	if (k->reads_column)
		lr_lint_finding(lint, "warning", NULL, "criterion_reads_score",
						psprintf("Criterion \"%s\" reads the score column: what it says depends on how often the lead was judged before.",
								 name),
						"Read the columns that the score is made of.");
	if (k->broken == NULL && k->adds_nothing && k->oddity < USELESS)
		lr_lint_finding(lint, "notice", NULL, "criterion_zero",
						psprintf("Criterion \"%s\" adds nothing to any score.",
								 name),
						psprintf("Change its points (a number, at most %.0f either way), or delete it: %s",
								 LR_MAX_POINTS, k->c->points));
	if (k->broken == NULL)
		report_oddity(lint, k);
}

void
lr_lint_criteria(LrLint *lint)
{
	Criteria	all = {0};
	int			i;

	all.lint = lint;
	all.q = lint->router->qualification;
	if (all.q != NULL)
	{
		all.criterion = (Criterion *) palloc0((all.q->n + 1) * sizeof(Criterion));
		for (i = 0; i < all.q->n; i++)
		{
			all.criterion[i].c = &all.q->criterion[i];
			all.criterion[i].elsewhere = all.q->criterion[i].routed_table != NULL;
		}
	}
	look_at_tables(lint, &all);
	for (i = 0; all.q != NULL && i < all.q->n; i++)
		report(lint, &all.criterion[i]);
	if (all.q != NULL && all.q->n > MAX_COMPARED)
		lr_lint_finding(lint, "notice", NULL, "not_compared",
						psprintf("The %d criteria were not compared with each other, for these are too many.",
								 all.q->n),
						"Nothing; some of these may say the same.");
}
