/*
 * readable.h
 *	  Whether the writer of an expression may read the columns that it names.
 *
 * Who gets a lead tells something about the columns that an expression reads;
 * so the writer must hold SELECT on these, as for a query over the lead (and
 * the member).  The right is looked at when an expression is saved, and each
 * time a session compiles it.
 *
 * Whoever keeps what was compiled looks whether the rights are the same
 * (lr_read_rights) when the relation was invalidated; GRANT and REVOKE do that.
 * Row-level security plays no part: a router decides every lead.
 */
#ifndef LR_READABLE_H
#define LR_READABLE_H

#include "nodes/primnodes.h"
#include "utils/relcache.h"

/*
 * Raises an error unless writer may SELECT all columns of the lead, and of the
 * member, that a planned expression names; what names it in the message.
 */
extern void lr_require_readable(Expr *tree, Relation lead, Oid writer,
								const char *what);

/* Whether a role may SELECT every column of a relation, by the relation's ACL. */
extern bool lr_reads_all(Oid relid, Oid role);

/* A hash of the rights on a relation as a whole. */
extern uint64 lr_read_rights(Oid relid);

/*
 * Whether expressions that this session has compiled over a relation hang on
 * more than that: on rights on columns, or on those of member_facts.
 */
extern bool lr_reads_by_column(Oid relid);

#endif							/* LR_READABLE_H */
