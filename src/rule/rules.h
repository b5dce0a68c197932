/*
 * rules.h
 *	  Reading a router's rules: from rows to an image with its index.
 *
 * Nothing here looks whether the configuration changes meanwhile: the caller
 * does, and throws the result away then.
 */
#ifndef LR_RULES_H
#define LR_RULES_H

#include "rule/rule_image.h"
#include "lead/table.h"

/* The rules of a router for a table, in an allocation of the current context. */
extern LrImage *lr_rules_read(LrTable *table, LrRouter *router);

/* Two images as one, in an allocation of the current context. */
extern LrImage *lr_rules_merge(const LrImage *base, const uint8 *dead,
							   const LrImage *delta);

/*
 * An image of the n rules with these ids as they are now, and of those of the
 * former delta (NULL: none) that are not among them.  base is what they stand
 * beside.
 */
extern LrImage *lr_rules_read_changed(LrTable *table, LrRouter *router,
									  const LrImage *base,
									  const LrImage *delta,
									  const int32 *ids, int n);

/*
 * Ids of the rules of a router that have changed after a version; -1: too
 * many, or too long ago.
 */
extern int	lr_rules_changed(LrRouter *router, int64 version, int32 **ids);

#endif							/* LR_RULES_H */
