/*
 * cap_status.c
 *	  What the caps of a router have counted, for people.
 */
#include "postgres.h"

#include "funcapi.h"
#include "utils/builtins.h"

#include "base/clock.h"
#include "base/guc.h"
#include "cap/cap.h"
#include "config/router_name.h"

PG_FUNCTION_INFO_V1(lr_cap_status);
PG_FUNCTION_INFO_V1(lr_cap_uncounted);

static void
put_row(ReturnSetInfo *rsinfo, const LrCapUse *use, LrMember *m,
		const LrCapWindow *window, int64 counted)
{
	Datum		values[7];
	bool		nulls[7] = {false};

	values[0] = CStringGetTextDatum(use->cap->name);
	nulls[1] = m == NULL;
	if (m != NULL)
		values[1] = CStringGetTextDatum(m->name);
	values[2] = TimestampTzGetDatum(window->since);
	values[3] = TimestampTzGetDatum(window->until);
	nulls[4] = nulls[6] = counted == PG_INT64_MAX;
	values[4] = Int64GetDatum(counted);
	values[5] = Int64GetDatum(use->cap->limit);
	values[6] = Int64GetDatum(Max(use->cap->limit - counted, 0));
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

static void
put_use(ReturnSetInfo *rsinfo, LrDatabase *db, const LrCapCheck *check,
		const LrCapUse *use, LrMember **member)
{
	int			i;

	for (i = 0; i < (use->by_member ? check->nmembers : 1); i++)
	{
		int64		counted;

		if (use->slot[i] == LR_CAP_NONE)
			continue;
		LWLockAcquire(db->lock, LW_SHARED);
		counted = lr_cap_use_counted(use, i);
		LWLockRelease(db->lock);
		put_row(rsinfo, use, use->by_member ? member[i] : NULL,
				&use->zone[i]->window, counted);
	}
}

/* Caps of the database whose count lacks leads of a table that was locked. */
static List *
uncounted(LrDatabase *db)
{
	int			most = lr_shared->caps_used;
	int32	   *cap = (int32 *) palloc((most + 1) * sizeof(int32));
	List	   *caps = NIL;
	int			n = 0;
	int			i;

	LWLockAcquire(db->lock, LW_SHARED);
	for (i = 0; i < most; i++)
		if (lr_cap_slots[i].db == lr_db_index(db) && lr_cap_slots[i].cap > 0 &&
			lr_cap_slots[i].now.retry_at != 0)
			cap[n++] = lr_cap_slots[i].cap;
	LWLockRelease(db->lock);
	for (i = 0; i < n; i++)
		caps = list_append_unique_int(caps, cap[i]);
	pfree(cap);
	return caps;
}

Datum
lr_cap_uncounted(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	ListCell   *lc;

	lr_require_preload();
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	foreach(lc, uncounted(lr_database_slot()))
	{
		Datum		values[1];
		bool		nulls[1] = {false};

		values[0] = Int32GetDatum(lfirst_int(lc));
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

Datum
lr_cap_status(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	char	   *name;
	LrDatabase *db;
	LrRouter   *router;
	LrCapCheck *check;
	int			k;

	lr_require_preload();
	InitMaterializedSRF(fcinfo, 0);
	lr_config_accept();
	name = PG_ARGISNULL(0) ? lr_default_router_name() :
		text_to_cstring(PG_GETARG_TEXT_PP(0));
	router = lr_router_pin(name);
	if (router == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("router \"%s\" does not exist", name)));
	db = lr_database();
	lr_settle_prepared(db);
	lr_journal_flush();
	check = lr_caps_of_router(router, lr_now());
	if (check != NULL)
	{
		lr_lock_counters(db, check);
		LWLockRelease(db->lock);
		for (k = 0; k < check->n; k++)
			put_use(rsinfo, db, check, check->use[k], lr_everyone(router)->member);
	}
	lr_router_unpin(router);
	return (Datum) 0;
}
