/*
 * claim.h
 *	  Sticky keys of leads that have an owner and are not stored yet.
 *
 * A stored lead's keys stand in leadroute.sticky_lead, where everybody finds
 * them, those of open and prepared transactions too (SnapshotDirty).  Between
 * its decision and that, they stand here, in shared memory, so that of two
 * leads of the same person which are decided at the same time one follows the
 * other.  Nobody waits: who decides second finds the claim of the first.
 *
 * The order that makes this exact
 *	 1. look at claims (lr_claims_look), then at the table;
 *	 2. decide;
 *	 3. claim (lr_claim): refused where somebody else has claimed since 1.;
 *	    and where a claim was dropped since 1.: its lead may be in the table by
 *	    now, so look at both again, and claim then;
 *	 4. the lead is stored: write the keys into the table;
 *	 5. drop the claim (lr_claim_drop).
 * Either of two such leads thus finds the other one's claim or its row.  A claim
 * is made by who has seen every lead that is in the table by then, or not at all:
 * others follow it from that moment on.
 *
 * Each backend has room of its own for LR_CLAIMS keys, so nobody's claims keep
 * another one from claiming.  A backend has as many leads at once between 2.
 * and 5. as INSERTs run within one another; beyond its room, leads are not
 * claimed, and only those could get two owners.
 */
#ifndef LR_CLAIM_H
#define LR_CLAIM_H

#include "config/config.h"

/* Bytes of a key, see sticky_key.h. */
#define LR_KEY_BYTES	16

/* Keys of one lead at most. */
#define LR_MAX_STICKY_KEYS	8

/* Room of a backend. */
#define LR_CLAIMS		64

/* What a lead is known by. */
typedef struct LrLeadKeys
{
	int			n;
	uint8		key[LR_MAX_STICKY_KEYS][LR_KEY_BYTES];
	const char *value[LR_MAX_STICKY_KEYS];	/* what it is a hash of */
	int			said_by[LR_MAX_STICKY_KEYS];	/* index of the expression */
} LrLeadKeys;

/* The latest claim of each key. */
typedef struct LrClaimsSeen
{
	int64		id[LR_MAX_STICKY_KEYS];	/* of the decision; 0: none */
	int32		member[LR_MAX_STICKY_KEYS];
	uint64		dropped[LR_MAX_STICKY_KEYS];
} LrClaimsSeen;

typedef enum LrClaimed
{
	LR_CLAIM_REFUSED,			/* somebody else has claimed, for another member */
	LR_CLAIM_LOOK_AGAIN,		/* not claimed: the table may say more by now */
	LR_CLAIM_MADE
} LrClaimed;

extern Size lr_claims_memory(void);
extern void lr_claims_carve(char **at);
extern void lr_claims_init(LWLock *lock);

/* Claims of the router's keys, but those of decision `own`. */
extern void lr_claims_look(LrDatabase *db, int32 router,
						   const LrLeadKeys *keys, int64 own,
						   LrClaimsSeen *seen);

/*
 * Claims keys for a decision, or says why not; seen: what the decision knew of, NULL: the owner
 * does not depend on it.
 */
extern LrClaimed lr_claim(LrDatabase *db, int32 router, const LrLeadKeys *keys,
						  int64 id, int32 member, const LrClaimsSeen *seen);

/* Drops the claims of a decision. */
extern void lr_claim_drop(int64 id);

/* Transaction callback: drops those of levels >= nest. */
extern void lr_claims_abort(int nest);

#endif							/* LR_CLAIM_H */
