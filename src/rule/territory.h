/*
 * territory.h
 *	  Areas: from country, region and postal code to a team.
 */
#ifndef LR_TERRITORY_H
#define LR_TERRITORY_H

#include "config/config.h"

extern void lr_territory_init(void);

/*
 * The router whose areas leadroute.territory() means while expressions of its
 * rules are evaluated; NULL: none is, it means the default router.  Returns
 * what it was before.  It must stay until the next call, which an error does
 * not spare the caller.
 */
extern const LrRouter *lr_territory_router(const LrRouter *router);

/* Whose expressions are evaluated now; NULL: nobody's. */
extern const LrRouter *lr_territory_deciding(void);

#endif							/* LR_TERRITORY_H */
