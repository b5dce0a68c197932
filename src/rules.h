/*
 * rules.h
 *	  Reading a router's rules: from rows to an image with its index.
 */
#ifndef LR_RULES_H
#define LR_RULES_H

#include "rule_image.h"
#include "table.h"

/*
 * The rules of a router for a table, in an allocation of the current context.
 * The caller sees to it that nothing is committed meanwhile.
 */
extern LrImage *lr_rules_read(LrTable *table, LrRouter *router);

#endif							/* LR_RULES_H */
