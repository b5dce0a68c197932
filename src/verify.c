/*
 * verify.c
 *	  Do lead tables, journal and shared memory agree?
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "funcapi.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "guard.h"
#include "journal.h"
#include "lead.h"
#include "owner_rights.h"
#include "recovery.h"
#include "reserve.h"
#include "scan.h"

PG_FUNCTION_INFO_V1(lr_verify);

static void
disagree(ReturnSetInfo *rsinfo, const char *what, const char *router,
		 const char *subject, const char *expected, const char *found)
{
	Datum		values[5];
	bool		nulls[5] = {false};
	const char *text[5];
	int			i;

	text[0] = what;
	text[1] = router;
	text[2] = subject;
	text[3] = expected;
	text[4] = found;
	for (i = 0; i < 5; i++)
	{
		nulls[i] = text[i] == NULL;
		if (!nulls[i])
			values[i] = CStringGetTextDatum(text[i]);
	}
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/* Compares shared memory with the whole journal. */
static void
verify_counters(LrDatabase *db, LrState *s, ReturnSetInfo *rsinfo)
{
	int			index = lr_db_index(db);
	HASH_SEQ_STATUS seq;
	LrMemberState *known;
	int			i;

	/* whoever is in the tables has a slot, or shared memory is full */
	hash_seq_init(&seq, s->members);
	while ((known = hash_seq_search(&seq)) != NULL)
		(void) lr_member_slot(db, known->member);
	for (i = 0; i < lr_shared->members_used; i++)
	{
		LrMemberSlot slot;
		LrMemberState *m;

		if (lr_member_slots[i].db != index)
			continue;
		slot = lr_member_slots[i];
		slot.load += lr_reserve_released(i);
		m = lr_state_member(s, slot.member);
		if (slot.load != m->load)
			disagree(rsinfo, "load", NULL, psprintf("member id %d", slot.member),
					 psprintf("%lld", (long long) m->load),
					 psprintf("%lld", (long long) slot.load));
		if (slot.last_turn != m->last_turn && !slot.turn_dirty)
			disagree(rsinfo, "last_turn", NULL,
					 psprintf("member id %d", slot.member),
					 psprintf("%lld", (long long) m->last_turn),
					 psprintf("%lld", (long long) slot.last_turn));
	}
	for (i = 0; i < lr_shared->seats_used; i++)
	{
		LrSeat		seat;
		LrSeatState  *state;

		if (lr_seats[i].db != index)
			continue;
		seat = lr_seats[i];
		state = lr_state_seat(s, seat.router, seat.team, seat.member);
		if (seat.credit != state->credit)
			disagree(rsinfo, "credit", psprintf("router id %d", seat.router),
					 psprintf("team id %d, member id %d", seat.team, seat.member),
					 psprintf("%.6f", LR_CREDIT_LEADS(state->credit)),
					 psprintf("%.6f", LR_CREDIT_LEADS(seat.credit)));
	}
}

/* The credits of each team add up to 0. */
static void
verify_sums(LrState *s, ReturnSetInfo *rsinfo)
{
	LrState	   *sums = lr_state_new();
	HASH_SEQ_STATUS seq;
	LrSeatState  *seat;

	hash_seq_init(&seq, s->seats);
	while ((seat = hash_seq_search(&seq)) != NULL)
		lr_state_seat(sums, seat->key.router, seat->key.team, 0)->credit +=
			seat->credit;
	hash_seq_init(&seq, sums->seats);
	while ((seat = hash_seq_search(&seq)) != NULL)
		if (seat->credit != 0)
			disagree(rsinfo, "credit sum",
					 psprintf("router id %d", seat->key.router),
					 psprintf("team id %d", seat->key.team), "0",
					 psprintf("%.6f", LR_CREDIT_LEADS(seat->credit)));
}

/*
 * Text of the key as SQL over the lead.  This runs as the extension's owner: by
 * format, which shows values as their types do, never by a cast, which the
 * owner of a type can define.
 */
static char *
key_sql(LrTable *table)
{
	StringInfoData buf;
	int			i;

	initStringInfo(&buf);
	if (table->nkeys > 1)
		appendStringInfoString(&buf, "ROW(");
	for (i = 0; i < table->nkeys; i++)
	{
		const char *column = quote_identifier(NameStr(TupleDescAttr(table->desc, table->key[i] - 1)->attname));

		appendStringInfo(&buf, "%s%s", i > 0 ? ", " : "",
						 table->key_kind[i] == LR_KEY_NUMERIC ?
						 psprintf("pg_catalog.trim_scale(l.%s)", column) :
						 table->key_kind[i] == LR_KEY_CHAR ?
						 psprintf("l.%s::pg_catalog.text", column) :
						 psprintf("l.%s", column));
	}
	if (table->nkeys > 1)
		appendStringInfoChar(&buf, ')');
	return psprintf("pg_catalog.format('%%s', %s)", buf.data);
}

/* Two texts of owners, compared as values of the owner column. */
typedef struct OwnerPair
{
	LrTable    *table;
	const char *a;
	const char *b;
	bool		same;
} OwnerPair;

static void
compare_owner_values(void *arg)
{
	OwnerPair  *p = (OwnerPair *) arg;

	p->same = strcmp(lr_owner_text(p->table, lr_owner_datum(p->table, p->a)),
					 lr_owner_text(p->table, lr_owner_datum(p->table, p->b))) == 0;
}

static bool
same_owner(LrTable *table, const char *a, const char *b)
{
	OwnerPair	pair = {table, a, b, false};

	if (a == NULL || b == NULL)
		return a == b;
	/* what the column cannot hold is not the same */
	if (lr_guarded(compare_owner_values, &pair) != NULL)
		return false;
	return pair.same;
}

/* Leads against current journal rows. */
static void
verify_table(LrTable *table, ReturnSetInfo *rsinfo)
{
	char	   *owner = pstrdup(quote_identifier(NameStr(TupleDescAttr(table->desc, table->owner - 1)->attname)));
	char	   *query;
	uint64		i;

	query = psprintf("SELECT COALESCE(l.key, j.lead_key), l.present, l.owner, j.lead_key IS NOT NULL,"
					 " m.owner_value, j.kind::pg_catalog.text, r.name"
					 " FROM (SELECT %s AS key, true AS present, NULLIF(CASE WHEN l.%s IS NOT NULL"
					 " THEN pg_catalog.format('%%s', l.%s) END, %s) AS owner FROM %s l) l"
					 " FULL JOIN (SELECT * FROM leadroute.journal WHERE routed_table = %d AND NOT superseded) j"
					 " ON j.lead_key = l.key COLLATE \"C\""
					 " LEFT JOIN leadroute.member m ON m.id = j.member"
					 " LEFT JOIN leadroute.router r ON r.id = j.router"
					 " WHERE l.key IS NULL OR (j.lead_key IS NOT NULL AND j.reason IS DISTINCT FROM 'unknown_member'"
					 " AND m.owner_value IS DISTINCT FROM l.owner)",
					 key_sql(table), owner, owner,
					 table->nobody_isnull ? "NULL" : quote_literal_cstr(table->nobody),
					 lr_lead_relation(table), table->id);
	lr_read_query(query, 0, 0, 0);
	for (i = 0; i < SPI_processed; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		char	   *key = SPI_getvalue(row, desc, 1);
		char	   *subject = psprintf("%s %s", table->name, key ? key : "");

		if (SPI_getvalue(row, desc, 2) == NULL)
			disagree(rsinfo, "journal without lead", SPI_getvalue(row, desc, 7),
					 subject, "a lead", "none");
		else if (!same_owner(table, SPI_getvalue(row, desc, 5),
							 SPI_getvalue(row, desc, 3)))
			disagree(rsinfo, "owner", SPI_getvalue(row, desc, 7), subject,
					 SPI_getvalue(row, desc, 5), SPI_getvalue(row, desc, 3));
	}
	SPI_freetuptable(SPI_tuptable);
}

/*
 * A partition that has become a foreign table would be read with the rights of
 * the extension's owner, somewhere else; its name, or NULL: there is none.
 */
static char *
foreign_partition(LrTable *table)
{
	List	   *all = find_all_inheritors(table->relid, AccessShareLock, NULL);
	ListCell   *lc;

	foreach(lc, all)
		if (get_rel_relkind(lfirst_oid(lc)) == RELKIND_FOREIGN_TABLE)
			return get_rel_name(lfirst_oid(lc));
	return NULL;
}

static void
verify_tables(ReturnSetInfo *rsinfo)
{
	LrScan		scan;
	List	   *names = NIL;
	ListCell   *lc;
	int			nest = NewGUCNestLevel();

	/* canonical keys, see lr_canonical_output */
	(void) set_config_option("DateStyle", "ISO, YMD", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("TimeZone", "UTC", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	lr_scan_begin(&scan, "routed_table", NULL, NULL, NULL);
	while (lr_scan_next(&scan))
		names = lappend(names, lr_scan_text(&scan, "name"));
	lr_scan_end(&scan);
	foreach(lc, names)
	{
		LrTable    *table = lr_table_lock_sound((char *) lfirst(lc),
												AccessShareLock);
		char	   *foreign;

		if (table == NULL)
			continue;
		foreign = foreign_partition(table);
		if (foreign != NULL)
			disagree(rsinfo, "foreign partition", table->router, table->name,
					 NULL, foreign);
		else
		{
			PushActiveSnapshot(GetLatestSnapshot());
			verify_table(table, rsinfo);
			PopActiveSnapshot();
		}
		lr_table_unpin(table);
	}
	AtEOXact_GUC(false, nest);
}

/* No transaction but our own holds anything; *last_id: the last id given out. */
static bool
is_quiet(LrDatabase *db, int64 *last_id)
{
	int			open;

	LWLockAcquire(db->lock, LW_SHARED);
	*last_id = db->last_id;
	open = db->open_xacts + db->prepared;
	LWLockRelease(db->lock);
	if (lr_me()->min_id != 0)
		open--;					/* our own rows are in what we read */
	return open == 0;
}

/*
 * The whole journal folded while nobody moved a counter, so that shared memory
 * must agree; NULL: there was no such moment in a few tries.
 */
static LrState *
quiet_fold(LrDatabase *db)
{
	int			tries;

	for (tries = 0; tries < 5; tries++)
	{
		int64		before;
		int64		after;
		LrState	   *s;

		if (!is_quiet(db, &before))
			continue;
		s = lr_state_new();
		lr_fold(s, PG_INT64_MAX);
		if (is_quiet(db, &after) && before == after)
			return s;
		CHECK_FOR_INTERRUPTS();
	}
	return NULL;
}

Datum
lr_verify(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	LrDatabase *db;
	LrRights	rights;
	LrState	   *s;

	lr_require_preload();
	InitMaterializedSRF(fcinfo, 0);
	lr_journal_flush();
	CommandCounterIncrement();
	lr_config_accept();
	db = lr_database();
	lr_settle_prepared(db);
	lr_become_owner(&rights);
	SPI_connect();
	s = quiet_fold(db);
	if (s == NULL)
	{
		ereport(NOTICE,
				(errmsg("shared memory is not compared: transactions with routed leads are open")));
		s = lr_state_new();
		lr_fold(s, PG_INT64_MAX);
	}
	else
		verify_counters(db, s, rsinfo);
	verify_sums(s, rsinfo);
	verify_tables(rsinfo);
	SPI_finish();
	lr_resign(&rights);
	return (Datum) 0;
}
