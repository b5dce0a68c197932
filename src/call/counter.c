/*
 * counter.c
 *	  The counters in shared memory, and exact shares, as SQL sees them.
 */
#include "postgres.h"

#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "base/guc.h"
#include "lead/lead.h"
#include "roster/board.h"
#include "roster/fold_turns.h"
#include "roster/recovery.h"
#include "roster/reserve.h"

PG_FUNCTION_INFO_V1(lr_member_counter);
PG_FUNCTION_INFO_V1(lr_seat_counter);
PG_FUNCTION_INFO_V1(lr_board);
PG_FUNCTION_INFO_V1(lr_room);
PG_FUNCTION_INFO_V1(lr_share_of);

/* Begins a result made of counters; returns the database they are of. */
static LrDatabase *
begin_counters(FunctionCallInfo fcinfo)
{
	LrDatabase *db;

	lr_require_preload();
	InitMaterializedSRF(fcinfo, 0);
	db = lr_database();
	/* what prepared transactions that have ended held counts no more */
	lr_settle_prepared(db);
	return db;
}

Datum
lr_member_counter(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	LrDatabase *db = begin_counters(fcinfo);
	int			i;

	for (i = 0; i < lr_shared->members_used; i++)
	{
		LrMemberSlot slot = lr_member_slots[i];
		Datum		values[4];
		bool		nulls[4] = {false};

		if (slot.db != lr_db_index(db))
			continue;
		values[0] = Int32GetDatum(slot.member);
		values[1] = Int64GetDatum(slot.load + lr_reserve_released(i));
		values[2] = Int64GetDatum(slot.last_turn);
		values[3] = BoolGetDatum(slot.busy);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

Datum
lr_seat_counter(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	LrDatabase *db = begin_counters(fcinfo);
	int			i;

	for (i = 0; i < lr_shared->seats_used; i++)
	{
		LrSeat		seat = lr_seats[i];
		Datum		values[7];
		bool		nulls[7] = {false};
		int64		credit;

		if (seat.db != lr_db_index(db))
			continue;
		LWLockAcquire(db->lock, LW_SHARED);
		credit = lr_seat_credit(i);
		LWLockRelease(db->lock);
		values[0] = Int32GetDatum(seat.router);
		values[1] = Int32GetDatum(seat.team);
		values[2] = Int32GetDatum(seat.member);
		values[3] = Float8GetDatum(LR_CREDIT_LEADS(credit));
		values[4] = Int32GetDatum(seat.month);
		values[5] = Int32GetDatum(seat.received);
		values[6] = Int32GetDatum(seat.before);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

Datum
lr_room(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	LrRoom		room[LR_SLOT_KINDS];
	int			i;

	lr_require_preload();
	InitMaterializedSRF(fcinfo, 0);
	lr_look_at_room(lr_database_slot(), room);
	for (i = 0; i < LR_SLOT_KINDS; i++)
	{
		Datum		values[4];
		bool		nulls[4] = {false};

		values[0] = CStringGetTextDatum(room[i].setting);
		values[1] = Int32GetDatum(room[i].used);
		values[2] = Int32GetDatum(room[i].most);
		values[3] = TimestampTzGetDatum(room[i].refused);
		nulls[3] = room[i].refused == 0;
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

Datum
lr_board(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	LrDatabase *db = begin_counters(fcinfo);
	int			i;

	for (i = 0; i < lr_shared->rotations_used; i++)
	{
		LrRotationSlot slot;
		Datum		values[6];
		bool		nulls[6] = {false};

		LWLockAcquire(db->lock, LW_SHARED);
		slot = lr_rotation_slots[i];
		LWLockRelease(db->lock);
		if (slot.db != lr_db_index(db) || slot.board.serial == 0)
			continue;
		values[0] = Int32GetDatum(slot.router);
		values[1] = Int32GetDatum(slot.team);
		values[2] = Int32GetDatum(slot.board.n);
		values[3] = Int32GetDatum(slot.board.in);
		values[4] = Int64GetDatum(slot.board.picks);
		values[5] = Int32GetDatum(slot.board.parts);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

Datum
lr_share_of(PG_FUNCTION_ARGS)
{
	LrShares		shares;
	double		sum = 0;
	int			index;
	int			i;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
		PG_RETURN_NULL();
	shares.candidates = PG_ARGISNULL(0) ? NULL : PG_GETARG_BYTEA_PP(0);
	shares.accruing = PG_ARGISNULL(3) ? NULL : PG_GETARG_BYTEA_PP(3);
	index = PG_GETARG_INT32(1) - 1;
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(2), FLOAT8OID, 8, FLOAT8PASSBYVAL,
					  TYPALIGN_DOUBLE, &shares.weight, NULL, &shares.n);
	for (i = 0; i < shares.n; i++)
		if (lr_has_share(&shares, i))
			sum += DatumGetFloat8(shares.weight[i]);
	if (index < 0 || index >= shares.n || !lr_has_share(&shares, index))
		PG_RETURN_FLOAT8(0);
	PG_RETURN_FLOAT8(DatumGetFloat8(shares.weight[index]) / sum);
}
