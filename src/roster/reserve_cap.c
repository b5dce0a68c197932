/*
 * reserve_cap.c
 *	  What a transaction has taken from the counters of caps.  See
 *	  reserve_cap.h.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "roster/prepared.h"
#include "roster/reserve_cap.h"

static inline uint32
hash_of(int slot, uint32 key)
{
	return (uint32) slot * 2654435761u + key * 40503u;
}

static void
rehash(LrCapHolds *holds)
{
	int			i;

	memset(holds->bucket, 0, holds->nbuckets * sizeof(int));
	for (i = 0; i < holds->n; i++)
	{
		uint32		b = hash_of(holds->hold[i].slot, holds->hold[i].key);

		while (holds->bucket[b & (holds->nbuckets - 1)] != 0)
			b++;
		holds->bucket[b & (holds->nbuckets - 1)] = i + 1;
	}
}

void
lr_cap_holds_grow(LrCapHolds *holds, int more)
{
	int			room = Max(holds->room, 16);

	while (holds->n + more > room)
		room *= 2;
	if (room == holds->room)
		return;
	if (holds->hold == NULL)
		holds->hold = MemoryContextAlloc(TopTransactionContext,
										 room * sizeof(LrCapHold));
	else
		holds->hold = repalloc(holds->hold, room * sizeof(LrCapHold));
	holds->room = room;
	if (holds->bucket)
		pfree(holds->bucket);
	holds->nbuckets = 0;
	holds->bucket = MemoryContextAllocZero(TopTransactionContext,
										   room * 2 * sizeof(int));
	holds->nbuckets = room * 2;
	rehash(holds);
}

LrCapHold *
lr_cap_hold_find(const LrCapHolds *holds, int slot, uint32 key)
{
	uint32		b = hash_of(slot, key);

	if (holds->n == 0)
		return NULL;
	for (;; b++)
	{
		int			i = holds->bucket[b & (holds->nbuckets - 1)];

		if (i == 0)
			return NULL;
		if (holds->hold[i - 1].slot == slot && holds->hold[i - 1].key == key)
			return &holds->hold[i - 1];
	}
}

LrCapHold *
lr_cap_hold(LrCapHolds *holds, int slot, uint32 key)
{
	LrCapHold  *hold = lr_cap_hold_find(holds, slot, key);
	uint32		b = hash_of(slot, key);

	if (hold != NULL)
		return hold;
	Assert(holds->n < holds->room);
	while (holds->bucket[b & (holds->nbuckets - 1)] != 0)
		b++;
	hold = &holds->hold[holds->n++];
	hold->slot = slot;
	hold->key = key;
	hold->taken = hold->released = 0;
	holds->bucket[b & (holds->nbuckets - 1)] = holds->n;
	return hold;
}

bool
lr_cap_holds_return(const LrCapHolds *holds)
{
	bool		any = false;
	int			i;

	for (i = 0; i < holds->n; i++)
	{
		lr_cap_add(holds->hold[i].slot, holds->hold[i].key,
				   -holds->hold[i].taken);
		any |= holds->hold[i].taken > 0;
	}
	return any;
}

bool
lr_cap_holds_commit(const LrCapHolds *holds)
{
	bool		any = false;
	int			i;

	for (i = 0; i < holds->n; i++)
	{
		lr_cap_add(holds->hold[i].slot, holds->hold[i].key,
				   holds->hold[i].released);
		any |= holds->hold[i].released < 0;
	}
	return any;
}

void
lr_cap_holds_merge(const LrCapHolds *from, LrCapHolds *to)
{
	int			i;

	for (i = 0; i < from->n; i++)
	{
		LrCapHold  *hold = lr_cap_hold(to, from->hold[i].slot,
									   from->hold[i].key);

		hold->taken += from->hold[i].taken;
		hold->released += from->hold[i].released;
	}
}

bool
lr_cap_holds_enter(const LrCapHolds *holds, LrDatabase *db, TransactionId xid)
{
	int			i;

	for (i = 0; i < holds->n; i++)
	{
		const LrCapHold *hold = &holds->hold[i];

		if (hold->taken != 0 &&
			!lr_prepared_add(db, xid, LR_COUNTER_CAP, hold->slot, hold->taken,
							 hold->key))
			return false;
		if (hold->released != 0 &&
			!lr_prepared_add(db, xid, LR_COUNTER_CAP_RELEASE, hold->slot,
							 hold->released, hold->key))
			return false;
	}
	return true;
}

void
lr_cap_holds_free(LrCapHolds *holds)
{
	if (holds->hold != NULL)
		pfree(holds->hold);
	if (holds->bucket != NULL)
		pfree(holds->bucket);
	memset(holds, 0, sizeof(*holds));
}
