/*
 * incarnation.h
 *	  Which CREATE EXTENSION made the extension of this database: 8 random bytes
 *	  that no dump holds, so that a copy of a database, and what comes after DROP
 *	  EXTENSION, shares nothing with what was.
 */
#ifndef LR_INCARNATION_H
#define LR_INCARNATION_H

extern int64 lr_incarnation(void);

#endif							/* LR_INCARNATION_H */
