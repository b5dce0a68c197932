/*
 * classes.h
 *	  The members of a team by their terms of one expression (terms.h): those
 *	  with the same terms are a class, for which it has one value.
 */
#ifndef LR_CLASSES_H
#define LR_CLASSES_H

#include "expression/evaluate.h"
#include "decide/fit_cache.h"
#include "expression/terms.h"

typedef struct LrClasses
{
	int			n;				/* of the team */
	int			nclasses;
	int		   *of;				/* class of each member, by index */
	int		   *first;			/* the first member of each class */
	Datum	  **value;			/* of the terms, by class */
	bool	  **isnull;
} LrClasses;

/*
 * The classes of a team for the terms of an expression of `of`; as long as the
 * cache says.  measured: as for lr_fit_key.  What the lead's terms were is lost.
 */
extern LrClasses *lr_classes(LrFitCache *cache, LrEvaluation *ev,
							 LrTerms *terms, const void *of, LrRouter *router,
							 LrTeam *team, uint64 measured);

/* Makes a class the member of the expression's rest. */
extern TupleTableSlot *lr_class_row(LrClasses *classes, LrTerms *terms, int c);

#endif							/* LR_CLASSES_H */
