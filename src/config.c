/*
 * config.c
 *	  Configuration as a backend sees it.  See config.h.
 *
 * Every configuration change raises config_state.version of its router and
 * invalidates the relcache entry of config_state; that message reaches every
 * session with the commit (a prepared one and one that arrives by logical
 * replication too), and this session at its next command.  Changes of member
 * state (absence, active, capacity) invalidate absence as well.  After a
 * rollback the same messages are processed locally, so that a state which
 * contains the transaction's own changes never survives it.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_extension.h"
#include "commands/extension.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "calendar.h"
#include "cap.h"
#include "compat.h"
#include "config.h"
#include "criterion.h"
#include "late.h"
#include "people.h"
#include "pin.h"
#include "roster.h"
#include "scan.h"
#include "sticky_key.h"

/* Unpinned routers a backend keeps. */
#define MAX_CACHED_ROUTERS	64

/* Names of the schema's relations whose OIDs are kept. */
static const char *const relation_name[] = {
	"absence", "config_state", "incarnation", "router", "router_pkey",
	"config_state_pkey", "member", "member_pkey", "team", "team_pkey",
	"team_member", "team_member_pkey", "rule", "rule_pkey", "absence_key",
	"routed_table", "routed_table_pkey", "journal", "journal_current",
	"journal_past", "journal_order", "event", "event_order", "pool_entry", "pool_entry_pkey", "pool_entry_line", "pool_entry_waiting",
	"team_version", "team_version_find", "team_version_id", "checkpoint", "measured",
	"config_history", "territory", "territory_key",
	"rule_id_key", "rule_change", "rule_change_find", "member_facts",
	"schedule", "schedule_pkey", "holiday", "holiday_pkey",
	"suppression", "suppression_pkey", "sticky_lead", "sticky_lead_find",
	"cap", "cap_pkey", "cap_id_key", "event_assignment", "event_lead", "criterion", "criterion_pkey",
	"member_id_key", "team_id_key",
};

/*
 * The OID stays known after an invalidation, so that the next one is still
 * recognised; whether it is still the right one is looked up again.
 */
static Oid	relation_oid[lengthof(relation_name)];
static bool relation_valid[lengthof(relation_name)];
static int64 incarnation = 0;

static uint64 own_changes = 1;
static uint64 config_generation = 1;
static uint64 people_generation = 1;
static uint64 relation_generation = 1;
static uint64 expression_generation = 1;

static List *routers = NIL;		/* most recently used first */

PG_FUNCTION_INFO_V1(lr_default_router);

/* ---------- invalidation ---------- */

/*
 * What compiled expressions and tables depend on: relations by OID, entries of
 * system caches by the hash that their invalidation names.  Callbacks look
 * only; what is watched once stays, which is at most what the session has met.
 */
typedef struct Watched
{
	int			cache;			/* -1: a relation */
	uint32		id;				/* hash, or OID */
} Watched;

static HTAB *watched = NULL;

static void
watch(int cache, uint32 id)
{
	Watched		key;

	if (watched == NULL)
	{
		HASHCTL		ctl;

		memset(&ctl, 0, sizeof(ctl));
		ctl.keysize = ctl.entrysize = sizeof(Watched);
		ctl.hcxt = CacheMemoryContext;
		watched = hash_create("leadroute watched", 128, &ctl,
							  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	memset(&key, 0, sizeof(key));
	key.cache = cache;
	key.id = id;
	(void) hash_search(watched, &key, HASH_ENTER, NULL);
}

static bool
is_watched(int cache, uint32 id)
{
	Watched		key;

	memset(&key, 0, sizeof(key));
	key.cache = cache;
	key.id = id;
	return watched != NULL &&
		hash_search(watched, &key, HASH_FIND, NULL) != NULL;
}

void
lr_watch_relation(Oid relid)
{
	watch(-1, relid);
}

void
lr_watch_cache(int cacheid, uint32 hash)
{
	watch(cacheid, hash);
}

void
lr_watch_function(Oid func)
{
	watch(PROCOID, GetSysCacheHashValue1(PROCOID, ObjectIdGetDatum(func)));
}

static void
relation_invalidated(Datum arg, Oid relid)
{
	int			i;

	if (relid == InvalidOid || is_watched(-1, relid))
		relation_generation++;
	if (relid == InvalidOid || relid == relation_oid[0])
		people_generation++;
	if (relid == InvalidOid || relid == relation_oid[1])
		config_generation++;
	for (i = 0; i < (int) lengthof(relation_oid); i++)
		if (relid == InvalidOid || relid == relation_oid[i])
			relation_valid[i] = false;
	if (!relation_valid[2])
		incarnation = 0;
}

/* Functions, domains that expressions depend on; 0: any of them. */
static void
code_invalidated(Datum arg, int cacheid, uint32 hashvalue)
{
	if (hashvalue == 0 || is_watched(cacheid, hashvalue))
		expression_generation++;
}

/* Roles and memberships: with whose rights expressions run. */
static void
roles_invalidated(Datum arg, int cacheid, uint32 hashvalue)
{
	expression_generation++;
}

void
lr_config_init(void)
{
	CacheRegisterRelcacheCallback(relation_invalidated, (Datum) 0);
	CacheRegisterSyscacheCallback(PROCOID, code_invalidated, (Datum) 0);
	CacheRegisterSyscacheCallback(TYPEOID, code_invalidated, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHOID, roles_invalidated, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHMEMMEMROLE, roles_invalidated, (Datum) 0);
}

void
lr_config_own_change(void)
{
	own_changes++;
	config_generation++;
}

uint64
lr_relation_generation(void)
{
	return relation_generation;
}

uint64
lr_expression_generation(void)
{
	return expression_generation;
}

uint64
lr_config_generation(void)
{
	return config_generation;
}

void
lr_config_accept(void)
{
	lr_late_accept();
	AcceptInvalidationMessages();
}

/* ---------- the schema's own relations ---------- */

/* Index of a name; callers pass literals, which are known by their address. */
static int
relation_index(const char *name)
{
	static const char *literal[64];
	uintptr_t	at = ((uintptr_t) name >> 3) % lengthof(literal);
	static uint8 index[lengthof(literal)];
	int			i;

	if (literal[at] == name)
		return index[at];
	for (i = 0; i < (int) lengthof(relation_name); i++)
		if (strcmp(relation_name[i], name) == 0)
			break;
	if (i == (int) lengthof(relation_name))
		elog(ERROR, "leadroute has no relation \"%s\"", name);
	literal[at] = name;
	index[at] = (uint8) i;
	return i;
}

Oid
lr_relid(const char *name)
{
	int			i = relation_index(name);

	if (!relation_valid[i])
	{
		Oid			schema = get_namespace_oid(LR_SCHEMA, true);
		Oid			oid = OidIsValid(schema) ?
			get_relname_relid(name, schema) : InvalidOid;

		if (!OidIsValid(oid))
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_TABLE),
					 errmsg("relation leadroute.%s does not exist", name),
					 errhint("Run CREATE EXTENSION leadroute, or ALTER EXTENSION leadroute UPDATE.")));
		relation_oid[i] = oid;
		relation_valid[i] = true;
	}
	return relation_oid[i];
}

int64
lr_incarnation(void)
{
	LrScan		scan;
	bool		isnull;

	if (incarnation == 0)
	{
		/* from now on, invalidations of these are noticed */
		(void) lr_relid("absence");
		(void) lr_relid("config_state");
		(void) lr_relid("incarnation");
		lr_scan_begin(&scan, "incarnation", NULL, NULL, NULL);
		if (lr_scan_next(&scan))
			incarnation = DatumGetInt64(lr_scan_datum(&scan, "id", &isnull));
		lr_scan_end(&scan);
		if (incarnation == 0)
			elog(ERROR, "leadroute.incarnation is empty");
	}
	return incarnation;
}

Oid
lr_extension_owner(void)
{
	HeapTuple	tuple;
	Oid			owner;

	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(lr_relid("journal")));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for leadroute.journal");
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

char *
lr_extension_version(void)
{
	Oid			ext = get_extension_oid("leadroute", true);
	Relation	rel;
	SysScanDesc sys;
	ScanKeyData key;
	HeapTuple	tuple;
	char	   *version = pstrdup("");

	if (!OidIsValid(ext))
		return version;
	rel = table_open(ExtensionRelationId, AccessShareLock);
	ScanKeyInit(&key, Anum_pg_extension_oid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(ext));
	sys = systable_beginscan(rel, ExtensionOidIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(sys);
	if (HeapTupleIsValid(tuple))
	{
		bool		isnull;
		Datum		value = heap_getattr(tuple, Anum_pg_extension_extversion,
										 RelationGetDescr(rel), &isnull);

		if (!isnull)
			version = TextDatumGetCString(value);
	}
	systable_endscan(sys);
	table_close(rel, AccessShareLock);
	return version;
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

int32
lr_router_id(const char *name)
{
	LrScan		scan;
	int32		id = 0;

	lr_scan_begin(&scan, "router", "router_pkey", "name", name);
	if (lr_scan_next(&scan))
		id = lr_scan_int(&scan, "id", 0);
	lr_scan_end(&scan);
	return id;
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
		uint64		checked = config_generation;
		uint64		people = people_generation;
		int64		begun = caps_begun(db);
		int64		version = read_version(name);
		LrRouter   *router;

		MemoryContextSwitchTo(context);
		router = (LrRouter *) palloc0(sizeof(LrRouter));
		router->context = context;
		router->version = version;
		router->checked = checked;
		router->own_changes = own_changes;
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
	if (router != NULL && (router->checked != config_generation ||
						   router->caps_begun != caps_begun(db)))
	{
		uint64		generation = config_generation;
		int64		begun = caps_begun(db);

		if (router->own_changes == own_changes &&
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
	if (router->people_seen != people_generation)
	{
		uint64		generation = people_generation;

		lr_people_read_states(router);
		router->people_seen = generation;
	}
}

/* *n: how many it could be; 2 for many. */
static char *
meant_router_name(int *n)
{
	LrScan		scan;
	char	   *name = NULL;

	*n = 1;
	if (lr_router_setting != NULL && lr_router_setting[0] != '\0')
		return pstrdup(lr_router_setting);
	*n = 0;
	lr_scan_begin(&scan, "router", NULL, NULL, NULL);
	while (*n < 2 && lr_scan_next(&scan))
	{
		name = lr_scan_text(&scan, "name");
		(*n)++;
	}
	lr_scan_end(&scan);
	return *n == 1 ? name : NULL;
}

char *
lr_meant_router_name(void)
{
	int			n;

	return meant_router_name(&n);
}

char *
lr_default_router_name(void)
{
	int			n;
	char	   *name = meant_router_name(&n);

	if (n == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("there is no router yet"),
				 errhint("SELECT leadroute.attach('your_table', 'owner_column') makes one, or INSERT INTO leadroute.router.")));
	if (n > 1)
		ereport(ERROR,
				(errcode(ERRCODE_AMBIGUOUS_PARAMETER),
				 errmsg("there are several routers, and none is named"),
				 errhint("Name the router, or SET LOCAL leadroute.router = 'its name'.")));
	return name;
}

Datum
lr_default_router(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(lr_default_router_name()));
}
