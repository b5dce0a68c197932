/*
 * leadroute.c
 *	  Module start: shared memory request, callbacks, worker.
 *
 * Outside shared_preload_libraries only the settings are defined, so that a
 * CREATE EXTENSION during a restore or a pg_upgrade never fails here; what
 * needs shared memory then raises one clear error, and the triggers store the
 * lead without owner.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_extension.h"
#include "commands/extension.h"
#include "funcapi.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"

#include "base/acting.h"
#include "base/generation.h"
#include "base/guc.h"
#include "base/progress.h"
#include "journal/refuse.h"
#include "lead/frame.h"
#include "leadroute.h"
#include "roster/roster.h"
#include "rule/rule_share.h"
#include "rule/territory.h"
#include "transaction.h"
#include "worker/worker.h"

PG_MODULE_MAGIC;

void		_PG_init(void);

PG_FUNCTION_INFO_V1(lr_version);
PG_FUNCTION_INFO_V1(lr_is_preloaded);
PG_FUNCTION_INFO_V1(lr_require_preload_sql);

Datum
lr_is_preloaded(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(lr_preloaded());
}

Datum
lr_require_preload_sql(PG_FUNCTION_ARGS)
{
	lr_require_preload();
	PG_RETURN_VOID();
}

/* Of the SQL objects; "": they are not there. */
static char *
extension_version(void)
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

Datum
lr_version(PG_FUNCTION_ARGS)
{
	TupleDesc	desc;
	Datum		values[2];
	bool		nulls[2] = {false, false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	values[0] = CStringGetTextDatum(LR_VERSION);
	values[1] = CStringGetTextDatum(extension_version());
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc),
													  values, nulls)));
}

void
_PG_init(void)
{
	lr_guc_init();
	if (lr_preloaded())
	{
		lr_roster_request();
		lr_share_request();
		lr_progress_init();
		lr_worker_register();
		/* the zone of most routers: sessions inherit it, none reads its file */
		(void) pg_tzset("UTC");
		lr_frame_init();
		lr_refuse_init();
	}
	lr_generation_init();
	lr_territory_init();
	lr_acting_init();
	lr_transaction_init();
}
