/*
 * leadroute.h
 *	  What every file of the library shares: names and codes.
 *
 * The codes of kinds, methods and reasons are stored in the journal: they may
 * be added to, never changed.
 */
#ifndef LEADROUTE_H
#define LEADROUTE_H

#include "fmgr.h"
#include "utils/timestamp.h"

#define LR_VERSION		"0.1"
#define LR_SCHEMA		"leadroute"

/* journal.kind */
#define LR_KIND_ASSIGNED	'a'
#define LR_KIND_GIVEN		'g'
#define LR_KIND_ADOPTED		'd'
#define LR_KIND_REASSIGNED	'r'
#define LR_KIND_MANUAL		'm'
#define LR_KIND_HELD		'h'
#define LR_KIND_RELEASED	'l'
#define LR_KIND_NONE		'n'
#define LR_KIND_DUPLICATE	'u'
#define LR_KIND_SUPPRESSED	's'
#define LR_KIND_NURTURE		'w'
#define LR_KIND_DISQUALIFIED	'x'
#define LR_KIND_QUARANTINED	'q'
#define LR_KIND_TRIAGE		't'

/* Not qualified: it is stored, judged again when it changes, and nobody gets it. */
static inline bool
lr_kept_back(char kind)
{
	return kind == LR_KIND_NURTURE || kind == LR_KIND_DISQUALIFIED ||
		kind == LR_KIND_QUARANTINED;
}

/* It has an entry in pool_entry while it is open. */
static inline bool
lr_waits(char kind)
{
	return kind == LR_KIND_HELD || kind == LR_KIND_TRIAGE;
}

/* journal.method */
#define LR_METHOD_ROUND_ROBIN	'r'
#define LR_METHOD_LEAST_LOADED	'l'
#define LR_METHOD_LONGEST_IDLE	'i'
#define LR_METHOD_RANDOM		'x'
#define LR_METHOD_BY_TARGET		't'
#define LR_METHOD_TOP_PRODUCER	'p'
#define LR_METHOD_WATERFALL		'w'
#define LR_METHOD_BEST_MATCH	'b'
#define LR_METHOD_MANUAL		'm'

/* rule.overflow */
#define LR_OVERFLOW_NEXT_RULE		'n'
#define LR_OVERFLOW_IGNORE_LIMITS	'i'
#define LR_OVERFLOW_NONE			'0'
#define LR_OVERFLOW_TEAM			't'
#define LR_OVERFLOW_HOLD			'h'

/* Why a member cannot take a lead now; journal.passed_over. */
typedef enum LrPassed
{
	LR_CAN = 0,
	LR_PASSED_INACTIVE = 1,
	LR_PASSED_AWAY = 2,
	LR_PASSED_FULL = 3,
	LR_PASSED_NO_SLOT = 4,
	LR_PASSED_BAD_OWNER = 5,
	LR_PASSED_CLOSED = 6,		/* not its working time, or its team's */
	LR_PASSED_BUSY = 7,			/* on a call */
	LR_PASSED_UNFIT = 8,
	LR_PASSED_CAP = 9,
	LR_PASSED_HELD_FIRST = 10,	/* free again, and leads that are held come first */
	LR_PASSED_FORMER = 11		/* had this lead, and was parted from it */
} LrPassed;

/* One more than the highest of them. */
#define LR_PASSED_CODES		12

/* Why a lead does not fit a member: the figure of LR_PASSED_UNFIT. */
typedef enum LrUnfit
{
	LR_UNFIT_CONDITION = 1,		/* member_condition is not true */
	LR_UNFIT_ERROR = 2,			/* it raised an error */
	LR_UNFIT_TEAM = 3			/* team_member.condition is not true */
} LrUnfit;

/*
 * Whether team.catch_up owes its share to who was passed over so: not there.
 * Who is off duty has missed nothing.
 */
#define lr_is_owed(why)	((why) == LR_PASSED_AWAY || (why) == LR_PASSED_BUSY)

#endif							/* LEADROUTE_H */
