/*
 * fit_cache.h
 *	  What a binding remembers of whom leads fit.
 *
 * An answer is found by a key: bytes that say of which rule or team it is, and
 * all that it depends on.  Answers are bitmaps over a team.  There are two
 * halves of bounded size: answers are added to the younger one, those that are
 * found in the older one move there, and when it is full the older one is
 * freed.  So an answer stays where it is until many others have been added.
 */
#ifndef LR_FIT_CACHE_H
#define LR_FIT_CACHE_H

#include "lib/stringinfo.h"
#include "utils/hsearch.h"

#include "decide/fitting.h"

typedef struct LrFitEntry
{
	struct LrFitEntry *next;	/* of the same bucket */
	uint32		hash;
	int			keylen;
	char	   *key;
	LrFitting	answer;
} LrFitEntry;

typedef struct LrFitHalf
{
	MemoryContext context;
	Size		size;
	LrFitEntry *bucket[4096];
} LrFitHalf;

typedef struct LrFitCache
{
	MemoryContext context;
	StringInfoData key;			/* scratch */
	LrFitHalf  *young;
	LrFitHalf  *old;
	uint64		serial;			/* of the last answer */

	/* the statement that answers of stable functions are good for */
	uint64		stamp;
	uint32		lxid;
	uint32		command;
	int64		statement;

	HTAB	   *reach;			/* of teams, see fitting.c */
	HTAB	   *classes;		/* of rules and teams, see classes.h */
	MemoryContext classes_context;
	int64		classes_size;	/* members in them */
	struct LrRankingCache *rankings;	/* see ranking.c */
} LrFitCache;

/* The cache of a binding; made when it is first asked for. */
extern LrFitCache *lr_fit_cache(LrBinding *b);

/*
 * Begins a key.  measured: see lr_measured_serial; 0: it does not matter.
 * stable: the answer is good for the present statement only, and for leads with
 * this score (NULL: none).
 */
extern StringInfo lr_fit_key(LrFitCache *cache, const void *of, uint64 serial,
							 uint64 measured, bool stable,
							 const double *score);

/* The answer under the key; false: none. */
extern bool lr_fit_recall(LrFitCache *cache, StringInfo key, LrFitting *answer);

/* Keeps an answer over n members, and points at what is kept. */
extern void lr_fit_remember(LrFitCache *cache, StringInfo key, int n,
							LrFitting *answer);

#endif							/* LR_FIT_CACHE_H */
