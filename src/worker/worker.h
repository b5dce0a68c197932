/*
 * worker.h
 *	  Background processes: one launcher, and a worker in a database while it
 *	  has something to do there.
 */
#ifndef LR_WORKER_H
#define LR_WORKER_H

/* Registers the launcher; only while preloading. */
extern void lr_worker_register(void);

/* This transaction has created a database, which a worker has to look at. */
extern void lr_worker_database_made(void);

/* What both do first, and when they wake up. */
extern void lr_worker_signals(void);
extern bool lr_worker_reload(void);

#endif							/* LR_WORKER_H */
