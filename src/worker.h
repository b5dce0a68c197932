/*
 * worker.h
 *	  Background processes: one launcher, one worker a database.
 */
#ifndef LR_WORKER_H
#define LR_WORKER_H

/* Registers the launcher; only while preloading. */
extern void lr_worker_register(void);

#endif							/* LR_WORKER_H */
