/*
 * refuse.c
 *	  Triggers and foreign keys on the journal and its companions are refused.
 *
 * Those tables are written through the access methods (append.c): a trigger
 * would never fire, a foreign key never be checked.  Both are rows of
 * pg_trigger, so one look at what is created there is enough.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_database.h"
#include "catalog/pg_trigger.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

#include "journal/refuse.h"
#include "leadroute.h"
#include "worker/worker.h"

static object_access_hook_type prev_access_hook = NULL;

/* The relation that a trigger, created by this very command, is on. */
static Oid
relation_of_trigger(Oid trigger)
{
	Relation	rel = table_open(TriggerRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc sys;
	HeapTuple	tuple;
	Oid			relid = InvalidOid;

	ScanKeyInit(&key, Anum_pg_trigger_oid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(trigger));
	sys = systable_beginscan(rel, TriggerOidIndexId, true, SnapshotSelf, 1,
							 &key);
	tuple = systable_getnext(sys);
	if (HeapTupleIsValid(tuple))
		relid = ((Form_pg_trigger) GETSTRUCT(tuple))->tgrelid;
	systable_endscan(sys);
	table_close(rel, AccessShareLock);
	return relid;
}

static void
refuse_trigger(Oid trigger)
{
	static const char *const tables[] = {
		"journal", "event", "pool_entry", "team_version", "candidate_set",
		"checkpoint", "sticky_lead"
	};
	Oid			schema = get_namespace_oid(LR_SCHEMA, true);
	Oid			relid;
	int			i;

	/* pg_upgrade makes what the extension has made before, one by one */
	if (!OidIsValid(schema) || creating_extension || IsBinaryUpgrade)
		return;
	relid = relation_of_trigger(trigger);
	if (!OidIsValid(relid) || get_rel_namespace(relid) != schema)
		return;
	for (i = 0; i < (int) lengthof(tables); i++)
		if (strcmp(get_rel_name(relid), tables[i]) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("triggers and foreign keys on leadroute.%s are not supported",
							tables[i]),
					 errdetail("The library writes this table without SQL: they would not fire."),
					 errhint("Read the table, or put a trigger on your lead table.")));
}

static void
refuse_access(ObjectAccessType access, Oid class, Oid object, int subid,
			  void *arg)
{
	if (prev_access_hook)
		prev_access_hook(access, class, object, subid, arg);
	if (access == OAT_POST_CREATE && class == TriggerRelationId)
		refuse_trigger(object);
	else if (access == OAT_POST_CREATE && class == DatabaseRelationId)
		lr_worker_database_made();
}

void
lr_refuse_init(void)
{
	prev_access_hook = object_access_hook;
	object_access_hook = refuse_access;
}
