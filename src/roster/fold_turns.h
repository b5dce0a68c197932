/*
 * fold_turns.h
 *	  Turns of the journal, made into credits.
 */
#ifndef LR_FOLD_TURNS_H
#define LR_FOLD_TURNS_H

#include "roster/fold.h"

/* The weights of one composition, and who of its members were candidates. */
typedef struct LrShares
{
	int			n;
	Datum	   *weight;
	bytea	   *candidates;		/* NULL: all */
	bytea	   *accruing;		/* who has a share beside them; NULL: nobody */
} LrShares;

/* What the shares of a turn depend on. */
typedef struct LrTurnKey
{
	int32		router;
	int32		team;
	int64		version;		/* team_version.id */
	int64		set;			/* candidate_set.id; 0: as the bitmaps say */
	bytea	   *candidates;
	bytea	   *accruing;
} LrTurnKey;

/*
 * Turns of one key, not yet in the credits.  However many members they went to,
 * their shares are worked out once; and their composition is read once for all
 * keys behind each other that have the same one.
 */
typedef struct LrTurns
{
	LrState    *state;
	bool		of_others;		/* rows of open transactions are read, too */
	MemoryContext composition_context;	/* of the following */
	int64		version;		/* team_version.id; 0: none was read yet */
	int32		router;
	int32		team;
	int			n;				/* 0: it is not there */
	Datum	   *member;
	Datum	   *weight;
	LrSeatState **seat;			/* of each; NULL: not looked up yet */
	MemoryContext context;		/* of the following */
	bool		any;			/* there is a key */
	LrTurnKey	key;
	LrShares	shares;			/* n 0: what the key refers to is not there */
	int64	   *share;			/* of each in one lead */
	int64		sum;			/* of these */
	int64		count;			/* leads */
} LrTurns;

extern void lr_turns_begin(LrTurns *turns, LrState *state, bool of_others);

/* Adds count leads that went to a member; best in the order of their keys. */
extern void lr_turns_add(LrTurns *turns, const LrTurnKey *key, int32 chosen,
						 int64 count);

extern void lr_turns_end(LrTurns *turns);

/* Whether the i-th member of a composition had a share. */
extern bool lr_has_share(const LrShares *shares, int i);

#endif							/* LR_FOLD_TURNS_H */
