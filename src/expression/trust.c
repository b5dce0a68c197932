/*
 * trust.c
 *	  What a stored expression may reach with the rights of its writer.  See
 *	  trust.h.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "parser/parse_coerce.h"
#include "parser/parse_type.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "expression/trust.h"

/* Raises unless owner has all rights of the writer. */
static void
require_trust(Oid owner, const char *kind, const char *name,
			  const LrTrust *trust)
{
	if (has_privs_of_role(owner, trust->writer))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("%s uses %s %s, which belongs to role \"%s\"", trust->what,
					kind, name, GetUserNameFromId(owner, false)),
			 errdetail("It would run with the rights of role \"%s\", which wrote the expression.",
					   GetUserNameFromId(trust->writer, false)),
			 errhint("Call a function by its name, or write the expression as a role whose rights \"%s\" has.",
					 GetUserNameFromId(owner, false))));
}

static void
trust_function(Oid func, const char *kind, const LrTrust *trust)
{
	HeapTuple	tuple;
	Oid			owner;

	if (get_func_namespace(func) == PG_CATALOG_NAMESPACE)
		return;
	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(func));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", func);
	owner = ((Form_pg_proc) GETSTRUCT(tuple))->proowner;
	ReleaseSysCache(tuple);
	require_trust(owner, kind, format_procedure(func), trust);
}

/* ---------- types ---------- */

/* A domain may be over another one; its constraints call what they like. */
static void
trust_domain(Oid type, const LrTrust *trust)
{
	while (get_typtype(type) == TYPTYPE_DOMAIN && DomainHasConstraints(type))
	{
		HeapTuple	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
		Form_pg_type form;
		Oid			owner;
		Oid			base;

		if (!HeapTupleIsValid(tuple))
			elog(ERROR, "cache lookup failed for type %u", type);
		form = (Form_pg_type) GETSTRUCT(tuple);
		owner = form->typowner;
		base = form->typbasetype;
		ReleaseSysCache(tuple);
		require_trust(owner, "the domain", format_type_be(type), trust);
		type = base;
	}
}

static void trust_parts(Oid type, const LrTrust *trust);

static void
trust_part(Oid type, const LrTrust *trust)
{
	trust_domain(type, trust);
	trust_parts(type, trust);
}

/*
 * The domains inside of a type's values, which reading one checks, and the
 * cast that to_json and its like call.  A domain itself is no matter: the
 * server reads its base type, and that it checks the constraints shows in the
 * analysed tree.
 */
static void
trust_parts(Oid type, const LrTrust *trust)
{
	TupleDesc	desc;
	Oid			cast;
	int			i;

	check_stack_depth();
	type = getBaseType(type);
	if (type < FirstNormalObjectId && !OidIsValid(get_element_type(type)))
		return;
	if (find_coercion_pathway(JSONOID, type, COERCION_EXPLICIT,
							  &cast) == COERCION_PATH_FUNC)
		trust_function(cast, "the cast function", trust);
	if (OidIsValid(get_element_type(type)))
		trust_part(get_element_type(type), trust);
	switch (get_typtype(type))
	{
		case TYPTYPE_COMPOSITE:
			desc = lookup_rowtype_tupdesc_copy(type, -1);
			for (i = 0; i < desc->natts; i++)
				if (!TupleDescAttr(desc, i)->attisdropped)
					trust_part(TupleDescAttr(desc, i)->atttypid, trust);
			break;
		case TYPTYPE_RANGE:
			trust_part(get_range_subtype(type), trust);
			break;
		case TYPTYPE_MULTIRANGE:
			trust_parts(get_multirange_range(type), trust);
			break;
		default:
			break;
	}
}

/* ---------- words ---------- */

typedef struct Words
{
	ParseState *pstate;
	Relation	rel;
	const LrTrust *trust;
} Words;

/*
 * The column that is named; any other name may mean the whole row, or a
 * function of it.
 */
static void
trust_column(ColumnRef *ref, const Words *words)
{
	TupleDesc	desc = RelationGetDescr(words->rel);
	Node	   *first = (Node *) linitial(ref->fields);
	Node	   *last = (Node *) llast(ref->fields);
	int			attno = IsA(last, String) ?
		SPI_fnumber(desc, strVal(last)) : InvalidAttrNumber;
	int			i;

	/* the types of the member's columns are leadroute's */
	if (words->trust->members && list_length(ref->fields) == 2 &&
		strcmp(strVal(first), "member") == 0)
		return;
	for (i = 0; i < desc->natts; i++)
		if ((attno <= 0 || attno == i + 1) &&
			!TupleDescAttr(desc, i)->attisdropped)
			trust_parts(TupleDescAttr(desc, i)->atttypid, words->trust);
}

static bool
trust_word(Node *node, void *context)
{
	const Words *words = (const Words *) context;
	Type		type;

	if (node == NULL)
		return false;
	if (IsA(node, ColumnRef))
		trust_column((ColumnRef *) node, words);
	else if (IsA(node, TypeCast))
	{
		type = LookupTypeName(words->pstate, ((TypeCast *) node)->typeName,
							  NULL, true);
		if (type != NULL)
		{
			Oid			oid = typeTypeId(type);
			bool		is_defined = ((Form_pg_type) GETSTRUCT(type))->typisdefined;

			ReleaseSysCache(type);
			if (is_defined)
				trust_parts(oid, words->trust);
		}
	}
	return raw_expression_tree_walker(node, trust_word, context);
}

void
lr_trust_words(ParseState *pstate, Node *raw, Relation rel,
			   const LrTrust *trust)
{
	Words		words = {pstate, rel, trust};

	(void) trust_word(raw, &words);
}

/* ---------- the analysed tree ---------- */

static bool
trust_node(Node *node, void *context)
{
	const LrTrust *trust = (const LrTrust *) context;

	if (node == NULL)
		return false;
	switch (nodeTag(node))
	{
		case T_OpExpr:
		case T_DistinctExpr:
		case T_NullIfExpr:
			set_opfuncid((OpExpr *) node);
			trust_function(((OpExpr *) node)->opfuncid,
						   "the operator function", trust);
			break;
		case T_ScalarArrayOpExpr:
			set_sa_opfuncid((ScalarArrayOpExpr *) node);
			trust_function(((ScalarArrayOpExpr *) node)->opfuncid,
						   "the operator function", trust);
			break;
		case T_FuncExpr:
			if (((FuncExpr *) node)->funcformat == COERCE_EXPLICIT_CAST ||
				((FuncExpr *) node)->funcformat == COERCE_IMPLICIT_CAST)
				trust_function(((FuncExpr *) node)->funcid,
							   "the cast function", trust);
			break;
		case T_CoerceToDomain:
			trust_domain(((CoerceToDomain *) node)->resulttype, trust);
			break;
		case T_CoerceViaIO:
			trust_parts(((CoerceViaIO *) node)->resulttype, trust);
			break;
		default:
			break;
	}
	return expression_tree_walker(node, trust_node, context);
}

void
lr_trust_tree(Node *tree, const LrTrust *trust)
{
	(void) trust_node(tree, unconstify(LrTrust *, trust));
}
