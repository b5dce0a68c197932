/*
 * generation.c
 *	  What this session hears of changes, and the OIDs of leadroute's relations.
 *	  See generation.h.
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

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "base/generation.h"
#include "leadroute.h"

/* Names of the schema's relations whose OIDs are kept. */
static const char *const relation_name[] = {
	"absence", "config_state", "incarnation", "router", "router_pkey",
	"config_state_pkey", "member", "member_pkey", "team", "team_pkey",
	"team_member", "team_member_pkey", "rule", "rule_pkey", "absence_key",
	"routed_table", "routed_table_pkey", "journal", "journal_current",
	"journal_past", "journal_order", "event", "event_order", "pool_entry", "pool_entry_pkey", "pool_entry_line",
	"pool_entry_waiting",
	"team_version", "team_version_find", "team_version_id",
	"candidate_set", "candidate_set_find", "candidate_set_id", "checkpoint", "measured",
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
static uint64 schema_generation = 1;

static uint64 own_changes = 1;
static uint64 config_generation = 1;
static uint64 people_generation = 1;
static uint64 relation_generation = 1;
static uint64 expression_generation = 1;

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
		schema_generation++;
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
lr_generation_init(void)
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
lr_own_changes(void)
{
	return own_changes;
}

uint64
lr_people_generation(void)
{
	return people_generation;
}

uint64
lr_schema_generation(void)
{
	return schema_generation;
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
