/*
 * transaction.h
 *	  The transaction callbacks of the library.
 */
#ifndef LR_TRANSACTION_H
#define LR_TRANSACTION_H

extern void lr_transaction_init(void);

#endif							/* LR_TRANSACTION_H */
