/*
 * lint_proof.c
 *	  What can be proved about a rule from others; see lint.h.
 *
 * Proofs are the planner's (predtest.c), of truth from truth: a rule whose
 * condition is NULL for a lead does not match it, so nothing is to be shown
 * for NULL.  What cannot be proved is not reported.
 *
 * An earlier rule is a proof against a later one only if it takes part in
 * every decision in which the later one could: it is in force as long, takes
 * all of the leads that match, has members, and raises no error.  Then the
 * later one gets what the earlier one passes on, when nobody of it can take a
 * lead; nothing at all, if the earlier one passes nothing on, or both have
 * the same members.
 */
#include "postgres.h"

#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "utils/memutils.h"

#include "base/guard.h"
#include "explain/lint.h"

/*
 * Rules that are tried together as a proof: how long that takes grows with the
 * square of their number, and more.
 */
#define MAX_TOGETHER	100

static bool
same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* Two conditions mean the same only if the same role asks. */
static bool
comparable(const LrLintRule *a, const LrLintRule *b)
{
	return (!a->depends_on_writer && !b->depends_on_writer) ||
		(same_text(a->written_by, b->written_by) &&
		 same_text(a->search_path, b->search_path));
}

/* Whether an earlier rule decides wherever a later one could. */
static bool
always_asked(const LrLint *lint, const LrLintRule *earlier, const LrLintRule *rule)
{
	/* by method manual it does so whoever is there */
	return (earlier->manual || (earlier->staffed && !earlier->selective)) &&
		!earlier->computed &&
		!earlier->can_raise &&
		earlier->scope.percent >= 100 &&
		earlier->scope.since <= Max(rule->scope.since, lint->now) &&
		earlier->scope.until >= rule->scope.until &&
		comparable(earlier, rule);
}

/* Whether nothing that the earlier rule gets comes to the later one's use. */
static bool
leaves_nothing(const LrLintRule *earlier, const LrLintRule *rule)
{
	return earlier->stops ||
		(rule->next_rule && !rule->computed &&
		 same_text(earlier->team, rule->team));
}

/* One of several rules is true, as a clause. */
static List *
any_of(LrLintRule **rules, int n)
{
	List	   *arms = NIL;
	int			i;

	for (i = 0; i < n; i++)
		arms = lappend(arms, make_ands_explicit(rules[i]->clauses));
	return n == 1 ? rules[0]->clauses : list_make1(make_orclause(arms));
}

static char *
names_of(LrLintRule **rules, int n)
{
	StringInfoData buf;
	int			i;

	initStringInfo(&buf);
	for (i = 0; i < Min(n, 3); i++)
		appendStringInfo(&buf, "%s\"%s\"", i == 0 ? "" : ", ", rules[i]->name);
	if (n > 3)
		appendStringInfo(&buf, " and %d more", n - 3);
	return buf.data;
}

/* Arguments of a guarded comparison: operators of proofs may raise. */
typedef struct Comparison
{
	LrLint	   *lint;
	LrLintRule   *rule;
	LrProof		proof;
	char	   *because;
	bool		cut;			/* too many to be tried together */
} Comparison;

/*
 * Looks for rules among those given that together are true wherever the rule
 * is: one of them, or all.  Moves them to the front; 0: not proved.
 */
static int
find_cover(Comparison *c, LrLintRule **rules, int n)
{
	LrLintRule *rule = c->rule;
	int			i;

	for (i = 0; i < n; i++)
		if (predicate_implied_by(rules[i]->clauses, rule->clauses, false))
		{
			rules[0] = rules[i];
			return 1;
		}
	if (n > MAX_TOGETHER && rule->arms)
		c->cut = true;
	else if (n > 1 && rule->arms &&
			 predicate_implied_by(any_of(rules, n), rule->clauses, false))
	{
		/* leave out those that are not needed */
		for (i = n - 1; i >= 0 && n > 2; i--)
		{
			LrLintRule   *spared = rules[i];

			memmove(rules + i, rules + i + 1, (n - i - 1) * sizeof(LrLintRule *));
			if (predicate_implied_by(any_of(rules, n - 1), rule->clauses, false))
				n--;
			else
			{
				memmove(rules + i + 1, rules + i, (n - i - 1) * sizeof(LrLintRule *));
				rules[i] = spared;
			}
		}
		return n;
	}
	return 0;
}

static void
compare(void *arg)
{
	Comparison *c = (Comparison *) arg;
	LrLint	   *lint = c->lint;
	LrLintRule   *rule = c->rule;
	LrLintRule  **asked = (LrLintRule **) palloc((lint->ncandidates + 1) * sizeof(LrLintRule *));
	LrLintRule  **last = (LrLintRule **) palloc((lint->ncandidates + 1) * sizeof(LrLintRule *));
	int			nasked = 0;
	int			nlast = 0;
	int			n;
	int			i;

	for (i = 0; i < lint->ncandidates; i++)
	{
		LrLintRule   *earlier = lint->candidate[i];

		if (!always_asked(lint, earlier, rule))
			continue;
		asked[nasked++] = earlier;
		if (leaves_nothing(earlier, rule))
			last[nlast++] = earlier;
	}
	if ((n = find_cover(c, last, nlast)) > 0)
	{
		c->proof = LR_PROVED_UNREACHABLE;
		c->because = names_of(last, n);
	}
	else if ((n = find_cover(c, asked, nasked)) > 0)
	{
		c->proof = predicate_implied_by(rule->clauses, any_of(asked, n), false) ?
			LR_PROVED_FALLBACK : LR_PROVED_COVERED;
		c->because = names_of(asked, n);
	}
}

bool
lr_lint_compare(LrLint *lint, LrLintRule *rule)
{
	MemoryContext old = CurrentMemoryContext;
	MemoryContext scratch = AllocSetContextCreate(lint->context,
												  "leadroute comparison",
												  ALLOCSET_SMALL_SIZES);
	Comparison	c = {lint, rule, LR_PROVED_NOTHING, NULL, false};

	MemoryContextSwitchTo(scratch);
	if (lint->ncandidates > 0 && lr_guarded(compare, &c) != NULL)
		c.proof = LR_PROVED_NOTHING;
	MemoryContextSwitchTo(old);
	lr_lint_note(rule, c.proof, c.because ? pstrdup(c.because) : NULL);
	MemoryContextDelete(scratch);
	return !c.cut;
}

/* Which later rules of the same priority are true wherever the rule is? */
static void
find_wider(void *arg)
{
	Comparison *c = (Comparison *) arg;
	int			i;

	for (i = 0; i < c->lint->ncandidates; i++)
	{
		LrLintRule   *later = c->lint->candidate[i];

		/* without a condition it comes last by that, not by its name */
		if (later->clauses != NIL && later->narrower == NULL &&
			comparable(c->rule, later) &&
			(c->rule->computed || later->computed ||
			 !same_text(c->rule->team, later->team)) &&
			predicate_implied_by(later->clauses, c->rule->clauses, false))
			later->narrower = c->rule;
	}
}

void
lr_lint_compare_names(LrLint *lint, LrLintRule *rule)
{
	MemoryContext old = CurrentMemoryContext;
	MemoryContext scratch;
	Comparison	c = {lint, rule, LR_PROVED_NOTHING, NULL, false};

	if (lint->ncandidates == 0)
		return;
	scratch = AllocSetContextCreate(lint->context, "leadroute comparison",
									ALLOCSET_SMALL_SIZES);
	MemoryContextSwitchTo(scratch);
	(void) lr_guarded(find_wider, &c);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
}
