/*
 * cap_view.c
 *	  Who of a big team is kept from a lead by caps.  See cap_view.h.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "base/bits.h"
#include "cap/cap_view.h"

/* Views of a team: leads under more combinations of caps look at each. */
#define MOST_VIEWS	16

/* The member whose counter a slot is. */
typedef struct LrCapViewed
{
	int			slot;			/* LR_CAP_NONE: empty */
	int			member;			/* by index in the team */
} LrCapViewed;

static inline uint32
bucket_of(const LrCapView *view, int slot)
{
	return ((uint32) slot * 2654435761u) & (view->nbuckets - 1);
}

static void
enter_slots(LrCapView *view, const LrCapUse *use)
{
	int			i;

	for (i = 0; i < view->nmembers; i++)
	{
		uint32		b;

		if (use->slot[i] < 0)
			continue;
		for (b = bucket_of(view, use->slot[i]);
			 view->bucket[b].slot != LR_CAP_NONE;
			 b = (b + 1) & (view->nbuckets - 1))
			;
		view->bucket[b].slot = use->slot[i];
		view->bucket[b].member = i;
	}
}

static LrCapView *
make_view(LrTeam *team, LrCapUse **use, int n)
{
	MemoryContext old = MemoryContextSwitchTo(GetMemoryChunkContext(team));
	LrCapView  *view = (LrCapView *) palloc0(sizeof(LrCapView));
	int			i;

	view->nmembers = team->n;
	view->n = n;
	view->use = (LrCapUse **) palloc(n * sizeof(LrCapUse *));
	memcpy(view->use, use, n * sizeof(LrCapUse *));
	view->moves = -1;
	view->freed = lr_shared->caps_freed;
	view->reached = (uint8 *) palloc0(LR_BITS_SIZE(team->n));
	view->can = (uint8 *) palloc0(LR_BITS_SIZE(team->n));
	view->nbuckets = 64;
	while (view->nbuckets < 2 * n * team->n)
		view->nbuckets *= 2;
	view->bucket = (LrCapViewed *) palloc(view->nbuckets *
										  sizeof(LrCapViewed));
	for (i = 0; i < view->nbuckets; i++)
		view->bucket[i].slot = LR_CAP_NONE;
	for (i = 0; i < n; i++)
		enter_slots(view, use[i]);
	MemoryContextSwitchTo(old);
	return view;
}

LrCapView *
lr_cap_view(LrTeam *team, const LrCapCheck *check)
{
	LrCapUse  **use = (LrCapUse **) palloc(check->n * sizeof(LrCapUse *));
	LrCapView  *view;
	int			views = 0;
	int			n = 0;
	int			k;

	for (k = 0; k < check->n; k++)
		if (check->use[k]->by_member)
			use[n++] = check->use[k];
	/* slots that were not there may be by now */
	if (team->cap_views != NULL &&
		team->cap_views->freed != lr_shared->caps_freed)
		team->cap_views = NULL;
	for (view = team->cap_views; view != NULL; view = view->next, views++)
		if (view->n == n && memcmp(view->use, use, n * sizeof(LrCapUse *)) == 0)
			return view;
	if (views == MOST_VIEWS)
		return NULL;
	view = make_view(team, use, n);
	view->next = team->cap_views;
	return team->cap_views = view;
}

/* ---------- under the lock ---------- */

static void
look_at(LrCapView *view, int i)
{
	bool		reached = false;
	int			k;

	for (k = 0; k < view->n; k++)
	{
		const LrCapUse *use = view->use[k];
		const LrCapWindow *window = &use->zone[i]->window;
		const LrCapSlot *slot;

		if (use->slot[i] == LR_CAP_NONE ||
			(use->slot[i] >= 0 && !lr_cap_slot_is(use->slot[i], use->cap->id)))
			continue;
		if (use->slot[i] == LR_NO_SLOT)
		{
			reached = true;
			continue;
		}
		slot = &lr_cap_slots[use->slot[i]];
		reached |= lr_cap_counted(slot, window) >= use->cap->limit;
		view->complete &= lr_cap_complete(slot, window);
	}
	if (reached)
		lr_bit_set(view->reached, i);
	else
		view->reached[i / 8] &= ~(1 << (i % 8));
}

/* The member whose counter has changed, if it is one of the view's. */
static void
look_at_slot(LrCapView *view, int slot)
{
	uint32		b;

	for (b = bucket_of(view, slot); view->bucket[b].slot != LR_CAP_NONE;
		 b = (b + 1) & (view->nbuckets - 1))
		if (view->bucket[b].slot == slot)
		{
			look_at(view, view->bucket[b].member);
			return;
		}
}

void
lr_cap_view_follow(LrCapView *view, const LrDatabase *db)
{
	int			i;

	if (view->moves < 0 || !view->complete ||
		view->windows != lr_cap_windows() ||
		db->cap_moves - view->moves > LR_CAP_LOG)
	{
		view->complete = true;
		for (i = 0; i < view->nmembers; i++)
			look_at(view, i);
		view->windows = lr_cap_windows();
		view->moves = db->cap_moves;
	}
	for (; view->moves < db->cap_moves; view->moves++)
		look_at_slot(view, db->cap_log[view->moves % LR_CAP_LOG]);
}
