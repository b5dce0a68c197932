/*
 * config.c
 *	  Configuration as a backend sees it.  See config.h.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/memutils.h"

#include "base/generation.h"
#include "base/pin.h"
#include "base/scan.h"
#include "calendar/calendar.h"
#include "cap/cap.h"
#include "config/config.h"
#include "config/criterion.h"
#include "config/people.h"
#include "config/router_name.h"
#include "config/router_sql.h"
#include "roster/late.h"
#include "roster/roster.h"

/* Unpinned routers a backend keeps. */
#define MAX_CACHED_ROUTERS	64

static List *routers = NIL;		/* most recently used first */

void
lr_config_accept(void)
{
	lr_late_accept();
	AcceptInvalidationMessages();
}

/* ---------- reading a router ---------- */

/* config_state.version; 0: none (no configuration yet, or no such router). */
static int64
read_version(const char *name)
{
	LrScan		scan;
	int64		version = 0;
	bool		isnull;

	lr_scan_begin(&scan, "config_state", "config_state_pkey", "router", name);
	if (lr_scan_next(&scan))
		version = DatumGetInt64(lr_scan_datum(&scan, "version", &isnull));
	lr_scan_end(&scan);
	return version;
}

static bool
read_router_row(LrRouter *router, const char *name)
{
	LrScan		scan;
	bool		found;

	lr_scan_begin(&scan, "router", "router_pkey", "name", name);
	found = lr_scan_next(&scan);
	if (found)
	{
		router->id = lr_scan_int(&scan, "id", 0);
		router->enabled = lr_scan_bool(&scan, "enabled");
		router->zone = lr_zone(lr_scan_text(&scan, "timezone"));
		if (router->zone == NULL)
			router->zone = pg_tzset("GMT");
		router->matching = lr_matching_read(&scan);
		router->test_when = lr_test_when_read(&scan);
		router->qualification = lr_qualification_read(&scan, name);
		router->name = pstrdup(name);
	}
	lr_scan_end(&scan);
	return found;
}

/*
 * Read before the version, it tells whether a cap has begun to count since, of
 * which what is read does not know; see cap_earlier.h.
 */
static inline int64
caps_begun(const LrDatabase *db)
{
	int64		begun = *(volatile const int64 *) &db->caps_begun;

	pg_read_barrier();
	return begun;
}

static LrRouter *
read_router(const char *name)
{
	LrDatabase *db = lr_database();
	MemoryContext old = CurrentMemoryContext;

	for (;;)
	{
		MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
													  "leadroute router",
													  ALLOCSET_DEFAULT_SIZES);
		uint64		checked = lr_config_generation();
		uint64		people = lr_people_generation();
		int64		begun = caps_begun(db);
		int64		version = read_version(name);
		LrRouter   *router;

		MemoryContextSwitchTo(context);
		router = (LrRouter *) palloc0(sizeof(LrRouter));
		router->context = context;
		router->version = version;
		router->checked = checked;
		router->own_changes = lr_own_changes();
		router->generation = db->generation;
		router->people_seen = people;
		router->caps_begun = begun;
		if (read_router_row(router, name))
		{
			lr_people_read(router);
			lr_caps_read(router);
		}
		MemoryContextSwitchTo(old);

		/* nothing was committed while it was read: one state, not two halves */
		if (read_version(name) == version)
		{
			if (router->name == NULL)
			{
				MemoryContextDelete(context);
				return NULL;
			}
			MemoryContextSetParent(context, CacheMemoryContext);
			return router;
		}
		MemoryContextDelete(context);
		CHECK_FOR_INTERRUPTS();
	}
}

/* ---------- the cache ---------- */

static void
release_if_unused(LrRouter *router)
{
	if (router->dropped && router->pins == 0)
		MemoryContextDelete(router->context);
}

static void
drop_router(LrRouter *router)
{
	routers = list_delete_ptr(routers, router);
	router->dropped = true;
	release_if_unused(router);
}

/* Keeps the cache from growing with the number of tenants. */
static void
evict_routers(void)
{
	int			i;

	for (i = list_length(routers) - 1; i >= MAX_CACHED_ROUTERS; i--)
	{
		LrRouter   *router = (LrRouter *) list_nth(routers, i);

		if (router->pins == 0)
			drop_router(router);
	}
}

static LrRouter *
cached_router(const char *name)
{
	ListCell   *lc;

	foreach(lc, routers)
	{
		LrRouter   *router = (LrRouter *) lfirst(lc);

		if (strcmp(router->name, name) == 0)
			return router;
	}
	return NULL;
}

static void
give_back(void *router)
{
	((LrRouter *) router)->pins--;
	release_if_unused((LrRouter *) router);
}

LrRouter *
lr_router_pin(const char *name)
{
	LrRouter   *router = cached_router(name);
	LrDatabase *db = lr_database();
	MemoryContext old;

	/* its slots of members and seats are good for one use of the database's */
	if (router != NULL && router->generation != db->generation)
	{
		drop_router(router);
		router = NULL;
	}
	/* who has a cap counted may know of it before its message is out */
	if (router != NULL && (router->checked != lr_config_generation() ||
						   router->caps_begun != caps_begun(db)))
	{
		uint64		generation = lr_config_generation();
		int64		begun = caps_begun(db);

		if (router->own_changes == lr_own_changes() &&
			router->id == lr_router_id(name) &&
			read_version(name) == router->version)
		{
			router->checked = generation;
			router->caps_begun = begun;
		}
		else
		{
			drop_router(router);
			router = NULL;
		}
	}
	if (router == NULL)
	{
		router = read_router(name);
		if (router == NULL)
			return NULL;
	}
	else
		routers = list_delete_ptr(routers, router);
	old = MemoryContextSwitchTo(CacheMemoryContext);
	routers = lcons(router, routers);
	MemoryContextSwitchTo(old);
	lr_pin_add(router, give_back);
	router->pins++;
	evict_routers();
	return router;
}

bool
lr_router_is_current(LrRouter *router)
{
	if (read_version(router->name) == router->version)
		return true;
	/* its message may not have come yet */
	router->checked = 0;
	return false;
}

void
lr_router_release(LrRouter *router)
{
	give_back(router);
}

void
lr_router_keep(LrRouter *router)
{
	lr_pin_remove(router);
}

void
lr_router_unpin(LrRouter *router)
{
	lr_pin_remove(router);
	give_back(router);
}

void
lr_people_accept(LrRouter *router)
{
	AcceptInvalidationMessages();
	if (router->people_seen != lr_people_generation())
	{
		uint64		generation = lr_people_generation();

		lr_people_read_states(router);
		router->people_seen = generation;
	}
}
