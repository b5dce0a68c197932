/*
 * fold.h
 *	  The counters as the tables say: a pure function of journal and event.
 *
 * Callers have SPI connected and the rights of the extension's owner.
 */
#ifndef LR_FOLD_H
#define LR_FOLD_H

#include "utils/hsearch.h"
#include "utils/snapshot.h"

typedef struct LrMemberState
{
	int32		member;			/* key */
	int64		load;
	int64		released;		/* of a prepared transaction; not in load */
	int64		last_turn;
} LrMemberState;

typedef struct LrSeatKey
{
	int32		router;
	int32		team;
	int32		member;
} LrSeatKey;

typedef struct LrSeatState
{
	LrSeatKey		key;
	int64		credit;
	int32		month;			/* these as in LrSeat */
	int32		received;
	int32		before;
} LrSeatState;

/* The counters as the tables say. */
typedef struct LrState
{
	HTAB	   *members;
	HTAB	   *seats;
	HTAB	   *caps;			/* see fold_cap.h */
	HTAB	   *cap_ids;		/* those that there are */
	int64		cut;			/* rows up to here are contained */
	int64		last_id;
	int64		rows;			/* of the journal, read */
	int64		late_from;		/* up to the cut the worker has yet to look from
								 * here (late.h); 0: it has looked */
} LrState;

/* An empty state; all of these live in the current context. */
extern LrState *lr_state_new(void);

/* The counters of a member, of a seat; zero when new. */
extern LrMemberState *lr_state_member(LrState *s, int32 member);
extern LrSeatState *lr_state_seat(LrState *s, int32 router, int32 team,
								  int32 member);

/*
 * Adds the rows beyond s->cut up to upto that the snapshot sees, and moves the
 * cut there unless upto is the highest number.
 */
extern void lr_fold(LrState *s, int64 upto, Snapshot snapshot);

/* Adds n leads that a seat has received by_target in a month. */
extern void lr_state_receive(LrSeatState *seat, int32 month, int32 n);

/* Leads that it has received in a month, as lr_seat_received. */
extern int32 lr_state_received(const LrSeatState *seat, int32 month);

/* Runs a query with up to two bigint parameters; reads a column of its rows. */
extern void lr_read_query(const char *query, int nargs, int64 a, int64 b);
extern int64 lr_spi_int8(uint64 row, int column);

#endif							/* LR_FOLD_H */
