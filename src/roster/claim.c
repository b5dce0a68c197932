/*
 * claim.c
 *	  Sticky keys of leads that have an owner and are not stored yet; see
 *	  claim.h.
 *
 * Everything in shared memory here is under one lock, which is taken under no
 * other and under which nothing is called, allocated or raised.
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/hashfn.h"
#include "miscadmin.h"

#include "base/compat.h"
#include "roster/claim.h"

/* Chains that claims hang in. */
#define BUCKETS		1024

/* "No claim", as a link. */
#define NONE		(-1)

typedef struct Claim
{
	int			next;			/* in its chain */
	int			db;
	int32		router;
	int32		member;
	int64		id;				/* of the decision; 0: free */
	uint8		key[LR_KEY_BYTES];
} Claim;

typedef struct Bucket
{
	int			first;
	uint64		dropped;		/* counts claims that were taken out */
} Bucket;

typedef struct Claims
{
	LWLock	   *lock;			/* protects all below and all claims */
	Bucket		bucket[BUCKETS];
} Claims;

static Claims *shared = NULL;
static Claim *claims = NULL;	/* LR_CLAIMS of each backend */

/* This backend's claims: which are used, and at which nest level. */
static int	used = 0;
static int	nest_of[LR_CLAIMS];

Size
lr_claims_memory(void)
{
	Size		size = add_size(sizeof(Claims), 2 * MAXIMUM_ALIGNOF);

	return add_size(size, mul_size(mul_size(MaxBackends, LR_CLAIMS),
								   sizeof(Claim)));
}

void
lr_claims_carve(char **at)
{
	shared = lr_carve(at, 1, sizeof(Claims));
	claims = lr_carve(at, (Size) MaxBackends * LR_CLAIMS, sizeof(Claim));
}

void
lr_claims_init(LWLock *lock)
{
	int			i;

	shared->lock = lock;
	for (i = 0; i < BUCKETS; i++)
		shared->bucket[i].first = NONE;
}

/* ---------- chains ---------- */

static Bucket *
bucket_of(int db, int32 router, const uint8 *key)
{
	uint32		hash = hash_bytes(key, LR_KEY_BYTES);

	hash = hash_combine(hash, hash_uint32((uint32) db));
	hash = hash_combine(hash, hash_uint32((uint32) router));
	return &shared->bucket[hash % BUCKETS];
}

/* The latest claim of a key, but that of decision `own`; NULL: none. */
static const Claim *
latest(const Bucket *bucket, int db, int32 router, const uint8 *key, int64 own)
{
	const Claim *found = NULL;
	int			i;

	for (i = bucket->first; i != NONE; i = claims[i].next)
	{
		const Claim *c = &claims[i];

		if (c->db == db && c->router == router && c->id != own &&
			(found == NULL || c->id > found->id) &&
			memcmp(c->key, key, LR_KEY_BYTES) == 0)
			found = c;
	}
	return found;
}

static void
take_out(Claim *claim)
{
	Bucket	   *bucket = bucket_of(claim->db, claim->router, claim->key);
	int		   *link = &bucket->first;

	while (&claims[*link] != claim)
		link = &claims[*link].next;
	*link = claim->next;
	bucket->dropped++;
	claim->id = 0;
}

/* ---------- this backend's ---------- */

static Claim *
my_claims(void)
{
	return &claims[lr_my_backend_index() * LR_CLAIMS];
}

/* Drops those of a decision (0: any) made at levels >= nest. */
static void
drop(int64 id, int nest)
{
	Claim	   *mine;
	int			i;

	if (used == 0)
		return;
	mine = my_claims();
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	for (i = 0; i < LR_CLAIMS; i++)
		if (mine[i].id != 0 && (id == 0 || mine[i].id == id) &&
			nest_of[i] >= nest)
		{
			take_out(&mine[i]);
			used--;
		}
	LWLockRelease(shared->lock);
}

void
lr_claim_drop(int64 id)
{
	drop(id, 0);
}

void
lr_claims_abort(int nest)
{
	drop(0, nest);
}

void
lr_claims_look(LrDatabase *db, int32 router, const LrLeadKeys *keys, int64 own,
			   LrClaimsSeen *seen)
{
	int			i;

	LWLockAcquire(shared->lock, LW_SHARED);
	for (i = 0; i < keys->n; i++)
	{
		const Bucket *bucket = bucket_of(lr_db_index(db), router, keys->key[i]);
		const Claim *c = latest(bucket, lr_db_index(db), router, keys->key[i],
								own);

		seen->id[i] = c != NULL ? c->id : 0;
		seen->member[i] = c != NULL ? c->member : 0;
		seen->dropped[i] = bucket->dropped;
	}
	LWLockRelease(shared->lock);
}

/* Puts one key of a decision into its chain, if there is room. */
static void
put(int db, int32 router, const uint8 *key, int64 id, int32 member, int nest)
{
	Claim	   *mine = my_claims();
	Bucket	   *bucket = bucket_of(db, router, key);
	int			i;

	for (i = 0; i < LR_CLAIMS && mine[i].id != 0; i++)
		;
	if (i == LR_CLAIMS)
		return;
	mine[i].db = db;
	mine[i].router = router;
	mine[i].member = member;
	mine[i].id = id;
	memcpy(mine[i].key, key, LR_KEY_BYTES);
	mine[i].next = bucket->first;
	bucket->first = &mine[i] - claims;
	nest_of[i] = nest;
	used++;
}

LrClaimed
lr_claim(LrDatabase *db, int32 router, const LrLeadKeys *keys, int64 id,
		 int32 member, const LrClaimsSeen *seen)
{
	int			index = lr_db_index(db);
	int			nest = GetCurrentTransactionNestLevel();
	LrClaimed	result = LR_CLAIM_MADE;
	int			i;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	for (i = 0; seen != NULL && i < keys->n; i++)
	{
		const Bucket *bucket = bucket_of(index, router, keys->key[i]);
		const Claim *c = latest(bucket, index, router, keys->key[i], id);

		if (c != NULL && c->id != seen->id[i] && c->member != member)
			result = LR_CLAIM_REFUSED;
		else if (bucket->dropped != seen->dropped[i] &&
				 result == LR_CLAIM_MADE)
			result = LR_CLAIM_LOOK_AGAIN;
	}
	if (result == LR_CLAIM_MADE)
		for (i = 0; i < keys->n; i++)
			put(index, router, keys->key[i], id, member, nest);
	LWLockRelease(shared->lock);
	return result;
}
