/*
 * pin.h
 *	  What is pinned of the session's caches until a statement is done with it.
 *
 * Whoever pins gives back when he has done; an error in between ends his
 * (sub)transaction, which gives back for him.  Without that a cache would keep
 * what has changed since for as long as the session.
 */
#ifndef LR_PIN_H
#define LR_PIN_H

typedef void (*LrUnpinFn) (void *object);

/*
 * Notes a pin that is taken next; may raise.  unpin is a callback's: it frees
 * at most.
 */
extern void lr_pin_add(void *object, LrUnpinFn unpin);

/* One of an object is given back, or kept beyond the transaction. */
extern void lr_pin_remove(void *object);

/* Transaction callbacks: gives back those of levels >= nest; hands them up. */
extern void lr_pins_abort(int nest);
extern void lr_pins_commit_sub(int nest);

#endif							/* LR_PIN_H */
