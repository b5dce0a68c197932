/*
 * qualify.h
 *	  Qualification: what all criteria together say of a lead, the step of a
 *	  decision before anybody is looked for.
 *
 * In this order:
 *	  quarantined	a quarantine criterion is true
 *	  disqualified	a require criterion is not true, or a disqualify one is
 *	  qualified		the router has no qualify_at, or the score reaches it
 *	  nurture		the score reaches nurture_at
 *	  disqualified	it does not
 * Only what is qualified goes on to suppression, sticky keys and rules; the
 * others are stored without owner and are no leads that wait: the worker leaves
 * them alone.
 */
#ifndef LR_QUALIFY_H
#define LR_QUALIFY_H

#include "config/criterion.h"
#include "decide/decide.h"
#include "lead/mapped.h"

typedef struct LrVerdict
{
	char		kind;			/* LR_KIND_…; '\0': qualified */
	const char *reason;			/* code; NULL: qualified */
	char	   *words;			/* which criteria, or what is missing */
	bool		has_score;
	double		score;
	bool		released;		/* quarantine criteria have no say */
	LrMapped	mapped;			/* what the lead's own columns receive */
	TupleTableSlot *row;		/* the lead with them; NULL: as it was */
	int			n;
	const LrFinding *finding;
} LrVerdict;

/*
 * Judges the lead of a request, whose router does judge: the verdict, and what
 * the rest of the decision is to know of the lead.  In this context.
 */
extern void lr_qualify(LrDecideRequest *request);

/* The word that the lead's status has. */
extern const char *lr_verdict_word(const LrVerdict *verdict);

/* The score of a lead; NULL: it has none, or was not judged. */
extern const double *lr_verdict_score(const LrVerdict *verdict);

/* A score as people read it. */
extern char *lr_score_words(double score);

/* Writes it into a decision that has just begun. */
extern void lr_verdict_note(const LrVerdict *verdict, LrDecision *decision);

/* Whether the journal says already what was decided of a lead without owner. */
extern bool lr_says_so(const LrCurrent *current, const LrEntry *entry);

#endif							/* LR_QUALIFY_H */
