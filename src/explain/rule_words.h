/*
 * rule_words.h
 *	  Where a rule stands in the rule index, in words.
 */
#ifndef LR_RULE_WORDS_H
#define LR_RULE_WORDS_H

#include "rule/rule_index.h"

/*
 * The places that a rule is filed under: "country = 'AT', 'DE'".  NULL: none,
 * it is tried always, or never.  Looks at the whole image.
 */
extern char *lr_rule_words(const LrRuleIndex *index, const LrRuleRef *ref,
						   TupleDesc desc);

#endif							/* LR_RULE_WORDS_H */
