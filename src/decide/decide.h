/*
 * decide.h
 *	  The one decision core: trigger, route and explain are thin callers.
 *
 * Takes the clock as an argument; the seed of random methods is made from the
 * lead's key, so that explain, replay and the insert agree.
 */
#ifndef LR_DECIDE_H
#define LR_DECIDE_H

#include "executor/tuptable.h"
#include "portability/instr_time.h"

#include "lead/binding.h"
#include "cap/cap.h"
#include "decide/fitting.h"
#include "journal/journal.h"
#include "decide/method.h"

/* What a decision spends its time on, for explain. */
typedef enum LrLap
{
	LR_LAP_FIND,				/* finding rules */
	LR_LAP_EVALUATE,			/* what is left of their conditions, targets */
	LR_LAP_PICK,				/* choosing a member */
	LR_LAP_NONE
} LrLap;

typedef struct LrLaps
{
	instr_time	last;
	double		seconds[LR_LAP_NONE];
} LrLaps;

typedef struct LrDecideRequest
{
	LrTable    *table;
	LrBinding  *binding;
	TupleTableSlot *row;		/* in the root's layout */
	const char *key;
	int			load;
	TimestampTz now;
	bool		dry_run;		/* change nothing; LrDecision.trials */
	bool		no_key;			/* the lead has none yet: falls into no percent */
	bool		stored;			/* the lead is in its table already */
	LrLaps	   *laps;			/* NULL: not asked for */
	char	   *detail;			/* what the journal's detail begins with; NULL: nothing */
	int32		without;		/* member.id of who is not to have it; 0: nobody */
	int64		held_id;		/* of the decision to hold the lead; 0: it is new */
	char		former_kind;	/* of its current row; '\0': it is new */
	bool		status_set;		/* the UPDATE sets the status column itself */
	bool		released;		/* its quarantine was ended by hand: there is none */
	bool		qualified;		/* it has been given to sales: scored, no more */
	const struct LrVerdict *verdict;	/* for lr_decide to fill in; see qualify.h */
} LrDecideRequest;

/* What became of one rule, for explain. */
typedef enum LrTried
{
	LR_TRIED_NO_MATCH,
	LR_TRIED_NOT_IN_FORCE,		/* outside of valid */
	LR_TRIED_NOT_DRAWN,			/* matches, but not in its percent */
	LR_TRIED_NO_TARGET,			/* matches, names nobody: error says why */
	LR_TRIED_ERROR,				/* error: its message */
	LR_TRIED_NO_MEMBER,			/* its team has nobody */
	LR_TRIED_NOBODY,			/* members fit, none can take it now */
	LR_TRIED_TRIAGE,			/* matches, and somebody decides */
	LR_TRIED_CHOSEN
} LrTried;

typedef struct LrTrial
{
	LrRule	   *rule;
	LrTried		tried;
	char	   *error;
	const LrExpr *said_by;		/* whose value or error is in it; NULL: none */
	LrPick	   *pick;			/* NULL: no match */
	struct LrTrial *beyond;		/* what became of it at overflow_team; NULL: not offered */
} LrTrial;

typedef struct LrDecision
{
	LrMember   *member;			/* NULL: no owner */
	LrEntry		entry;			/* what the journal will say */
	LrReservation reservation;
	struct LrSticky *sticky;	/* see sticky.h; NULL: its router has no keys */
	const struct LrVerdict *verdict;	/* see qualify.h; NULL: not judged */
	int			told;			/* rules that the detail tells about */
	int			untold;			/* and those that it only counts */
	bool		in_line;		/* others stand before it, see held.h */
	LrLeadCaps *caps;			/* that concern the lead; NULL: none */
	bool		caps_judged;
	List	   *trials;			/* of LrTrial, dry runs only */
} LrDecision;

/*
 * Decides a lead and, unless dry_run, reserves turn and load.  Results live
 * in the current memory context.
 */
extern void lr_decide(const LrDecideRequest *request, LrDecision *decision);

/* An empty decision about the lead: what its journal row says in any case. */
extern void lr_decision_begin(const LrDecideRequest *request,
							  LrDecision *decision);

/*
 * Chooses from a rule's team for this lead, and reserves.  fitting: whom the lead
 * fits; NULL: everybody.  in_line: nobody who is kept for leads that are held,
 * see held.h.
 */
extern void lr_pick_from(const LrDecideRequest *request, LrRule *rule,
						 const LrFitting *fitting, bool ignore_limits,
						 bool in_line, const LrLeadCaps *caps,
						 LrPick *pick);

/* Which caps concern the lead, into decision->caps; once. */
extern void lr_decision_caps(const LrDecideRequest *request,
							 LrDecision *decision);

#endif							/* LR_DECIDE_H */
