/*
 * passed.h
 *	  Why a member was passed over: the code in the journal, its word, its
 *	  sentence.  All that names such a reason asks here: explain, and by
 *	  functions the views.
 *
 * An entry of journal.passed_over is LR_PASSED_NUMBERS numbers:
 *	  member.id; 0: so many others for this reason, who are not named
 *	  code + 256 * cap.id
 *	  until when, microseconds since 2000; 0: not known, DT_NOEND: never; of
 *	  others how many
 *	  a * 2^32 + b, see LrPassedOver
 */
#ifndef LR_PASSED_H
#define LR_PASSED_H

#include "leadroute.h"

#define LR_PASSED_NUMBERS	4

struct LrMember;

/* A member that was due before the chosen one, or could not take the lead. */
typedef struct LrPassedOver
{
	struct LrMember *member;
	LrPassed	why;
	int32		cap;			/* cap: cap.id; else 0 */
	TimestampTz until;			/* away, closed, cap: when that ends; DT_NOEND:
								 * nobody knows; else 0 */
	int64		a;				/* full: load; cap: counted; unfit: LrUnfit */
	int64		b;				/* full: capacity; cap: most */
} LrPassedOver;

/* Its numbers; count > 0: of others, whom p->member does not name. */
extern void lr_passed_numbers(const LrPassedOver *p, int count, int64 *numbers);

/* Word for a code, as assignment.passed_over has it; NULL: LR_CAN, or unknown. */
extern const char *lr_passed_word(int why);

/* What several members are: "away", "at their capacity". */
extern const char *lr_passed_they(int why);

/*
 * The sentence.  cap: name of the cap; NULL: not known.  zone: the member's;
 * NULL: the session's.  at: when it was decided; the next six days have
 * names.
 */
extern char *lr_passed_sentence(const LrPassedOver *p, const char *cap,
								const char *zone, TimestampTz at);

#endif							/* LR_PASSED_H */
