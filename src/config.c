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
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rangetypes.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "compat.h"
#include "config.h"
#include "roster.h"
#include "scan.h"

/* Unpinned routers a backend keeps. */
#define MAX_CACHED_ROUTERS	64

/* Names of the schema's relations whose OIDs are kept. */
static const char *const relation_name[] = {
	"absence", "config_state", "incarnation", "router", "router_pkey",
	"config_state_pkey", "member", "member_pkey", "team", "team_pkey",
	"team_member", "team_member_pkey", "rule", "rule_pkey", "absence_key",
	"routed_table", "routed_table_pkey", "journal", "journal_current",
	"journal_past", "journal_order", "event", "event_order", "pool_entry", "pool_entry_pkey",
	"team_version", "team_version_find", "team_version_id", "checkpoint",
	"config_history",
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

static List *routers = NIL;		/* most recently used first */

PG_FUNCTION_INFO_V1(lr_default_router);

/* ---------- invalidation ---------- */

static void
relation_invalidated(Datum arg, Oid relid)
{
	int			i;

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

/* Functions and roles that expressions depend on have changed. */
static void
catalog_invalidated(Datum arg, int cacheid, uint32 hashvalue)
{
	relation_generation++;
}

void
lr_config_init(void)
{
	CacheRegisterRelcacheCallback(relation_invalidated, (Datum) 0);
	CacheRegisterSyscacheCallback(PROCOID, catalog_invalidated, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHOID, catalog_invalidated, (Datum) 0);
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
lr_config_generation(void)
{
	return config_generation;
}

void
lr_config_accept(void)
{
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

/* Which router has the name now: names may be exchanged; 0: none. */
static int32
read_router_id(const char *name)
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
		router->name = pstrdup(name);
	}
	lr_scan_end(&scan);
	return found;
}

static int
compare_members(const void *a, const void *b)
{
	return strcmp((*(LrMember *const *) a)->name, (*(LrMember *const *) b)->name);
}

static int
compare_member_ids(const void *a, const void *b)
{
	int32		x = (*(LrMember *const *) a)->id;
	int32		y = (*(LrMember *const *) b)->id;

	return x < y ? -1 : x > y;
}

static void
read_members(LrRouter *router, LrDatabase *db)
{
	LrScan		scan;
	List	   *members = NIL;
	ListCell   *lc;
	int			i;

	lr_scan_begin(&scan, "member", "member_pkey", "router", router->name);
	while (lr_scan_next(&scan))
	{
		LrMember   *m = (LrMember *) palloc0(sizeof(LrMember));

		m->id = lr_scan_int(&scan, "id", 0);
		m->name = lr_scan_text(&scan, "name");
		m->owner_value = lr_scan_text(&scan, "owner_value");
		m->active = lr_scan_bool(&scan, "active");
		m->capacity = lr_scan_int(&scan, "capacity", -1);
		m->slot = lr_member_slot(db, m->id);
		members = lappend(members, m);
	}
	lr_scan_end(&scan);

	router->nmembers = list_length(members);
	router->member = (LrMember **) palloc((router->nmembers + 1) *
										  sizeof(LrMember *));
	i = 0;
	foreach(lc, members)
		router->member[i++] = (LrMember *) lfirst(lc);
	qsort(router->member, router->nmembers, sizeof(LrMember *),
		  compare_members);
	router->by_id = (LrMember **) palloc((router->nmembers + 1) *
										 sizeof(LrMember *));
	for (i = 0; i < router->nmembers; i++)
	{
		router->member[i]->index = i;
		router->by_id[i] = router->member[i];
	}
	qsort(router->by_id, router->nmembers, sizeof(LrMember *),
		  compare_member_ids);
	list_free(members);
}

static int
compare_teams(const void *a, const void *b)
{
	return strcmp((*(LrTeam *const *) a)->name, (*(LrTeam *const *) b)->name);
}

static LrTeam *
team_by_name(LrRouter *router, const char *name)
{
	LrTeam		key = {.name = unconstify(char *, name)};
	LrTeam	   *wanted = &key;
	LrTeam	  **found = (LrTeam **) bsearch(&wanted, router->team,
											router->nteams, sizeof(LrTeam *),
											compare_teams);

	return found != NULL ? *found : NULL;
}

static void
read_absences(LrRouter *router)
{
	LrScan		scan;
	int			i;

	router->any_absence = false;
	for (i = 0; i < router->nmembers; i++)
		router->member[i]->nabsence = 0;

	lr_scan_begin(&scan, "absence", "absence_key", "router", router->name);
	while (lr_scan_next(&scan))
	{
		bool		isnull;
		RangeType  *range = DatumGetRangeTypeP(lr_scan_datum(&scan, "during",
															 &isnull));
		char	   *team_name = lr_scan_text(&scan, "team");
		LrTeam	   *team = team_name ? team_by_name(router, team_name) : NULL;
		char	   *member_name = lr_scan_text(&scan, "member");
		LrMember   *m = lr_member_by_name(router, member_name);
		RangeBound	lower;
		RangeBound	upper;
		bool		empty;
		LrAbsence  *absence;

		/* a team or member this (older) state does not know concerns no rule */
		if (m == NULL || (team_name != NULL && team == NULL))
			continue;
		range_deserialize(lookup_type_cache(RangeTypeGetOid(range),
											TYPECACHE_RANGE_INFO),
						  range, &lower, &upper, &empty);
		if (empty)
			continue;
		if ((m->nabsence & (m->nabsence - 1)) == 0)
		{
			int			room = Max(1, 2 * m->nabsence);

			if (m->absence == NULL || m->nabsence == 0)
				m->absence = (LrAbsence *) palloc(room * sizeof(LrAbsence));
			else
				m->absence = (LrAbsence *) repalloc(m->absence,
													room * sizeof(LrAbsence));
		}
		absence = &m->absence[m->nabsence++];
		absence->since = lower.infinite ? DT_NOBEGIN :
			DatumGetTimestampTz(lower.val);
		absence->until = upper.infinite ? DT_NOEND :
			DatumGetTimestampTz(upper.val);
		absence->team = team != NULL ? team->id : -1;
		router->any_absence = true;
	}
	lr_scan_end(&scan);
}

/* A membership while teams are put together. */
typedef struct Membership
{
	LrMember   *member;
	LrTeam	   *team;
	int32		position;
	double		weight;
} Membership;

static int
compare_memberships(const void *a, const void *b)
{
	const Membership *x = (const Membership *) a;
	const Membership *y = (const Membership *) b;

	if (x->team != y->team)
		return x->team->id < y->team->id ? -1 : 1;
	if (x->position != y->position)
		return x->position < y->position ? -1 : 1;
	return strcmp(x->member->name, y->member->name);
}

/* Fills in a team from its n memberships, which are in order. */
static void
fill_team(LrTeam *team, LrDatabase *db, Membership *from, int n)
{
	static uint64 last_serial = 0;
	double		factor;
	int			i;

	team->serial = ++last_serial;
	team->n = n;
	team->member = (LrMember **) palloc0((n + 1) * sizeof(LrMember *));
	team->weight = (double *) palloc0((n + 1) * sizeof(double));
	team->seat = (int *) palloc0((n + 1) * sizeof(int));
	team->share = (int64 *) palloc0((n + 1) * sizeof(int64));
	team->lead_share = (int64 *) palloc0((n + 1) * sizeof(int64));
	team->why = (uint8 *) palloc0(n + 1);
	team->rotation = lr_rotation_slot(db, team->router, team->id);
	team->total_weight = 0;
	for (i = 0; i < n; i++)
	{
		team->member[i] = from[i].member;
		team->weight[i] = from[i].weight;
		team->total_weight += from[i].weight;
		team->seat[i] = lr_seat_slot(db, team->router, team->id,
									 from[i].member->id);
	}
	factor = n > 0 ? (double) LR_CREDIT_ONE / team->total_weight : 0;
	for (i = 0; i < n; i++)
	{
		team->share[i] = (int64) (team->weight[i] * factor);
		team->share_sum += team->share[i];
	}
}

static void
read_team_rows(LrRouter *router)
{
	LrScan		scan;
	int			room = 16;

	router->team = (LrTeam **) palloc(room * sizeof(LrTeam *));
	lr_scan_begin(&scan, "team", "team_pkey", "router", router->name);
	while (lr_scan_next(&scan))
	{
		LrTeam	   *team = (LrTeam *) palloc0(sizeof(LrTeam));

		team->id = lr_scan_int(&scan, "id", 0);
		team->name = lr_scan_text(&scan, "name");
		team->router = router->id;
		if (router->nteams == room)
			router->team = (LrTeam **) repalloc(router->team,
												(room *= 2) * sizeof(LrTeam *));
		router->team[router->nteams++] = team;
	}
	lr_scan_end(&scan);
	qsort(router->team, router->nteams, sizeof(LrTeam *), compare_teams);
}

/* Memberships of members that are not gone for good, in published order. */
static Membership *
read_memberships(LrRouter *router, int *n)
{
	int			room = 64;
	Membership *all = (Membership *) palloc(room * sizeof(Membership));
	LrScan		scan;

	*n = 0;
	lr_scan_begin(&scan, "team_member", "team_member_pkey", "router",
				  router->name);
	while (lr_scan_next(&scan))
	{
		LrTeam	   *team = team_by_name(router, lr_scan_text(&scan, "team"));
		LrMember   *m = lr_member_by_name(router, lr_scan_text(&scan, "member"));
		bool		isnull;
		Datum		weight = lr_scan_datum(&scan, "weight", &isnull);

		if (team == NULL || m == NULL || !m->active)
			continue;
		if (*n == room)
			all = (Membership *) repalloc(all, (room *= 2) * sizeof(Membership));
		all[*n].team = team;
		all[*n].member = m;
		all[*n].position = lr_scan_int(&scan, "position", PG_INT32_MAX);
		all[*n].weight = DatumGetFloat8(DirectFunctionCall1(numeric_float8,
															weight));
		(*n)++;
	}
	lr_scan_end(&scan);
	qsort(all, *n, sizeof(Membership), compare_memberships);
	return all;
}

/* The rotation of rules without a team: every member, weight 1, by name. */
static LrTeam *
make_everyone(LrRouter *router, LrDatabase *db)
{
	LrTeam	   *everyone = (LrTeam *) palloc0(sizeof(LrTeam));
	Membership *all = (Membership *) palloc0((router->nmembers + 1) *
											 sizeof(Membership));
	int			n = 0;
	int			i;

	for (i = 0; i < router->nmembers; i++)
		if (router->member[i]->active)
		{
			all[n].member = router->member[i];
			all[n++].weight = 1;
		}
	everyone->router = router->id;
	fill_team(everyone, db, all, n);
	pfree(all);
	return everyone;
}

static void
read_teams(LrRouter *router, LrDatabase *db)
{
	Membership *all;
	int			n;
	int			first;
	int			last;
	int			i;

	read_team_rows(router);
	all = read_memberships(router, &n);
	for (first = 0; first < n; first = last)
	{
		for (last = first; last < n && all[last].team == all[first].team; last++)
			;
		fill_team(all[first].team, db, all + first, last - first);
	}
	for (i = 0; i < router->nteams; i++)
		if (router->team[i]->serial == 0)
			fill_team(router->team[i], db, NULL, 0);
	pfree(all);
	router->everyone = make_everyone(router, db);
}

static char
method_code(const char *word)
{
	if (strcmp(word, "least_loaded") == 0)
		return LR_METHOD_LEAST_LOADED;
	if (strcmp(word, "longest_idle") == 0)
		return LR_METHOD_LONGEST_IDLE;
	if (strcmp(word, "random") == 0)
		return LR_METHOD_RANDOM;
	return LR_METHOD_ROUND_ROBIN;
}

static char
overflow_code(const char *word)
{
	if (strcmp(word, "ignore_limits") == 0)
		return LR_OVERFLOW_IGNORE_LIMITS;
	if (strcmp(word, "none") == 0)
		return LR_OVERFLOW_NONE;
	return LR_OVERFLOW_NEXT_RULE;
}

/* The order in which rules are tried. */
static int
compare_rules(const void *a, const void *b)
{
	const LrRule *x = *(LrRule *const *) a;
	const LrRule *y = *(LrRule *const *) b;

	if (x->priority != y->priority)
		return x->priority < y->priority ? -1 : 1;
	if ((x->condition == NULL) != (y->condition == NULL))
		return x->condition != NULL ? -1 : 1;
	return strcmp(x->name, y->name);
}

static void
read_rules(LrRouter *router)
{
	LrScan		scan;
	int			room = 64;

	router->rule = (LrRule **) palloc(room * sizeof(LrRule *));
	lr_scan_begin(&scan, "rule", "rule_pkey", "router", router->name);
	while (lr_scan_next(&scan))
	{
		LrRule	   *rule;
		char	   *team;

		if (!lr_scan_bool(&scan, "enabled"))
			continue;
		rule = (LrRule *) palloc0(sizeof(LrRule));
		rule->id = lr_scan_int(&scan, "id", 0);
		rule->version = lr_scan_int(&scan, "version", 0);
		rule->priority = lr_scan_int(&scan, "priority", 0);
		rule->name = lr_scan_text(&scan, "name");
		rule->condition = lr_scan_text(&scan, "condition");
		rule->routed_table = lr_scan_text(&scan, "routed_table");
		rule->method = method_code(lr_scan_text(&scan, "method"));
		rule->overflow = overflow_code(lr_scan_text(&scan, "overflow"));
		rule->written_by = lr_scan_text(&scan, "written_by");
		rule->search_path = lr_scan_text(&scan, "search_path");
		team = lr_scan_text(&scan, "team");
		rule->team = team ? team_by_name(router, team) : router->everyone;
		if (rule->team == NULL)
			elog(ERROR, "team \"%s\" of rule \"%s\" is missing", team, rule->name);
		if (router->nrules == room)
			router->rule = (LrRule **) repalloc(router->rule,
												(room *= 2) * sizeof(LrRule *));
		router->rule[router->nrules++] = rule;
	}
	lr_scan_end(&scan);
	qsort(router->rule, router->nrules, sizeof(LrRule *), compare_rules);
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
		int64		version = read_version(name);
		LrRouter   *router;

		MemoryContextSwitchTo(context);
		router = (LrRouter *) palloc0(sizeof(LrRouter));
		router->context = context;
		router->version = version;
		router->checked = checked;
		router->own_changes = own_changes;
		router->incarnation = lr_incarnation();
		router->people_seen = people;
		if (read_router_row(router, name))
		{
			read_members(router, db);
			read_teams(router, db);
			read_absences(router);
			read_rules(router);
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

LrRouter *
lr_router_pin(const char *name)
{
	LrRouter   *router = cached_router(name);
	MemoryContext old;

	if (router != NULL && router->checked != config_generation)
	{
		uint64		generation = config_generation;

		if (router->own_changes == own_changes &&
			router->incarnation == lr_incarnation() &&
			router->id == read_router_id(name) &&
			read_version(name) == router->version)
			router->checked = generation;
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
	router->pins++;
	evict_routers();
	return router;
}

void
lr_router_unpin(LrRouter *router)
{
	router->pins--;
	release_if_unused(router);
}

/* Reads active and capacity again. */
static void
read_member_states(LrRouter *router)
{
	LrScan		scan;

	lr_scan_begin(&scan, "member", "member_pkey", "router", router->name);
	while (lr_scan_next(&scan))
	{
		LrMember   *m = lr_member_by_id(router, lr_scan_int(&scan, "id", 0));

		if (m != NULL)
		{
			m->active = lr_scan_bool(&scan, "active");
			m->capacity = lr_scan_int(&scan, "capacity", -1);
		}
	}
	lr_scan_end(&scan);
}

void
lr_people_accept(LrRouter *router)
{
	AcceptInvalidationMessages();
	if (router->people_seen != people_generation)
	{
		uint64		generation = people_generation;
		MemoryContext old = MemoryContextSwitchTo(router->context);

		read_member_states(router);
		read_absences(router);
		MemoryContextSwitchTo(old);
		router->people_seen = generation;
	}
}

/* ---------- looking up ---------- */

LrMember *
lr_member_by_id(LrRouter *router, int32 id)
{
	LrMember	key = {.id = id};
	LrMember   *wanted = &key;
	LrMember  **found = (LrMember **) bsearch(&wanted, router->by_id,
											  router->nmembers,
											  sizeof(LrMember *),
											  compare_member_ids);

	return found != NULL ? *found : NULL;
}

LrMember *
lr_member_by_name(LrRouter *router, const char *name)
{
	LrMember	key = {.name = unconstify(char *, name)};
	LrMember   *wanted = &key;
	LrMember  **found = (LrMember **) bsearch(&wanted, router->member,
											  router->nmembers,
											  sizeof(LrMember *),
											  compare_members);

	return found != NULL ? *found : NULL;
}

char *
lr_default_router_name(void)
{
	LrScan		scan;
	char	   *name = NULL;
	int			n = 0;

	if (lr_router_setting != NULL && lr_router_setting[0] != '\0')
		return pstrdup(lr_router_setting);
	lr_scan_begin(&scan, "router", NULL, NULL, NULL);
	while (n < 2 && lr_scan_next(&scan))
	{
		name = lr_scan_text(&scan, "name");
		n++;
	}
	lr_scan_end(&scan);
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
