/*
 * classes.c
 *	  The members of a team by their terms of one expression; see classes.h.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "executor/executor.h"
#include "utils/datum.h"
#include "utils/memutils.h"

#include "decide/classes.h"
#include "expression/facts.h"

/* Members in all classes of a binding; beyond it all are forgotten. */
#define MAX_MEMBERS		(2 * 1024 * 1024)

typedef struct Key
{
	const void *of;
	uint64		serial;			/* LrTeam.serial */
	uint64		measured;
} Key;

typedef struct Entry
{
	Key			key;
	LrClasses  *classes;		/* NULL: not finished */
} Entry;

/* The classes found so far, by the bytes of their terms. */
typedef struct Found
{
	int			nbuckets;
	int		   *bucket;			/* class + 1 */
	uint32	   *hash;			/* by class */
	char	  **key;
	int		   *keylen;
} Found;

static void
begin_classes(LrFitCache *cache)
{
	HASHCTL		ctl;

	if (cache->classes != NULL && cache->classes_size < MAX_MEMBERS)
		return;
	if (cache->classes_context != NULL)
		MemoryContextDelete(cache->classes_context);
	cache->classes = NULL;
	cache->classes_size = 0;
	cache->classes_context = NULL;
	cache->classes_context = AllocSetContextCreate(cache->context,
												   "leadroute classes",
												   ALLOCSET_DEFAULT_SIZES);
	memset(&ctl, 0, sizeof(ctl));
	ctl.keysize = sizeof(Key);
	ctl.entrysize = sizeof(Entry);
	ctl.hcxt = cache->classes_context;
	cache->classes = hash_create("leadroute classes", 16, &ctl,
								 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

/* Keeps the terms that have been computed as those of a new class. */
static void
add_class(LrClasses *classes, const TupleTableSlot *slot, int first)
{
	TupleDesc	desc = slot->tts_tupleDescriptor;
	int			c = classes->nclasses++;
	int			i;

	classes->first[c] = first;
	classes->value[c] = (Datum *) palloc0((desc->natts + 1) * sizeof(Datum));
	classes->isnull[c] = (bool *) palloc(desc->natts + 1);
	for (i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		classes->isnull[c][i] = slot->tts_isnull[i];
		if (!slot->tts_isnull[i])
			classes->value[c][i] = datumCopy(slot->tts_values[i],
											 att->attbyval, att->attlen);
	}
}

/* The class of the terms that have been computed. */
static int
find_class(LrClasses *classes, Found *found, const TupleTableSlot *slot,
		   StringInfo key, int member)
{
	uint32		hash = hash_bytes((unsigned char *) key->data, key->len);
	uint32		b;
	int			c;

	for (b = hash % found->nbuckets; found->bucket[b] != 0;
		 b = (b + 1) % found->nbuckets)
	{
		c = found->bucket[b] - 1;
		if (found->hash[c] == hash && found->keylen[c] == key->len &&
			memcmp(found->key[c], key->data, key->len) == 0)
			return c;
	}
	c = classes->nclasses;
	found->bucket[b] = c + 1;
	found->hash[c] = hash;
	found->keylen[c] = key->len;
	found->key[c] = (char *) palloc(key->len + 1);
	memcpy(found->key[c], key->data, key->len);
	add_class(classes, slot, member);
	return c;
}

static LrClasses *
make_classes(LrEvaluation *ev, LrTerms *terms, LrRouter *router, LrTeam *team)
{
	LrClasses  *classes = (LrClasses *) palloc0(sizeof(LrClasses));
	Found		found;
	StringInfoData key;
	int			n = team->n;
	int			i;

	classes->n = n;
	classes->of = (int *) palloc((n + 1) * sizeof(int));
	classes->first = (int *) palloc((n + 1) * sizeof(int));
	classes->value = (Datum **) palloc((n + 1) * sizeof(Datum *));
	classes->isnull = (bool **) palloc((n + 1) * sizeof(bool *));
	found.nbuckets = 2 * n + 1;
	found.bucket = (int *) palloc0(found.nbuckets * sizeof(int));
	found.hash = (uint32 *) palloc((n + 1) * sizeof(uint32));
	found.key = (char **) palloc((n + 1) * sizeof(char *));
	found.keylen = (int *) palloc((n + 1) * sizeof(int));
	initStringInfo(&key);
	for (i = 0; i < n; i++)
	{
		resetStringInfo(&key);
		ResetExprContext(ev->econtext);
		ev->econtext->ecxt_innertuple = lr_facts_row(router, team->member[i]);
		lr_terms_compute(&terms->member, ev->econtext, &key);
		classes->of[i] = find_class(classes, &found, terms->member.slot, &key,
									i);
	}
	for (i = 0; i < classes->nclasses; i++)
		pfree(found.key[i]);
	pfree(found.bucket);
	pfree(found.hash);
	pfree(found.key);
	pfree(found.keylen);
	pfree(key.data);
	return classes;
}

LrClasses *
lr_classes(LrFitCache *cache, LrEvaluation *ev, LrTerms *terms, const void *of,
		   LrRouter *router, LrTeam *team, uint64 measured)
{
	MemoryContext old;
	Entry	   *entry;
	Key			key;
	bool		is_there;

	begin_classes(cache);
	memset(&key, 0, sizeof(key));
	key.of = of;
	key.serial = team->serial;
	key.measured = measured;
	entry = (Entry *) hash_search(cache->classes, &key, HASH_ENTER, &is_there);
	if (is_there && entry->classes != NULL)
		return entry->classes;
	entry->classes = NULL;
	old = MemoryContextSwitchTo(cache->classes_context);
	entry->classes = make_classes(ev, terms, router, team);
	MemoryContextSwitchTo(old);
	cache->classes_size += team->n;
	return entry->classes;
}

TupleTableSlot *
lr_class_row(LrClasses *classes, LrTerms *terms, int c)
{
	TupleTableSlot *slot = terms->member.slot;

	ExecClearTuple(slot);
	memcpy(slot->tts_values, classes->value[c],
		   terms->member.n * sizeof(Datum));
	memcpy(slot->tts_isnull, classes->isnull[c], terms->member.n);
	return ExecStoreVirtualTuple(slot);
}
