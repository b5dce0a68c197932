/*
 * refuse.h
 *	  Refusing what would silently not work on leadroute's own tables.
 */
#ifndef LR_REFUSE_H
#define LR_REFUSE_H

/* Installs the hook; only while preloading. */
extern void lr_refuse_init(void);

#endif							/* LR_REFUSE_H */
