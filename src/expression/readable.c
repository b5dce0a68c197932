/*
 * readable.c
 *	  Whether the writer of an expression may read the columns that it names.
 *	  See readable.h.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "base/generation.h"
#include "expression/expr.h"
#include "expression/readable.h"

/* Lead tables for which lr_reads_by_column; never shrinks. */
static List *by_column = NIL;

typedef struct Reading
{
	Oid			lead;
	Oid			writer;
	const char *what;
	bool		all;			/* of the lead he may read all columns */
} Reading;

bool
lr_reads_by_column(Oid relid)
{
	return list_member_oid(by_column, relid);
}

static void
note_by_column(Oid relid)
{
	MemoryContext old;

	if (list_member_oid(by_column, relid))
		return;
	old = MemoryContextSwitchTo(TopMemoryContext);
	by_column = lappend_oid(by_column, relid);
	MemoryContextSwitchTo(old);
}

bool
lr_reads_all(Oid relid, Oid role)
{
	return pg_class_aclcheck(relid, role, ACL_SELECT) == ACLCHECK_OK;
}

uint64
lr_read_rights(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	uint64		hash = 0;
	bool		isnull;
	Datum		acl;

	if (!HeapTupleIsValid(tuple))
		return 0;
	acl = SysCacheGetAttr(RELOID, tuple, Anum_pg_class_relacl, &isnull);
	if (!isnull)
	{
		Acl		   *rights = DatumGetAclPCopy(acl);

		hash = hash_bytes_extended((const unsigned char *) rights,
								   VARSIZE(rights), 0);
		pfree(rights);
	}
	ReleaseSysCache(tuple);
	return hash;
}

static void
refuse(const Reading *r, Oid relid, AttrNumber attno)
{
	char	   *relation = get_rel_name(relid);
	char	   *role = GetUserNameFromId(r->writer, false);

	if (attno == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("%s reads all columns of \"%s\", which role \"%s\" may not",
						r->what, relation, role),
				 errdetail("Who writes an expression needs the right to read what it names."),
				 errhint("GRANT SELECT ON %s TO %s, or name the columns that are needed.",
						 quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
													relation),
						 quote_identifier(role))));
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("%s reads column \"%s\" of \"%s\", which role \"%s\" may not",
					r->what, get_attname(relid, attno, false), relation, role),
			 errdetail("Who writes an expression needs the right to read what it names."),
			 errhint("GRANT SELECT (%s) ON %s TO %s, or let somebody write it who may read the column.",
					 quote_identifier(get_attname(relid, attno, false)),
					 quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
												relation),
					 quote_identifier(role))));
}

static bool
require_column(Node *node, void *context)
{
	const Reading *r = (const Reading *) context;
	const Var  *var = (const Var *) node;
	Oid			relid;
	bool		may;

	if (node == NULL)
		return false;
	if (!IsA(node, Var))
		return expression_tree_walker(node, require_column, context);
	if (var->varno == LR_LEAD_VARNO && r->all)
		return false;
	/* before the answer: a refusal hangs on them, too */
	note_by_column(r->lead);
	relid = var->varno == LR_LEAD_VARNO ? r->lead : lr_relid("member_facts");
	may = lr_reads_all(relid, r->writer) ||
		(var->varattno == 0 ?
		 pg_attribute_aclcheck_all(relid, r->writer, ACL_SELECT,
								   ACLMASK_ALL) :
		 pg_attribute_aclcheck(relid, var->varattno, r->writer,
							   ACL_SELECT)) == ACLCHECK_OK;
	if (!may)
		refuse(r, relid, var->varattno);
	return false;
}

void
lr_require_readable(Expr *tree, Relation lead, Oid writer, const char *what)
{
	Reading		r = {RelationGetRelid(lead), writer, what, false};

	r.all = lr_reads_all(r.lead, writer);
	(void) require_column((Node *) tree, &r);
}
