/*
 * expr.c
 *	  Stored SQL expressions: parsed and analysed by PostgreSQL as the WHERE
 *	  clause of a query on the lead table would be, evaluated by its executor.
 *
 * Rights: an expression is analysed and evaluated as the role that wrote it,
 * under SECURITY_RESTRICTED_OPERATION and the search_path of its writer; who
 * inserts the lead, who owns the extension and the worker play no part.  The
 * switch of user is left out for expressions whose value cannot depend on it,
 * that of search_path for those that call nothing but immutable functions of
 * pg_catalog and stable ones that read no setting.
 * What others could run with these rights is refused, see trust.h; so is what
 * the writer may not read himself, see readable.h.
 * Constants are read under fixed settings, see settings.h.
 *
 * Errors: "cannot raise" is decided by a list of our own beside leakproof
 * functions, since not leakproof does not mean unsafe.  Everything else must
 * be evaluated by the caller inside a subtransaction.
 *
 * Generated columns are computed only after BEFORE triggers; so what generates
 * them is an expression of its own here, with the rights of the table's owner
 * (whose code it is), evaluated before those that use the column.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "parser/parse_collate.h"
#include "parser/parse_expr.h"
#include "parser/parse_relation.h"
#include "parser/parser.h"
#include "rewrite/rewriteHandler.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/rel.h"

#include "base/generation.h"
#include "base/owner_rights.h"
#include "base/settings.h"
#include "expression/expr.h"
#include "expression/readable.h"
#include "expression/trust.h"

/* For the error context callback: which expression, which text. */
typedef struct ExprContextArg
{
	const char *what;
	const char *text;
} ExprContextArg;

/* What a walk over a tree found out. */
typedef struct ExprTraits
{
	bool		needs_path;		/* may read search_path, or change a setting */
	bool		user_matters;
	bool		can_raise;
	int			strangers;		/* calls of what is not in pg_catalog */
	Oid			volatile_func;
} ExprTraits;

/*
 * Built-in functions that are not marked leakproof, yet raise no error for
 * any value of their argument types.
 */
static const Oid cannot_raise[] = {
	F_NUMERIC_EQ, F_NUMERIC_NE, F_NUMERIC_LT, F_NUMERIC_LE, F_NUMERIC_GT,
	F_NUMERIC_GE, F_NUMERIC_CMP,
	F_ENUM_EQ, F_ENUM_NE, F_ENUM_LT, F_ENUM_LE, F_ENUM_GT, F_ENUM_GE,
	F_TEXTLIKE, F_TEXTNLIKE, F_BPCHARLIKE, F_BPCHARNLIKE,
	F_TEXTICLIKE, F_TEXTICNLIKE,
	F_LOWER_TEXT, F_UPPER_TEXT, F_LENGTH_TEXT, F_BTRIM_TEXT, F_LTRIM_TEXT,
	F_RTRIM_TEXT, F_STARTS_WITH,
	F_TEXT_LT, F_TEXT_LE, F_TEXT_GT, F_TEXT_GE,
	F_NOW, F_STATEMENT_TIMESTAMP,
	F_INT4_INT2, F_INT8_INT4, F_INT8_INT2,
	F_NUMERIC_INT4, F_NUMERIC_INT8, F_NUMERIC_INT2,
	F_FLOAT8_INT4, F_FLOAT8_INT2, F_FLOAT8_INT8, F_FLOAT8_FLOAT4,
	F_TEXT_BPCHAR, F_TEXT_NAME,
	F_JSONB_OBJECT_FIELD, F_JSONB_OBJECT_FIELD_TEXT, F_JSONB_EXISTS,
	F_JSONB_CONTAINS, F_JSONB_EQ,
};

/*
 * LIKE raises for a pattern that ends in its escape character, which only a
 * constant pattern can rule out.
 */
static bool
is_like(Oid func)
{
	return func == F_TEXTLIKE || func == F_TEXTNLIKE ||
		func == F_BPCHARLIKE || func == F_BPCHARNLIKE ||
		func == F_TEXTICLIKE || func == F_TEXTICNLIKE;
}

static bool
like_pattern_is_sound(List *args)
{
	Node	   *pattern = (Node *) lsecond(args);
	char	   *str;
	int			backslashes = 0;
	int			i;

	if (!IsA(pattern, Const) || exprType(pattern) != TEXTOID)
		return false;
	if (((Const *) pattern)->constisnull)
		return true;
	str = TextDatumGetCString(((Const *) pattern)->constvalue);
	for (i = strlen(str) - 1; i >= 0 && str[i] == '\\'; i--)
		backslashes++;
	return backslashes % 2 == 0;
}

static bool
is_known(Oid func)
{
	int			i;

	for (i = 0; i < (int) lengthof(cannot_raise); i++)
		if (cannot_raise[i] == func)
			return true;
	return false;
}

/*
 * A call of func with args under collation raises no error, whatever the
 * values.  Text functions raise when the collation could not be determined,
 * LIKE and starts_with when it is nondeterministic.
 */
bool
lr_call_cannot_raise(Oid func, List *args, Oid collation)
{
	ListCell   *lc;

	if (!OidIsValid(collation))
	{
		foreach(lc, args)
			if (type_is_collatable(exprType((Node *) lfirst(lc))))
				return false;
	}
	/* leakproof, yet it raises */
	if (func == F_STARTS_WITH && OidIsValid(collation) &&
		!get_collation_isdeterministic(collation))
		return false;
	if (get_func_leakproof(func))
		return true;
	if (is_like(func) &&
		(!like_pattern_is_sound(args) ||
		 !get_collation_isdeterministic(collation)))
		return false;
	return is_known(func);
}

static bool
note_function(Oid func, void *context)
{
	ExprTraits *traits = (ExprTraits *) context;

	lr_watch_function(func);
	if (get_func_namespace(func) != PG_CATALOG_NAMESPACE)
	{
		traits->needs_path = traits->user_matters = true;
		traits->strangers++;
	}
	/* table_to_xml and others read relations, which may be views */
	else if (func_volatile(func) == PROVOLATILE_STABLE && !is_known(func))
		traits->needs_path = true;
	if (func_volatile(func) == PROVOLATILE_VOLATILE)
		traits->volatile_func = func;
	return false;
}

/* Collects the traits of a tree. */
static bool
note_traits(Node *node, void *context)
{
	ExprTraits *traits = (ExprTraits *) context;

	if (node == NULL)
		return false;
	check_functions_in_node(node, note_function, context);
	switch (nodeTag(node))
	{
		case T_Var:
		case T_Const:
		case T_BoolExpr:
		case T_NullTest:
		case T_BooleanTest:
		case T_RelabelType:
		case T_CaseExpr:
		case T_CaseWhen:
		case T_CaseTestExpr:
		case T_CoalesceExpr:
		case T_List:
			break;
		case T_SQLValueFunction:
			traits->user_matters = true;
			break;
		case T_OpExpr:
		case T_DistinctExpr:
		case T_NullIfExpr:
			set_opfuncid((OpExpr *) node);
			if (!lr_call_cannot_raise(((OpExpr *) node)->opfuncid,
								   ((OpExpr *) node)->args,
								   ((OpExpr *) node)->inputcollid))
				traits->can_raise = true;
			break;
		case T_FuncExpr:
			if (!lr_call_cannot_raise(((FuncExpr *) node)->funcid,
								   ((FuncExpr *) node)->args,
								   ((FuncExpr *) node)->inputcollid))
				traits->can_raise = true;
			break;
		case T_ScalarArrayOpExpr:
			set_sa_opfuncid((ScalarArrayOpExpr *) node);
			if (is_like(((ScalarArrayOpExpr *) node)->opfuncid) ||
				!lr_call_cannot_raise(((ScalarArrayOpExpr *) node)->opfuncid,
								   ((ScalarArrayOpExpr *) node)->args,
								   ((ScalarArrayOpExpr *) node)->inputcollid))
				traits->can_raise = true;
			break;
		default:
			traits->can_raise = true;
			break;
	}
	return expression_tree_walker(node, note_traits, context);
}

/* Finds a sub-select in a raw parse tree. */
static bool
find_sublink(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, SubLink))
	{
		*(SubLink **) context = (SubLink *) node;
		return true;
	}
	return raw_expression_tree_walker(node, find_sublink, context);
}

/*
 * Adds which expression is meant, and turns a position in its text into an
 * internal one: the client's own statement is another text.
 */
static void
expr_error_context(void *arg)
{
	ExprContextArg *e = (ExprContextArg *) arg;
	int			pos = geterrposition();

	if (pos > 0)
	{
		errposition(0);
		internalerrposition(pos);
		internalerrquery(e->text);
	}
	errcontext("%s", e->what);
}

/* The one raw expression that text consists of. */
static Node *
parse_single(ParseState *pstate, const char *text, const char *what)
{
	List	   *raw = raw_parser(text, RAW_PARSE_PLPGSQL_EXPR);
	SelectStmt *stmt = (SelectStmt *) linitial_node(RawStmt, raw)->stmt;
	ResTarget  *target;
	SubLink    *sublink = NULL;

	if (!IsA(stmt, SelectStmt) || stmt->op != SETOP_NONE ||
		list_length(stmt->targetList) != 1 ||
		stmt->distinctClause || stmt->fromClause || stmt->whereClause ||
		stmt->groupClause || stmt->havingClause || stmt->windowClause ||
		stmt->sortClause || stmt->limitOffset || stmt->limitCount ||
		stmt->lockingClause || stmt->valuesLists || stmt->withClause)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("%s is not a single expression", what),
				 errhint("Write an expression over the lead's columns, for example: country = 'DE' AND budget > 1000")));
	target = linitial_node(ResTarget, stmt->targetList);
	if (target->name != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("%s is not a single expression", what),
				 errhint("Leave out the name \"%s\" after the expression.",
						 target->name)));
	if (find_sublink(target->val, &sublink))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("%s contains a sub-select", what),
				 errhint("Write a stable function that contains the sub-select, and call it with the columns it needs."),
				 parser_errposition(pstate, sublink->location)));
	return target->val;
}

/* Refuses what no stored expression may contain. */
static bool
refuse_columns(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Var) && ((Var *) node)->varattno < 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("%s uses a system column", (const char *) context),
				 errdetail("A lead has none before it is stored."),
				 parser_errposition(NULL, ((Var *) node)->location)));
	return expression_tree_walker(node, refuse_columns, context);
}

/* The generated columns of a relation that an expression uses. */
typedef struct GeneratedColumns
{
	TupleDesc	desc;
	Bitmapset  *used;
} GeneratedColumns;

static bool
note_generated(Node *node, void *context)
{
	GeneratedColumns *columns = (GeneratedColumns *) context;
	int			i;

	if (node == NULL)
		return false;
	if (IsA(node, Var) && ((Var *) node)->varno == LR_LEAD_VARNO)
	{
		AttrNumber	attno = ((Var *) node)->varattno;

		/* a whole row uses them all */
		for (i = 0; i < columns->desc->natts; i++)
			if ((attno == 0 || attno == i + 1) &&
				TupleDescAttr(columns->desc, i)->attgenerated)
				columns->used = bms_add_member(columns->used, i + 1);
	}
	return expression_tree_walker(node, note_generated, context);
}

/* Whether a value of a type can be taken for one of the type wanted. */
static bool
is_kind(Oid type, Oid wanted)
{
	char		category;
	bool		preferred;

	if (type == UNKNOWNOID || wanted == TEXTOID)
		return true;
	if (wanted == BOOLOID || wanted == TIMESTAMPTZOID)
		return getBaseType(type) == wanted;
	get_type_category_preferred(getBaseType(type), &category, &preferred);
	return category == TYPCATEGORY_NUMERIC;
}

/* The type that a kind asks for, of an expression of this type. */
static Oid
wanted_type(LrExprKind kind, Oid type)
{
	switch (kind)
	{
		case LR_EXPR_RANK:
		case LR_EXPR_NUMBER:
			return FLOAT8OID;
		case LR_EXPR_AMOUNT:
			return NUMERICOID;
		case LR_EXPR_TEXT:
			return TEXTOID;
		case LR_EXPR_TIME:
			return TIMESTAMPTZOID;
		case LR_EXPR_WHEN:
			return getBaseType(type) == TIMESTAMPTZOID ? TIMESTAMPTZOID : BOOLOID;
		default:
			return BOOLOID;
	}
}

/* Brings an analysed expression to the type its kind asks for. */
static Node *
coerce_to_kind(ParseState *pstate, Node *node, LrExprKind kind,
			   const char *what)
{
	Oid			type = exprType(node);
	Oid			wanted = wanted_type(kind, type);
	Node	   *coerced = NULL;

	if (is_kind(type, wanted))
		coerced = coerce_to_target_type(pstate, node, type, wanted, -1,
										COERCION_EXPLICIT,
										COERCE_EXPLICIT_CAST, -1);
	if (coerced == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("%s must be of type %s, not type %s", what,
						kind == LR_EXPR_WHEN ?
						"boolean or timestamp with time zone" :
						format_type_be(wanted), format_type_be(type)),
				 (kind == LR_EXPR_WHEN || kind == LR_EXPR_TIME) &&
				 (type == TIMESTAMPOID || type == DATEOID) ?
				 errhint("Say in which time zone it is, for example: won_at AT TIME ZONE 'UTC'") :
				 wanted == BOOLOID ?
				 errhint("Compare it with something, for example: budget > 1000") :
				 kind == LR_EXPR_NUMBER ?
				 errhint("Write a number, for example: ceil(budget / 1000)") :
				 kind == LR_EXPR_AMOUNT ?
				 errhint("Write a number, for example: price * quantity") :
				 wanted == FLOAT8OID ?
				 errhint("Write a number, the highest for who goes first, for example: (member.attributes ->> 'level')::integer") : 0,
				 parser_errposition(pstate, exprLocation(node))));
	return coerced;
}

/*
 * Makes the lead known: names alone are its columns, and it may be called lead
 * or, unless that means something else, by its table's name.
 */
static void
add_lead(ParseState *pstate, Relation rel, bool members)
{
	ParseNamespaceItem *item = addRangeTableEntryForRelation(pstate, rel,
															 AccessShareLock,
															 NULL, false, true);
	const char *name = RelationGetRelationName(rel);
	bool		is_lead = strcmp(name, "lead") == 0;
	ParseNamespaceItem *also;

	Assert(item->p_rtindex == LR_LEAD_VARNO);
	addNSItemToQuery(pstate, item, true,
					 !members || strcmp(name, "member") != 0, true);
	if (is_lead)
		return;
	also = (ParseNamespaceItem *) palloc(sizeof(ParseNamespaceItem));
	*also = *item;
	/* a name of the entry itself, so that the whole row has the row's type */
	also->p_rte = (RangeTblEntry *) palloc(sizeof(RangeTblEntry));
	*also->p_rte = *item->p_rte;
	also->p_names = makeAlias("lead", item->p_names->colnames);
	also->p_rte->alias = also->p_rte->eref = also->p_names;
	addNSItemToQuery(pstate, also, false, true, false);
}

/* Makes the member known, as member alone. */
static void
add_member(ParseState *pstate)
{
	Relation	facts = relation_open(lr_relid("member_facts"),
									  AccessShareLock);
	ParseNamespaceItem *item = addRangeTableEntryForRelation(pstate, facts,
															 AccessShareLock,
															 makeAlias("member", NIL),
															 false, false);

	Assert(item->p_rtindex == LR_MEMBER_VARNO);
	addNSItemToQuery(pstate, item, false, true, false);
	lr_watch_relation(RelationGetRelid(facts));
	relation_close(facts, NoLock);
}

/* Text to analysed tree; runs as the writer. */
static Node *
analyse(Relation rel, const char *text, LrExprKind kind, Oid writer,
		const char *what)
{
	ParseState *pstate = make_parsestate(NULL);
	bool		members = lr_expr_over_members(kind);
	LrTrust		trust = {writer, what, members};
	Node	   *raw;
	Node	   *node;

	pstate->p_sourcetext = text;
	add_lead(pstate, rel, members);
	if (members)
		add_member(pstate);

	raw = parse_single(pstate, text, what);
	lr_trust_words(pstate, raw, rel, &trust);
	node = transformExpr(pstate, raw, EXPR_KIND_WHERE);
	node = coerce_to_kind(pstate, node, kind, what);
	assign_expr_collations(pstate, node);
	refuse_columns(node, unconstify(char *, what));
	/* before the planner computes constant parts */
	lr_trust_tree(node, &trust);
	return node;
}

/* The member's columns as the executor finds them: those of the inner row. */
static Node *
members_inner(Node *node, void *context)
{
	if (node == NULL)
		return NULL;
	if (IsA(node, Var) && ((Var *) node)->varno == LR_MEMBER_VARNO)
	{
		Var		   *var = (Var *) copyObject(node);

		var->varno = INNER_VAR;
		return (Node *) var;
	}
	return expression_tree_mutator(node, members_inner, context);
}

ExprState *
lr_expr_state(Expr *tree)
{
	return ExecInitExpr((Expr *) members_inner((Node *) tree, NULL), NULL);
}

bool
lr_expr_is_plain(Node *node)
{
	ExprTraits	traits;

	memset(&traits, 0, sizeof(traits));
	(void) note_traits(node, &traits);
	return !traits.can_raise && !traits.needs_path && !traits.user_matters &&
		!contain_mutable_functions(node);
}

/* Makes an analysed tree ready to be evaluated; runs as the writer. */
static void
finish(LrExpr *result, Node *node, const char *path, ExprTraits *traits)
{
	ExprTraits	planned;
	List	   *relations = NIL;
	List	   *items = NIL;
	ListCell   *lc;

	result->tree = expression_planner_with_deps((Expr *) node, &relations,
												&items);
	foreach(lc, items)
		lr_watch_cache(lfirst_node(PlanInvalItem, lc)->cacheId,
					   lfirst_node(PlanInvalItem, lc)->hashValue);
	result->state = lr_expr_state(result->tree);
	/* inlined SQL functions show only in the planned tree */
	memset(&planned, 0, sizeof(planned));
	note_traits((Node *) result->tree, &planned);
	result->folded = planned.strangers != traits->strangers;
	result->can_raise = planned.can_raise;
	result->switch_user = traits->user_matters || planned.user_matters ||
		planned.can_raise;
	if (traits->needs_path || planned.needs_path)
	{
		result->switch_user = true;
		result->search_path = pstrdup(path);
	}
}

/* check: the writer must be allowed to read what it names. */
static LrExpr *
compile(Relation rel, const char *text, LrExprKind kind, Oid writer,
		const char *search_path, const char *what, bool check)
{
	LrExpr	   *result = (LrExpr *) palloc0(sizeof(LrExpr));
	char	   *path = lr_safe_path(search_path);
	GeneratedColumns generated = {RelationGetDescr(rel), NULL};
	ErrorContextCallback callback;
	ExprContextArg arg = {what, text};
	ExprTraits	traits;
	LrRights	rights;
	Node	   *node;

	callback.callback = expr_error_context;
	callback.arg = &arg;
	callback.previous = error_context_stack;
	error_context_stack = &callback;

	lr_become(writer, path, true, &rights);
	lr_settings_pin();
	node = analyse(rel, text, kind, writer, what);
	memset(&traits, 0, sizeof(traits));
	note_traits(node, &traits);
	if (OidIsValid(traits.volatile_func))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_FUNCTION_DEFINITION),
				 errmsg("%s uses the volatile function %s", what,
						format_procedure(traits.volatile_func)),
				 errdetail("A volatile function can answer differently each time it is asked about the same lead."),
				 errhint("Use a function marked STABLE or IMMUTABLE.")));
	(void) note_generated(node, &generated);
	result->writer = writer;
	result->generated = generated.used;
	finish(result, node, path, &traits);
	if (check)
		lr_require_readable(result->tree, rel, writer, what);
	lr_resign(&rights);
	error_context_stack = callback.previous;
	return result;
}

LrExpr *
lr_expr_compile(Relation rel, const char *text, LrExprKind kind, Oid writer,
				const char *search_path, const char *what)
{
	return compile(rel, text, kind, writer, search_path, what, true);
}

LrExpr *
lr_expr_compile_of_table(Relation rel, const char *text, LrExprKind kind,
						 Oid writer, const char *search_path,
						 const char *what)
{
	return compile(rel, text, kind, writer, search_path, what, false);
}

LrExpr *
lr_expr_generated(Relation rel, AttrNumber attno, const char *search_path)
{
	LrExpr	   *result = (LrExpr *) palloc0(sizeof(LrExpr));
	char	   *path = lr_safe_path(search_path);
	ExprTraits	traits;
	LrRights	rights;
	Node	   *node;

	result->writer = rel->rd_rel->relowner;
	lr_become(result->writer, path, true, &rights);
	node = build_column_default(rel, attno);
	memset(&traits, 0, sizeof(traits));
	note_traits(node, &traits);
	finish(result, node, path, &traits);
	lr_resign(&rights);
	return result;
}

Datum
lr_expr_eval(LrExpr *expr, ExprContext *econtext, bool *isnull)
{
	Datum		value;
	LrRights	rights;

	if (!expr->switch_user)
		return ExecEvalExprSwitchContext(expr->state, econtext, isnull);

	lr_become(expr->writer, expr->search_path, true, &rights);
	value = ExecEvalExprSwitchContext(expr->state, econtext, isnull);
	lr_resign(&rights);
	return value;
}
