/*
 * fitting.c
 *	  Whom of a team a lead fits; see fitting.h.
 *
 * Evaluating a condition for every member of a big team would cost more than
 * all the rest of a decision.  So
 * - member_condition is evaluated once for each class of members (classes.h);
 * - the answer for the whole team is remembered under what the lead has to do
 *	 with it: its terms (terms.h), for conditions of memberships the columns that
 *	 they read (fit_cache.h).  Where a function is stable, for the statement.
 * What is measured of members is part of that.  An expression that reads
 * open_leads is evaluated for every member and lead.
 *
 * leadroute.check_picks compares what is remembered with an evaluation for
 * every member.
 */
#include "postgres.h"

#include "executor/executor.h"
#include "optimizer/optimizer.h"

#include "base/bits.h"
#include "base/guc.h"
#include "decide/classes.h"
#include "decide/fit_cache.h"
#include "decide/fitting.h"
#include "expression/facts.h"
#include "roster/board_set.h"
#include "roster/measured.h"

/* Members whose rows are made before their memory is freed. */
#define MEMBERS_AT_ONCE		64

/* The conditions of a team's memberships, compiled. */
typedef struct Reach
{
	uint64		serial;			/* of the team */
	LrExpr	  **expr;			/* NULL: broken */
	char	  **broken;
	Bitmapset  *columns;		/* of the lead, that they read */
	bool		stable;			/* some are not immutable */
} Reach;

/* The answer while it is being made. */
typedef struct Answer
{
	uint8	   *fits;
	uint8	   *raised;			/* NULL: nobody */
	char	   *error;			/* NULL: none */
} Answer;

static void
begin_answer(Answer *answer, const LrTeam *team)
{
	answer->fits = (uint8 *) palloc0(LR_BITS_SIZE(team->n));
	answer->raised = NULL;
	answer->error = NULL;
}

static void
end_answer(const Answer *answer, const LrTeam *team, LrFitting *fitting)
{
	memset(fitting, 0, sizeof(*fitting));
	fitting->n = team->n;
	if (lr_bits_count(answer->fits, team->n) < team->n)
		fitting->fits = answer->fits;
	fitting->raised = answer->raised;
	fitting->error = answer->error;
}

/* ---------- member_condition ---------- */

/* Notes what the condition has said of a member. */
static inline void
note_member(Answer *answer, const LrTeam *team, int i, bool fits, bool raises)
{
	if (fits)
		lr_bit_set(answer->fits, i);
	if (!raises)
		return;
	if (answer->raised == NULL)
		answer->raised = (uint8 *) palloc0(LR_BITS_SIZE(team->n));
	lr_bit_set(answer->raised, i);
}

/* Evaluates for a member, or the first one of a class; true: it fits. */
static bool
evaluate_for(LrEvaluation *ev, LrExpr *expr, TupleTableSlot *row,
			 const LrMember *m, Answer *answer)
{
	bool		isnull;
	Datum		value = lr_evaluate_member(ev, expr, row, &isnull);

	if (ev->error != NULL && answer->error == NULL)
		answer->error = psprintf("member_condition for member \"%s\": %s",
								 m->name, ev->error);
	return ev->error == NULL && !isnull && DatumGetBool(value);
}

/* Evaluates for each member. */
static void
evaluate_members(LrEvaluation *ev, LrBinding *b, LrExpr *expr, LrTeam *team,
				 LrFitting *fitting)
{
	Answer		answer;
	int			i;

	if (expr->measured)
		lr_measured_want(lr_database());
	begin_answer(&answer, team);
	for (i = 0; i < team->n; i++)
	{
		TupleTableSlot *row = lr_facts_row(b->router, team->member[i]);
		bool		fits = evaluate_for(ev, expr, row, team->member[i],
										&answer);

		note_member(&answer, team, i, fits, ev->error != NULL);
		if (i % MEMBERS_AT_ONCE == 0)
			ResetExprContext(ev->econtext);
	}
	end_answer(&answer, team, fitting);
}

/* The same with the lead's terms computed, once for each class. */
static void
evaluate_classes(LrEvaluation *ev, LrTerms *terms, LrClasses *classes,
				 LrTeam *team, LrFitting *fitting)
{
	bool	   *fits = (bool *) palloc(classes->nclasses + 1);
	bool	   *raises = (bool *) palloc(classes->nclasses + 1);
	Answer		answer;
	int			i;

	begin_answer(&answer, team);
	ev->econtext->ecxt_outertuple = terms->lead.slot;
	for (i = 0; i < classes->nclasses; i++)
	{
		fits[i] = evaluate_for(ev, &terms->rest,
							   lr_class_row(classes, terms, i),
							   team->member[classes->first[i]], &answer);
		raises[i] = ev->error != NULL;
	}
	for (i = 0; i < team->n; i++)
		note_member(&answer, team, i, fits[classes->of[i]],
					raises[classes->of[i]]);
	end_answer(&answer, team, fitting);
}

/* The lead's terms, and the key of what depends on them alone. */
static StringInfo
lead_key(LrEvaluation *ev, LrFitCache *cache, LrBoundRule *bound, LrTeam *team,
		 uint64 measured)
{
	StringInfo	key = lr_fit_key(cache, bound, team->serial, measured,
								 !bound->terms->immutable, ev->score);

	lr_terms_compute(&bound->terms->lead, ev->econtext, key);
	return key;
}

static void
recall_members(LrEvaluation *ev, LrBinding *b, LrBoundRule *bound,
			   LrTeam *team, LrFitting *fitting)
{
	LrFitCache *cache = lr_fit_cache(b);
	uint64		measured = 0;
	StringInfo	key;
	LrClasses  *classes;

	if (bound->member_condition->measured)
	{
		lr_measured_want(lr_database());
		measured = lr_measured_serial(lr_database());
	}
	key = lead_key(ev, cache, bound, team, measured);
	if (lr_fit_recall(cache, key, fitting))
		return;
	classes = lr_classes(cache, ev, bound->terms, bound, b->router, team,
						 measured);
	key = lead_key(ev, cache, bound, team, measured);
	evaluate_classes(ev, bound->terms, classes, team, fitting);
	lr_fit_remember(cache, key, team->n, fitting);
}

static bool
same_bits(const uint8 *a, const uint8 *b, int n)
{
	return (a == NULL) == (b == NULL) &&
		(a == NULL || memcmp(a, b, LR_BITS_SIZE(n)) == 0);
}

static void
check_same(const LrFitting *a, const LrFitting *b, const LrTeam *team,
		   const char *what)
{
	if (!same_bits(a->fits, b->fits, team->n) ||
		!same_bits(a->raised, b->raised, team->n))
		elog(ERROR, "whom of team %d a lead fits by %s differs from an evaluation for every member",
			 team->id, what);
}

/* Whom member_condition lets have the lead. */
static void
find_members(LrEvaluation *ev, LrBinding *b, LrBoundRule *bound, LrTeam *team,
			 bool afresh, LrFitting *fitting, char **detail)
{
	LrExpr	   *expr;
	LrFitting	check;
	Answer		nobody;

	lr_binding_compile(ev->table, b, bound);
	expr = bound->member_condition;
	if (expr == NULL)
	{
		begin_answer(&nobody, team);
		nobody.error = bound->member_condition_broken;
		end_answer(&nobody, team, fitting);
		return;
	}
	lr_evaluate_generated(ev, expr, detail);
	if (afresh || bound->terms == NULL)
	{
		evaluate_members(ev, b, expr, team, fitting);
		return;
	}
	recall_members(ev, b, bound, team, fitting);
	if (lr_check_picks)
	{
		evaluate_members(ev, b, expr, team, &check);
		check_same(fitting, &check, team, "member_condition");
	}
}

/* ---------- conditions of memberships ---------- */

/* Compiles those of a team, unless they are. */
static Reach *
compile_reach(LrEvaluation *ev, LrBinding *b, LrTeam *team)
{
	LrFitCache *cache = lr_fit_cache(b);
	MemoryContext old;
	Reach	   *reach;
	Reach		made = {0};
	int			i;

	if (cache->reach == NULL)
	{
		HASHCTL		ctl;

		memset(&ctl, 0, sizeof(ctl));
		ctl.keysize = sizeof(uint64);
		ctl.entrysize = sizeof(Reach);
		ctl.hcxt = cache->context;
		cache->reach = hash_create("leadroute reach", 16, &ctl,
								   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	reach = (Reach *) hash_search(cache->reach, &team->serial, HASH_FIND, NULL);
	if (reach != NULL)
		return reach;
	old = MemoryContextSwitchTo(cache->context);
	made.serial = team->serial;
	made.expr = (LrExpr **) palloc0(team->nreach * sizeof(LrExpr *));
	made.broken = (char **) palloc0(team->nreach * sizeof(char *));
	for (i = 0; i < team->nreach; i++)
	{
		const LrReach *r = &team->reach[i];

		made.expr[i] = lr_binding_expression(ev->table, b, r->condition,
											 LR_EXPR_BOOL, r->written_by,
											 r->search_path,
											 "condition of memberships",
											 &made.broken[i]);
		if (made.expr[i] == NULL)
			continue;
		pull_varattnos((Node *) made.expr[i]->tree, LR_LEAD_VARNO,
					   &made.columns);
		made.stable |= contain_mutable_functions((Node *) made.expr[i]->tree);
	}
	MemoryContextSwitchTo(old);
	reach = (Reach *) hash_search(cache->reach, &team->serial, HASH_ENTER, NULL);
	*reach = made;
	return reach;
}

/* Evaluates each of a team's conditions. */
static void
evaluate_reach(LrEvaluation *ev, LrTeam *team, Reach *reach,
			   LrFitting *fitting, char **detail)
{
	bool	   *true_for = (bool *) palloc0(team->nreach);
	Answer		answer;
	int			i;

	begin_answer(&answer, team);
	for (i = 0; i < team->nreach; i++)
	{
		const char *error = reach->broken[i];

		if (reach->expr[i] != NULL)
		{
			bool		isnull;
			Datum		value;

			lr_evaluate_generated(ev, reach->expr[i], detail);
			value = lr_evaluate(ev, reach->expr[i], &isnull);
			true_for[i] = ev->error == NULL && !isnull && DatumGetBool(value);
			error = ev->error;
		}
		if (error != NULL && answer.error == NULL)
			answer.error = psprintf("condition of memberships in team \"%s\": %s",
									team->name, error);
	}
	for (i = 0; i < team->n; i++)
		if (team->reach_of[i] < 0 || true_for[team->reach_of[i]])
			lr_bit_set(answer.fits, i);
	end_answer(&answer, team, fitting);
}

/* The key of what depends on the columns that the conditions read. */
static StringInfo
column_key(LrEvaluation *ev, LrFitCache *cache, LrTeam *team, Reach *reach)
{
	StringInfo	key = lr_fit_key(cache, NULL, team->serial, 0, reach->stable,
								 ev->score);
	TupleTableSlot *row = ev->econtext->ecxt_scantuple;
	TupleDesc	desc = ev->table->desc;
	int			i = -1;

	while ((i = bms_next_member(reach->columns, i)) >= 0)
	{
		AttrNumber	attno = i + FirstLowInvalidHeapAttributeNumber;
		int			first = attno == 0 ? 1 : attno;
		int			last = attno == 0 ? desc->natts : attno;

		/* a whole row reads them all */
		for (; first <= last; first++)
		{
			Form_pg_attribute att = TupleDescAttr(desc, first - 1);
			bool		isnull;
			Datum		value = slot_getattr(row, first, &isnull);

			lr_key_add(key, value, isnull, att->attbyval, att->attlen);
		}
	}
	return key;
}

/* Whom the conditions of memberships let the lead reach. */
static void
find_reached(LrEvaluation *ev, LrBinding *b, LrTeam *team, bool afresh,
			 LrFitting *fitting, char **detail)
{
	LrFitCache *cache = lr_fit_cache(b);
	Reach	   *reach = compile_reach(ev, b, team);
	StringInfo	key;
	int			i;

	/* generated columns are read for the key, too */
	for (i = 0; i < team->nreach; i++)
		if (reach->expr[i] != NULL)
			lr_evaluate_generated(ev, reach->expr[i], detail);
	if (!afresh && !lr_check_picks)
	{
		key = column_key(ev, cache, team, reach);
		if (lr_fit_recall(cache, key, fitting))
			return;
	}
	evaluate_reach(ev, team, reach, fitting, detail);
	if (!afresh)
	{
		LrFitting	remembered;

		key = column_key(ev, cache, team, reach);
		if (lr_fit_recall(cache, key, &remembered))
		{
			check_same(fitting, &remembered, team, "conditions of memberships");
			*fitting = remembered;
		}
		else
			lr_fit_remember(cache, key, team->n, fitting);
	}
}

/* ---------- both ---------- */

/* Who fits by both; what is remembered of both, is remembered. */
static void
join_bits(LrFitCache *cache, const LrFitting *reached, LrFitting *fitting,
		  const LrTeam *team)
{
	static const char both = 0;
	LrFitting	joined = {0};
	StringInfo	key = NULL;
	uint8	   *bits;
	Size		i;

	if (reached->serial != 0 && fitting->serial != 0)
	{
		key = lr_fit_key(cache, &both, fitting->serial, reached->serial, false,
						 NULL);
		if (lr_fit_recall(cache, key, &joined))
		{
			fitting->fits = joined.fits;
			fitting->set = joined.set;
			return;
		}
	}
	bits = (uint8 *) palloc(LR_BITS_SIZE(team->n));
	for (i = 0; i < LR_BITS_SIZE(team->n); i++)
		bits[i] = fitting->fits[i] & reached->fits[i];
	joined.fits = bits;
	if (key != NULL)
		lr_fit_remember(cache, key, team->n, &joined);
	fitting->fits = joined.fits;
	fitting->set = joined.set;
}

static void
join(LrFitCache *cache, LrFitting *reached, LrFitting *fitting,
	 const LrTeam *team)
{
	fitting->reached = reached->fits;
	if (fitting->error == NULL)
		fitting->error = reached->error;
	if (reached->fits == NULL)
		return;
	if (fitting->fits == NULL)
	{
		fitting->fits = reached->fits;
		fitting->set = reached->set;
	}
	else
		join_bits(cache, reached, fitting, team);
}

void
lr_fitting_find(LrEvaluation *ev, LrBinding *b, LrBoundRule *bound,
				LrTeam *team, bool afresh, LrFitting *fitting, char **detail)
{
	LrFitting	reached;

	memset(fitting, 0, sizeof(*fitting));
	if (bound != NULL)
		find_members(ev, b, bound, team, afresh, fitting, detail);
	if (team->nreach == 0)
		return;
	find_reached(ev, b, team, afresh, &reached, detail);
	join(lr_fit_cache(b), &reached, fitting, team);
}

uint64
lr_fitting_hash(const LrFitting *fitting, int n)
{
	return fitting->set != NULL ? fitting->set->fits_hash :
		lr_bits_hash(fitting->fits, n);
}
