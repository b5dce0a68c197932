/*
 * cap_count.c
 *	  What caps have counted.  See cap_count.h.
 *
 * db->lock is held in all of this, which allocates nothing and raises no error.
 */
#include "postgres.h"

#include "cap/cap_count.h"

/*
 * Whether a window comes after one that was counted from its beginning: then no
 * lead of it can have come before the counter did.
 */
static bool
follows(const LrCapCount *count, const LrCapWindow *window)
{
	return count->key != 0 && count->until != 0 &&
		count->until <= window->since;
}

static const LrCapCount *
find(const LrCapSlot *slot, uint32 key)
{
	return slot->now.key == key ? &slot->now :
		slot->before.key == key ? &slot->before : NULL;
}

/* The count that comes before that of a window without any; NULL: too old. */
static const LrCapCount *
last_before(const LrCapSlot *slot, const LrCapWindow *window)
{
	return window->key > slot->now.key ? &slot->now :
		window->key > slot->before.key ? &slot->before : NULL;
}

int64
lr_cap_counted(const LrCapSlot *slot, const LrCapWindow *window)
{
	const LrCapCount *count = find(slot, window->key);

	if (count != NULL)
		return count->used + count->earlier;
	return last_before(slot, window) != NULL ? 0 : PG_INT64_MAX;
}

void
lr_cap_touched(int slot)
{
	LrDatabase *db = &lr_shared->database[lr_cap_slots[slot].db];

	db->cap_log[db->cap_moves++ % LR_CAP_LOG] = slot;
}

void
lr_caps_touched(LrDatabase *db)
{
	/* more than anybody can catch up with */
	db->cap_moves += LR_CAP_LOG + 1;
}

LrCapCount *
lr_cap_enter(LrCapSlot *slot, const LrCapWindow *window)
{
	LrCapCount *count = unconstify(LrCapCount *, find(slot, window->key));

	if (count == NULL)
	{
		const LrCapCount *last = last_before(slot, window);
		bool		complete;

		if (last == NULL)
			return NULL;
		complete = follows(last, window);
		count = unconstify(LrCapCount *, last);
		if (count == &slot->now)
			slot->before = slot->now;
		memset(count, 0, sizeof(*count));
		count->key = window->key;
		count->complete = complete;
		lr_cap_touched((int) (slot - lr_cap_slots));
	}
	/* what was loaded from the journal does not say */
	count->until = window->until;
	return count;
}

void
lr_cap_add(int slot, uint32 key, int64 amount)
{
	LrCapCount *count = unconstify(LrCapCount *,
								   find(&lr_cap_slots[slot], key));

	if (count == NULL)
		return;
	count->used += amount;
	lr_cap_touched(slot);
}

bool
lr_cap_complete(const LrCapSlot *slot, const LrCapWindow *window)
{
	const LrCapCount *count = find(slot, window->key);
	const LrCapCount *last = last_before(slot, window);

	/* nothing can be done about one that is too old */
	return count != NULL ? count->complete :
		last == NULL || follows(last, window);
}

bool
lr_cap_counts_again(const LrCapSlot *slot, const LrCapWindow *window)
{
	const LrCapCount *count = find(slot, window->key);

	return count != NULL && count->again;
}
