/*
 * router_name.h
 *	  Which router a name means, and which is meant where none is written.
 */
#ifndef LR_ROUTER_NAME_H
#define LR_ROUTER_NAME_H

/* Which router has the name now: names may be exchanged.  0: none. */
extern int32 lr_router_id(const char *name);

/*
 * The router meant where none is written: the setting's, or the only one.  If
 * that is unclear the first raises an error, the second returns NULL.
 */
extern char *lr_default_router_name(void);
extern char *lr_meant_router_name(void);

#endif							/* LR_ROUTER_NAME_H */
