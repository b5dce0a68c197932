/*
 * ranking.c
 *	  Who of a team goes first by member_rank; see ranking.h.
 *
 * As in fitting.c, it is evaluated once for each class of members (classes.h),
 * and the order of the whole team is remembered under the lead's terms: where
 * the rank reads nothing of the lead, it is made once.  A rank that reads
 * open_leads is evaluated for every member and lead.
 *
 * leadroute.check_picks compares what is remembered with an evaluation for
 * every member.
 */
#include "postgres.h"

#include <math.h>

#include "common/hashfn.h"
#include "executor/executor.h"
#include "utils/float.h"
#include "utils/memutils.h"

#include "base/guc.h"
#include "decide/classes.h"
#include "decide/fit_cache.h"
#include "decide/ranking.h"
#include "expression/facts.h"
#include "roster/measured.h"

/* Bytes of the rankings that a binding remembers at once. */
#define MAX_REMEMBERED	((Size) 16 * 1024 * 1024)

/* Members whose rows are made before their memory is freed. */
#define MEMBERS_AT_ONCE		64

typedef struct Remembered
{
	struct Remembered *next;	/* of the same bucket */
	uint32		hash;
	int			keylen;
	char	   *key;
	LrRanking	ranking;
} Remembered;

/*
 * What a binding remembers, in two halves: the older one is freed when the
 * younger one is full, so that the last answer stays for a while.
 */
typedef struct LrRankingCache
{
	MemoryContext context[2];
	Size		size;			/* of the younger one, 0 */
	Remembered *bucket[2][1024];
} LrRankingCache;

/* ---------- from ranks to places ---------- */

/* A rank of a class or a member. */
typedef struct Ranked
{
	double		rank;
	int			of;
} Ranked;

/* The highest first, NaN last. */
static int
compare_ranks(const void *a, const void *b)
{
	double		x = ((const Ranked *) a)->rank;
	double		y = ((const Ranked *) b)->rank;

	if (isnan(x) || isnan(y))
		return (int) isnan(x) - (int) isnan(y);
	return x > y ? -1 : x < y;
}

/* Whether two ranks are of the same place. */
static inline bool
same_rank(double a, double b)
{
	return a == b || (isnan(a) && isnan(b));
}

/*
 * Makes a ranking of n members, in the current context: rank is that of nclasses
 * classes, class that of each member (NULL: each is its own).
 */
static void
make_ranking(LrRanking *ranking, const double *rank, int nclasses,
			 const int *class, int n)
{
	Ranked	   *ranked = (Ranked *) palloc((nclasses + 1) * sizeof(Ranked));
	int		   *place = (int *) palloc((nclasses + 1) * sizeof(int));
	int		   *start;
	int			i;

	for (i = 0; i < nclasses; i++)
	{
		ranked[i].rank = rank[i];
		ranked[i].of = i;
	}
	qsort(ranked, nclasses, sizeof(Ranked), compare_ranks);
	ranking->n = n;
	ranking->nplaces = 0;
	ranking->place = (int *) palloc((n + 1) * sizeof(int));
	ranking->order = (int *) palloc((n + 1) * sizeof(int));
	ranking->rank = (double *) palloc((nclasses + 1) * sizeof(double));
	for (i = 0; i < nclasses; i++)
	{
		if (i == 0 || !same_rank(ranked[i].rank, ranked[i - 1].rank))
			ranking->rank[ranking->nplaces++] = ranked[i].rank;
		place[ranked[i].of] = ranking->nplaces - 1;
	}
	/* members sorted by place, by counting */
	start = (int *) palloc0((ranking->nplaces + 1) * sizeof(int));
	for (i = 0; i < n; i++)
	{
		ranking->place[i] = place[class != NULL ? class[i] : i];
		start[ranking->place[i] + 1]++;
	}
	for (i = 0; i < ranking->nplaces; i++)
		start[i + 1] += start[i];
	for (i = 0; i < n; i++)
		ranking->order[start[ranking->place[i]]++] = i;
	pfree(ranked);
	pfree(place);
	pfree(start);
}

/* ---------- evaluating ---------- */

/* A member's rank, or that of the class whose first member it is. */
static double
evaluate_for(LrEvaluation *ev, LrExpr *expr, TupleTableSlot *row,
			 const LrMember *m, const char **error)
{
	bool		isnull;
	Datum		value = lr_evaluate_member(ev, expr, row, &isnull);

	if (ev->error != NULL && *error == NULL)
		*error = psprintf("member_rank for member \"%s\": %s", m->name,
						  ev->error);
	return ev->error != NULL || isnull ? get_float8_nan() :
		DatumGetFloat8(value);
}

/* Evaluates for each member; NULL: everybody has none. */
static void
rank_members(LrEvaluation *ev, LrBinding *b, LrExpr *expr, LrTeam *team,
			 LrRanking *ranking)
{
	double	   *rank = (double *) palloc((team->n + 1) * sizeof(double));
	int			i;

	if (expr != NULL && expr->measured)
		lr_measured_want(lr_database());
	for (i = 0; i < team->n; i++)
	{
		rank[i] = expr == NULL ? get_float8_nan() :
			evaluate_for(ev, expr, lr_facts_row(b->router, team->member[i]),
						 team->member[i], &ranking->error);
		if (i % MEMBERS_AT_ONCE == 0)
			ResetExprContext(ev->econtext);
	}
	make_ranking(ranking, rank, team->n, NULL, team->n);
	pfree(rank);
}

/* The same with the lead's terms computed, once for each class. */
static void
rank_classes(LrEvaluation *ev, LrTerms *terms, LrClasses *classes,
			 LrTeam *team, MemoryContext keep, LrRanking *ranking)
{
	double	   *rank = (double *) palloc((classes->nclasses + 1) * sizeof(double));
	const char *error = NULL;
	MemoryContext old;
	int			i;

	ev->econtext->ecxt_outertuple = terms->lead.slot;
	for (i = 0; i < classes->nclasses; i++)
		rank[i] = evaluate_for(ev, &terms->rest,
							   lr_class_row(classes, terms, i),
							   team->member[classes->first[i]], &error);
	old = MemoryContextSwitchTo(keep);
	make_ranking(ranking, rank, classes->nclasses, classes->of, team->n);
	if (error != NULL)
		ranking->error = pstrdup(error);
	MemoryContextSwitchTo(old);
	pfree(rank);
}

/* ---------- remembering ---------- */

static MemoryContext
make_context(LrFitCache *cache)
{
	return AllocSetContextCreate(cache->context, "leadroute rankings",
								 ALLOCSET_DEFAULT_SIZES);
}

/* Makes room for one more. */
static LrRankingCache *
begin_remembering(LrFitCache *cache)
{
	LrRankingCache *r = cache->rankings;

	if (r == NULL)
	{
		r = (LrRankingCache *) MemoryContextAllocZero(cache->context,
													  sizeof(LrRankingCache));
		r->context[0] = make_context(cache);
		r->context[1] = make_context(cache);
		cache->rankings = r;
	}
	if (r->size > MAX_REMEMBERED)
	{
		MemoryContext freed = r->context[1];

		MemoryContextReset(freed);
		r->context[1] = r->context[0];
		memcpy(r->bucket[1], r->bucket[0], sizeof(r->bucket[0]));
		r->context[0] = freed;
		memset(r->bucket[0], 0, sizeof(r->bucket[0]));
		r->size = 0;
	}
	return r;
}

static Remembered *
recall(LrRankingCache *r, StringInfo key, uint32 hash)
{
	int			half;

	for (half = 0; half < 2; half++)
	{
		Remembered *e = r->bucket[half][hash % lengthof(r->bucket[half])];

		for (; e != NULL; e = e->next)
			if (e->hash == hash && e->keylen == key->len &&
				memcmp(e->key, key->data, key->len) == 0)
				return e;
	}
	return NULL;
}

/* The lead's terms, and the key of what depends on them alone. */
static StringInfo
lead_key(LrEvaluation *ev, LrFitCache *cache, LrBoundRule *bound, LrTeam *team,
		 uint64 measured)
{
	/* as another thing than the rule's member_condition */
	StringInfo	key = lr_fit_key(cache, &bound->member_rank, team->serial,
								 measured, !bound->rank_terms->immutable,
								 ev->score);

	lr_terms_compute(&bound->rank_terms->lead, ev->econtext, key);
	return key;
}

static const LrRanking *
recall_ranking(LrEvaluation *ev, LrBinding *b, LrBoundRule *bound, LrTeam *team)
{
	LrFitCache *cache = lr_fit_cache(b);
	LrRankingCache *r = begin_remembering(cache);
	uint64		measured = 0;
	StringInfo	key;
	uint32		hash;
	Remembered *e;
	LrRanking	ranking = {0};
	LrClasses  *classes;

	if (bound->member_rank->measured)
	{
		lr_measured_want(lr_database());
		measured = lr_measured_serial(lr_database());
	}
	key = lead_key(ev, cache, bound, team, measured);
	hash = hash_bytes((unsigned char *) key->data, key->len);
	e = recall(r, key, hash);
	if (e != NULL)
		return &e->ranking;
	classes = lr_classes(cache, ev, bound->rank_terms, &bound->member_rank,
						 b->router, team, measured);
	key = lead_key(ev, cache, bound, team, measured);
	rank_classes(ev, bound->rank_terms, classes, team, r->context[0], &ranking);
	e = (Remembered *) MemoryContextAlloc(r->context[0], sizeof(Remembered));
	e->ranking = ranking;
	e->hash = hash;
	e->keylen = key->len;
	e->key = (char *) MemoryContextAlloc(r->context[0], key->len + 1);
	memcpy(e->key, key->data, key->len);
	e->next = r->bucket[0][hash % lengthof(r->bucket[0])];
	r->bucket[0][hash % lengthof(r->bucket[0])] = e;
	r->size += sizeof(Remembered) + key->len + 2 * team->n * sizeof(int) +
		ranking.nplaces * sizeof(double);
	return &e->ranking;
}

/* ---------- both ---------- */

const LrRanking *
lr_ranking_find(LrEvaluation *ev, LrBinding *b, LrBoundRule *bound,
				LrTeam *team, bool afresh, char **detail)
{
	LrRanking  *ranking = (LrRanking *) palloc0(sizeof(LrRanking));
	const LrRanking *remembered;
	LrExpr	   *expr;

	lr_binding_compile(ev->table, b, bound);
	expr = bound->member_rank;
	if (expr == NULL)
		ranking->error = bound->member_rank_broken;
	else
		lr_evaluate_generated(ev, expr, detail);
	if (expr == NULL || afresh || bound->rank_terms == NULL)
	{
		rank_members(ev, b, expr, team, ranking);
		return ranking;
	}
	remembered = recall_ranking(ev, b, bound, team);
	if (lr_check_picks)
	{
		rank_members(ev, b, expr, team, ranking);
		if (memcmp(ranking->place, remembered->place,
				   team->n * sizeof(int)) != 0)
			elog(ERROR, "ranks in team %d by member_rank differ from an evaluation for every member",
				 team->id);
	}
	return remembered;
}
