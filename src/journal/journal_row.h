/*
 * journal_row.h
 *	  What the journal's files share: columns, and rows on their way to disk.
 *	  For the files of this folder, load.c, held.c and forget.c only.
 */
#ifndef LR_JOURNAL_ROW_H
#define LR_JOURNAL_ROW_H

#include "access/genam.h"
#include "access/htup.h"
#include "utils/relcache.h"

#include "journal/journal.h"
#include "lead/table.h"

/*
 * Columns of leadroute.journal, from 0.  Those of indexes stand where the server
 * finds them without a walk: before them is no varlena, and nothing that is NULL
 * of an ordinary lead.
 */
enum
{
	J_ID, J_ASSIGNED_AT, J_ROUTER, J_ROUTED_TABLE, J_RULE, J_RULE_VERSION,
	J_TEAM, J_MEMBER, J_LOAD, J_SHARE, J_HOP, J_KIND, J_METHOD, J_TURN,
	J_SUPERSEDED, J_LEAD_KEY, J_ROLE_NAME, J_TEAM_VERSION, J_MEASURE,
	J_TARGET_MONTH, J_CANDIDATES, J_ACCRUING, J_PASSED_OVER,
	J_PASSED_OVER_COUNT, J_REASON, J_DETAIL, J_ACTOR, J_ENDED_AT, J_CLOSED_AT,
	J_RESPONDED_AT, J_CONVERTED_AT, J_PREVIOUS_ID, J_CAPS, J_SCORE,
	J_ACCEPTED_AT, J_CAPTURED_AT, J_SOURCE, J_VALUE, J_OUTCOME, J_RELEASED,
	J_CANDIDATE_SET, J_IS_TEST, J_COLUMNS
};

/* Columns of leadroute.event. */
enum
{
	E_ID, E_AT, E_KIND, E_ROUTER, E_ROUTED_TABLE, E_ASSIGNMENT, E_MEMBER,
	E_LOAD, E_LEAD_KEY, E_ROLE_NAME, E_ACTOR, E_PAYLOAD, E_TEAM,
	E_TEAM_VERSION, E_CANDIDATES, E_ACCRUING, E_CAPS,
	E_TARGET_MONTH, E_CANDIDATE_SET, E_COLUMNS
};

/* Columns of leadroute.pool_entry. */
enum
{
	P_ROUTED_TABLE, P_LEAD_KEY, P_ROUTER, P_RULE, P_TEAM, P_STATE,
	P_ASSIGNMENT, P_ENTERED_AT, P_LINE, P_WAY, P_AVAILABLE_FROM, P_COLUMNS
};

/* The tables that are written in batches. */
typedef enum RowKind
{
	ROW_JOURNAL,
	ROW_EVENT,
	ROW_POOL,
	ROW_KINDS
} RowKind;

/* Adds a row to the batch of the current level.  A full batch is written. */
extern void lr_row_add(RowKind kind, Datum *values, bool *nulls);

/* Writes what waits at this level and outer ones, and makes it changeable. */
extern void lr_rows_see(void);

/* The running command has changed a row: later ones must see it. */
extern void lr_rows_changed(void);

/* Makes what is written so far changeable. */
extern void lr_rows_changeable(void);

/* A bigint column of a row; NULL as 0. */
extern int64 lr_row_id(Relation rel, HeapTuple row, int column);

/* The highest of such a column that a scan finds; ends it. */
extern int64 lr_row_latest(Relation rel, SysScanDesc sys, int column);

/* A scan over the current rows of a lead, own ones of this command included. */
extern SysScanDesc lr_current_scan(Relation rel, int32 routed_table,
								   const char *lead_key, ScanKeyData key[2]);

/* The current row of a lead in rel, copied; NULL: none. */
extern HeapTuple lr_current_find(Relation rel, int32 routed_table,
								 const char *lead_key);

/*
 * A row that is just written has a key that another row has: that of the older
 * decision ends, it is the current row of a lead that is gone, or its pool
 * entry.
 */
extern void lr_current_conflict(Relation rel, HeapTuple row);
extern void lr_pool_conflict(Relation rel, HeapTuple row);

/* A decision may have ended so before its pool entry is written. */
extern void lr_pool_forget_ended(HeapTuple *rows, int n);

/* A bitmap over a team as a column has it: zero bytes at its end are left out. */
extern Datum lr_bitmap_datum(const uint8 *bits, int bytes);

/* A bitmap column of a row, copied; NULL where it is. */
extern struct varlena *lr_bitmap_of(HeapTuple row, TupleDesc desc, int column);

/* Fills in what has happened to a lead; at: for what says no time. */
extern void lr_set_happened(Datum *values, bool *nulls, LrWhen what,
							TimestampTz when, TimestampTz at);

/* Fills in what a lead tells of itself. */
extern void lr_set_told(Datum *values, bool *nulls, const LrTold *told);

/* A lead that waits enters the pool: for somebody, or on a triage list. */
extern void lr_pool_add(const LrEntry *entry);

/*
 * A lead waits (again), a held one in the order of its decision; one that is to
 * be ready first, until the worker has looked how long.  No test does.
 */
extern void lr_pool_enter(int32 routed_table, const char *lead_key,
						  const LrCurrent *current);

/* Removes the pool entry of a lead that this decision made, if there is one. */
extern void lr_pool_leave(int32 routed_table, const char *lead_key, int64 id);

/* It goes on waiting for the same, in its order. */
extern void lr_pool_rekey(int32 routed_table, const char *old_key, int64 id,
						  const char *new_key);

#endif							/* LR_JOURNAL_ROW_H */
