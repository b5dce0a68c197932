/*
 * fit_cache.c
 *	  What a binding remembers of whom leads fit; see fit_cache.h.
 *
 * It lives and dies with the binding's compiled expressions, and so with the
 * state of the configuration that the binding shows.
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/hashfn.h"
#include "storage/proc.h"
#include "utils/memutils.h"

#include "base/bits.h"
#include "base/compat.h"
#include "decide/fit_cache.h"
#include "roster/board_set.h"

/* Bytes of one half. */
#define MAX_HALF	((Size) 4 * 1024 * 1024)

static LrFitHalf *
make_half(LrFitCache *cache)
{
	MemoryContext context = AllocSetContextCreate(cache->context,
												  "leadroute fitting",
												  ALLOCSET_DEFAULT_SIZES);
	LrFitHalf  *half = (LrFitHalf *) MemoryContextAllocZero(context,
															sizeof(LrFitHalf));

	half->context = context;
	return half;
}

LrFitCache *
lr_fit_cache(LrBinding *b)
{
	MemoryContext context;
	MemoryContext old;
	LrFitCache *cache;

	if (b->fits != NULL)
		return b->fits;
	context = AllocSetContextCreate(b->compiled, "leadroute fitting",
									ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(context);
	cache = (LrFitCache *) palloc0(sizeof(LrFitCache));
	cache->context = context;
	initStringInfo(&cache->key);
	cache->young = make_half(cache);
	cache->old = make_half(cache);
	MemoryContextSwitchTo(old);
	return b->fits = cache;
}

/*
 * Within one statement a stable function has one answer.  A statement that has
 * inserted a lead has used its command number.
 */
static void
see_statement(LrFitCache *cache)
{
	uint32		lxid = lr_my_lxid();
	uint32		command = GetCurrentCommandId(false);
	int64		statement = GetCurrentStatementStartTimestamp();

	if (cache->stamp != 0 && cache->lxid == lxid &&
		cache->command == command && cache->statement == statement)
		return;
	cache->lxid = lxid;
	cache->command = command;
	cache->statement = statement;
	cache->stamp++;
}

StringInfo
lr_fit_key(LrFitCache *cache, const void *of, uint64 serial, uint64 measured,
		   bool stable, const double *score)
{
	StringInfo	key = &cache->key;
	uint64		stamp = 0;

	if (stable)
	{
		see_statement(cache);
		stamp = cache->stamp;
	}
	resetStringInfo(key);
	appendBinaryStringInfo(key, (char *) &of, sizeof(of));
	appendBinaryStringInfo(key, (char *) &serial, sizeof(serial));
	appendBinaryStringInfo(key, (char *) &measured, sizeof(measured));
	appendBinaryStringInfo(key, (char *) &stamp, sizeof(stamp));
	/* a stable function may read it: leadroute.score() */
	if (stable && score != NULL)
		appendBinaryStringInfo(key, (char *) score, sizeof(double));
	return key;
}

/* The place of a key in a half; NULL in it: it is not there. */
static LrFitEntry **
find(LrFitHalf *half, StringInfo key, uint32 hash)
{
	LrFitEntry **at = &half->bucket[hash % lengthof(half->bucket)];

	while (*at != NULL &&
		   ((*at)->hash != hash || (*at)->keylen != key->len ||
			memcmp((*at)->key, key->data, key->len) != 0))
		at = &(*at)->next;
	return at;
}

static uint32
hash_of(StringInfo key)
{
	return hash_bytes((unsigned char *) key->data, key->len);
}

static uint8 *
copy_bits(const uint8 *bits, int n)
{
	uint8	   *copy;

	if (bits == NULL)
		return NULL;
	copy = (uint8 *) palloc(LR_BITS_SIZE(n));
	memcpy(copy, bits, LR_BITS_SIZE(n));
	return copy;
}

/* Adds an answer to the younger half. */
static void
add(LrFitCache *cache, StringInfo key, uint32 hash, LrFitting *answer)
{
	LrFitHalf  *former = NULL;
	LrFitHalf  *half;
	LrFitEntry **at;
	MemoryContext old;
	LrFitEntry *entry;

	if (cache->young->size > MAX_HALF)
	{
		half = make_half(cache);
		former = cache->old;
		cache->old = cache->young;
		cache->young = half;
	}
	half = cache->young;
	at = find(half, key, hash);
	Assert(*at == NULL);
	old = MemoryContextSwitchTo(half->context);
	entry = (LrFitEntry *) palloc0(sizeof(LrFitEntry));
	entry->hash = hash;
	entry->keylen = key->len;
	entry->key = (char *) palloc(key->len);
	memcpy(entry->key, key->data, key->len);
	entry->answer = *answer;
	entry->answer.fits = copy_bits(answer->fits, answer->n);
	entry->answer.raised = copy_bits(answer->raised, answer->n);
	if (answer->error != NULL)
		entry->answer.error = pstrdup(answer->error);
	if (answer->fits != NULL)
		entry->answer.set = lr_board_set_make(entry->answer.fits, answer->n);
	MemoryContextSwitchTo(old);
	*at = entry;
	half->size += sizeof(LrFitEntry) + key->len +
		3 * LR_BITS_SIZE(answer->n) + sizeof(LrBoardSet);
	*answer = entry->answer;
	/* where the answer may have come from */
	if (former != NULL)
		MemoryContextDelete(former->context);
}

bool
lr_fit_recall(LrFitCache *cache, StringInfo key, LrFitting *answer)
{
	uint32		hash = hash_of(key);
	LrFitEntry *entry = *find(cache->young, key, hash);

	if (entry == NULL)
	{
		entry = *find(cache->old, key, hash);
		if (entry == NULL)
			return false;
		*answer = entry->answer;
		add(cache, key, hash, answer);
		return true;
	}
	*answer = entry->answer;
	return true;
}

void
lr_fit_remember(LrFitCache *cache, StringInfo key, int n, LrFitting *answer)
{
	answer->n = n;
	answer->serial = ++cache->serial;
	add(cache, key, hash_of(key), answer);
}
