/*
 * trust.h
 *	  What a stored expression may reach with the rights of its writer.
 *
 * The lead table's owner chooses the types of its columns, and with them the
 * operators and casts that the writer's words find, also long after they were
 * written.  So an operator, a cast or a constraint of a domain must belong to
 * somebody who has all rights of the writer anyway, a superuser for example;
 * a function of anybody's may be called by its name.
 *
 * What the server calls by itself to compare values, or to read and show them,
 * is made by superusers only; but to read an array, a row or a range is to
 * check the domains in it.
 */
#ifndef LR_TRUST_H
#define LR_TRUST_H

#include "parser/parse_node.h"
#include "utils/relcache.h"

typedef struct LrTrust
{
	Oid			writer;			/* whose rights the expression gets */
	const char *what;			/* the expression, for messages */
	bool		members;		/* member.… is the member's */
} LrTrust;

/*
 * Before analysis, which reads the constants in it: refuses columns of rel
 * and types in a raw tree in whose values are domains of strangers.
 */
extern void lr_trust_words(ParseState *pstate, Node *raw, Relation rel,
						   const LrTrust *trust);

/* Refuses operators, casts and domains of strangers in an analysed tree. */
extern void lr_trust_tree(Node *tree, const LrTrust *trust);

#endif							/* LR_TRUST_H */
