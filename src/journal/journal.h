/*
 * journal.h
 *	  Writing the journal and its companions in batches, and finding what is
 *	  current about a lead.
 *
 * Rows wait in memory by transaction nest level and are written at the end of
 * the statement, when a batch is full, or before commit; a row is only ever
 * written under the (sub)transaction that decided it or one that contains it.
 */
#ifndef LR_JOURNAL_H
#define LR_JOURNAL_H

#include "postgres_ext.h"
#include "storage/itemptr.h"
#include "utils/timestamp.h"

#include "lead/told.h"

/* What is known of a lead that is held, see held.h; zeros: nothing. */
typedef struct LrHeld
{
	int64		line;			/* 0: none */
	int64		way;			/* see pool_entry.way; 0: its own */
	int64		seq;			/* free_seq of the oldest look at its members */
	TimestampTz until;			/* when somebody may become able by the clock */
	bool		again;			/* it was refused a fresh member */
	bool		waits;			/* for ready_when, in no line, at most until then */
	bool		own_way;		/* way is to be 0 */
} LrHeld;

/* One row of leadroute.journal; 0 and NULL mean SQL NULL where one may be. */
typedef struct LrEntry
{
	int64		id;
	TimestampTz at;
	int32		router;
	int32		routed_table;
	const char *lead_key;
	char		kind;
	char		method;			/* '\0': NULL */
	int32		rule;
	int32		rule_version;
	int32		team;			/* -1: NULL; 0: every member */
	int32		member;
	int			load;
	int			hop;
	bool		turn;
	bool		has_measure;
	double		measure;
	int32		month;			/* in which it counts by_target; 0: not */
	int64		team_version;
	uint8	   *candidates;		/* bitmap of ncandidate_bytes, or NULL */
	uint8	   *accruing;		/* the same of who had a share, too; NULL: nobody */
	int			candidate_bytes;
	int			candidate_count;
	uint64		candidate_hash; /* of candidates and accruing; 0: none */
	int64	   *passed_over;	/* see passed.h */
	int			npassed;		/* entries of it */
	int			passed_count;
	const char *reason;
	const char *detail;
	bool		closed;			/* when[LR_CLOSED] has happened */
	const TimestampTz *when;	/* by LrWhen, see table.h; NULL: closed says it all */
	int64		previous_id;	/* of the row that it supersedes; 0: none */
	LrHeld		held;
	int			ncaps;			/* under which it counts */
	const struct LrCapTaken *caps;
	bool		has_score;
	double		score;
	bool		released;		/* a quarantine of the lead was ended by hand */
	const LrTold *told;			/* NULL: nothing */
	bool		is_test;		/* see test_lead.h */
} LrEntry;

/* The turn that a row has taken in a rotation, or its place in a target. */
typedef struct LrTurn
{
	bool		turn;			/* credits were moved */
	int32		month;			/* in which it counts by_target; 0: not */
	int32		team;
	int64		version;		/* team_version.id */
	int64		set;			/* candidate_set.id, which says: 0: the following */
	struct varlena *candidates; /* bytea; NULL: all */
	struct varlena *accruing;	/* bytea; NULL: nobody */
} LrTurn;

/* The current row about a lead. */
typedef struct LrCurrent
{
	ItemPointerData tid;
	int64		id;
	TimestampTz at;
	int32		router;
	int32		member;			/* 0: none */
	int			load;
	int			hop;
	char		kind;
	bool		closed;
	bool		responded;
	bool		converted;
	TimestampTz closed_at;		/* if closed */
	bool		mine;			/* this transaction has written its row, or changed it */
	LrTurn	   *turn;			/* NULL: it has taken none, and counts in no target */
	int64		previous_id;	/* of the row that it superseded; 0: none */
	int32		rule;			/* these two of leads on a triage list only */
	int32		team;
	int			ncaps;
	int64	   *caps;			/* see LR_CAP_TAG */
	LrTold		told;
	bool		released;		/* a quarantine of it was ended by hand */
	bool		waits;			/* it is held until it is ready, see ready.h */
	bool		is_test;
	bool		has_score;		/* these four of leads that are kept back, or on a
								 * triage list, only */
	double		score;
	char	   *reason;
	char	   *detail;
} LrCurrent;

/* Why an assignment changes; the words are event.kind. */
#define LR_EVENT_CLOSED		"closed"
#define LR_EVENT_REOPENED	"reopened"
#define LR_EVENT_LOAD_CHANGED	"load_changed"
#define LR_EVENT_RELEASED	"released"
#define LR_EVENT_DELETED	"deleted"
#define LR_EVENT_REKEYED	"rekeyed"
#define LR_EVENT_RULE_ERROR	"rule_error"
#define LR_EVENT_CRITERION_ERROR	"criterion_error"
#define LR_EVENT_ROUTE_FAILED	"route_failed"
#define LR_EVENT_OFFBOARDED	"offboarded"	/* of a member, not of a lead */

/* Appends a row; that of an open lead that waits appends to pool_entry too. */
extern void lr_journal_add(const LrEntry *entry);

/* Appends to event; payload is JSON text or NULL, lead_key may be NULL. */
extern void lr_event_add(const char *kind, int32 router, int32 routed_table,
						 const char *lead_key, int64 assignment, int32 member,
						 int load, const char *payload);

/*
 * The same of an assignment that has ended; given_back: with its turn, and the
 * caps under which it counts no more.
 */
extern void lr_event_ended(const char *kind, int32 routed_table,
						   const char *lead_key, const LrCurrent *current,
						   int load, bool given_back);

/* Writes what this nest level has waiting. */
extern void lr_journal_flush(void);

/*
 * Transaction callbacks: drops rows of levels >= nest; hands them up, for which
 * lr_journal_prepare_sub makes room while the level can still fail.
 */
extern void lr_journal_abort(int nest);
extern void lr_journal_prepare_sub(int nest);
extern void lr_journal_commit_sub(int nest);

/* Finds the current row; false: there is none. */
extern bool lr_journal_current(int32 routed_table, const char *lead_key,
							   LrCurrent *current);

/*
 * The current row of the lead that decision id was about, under the key that it
 * had then; false: it is gone, or has another key.  mine: the decision is this
 * transaction's, whose row may still wait.
 */
extern bool lr_journal_lead_of(int32 routed_table, const char *lead_key,
							   int64 id, bool mine, LrCurrent *current);

/* The first decision about a lead, under the key it has; PG_INT64_MAX: none. */
extern int64 lr_journal_since(int32 routed_table, const char *lead_key);

/*
 * Whether the lead has a current row, not counting rows that still wait to be
 * written.
 */
extern bool lr_journal_known(int32 routed_table, const char *lead_key);

/*
 * Whether a key got a second current row in this transaction, which ended the
 * first one.
 */
extern bool lr_journal_had_conflict(void);

/* Marks it superseded and ended; removes a pool entry of the lead. */
extern void lr_journal_end(int32 routed_table, const char *lead_key,
						   const LrCurrent *current, TimestampTz at);

/*
 * The member who had a lead that is held since he was parted from it, and who is
 * not to have it back therefore; 0: none.
 */
extern int32 lr_journal_given_up_by(int32 routed_table, const char *lead_key,
									const LrCurrent *current);

/* A lead that is held again waits for what this decision says, in its order. */
extern void lr_journal_held_again(const LrEntry *entry, int64 id);

/* The worker looks at a lead that waits, by decision id, at this time. */
extern void lr_journal_wait_until(int32 routed_table, const char *lead_key,
								  int64 id, TimestampTz until);

/*
 * Sets or clears what has happened to the lead: closed_at and the others of
 * which change says that they differ.  at: the time of what has none.  The same
 * for what it tells of itself; NULL: none of that.
 */
extern void lr_journal_happened(int32 routed_table, const char *lead_key,
								const LrCurrent *current,
								const TimestampTz *when, const bool *change,
								TimestampTz at, const LrTold *told,
								const bool *told_change);

/* The lead has another key from now on; who had that key before has gone. */
extern void lr_journal_rekey(int32 routed_table, const char *old_key,
							 const LrCurrent *current, const char *new_key);

#endif							/* LR_JOURNAL_H */
