/*
 * acting.h
 *	  Which role the journal names as the one that acts.
 */
#ifndef LR_ACTING_H
#define LR_ACTING_H

extern void lr_acting_init(void);

/*
 * Role recorded as the one that acts, while functions work with the rights of
 * the lead table's owner; outside of such a pair it is the current user.
 * Pairs nest; one that is left by an error ends with its (sub)transaction.
 */
extern void lr_act_as(Oid role);
extern void lr_act_end(void);

/* The role's name; valid until the next call. */
extern const char *lr_acting_role(void);

/* Transaction callback: forgets pairs of levels >= nest. */
extern void lr_acting_abort(int nest);

#endif							/* LR_ACTING_H */
