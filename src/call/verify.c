/*
 * verify.c
 *	  Do lead tables, journal and shared memory agree?  And what to do about
 *	  leads that are in the journal alone.
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "base/clock.h"
#include "base/compat.h"
#include "base/guard.h"
#include "base/guc.h"
#include "base/owner_rights.h"
#include "base/scan.h"
#include "base/settings.h"
#include "journal/journal.h"
#include "lead/binding.h"
#include "lead/lead.h"
#include "lead/outcome.h"
#include "roster/board.h"
#include "roster/fold_cap.h"
#include "roster/recovery.h"
#include "roster/reserve.h"

PG_FUNCTION_INFO_V1(lr_verify);
PG_FUNCTION_INFO_V1(lr_release_missing);

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

/* What a seat has received by_target; a month may have been rolled back. */
static void
verify_received(const LrSeat *seat, const LrSeatState *state,
				ReturnSetInfo *rsinfo)
{
	int32		latest = Max(seat->month, state->month);
	int32		month;

	for (month = latest - 1; month <= latest; month++)
		if (lr_seat_received(seat, month) != lr_state_received(state, month))
			disagree(rsinfo, "received", psprintf("router id %d", seat->router),
					 psprintf("team id %d, member id %d, month %04d-%02d",
							  seat->team, seat->member, month / 12,
							  month % 12 + 1),
					 psprintf("%d", lr_state_received(state, month)),
					 psprintf("%d", lr_seat_received(seat, month)));
}

/* What a cap has counted in one of its two windows. */
static void
verify_cap(LrState *s, int slot, const LrCapSlot *cap, const LrCapCount *count,
		   ReturnSetInfo *rsinfo)
{
	LrCapState *state = lr_state_cap_find(s, LR_CAP_TAG(cap->cap, cap->member != 0,
														count->key), cap->member);
	int64		expected = state != NULL ? state->used : 0;
	int64		found = count->used + lr_reserve_cap_released(slot, count->key);

	if (count->key != 0 && found != expected)
		disagree(rsinfo, "cap", NULL,
				 cap->member == 0 ? psprintf("cap id %d", cap->cap) :
				 psprintf("cap id %d, member id %d", cap->cap, cap->member),
				 psprintf("%lld", (long long) expected),
				 psprintf("%lld", (long long) found));
}

static void
verify_caps(LrDatabase *db, LrState *s, ReturnSetInfo *rsinfo)
{
	int			i;

	for (i = 0; i < lr_shared->caps_used; i++)
	{
		LrCapSlot	slot;
		int32		id;

		LWLockAcquire(db->lock, LW_SHARED);
		slot = lr_cap_slots[i];
		LWLockRelease(db->lock);
		id = slot.cap;
		/* of a cap that is gone nothing is kept */
		if (slot.db != lr_db_index(db) ||
			hash_search(s->cap_ids, &id, HASH_FIND, NULL) == NULL)
			continue;
		verify_cap(s, i, &slot, &slot.now, rsinfo);
		verify_cap(s, i, &slot, &slot.before, rsinfo);
	}
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
		LWLockAcquire(db->lock, LW_SHARED);
		seat = lr_seats[i];
		seat.credit = lr_seat_credit(i);
		LWLockRelease(db->lock);
		state = lr_state_seat(s, seat.router, seat.team, seat.member);
		if (seat.credit != state->credit)
			disagree(rsinfo, "credit", psprintf("router id %d", seat.router),
					 psprintf("team id %d, member id %d", seat.team, seat.member),
					 psprintf("%.6f", LR_CREDIT_LEADS(state->credit)),
					 psprintf("%.6f", LR_CREDIT_LEADS(seat.credit)));
		verify_received(&seat, state, rsinfo);
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
 * Text of the key as SQL over the lead: by format, which shows values as their
 * types do, never by a cast, which the owner of a type can define.
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
						 psprintf("pg_catalog.trim_scale(lr_lead.%s)", column) :
						 table->key_kind[i] == LR_KEY_CHAR ?
						 psprintf("lr_lead.%s::pg_catalog.text", column) :
						 psprintf("lr_lead.%s", column));
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

/* ---------- leads against current rows of the journal ---------- */

/*
 * Both are read in the order of their keys, side by side, by cursors under one
 * snapshot: leads with the rights of their table's owner, whose functions
 * their types may call, the journal with those of the extension's.
 */
typedef struct Side
{
	LrTable    *table;			/* NULL: the journal's side */
	Portal		portal;
	SPITupleTable *rows;
	uint64		n;
	uint64		next;
	HeapTuple	row;			/* NULL: the end */
	char	   *key;
} Side;

/* Rows read at once. */
#define VERIFY_CHUNK	1000

static void
act_for(const Side *side, LrRights *rights)
{
	if (side->table != NULL)
		lr_lead_become(side->table, true, rights);
	else
		lr_become_owner(rights);
}

static void
open_side(Side *side, LrTable *table, const char *query)
{
	LrRights	rights;

	memset(side, 0, sizeof(*side));
	side->table = table;
	act_for(side, &rights);
	side->portal = SPI_cursor_open_with_args(NULL, query, 0, NULL, NULL, NULL,
											 true, 0);
	lr_resign(&rights);
}

static void
advance(Side *side)
{
	if (side->next == side->n)
	{
		LrRights	rights;

		if (side->rows != NULL)
			SPI_freetuptable(side->rows);
		act_for(side, &rights);
		SPI_cursor_fetch(side->portal, true, VERIFY_CHUNK);
		lr_resign(&rights);
		side->rows = SPI_tuptable;
		side->n = SPI_processed;
		side->next = 0;
		CHECK_FOR_INTERRUPTS();
	}
	side->row = side->next < side->n ? side->rows->vals[side->next++] : NULL;
	side->key = side->row != NULL ?
		SPI_getvalue(side->row, side->rows->tupdesc, 1) : NULL;
}

static char *
journal_text(const Side *journal, int column)
{
	return SPI_getvalue(journal->row, journal->rows->tupdesc, column);
}

/* The member that owns the lead; NULL: nobody, or somebody who is none. */
static LrMember *
owning_member(LrTable *table, const LrFacts *facts)
{
	LrBinding  *b = facts->owner != NULL && facts->router != NULL ?
		lr_table_bind(table, facts->router) : NULL;
	LrMember   *m = NULL;

	if (b == NULL)
		return NULL;
	if (b->router->enabled)
		m = lr_binding_member(table, b, facts->owner);
	lr_binding_unpin(b);
	return m;
}

/*
 * Gets a lead and its current row, either of which may be missing, in a context
 * that is reset afterwards.
 */
typedef void (*PairFn) (LrTable *table, const Side *lead, const Side *journal,
						void *arg);

static void
verify_lead(LrTable *table, const Side *lead, const Side *journal, void *arg)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) arg;
	char	   *subject = psprintf("%s %s", table->name,
								   lead != NULL ? lead->key : journal->key);
	LrFacts		facts;
	bool		isnull;
	char	   *member;
	char	   *kind;

	if (lead == NULL)
	{
		disagree(rsinfo, "journal without lead", journal_text(journal, 4),
				 subject, "a lead", "none");
		return;
	}
	lr_facts(table, lr_lead_slot(table, SPI_getbinval(lead->row,
													  lead->rows->tupdesc, 2,
													  &isnull)), &facts);
	if (journal == NULL)
	{
		if (!facts.closed && owning_member(table, &facts) != NULL)
			disagree(rsinfo, "lead without journal", facts.router, subject,
					 "a current row", "none");
		return;
	}
	member = journal_text(journal, 2);
	kind = journal_text(journal, 3);
	if (member != NULL ? same_owner(table, member, facts.owner) :
		kind[0] == LR_KIND_GIVEN || kind[0] == LR_KIND_MANUAL ?
		facts.closed || owning_member(table, &facts) == NULL :
		facts.owner == NULL)
		return;
	disagree(rsinfo, "owner", journal_text(journal, 4), subject, member,
			 facts.owner);
}

/* Settings under which keys as SQL writes them are canonical; to be ended. */
static int
canonical_settings(void)
{
	int			nest = NewGUCNestLevel();

	lr_settings_canonical();
	return nest;
}

static void
compare_leads(LrTable *table, PairFn pair, void *arg)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "leadroute verify",
												  ALLOCSET_DEFAULT_SIZES);
	int			nest = canonical_settings();
	Side		lead;
	Side		journal;

	PushActiveSnapshot(GetLatestSnapshot());
	open_side(&lead, table,
			  psprintf("SELECT (%s) COLLATE \"C\", lr_lead FROM %s AS lr_lead ORDER BY 1",
					   key_sql(table), lr_lead_relation(table)));
	open_side(&journal, NULL,
			  psprintf("SELECT j.lead_key, m.owner_value, j.kind::pg_catalog.text, r.name"
					   " FROM leadroute.journal j"
					   " LEFT JOIN leadroute.member m ON m.id = j.member"
					   " LEFT JOIN leadroute.router r ON r.id = j.router"
					   " WHERE j.routed_table = %d AND NOT j.superseded ORDER BY j.lead_key COLLATE \"C\"",
					   table->id));
	advance(&lead);
	advance(&journal);
	while (lead.key != NULL || journal.key != NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(context);
		int			order = lead.key == NULL ? 1 : journal.key == NULL ? -1 :
			strcmp(lead.key, journal.key);

		pair(table, order <= 0 ? &lead : NULL, order >= 0 ? &journal : NULL,
			 arg);
		MemoryContextSwitchTo(old);
		MemoryContextReset(context);
		if (order <= 0)
		{
			pfree(lead.key);
			advance(&lead);
		}
		if (order >= 0)
		{
			pfree(journal.key);
			advance(&journal);
		}
	}
	SPI_cursor_close(lead.portal);
	SPI_cursor_close(journal.portal);
	PopActiveSnapshot();
	AtEOXact_GUC(false, nest);
	MemoryContextDelete(context);
}

/*
 * A partition that has become a foreign table since: its leads are stored and
 * changed somewhere else; its name, or NULL: there is none.
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

	lr_scan_begin(&scan, "routed_table", NULL, NULL, NULL);
	while (lr_scan_next(&scan))
		names = lappend(names, lr_scan_text(&scan, "name"));
	lr_scan_end(&scan);
	foreach(lc, names)
	{
		char	   *name = (char *) lfirst(lc);
		LrTable    *table = lr_table_pin(name);
		bool		sound = table != NULL && table->broken == NULL;
		char	   *foreign;

		if (!sound)
			disagree(rsinfo, "lead table", NULL, name,
					 "a table with its key and owner columns",
					 table != NULL ? table->broken : "none");
		if (table != NULL)
			lr_table_unpin(table);
		if (!sound)
			continue;
		table = lr_table_lock_sound(name, AccessShareLock);
		if (table == NULL)
			continue;
		if ((foreign = foreign_partition(table)) != NULL)
			disagree(rsinfo, "foreign partition", table->router, table->name,
					 NULL, foreign);
		else
			compare_leads(table, verify_lead, rsinfo);
		lr_table_unpin(table);
	}
}

/* A key that leads are known by is of a decision. */
static void
verify_keys(ReturnSetInfo *rsinfo)
{
	uint64		i;

	PushActiveSnapshot(GetLatestSnapshot());
	lr_read_query("SELECT s.id, r.name, coalesce(t.name, '?') || ' ' || s.lead_key FROM leadroute.sticky_lead s"
				  " LEFT JOIN leadroute.router r ON r.id = s.router"
				  " LEFT JOIN leadroute.routed_table t ON t.id = s.routed_table"
				  " WHERE NOT EXISTS (SELECT FROM leadroute.journal j WHERE j.id = s.id)",
				  0, 0, 0);
	for (i = 0; i < SPI_processed; i++)
		disagree(rsinfo, "sticky key",
				 SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2),
				 SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 3),
				 psprintf("decision %lld", (long long) lr_spi_int8(i, 1)),
				 "none");
	SPI_freetuptable(SPI_tuptable);
	PopActiveSnapshot();
}

/* What rows of the journal and of event refer to is there. */
static void
verify_companions(ReturnSetInfo *rsinfo)
{
	static const char *const companion[][2] = {
		{"candidate_set", "candidate set"},
		{"team_version", "team version"}
	};
	uint64		i;
	int			k;

	PushActiveSnapshot(GetLatestSnapshot());
	for (k = 0; k < (int) lengthof(companion); k++)
	{
		const char *name = companion[k][0];

		lr_read_query(psprintf("SELECT u.id, r.name, pg_catalog.sum(u.n)::int8 FROM ("
							   "SELECT j.router, j.%1$s AS id, pg_catalog.count(*) AS n FROM leadroute.journal j WHERE j.%1$s IS NOT NULL GROUP BY 1, 2"
							   " UNION ALL SELECT e.router, e.%1$s, pg_catalog.count(*) FROM leadroute.event e WHERE e.%1$s IS NOT NULL GROUP BY 1, 2) u"
							   " LEFT JOIN leadroute.router r ON r.id = u.router"
							   " WHERE NOT EXISTS (SELECT FROM leadroute.%1$s c WHERE c.id = u.id)"
							   " GROUP BY 1, 2 ORDER BY 1", name),
					  0, 0, 0);
		for (i = 0; i < SPI_processed; i++)
			disagree(rsinfo, companion[k][1],
					 SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2),
					 psprintf("%s %lld", name, (long long) lr_spi_int8(i, 1)),
					 psprintf("a row that %lld others refer to",
							  (long long) lr_spi_int8(i, 3)),
					 "none");
		SPI_freetuptable(SPI_tuptable);
	}
	PopActiveSnapshot();
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
 * The whole journal, compared with shared memory while nobody moved a counter:
 * who has begun since may be in one of them alone, and then what was found is
 * forgotten.  NULL: there was no such moment in a few tries.
 */
static LrState *
compare_quietly(LrDatabase *db, ReturnSetInfo *rsinfo)
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
		lr_fold(s, PG_INT64_MAX, GetLatestSnapshot());
		verify_counters(db, s, rsinfo);
		verify_caps(db, s, rsinfo);
		if (is_quiet(db, &after) && before == after)
			return s;
		tuplestore_clear(rsinfo->setResult);
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
	s = compare_quietly(db, rsinfo);
	if (s == NULL)
	{
		ereport(NOTICE,
				(errmsg("shared memory is not compared: transactions with routed leads are open")));
		s = lr_state_new();
		lr_fold(s, PG_INT64_MAX, GetLatestSnapshot());
	}
	verify_sums(s, rsinfo);
	verify_keys(rsinfo);
	verify_companions(rsinfo);
	verify_tables(rsinfo);
	SPI_finish();
	lr_resign(&rights);
	return (Datum) 0;
}

/* ---------- leads that are gone ---------- */

/* Keys that are in the journal and not in the table. */
typedef struct Missing
{
	List	   *keys;
	MemoryContext context;
} Missing;

static void
note_missing(LrTable *table, const Side *lead, const Side *journal, void *arg)
{
	Missing    *missing = (Missing *) arg;
	MemoryContext old;

	if (lead != NULL)
		return;
	old = MemoryContextSwitchTo(missing->context);
	missing->keys = lappend(missing->keys, pstrdup(journal->key));
	MemoryContextSwitchTo(old);
}

/* A lead that a policy hides is not gone: an error instead. */
static const LrSetting all_rows = {"row_security", "off"};

/*
 * The table is locked against writers, so nobody else has anything to do with
 * these keys.
 */
Datum
lr_release_missing(PG_FUNCTION_ARGS)
{
	LrTable    *table;
	Missing		missing = {NIL, CurrentMemoryContext};
	LrRights	rights;
	ListCell   *lc;
	char	   *foreign;
	int64		released = 0;
	int			nest;

	lr_require_preload();
	table = lr_table_lock(text_to_cstring(PG_GETARG_TEXT_PP(0)),
						  ShareRowExclusiveLock);
	if ((foreign = foreign_partition(table)) != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("partition \"%s\" of table \"%s\" is a foreign table",
						foreign, table->name),
				 errdetail("Its leads are stored and changed somewhere else.")));
	lr_journal_flush();
	CommandCounterIncrement();
	nest = NewGUCNestLevel();
	lr_settings_set(&all_rows, 1);
	lr_become_owner(&rights);
	SPI_connect();
	compare_leads(table, note_missing, &missing);
	SPI_finish();
	lr_resign(&rights);
	AtEOXact_GUC(false, nest);
	foreach(lc, missing.keys)
	{
		LrCurrent	current;

		CHECK_FOR_INTERRUPTS();
		released += lr_outcome_end(table->id, (char *) lfirst(lc),
								   &current, LR_EVENT_DELETED, false,
								   lr_now());
	}
	lr_journal_flush();
	lr_table_unpin(table);
	PG_RETURN_INT64(released);
}
