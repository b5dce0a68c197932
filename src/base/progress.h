/*
 * progress.h
 *	  Long work that others can watch: leadroute.progress.
 *
 * Kept in shared memory, so that it is seen while the transaction that does the
 * work is open, and costs no row.  An entry is its backend's: it ends with the
 * work, an error or the backend, and none outlives a crash of the server, as no
 * work does.  What there is to go on with is not remembered here but in the
 * tables that the work is about.
 *
 * An entry is written by its backend alone, under the lock of progress.c, which
 * readers take too.  Nothing here allocates or raises but reading.
 */
#ifndef LR_PROGRESS_H
#define LR_PROGRESS_H

#include "postgres_ext.h"

/* Requests shared memory; from _PG_init. */
extern void lr_progress_init(void);

/*
 * The backend begins work called what, on a thing of that name (NULL: none).
 * Without a free entry the work goes unseen.  Work within work: the outer one
 * stays to be seen.
 */
extern void lr_progress_begin(const char *what, const char *subject);

/* state is a word; total -1: not known yet; detail is prose, or NULL. */
extern void lr_progress_set(const char *state, int64 done, int64 total,
							const char *detail);

/* It is done, or has failed. */
extern void lr_progress_end(void);

#endif							/* LR_PROGRESS_H */
