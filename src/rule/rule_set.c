/*
 * rule_set.c
 *	  The rules of a router over a table at one version; see rule_set.h.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "base/incarnation.h"
#include "base/pin.h"
#include "config/changes.h"
#include "rule/rule_set.h"
#include "rule/rule_share.h"
#include "rule/rules.h"

/* Sets that are not in use and that a backend keeps. */
#define MAX_CACHED_SETS		64

/* Fewer rules are read sooner than shared. */
#define MIN_SHARED			32

/*
 * Rules of a delta beyond which it is merged into the base: every new version
 * costs a look at all of the delta, a merge one at all of the base.
 */
#define MIN_DELTA			64
#define DELTA_SHARE			200

/* An image and where it lives. */
struct LrRuleBase
{
	MemoryContext context;
	struct LrRuleBase *next;	/* to be freed, see free_bases */
	int			refs;			/* sets that are kept */
	const LrImage *image;
	int64		version;		/* that it shows, if it is public */
	LrSharedImage *shared;		/* NULL: the image is in context */
};

static List *sets = NIL;		/* most recently used first */
static LrRuleBase *unused_bases = NULL;

/* ---------- memory ---------- */

static void
free_base(LrRuleBase *base)
{
	if (base->shared != NULL)
		lr_share_release(base->shared);
	MemoryContextDelete(base->context);
}

/* Transaction callbacks release too: unmapping is left for later then. */
static void
release_base(LrRuleBase *base)
{
	if (--base->refs > 0)
		return;
	if (IsTransactionState())
	{
		free_base(base);
		return;
	}
	base->next = unused_bases;
	unused_bases = base;
}

static void
free_bases(void)
{
	while (unused_bases != NULL)
	{
		LrRuleBase *base = unused_bases;

		unused_bases = base->next;
		free_base(base);
	}
}

static void
release_set(LrRuleSet *set)
{
	if (!set->dropped || set->pins > 0)
		return;
	if (set->base != NULL)
		release_base(set->base);
	MemoryContextDelete(set->context);
}

static void
drop_set(LrRuleSet *set)
{
	sets = list_delete_ptr(sets, set);
	set->dropped = true;
	release_set(set);
}

void
lr_rule_set_unpin(LrRuleSet *set)
{
	set->pins--;
	release_set(set);
}

static void
give_back(void *set)
{
	lr_rule_set_unpin((LrRuleSet *) set);
}

/* A set that another one is made from stays until that is done, or fails. */
static void
pin_start(LrRuleSet *set)
{
	lr_pin_add(set, give_back);
	set->pins++;
}

static void
unpin_start(LrRuleSet *set)
{
	lr_pin_remove(set);
	lr_rule_set_unpin(set);
}

/* ---------- making ---------- */

static LrRuleSet *
new_set(LrTable *table, LrRouter *router)
{
	MemoryContext context = AllocSetContextCreate(CurTransactionContext,
												  "leadroute rule set",
												  ALLOCSET_SMALL_SIZES);
	LrRuleSet  *set = (LrRuleSet *) MemoryContextAllocZero(context,
														   sizeof(LrRuleSet));

	set->context = context;
	set->router = router->id;
	set->name = MemoryContextStrdup(context, router->name);
	set->table = table->id;
	set->definition = table->definition;
	set->incarnation = lr_incarnation();
	set->version = router->version;
	set->own_changes = lr_changes_pending() ? router->own_changes : 0;
	return set;
}

/* A base over an image in the context. */
static LrRuleBase *
new_base(MemoryContext context, const LrImage *image)
{
	LrRuleBase *base = (LrRuleBase *) MemoryContextAllocZero(context,
															 sizeof(LrRuleBase));

	base->context = context;
	base->image = image;
	return base;
}

static MemoryContext
base_context(void)
{
	return AllocSetContextCreate(CurTransactionContext, "leadroute rule base",
								 ALLOCSET_SMALL_SIZES);
}

static void
share_key(const LrRuleSet *set, LrShareKey *key)
{
	memset(key, 0, sizeof(*key));
	key->incarnation = set->incarnation;
	key->definition = set->definition;
	key->router = set->router;
	key->table = set->table;
}

static LrRuleBase *
new_shared_base(LrSharedImage *shared)
{
	LrRuleBase *base = new_base(base_context(), shared->image);

	base->shared = shared;
	base->version = shared->version;
	return base;
}

/*
 * Gives a set a base of its own making, which others may use if the set is
 * public and still true.
 */
static void
set_base(LrRuleSet *set, LrRouter *router, LrRuleBase *base)
{
	LrShareKey	key;
	LrSharedImage *shared;

	set->base = base;
	base->version = set->version;
	if (set->own_changes != 0 || base->image->nrules < MIN_SHARED ||
		!lr_router_is_current(router))
		return;
	share_key(set, &key);
	shared = lr_share_publish(&key, set->version, base->image);
	if (shared != NULL)
	{
		MemoryContextDelete(base->context);
		set->base = new_shared_base(shared);
	}
}

static void
read_all(LrRuleSet *set, LrTable *table, LrRouter *router)
{
	MemoryContext context = base_context();
	MemoryContext old = MemoryContextSwitchTo(context);
	LrRuleBase *base = new_base(context, lr_rules_read(table, router));

	MemoryContextSwitchTo(old);
	set_base(set, router, base);
}

/* Marks rules of the base as dead. */
static void
bury(LrRuleSet *set, const int32 *ids, int n)
{
	int			i;

	for (i = 0; i < n; i++)
	{
		int			rank = lr_image_find(set->base->image, ids[i]);

		if (rank < 0)
			continue;
		if (set->dead == NULL)
			set->dead = (uint8 *) MemoryContextAllocZero(set->context,
														 set->base->image->nrules / 8 + 1);
		if (!lr_rank_is_in(set->dead, rank))
			set->ndead++;
		set->dead[rank / 8] |= 1 << (rank % 8);
	}
}

static bool
has_grown(int changed, const LrRuleBase *base)
{
	return changed > MIN_DELTA + base->image->nrules / DELTA_SHARE;
}

/* Makes one base of base and delta when the delta has grown. */
static void
merge_if_grown(LrRuleSet *set, LrRouter *router)
{
	MemoryContext context;
	MemoryContext old;
	LrRuleBase *base;

	if (!has_grown(set->ndead + (set->delta ? set->delta->nrules : 0),
				   set->base))
		return;
	context = base_context();
	old = MemoryContextSwitchTo(context);
	base = new_base(context, lr_rules_merge(set->base->image, set->dead,
											set->delta));
	MemoryContextSwitchTo(old);
	set->dead = NULL;
	set->ndead = 0;
	set->delta = NULL;
	set_base(set, router, base);
}

/* The set after `from`, a public one, with n changed rules. */
static void
read_changed(LrRuleSet *set, LrRuleSet *from, LrTable *table,
			 LrRouter *router, const int32 *ids, int n)
{
	MemoryContext old = MemoryContextSwitchTo(set->context);

	if (from->dead != NULL)
	{
		int			size = from->base->image->nrules / 8 + 1;

		set->dead = (uint8 *) palloc(size);
		memcpy(set->dead, from->dead, size);
		set->ndead = from->ndead;
	}
	set->base = from->base;
	set->delta = from->delta;
	if (n > 0)
		set->delta = lr_rules_read_changed(table, router, set->base->image,
										   from->delta, ids, n);
	else if (from->delta != NULL)
	{
		LrImage    *copy = (LrImage *) MemoryContextAllocHuge(set->context,
															  from->delta->size);

		memcpy(copy, from->delta, from->delta->size);
		set->delta = copy;
	}
	bury(set, ids, n);
	MemoryContextSwitchTo(old);
	merge_if_grown(set, router);
}

/* ---------- the cache ---------- */

static bool
is_for(LrRuleSet *set, LrTable *table, LrRouter *router)
{
	return set->router == router->id && set->table == table->id &&
		set->definition == table->definition &&
		set->incarnation == lr_incarnation() &&
		strcmp(set->name, router->name) == 0;
}

/* The public set (own_changes 0), or the private one of these changes. */
static LrRuleSet *
find_set(LrTable *table, LrRouter *router, uint64 own_changes)
{
	ListCell   *lc;

	foreach(lc, sets)
	{
		LrRuleSet  *set = (LrRuleSet *) lfirst(lc);

		if (is_for(set, table, router) && set->own_changes == own_changes)
			return set;
	}
	return NULL;
}

/* Forgets what the set replaces, and the oldest of many. */
static void
purge_sets(LrRuleSet *set)
{
	int			i;

	for (i = list_length(sets) - 1; i >= 0; i--)
	{
		LrRuleSet  *other = (LrRuleSet *) list_nth(sets, i);

		if (other != set && (i >= MAX_CACHED_SETS ||
							 (other->router == set->router &&
							  other->table == set->table &&
							  (set->own_changes == 0 ||
							   other->own_changes != 0))))
			drop_set(other);
	}
}

/* Makes a set ready to be searched, and keeps it. */
static void
keep_set(LrRuleSet *set)
{
	MemoryContext old = MemoryContextSwitchTo(set->context);

	set->index = lr_rule_index_open(set->base->image, set->delta, set->dead);
	set->base->refs++;
	MemoryContextSetParent(set->context, CacheMemoryContext);
	MemoryContextSetParent(set->base->context, CacheMemoryContext);
	MemoryContextSwitchTo(CacheMemoryContext);
	sets = lcons(set, sets);
	MemoryContextSwitchTo(old);
	purge_sets(set);
}

/*
 * A set over what another session has published, newer than `since`; NULL:
 * there is none that the changes up to now reach.  *n of them: *ids.
 */
static LrRuleSet *
find_shared(LrTable *table, LrRouter *router, int64 since, int32 **ids,
			int *n)
{
	LrRuleSet  *set = new_set(table, router);
	LrSharedImage *shared;
	LrShareKey	key;

	share_key(set, &key);
	shared = lr_share_find(&key, since, router->version);
	if (shared != NULL)
	{
		*n = lr_rules_changed(router, shared->version, ids);
		if (*n >= 0)
		{
			set->base = new_shared_base(shared);
			set->version = shared->version;
			set->own_changes = 0;
			return set;
		}
		lr_share_release(shared);
	}
	MemoryContextDelete(set->context);
	return NULL;
}

/*
 * The public set to start from, pinned, and the n rules that have changed
 * since; NULL: all must be read.
 */
static LrRuleSet *
find_start(LrTable *table, LrRouter *router, int32 **ids, int *n)
{
	LrRuleSet  *from = find_set(table, router, 0);
	LrRuleSet  *shared;

	*n = -1;
	if (from != NULL)
	{
		pin_start(from);
		*n = lr_rules_changed(router, from->version, ids);
	}
	if (*n >= 0 &&
		!has_grown(*n + from->ndead + (from->delta ? from->delta->nrules : 0),
				   from->base))
		return from;
	/* somebody else may have merged already */
	shared = find_shared(table, router, from ? from->base->version + 1 : 0,
						 ids, n);
	if (shared != NULL)
	{
		if (from != NULL)
			unpin_start(from);
		keep_set(shared);
		pin_start(shared);
		return shared;
	}
	if (from != NULL)
		*n = lr_rules_changed(router, from->version, ids);
	if (*n >= 0 || from == NULL)
		return from;
	unpin_start(from);
	return NULL;
}

/* A set of its own, not kept yet: read, or made from what is known. */
static LrRuleSet *
make_set(LrTable *table, LrRouter *router, LrRuleSet *from,
		 const int32 *ids, int n)
{
	LrRuleSet  *set = new_set(table, router);

	if (from == NULL)
		read_all(set, table, router);
	else
		read_changed(set, from, table, router, ids, n);
	return set;
}

static void
throw_away(LrRuleSet *set)
{
	if (set->base->refs == 0)
		free_base(set->base);
	MemoryContextDelete(set->context);
}

LrRuleSet *
lr_rule_set_pin(LrTable *table, LrRouter *router)
{
	uint64		own = lr_changes_pending() ? router->own_changes : 0;
	LrRuleSet  *set = find_set(table, router, own);
	LrRuleSet  *from;
	LrShareKey	key;
	int32	   *ids = NULL;
	int			n;

	free_bases();
	if (set != NULL && set->version == router->version)
	{
		set->pins++;
		return set;
	}
	from = find_start(table, router, &ids, &n);
	if (from == NULL)
	{
		/* a newer state may have been published than this one */
		if (!lr_router_is_current(router))
			return NULL;
		set = new_set(table, router);
		share_key(set, &key);
		MemoryContextDelete(set->context);
		if (own == 0 && !lr_share_begin_build(&key))
			from = find_start(table, router, &ids, &n);
	}
	set = make_set(table, router, from, ids, n);
	lr_share_end_build();
	if (!lr_router_is_current(router))
	{
		if (from != NULL)
			unpin_start(from);
		throw_away(set);
		return NULL;
	}
	keep_set(set);
	/* its base is the new set's too by now */
	if (from != NULL)
		unpin_start(from);
	set->pins++;
	return set;
}
