/*
 * check_mapped.c
 *	  Refusing columns for status and score that cannot hold what they would
 *	  receive, as far as that can be seen beforehand.
 *
 * What a type or a domain lets is tried with the rights of the table's owner,
 * whose code it may be.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "optimizer/optimizer.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/guard.h"
#include "base/owner_rights.h"
#include "config/check_row.h"
#include "expression/expr.h"
#include "lead/mapped.h"

/* One column that is to be mapped. */
typedef struct Mapped
{
	const char *what;			/* column of routed_table */
	const char *name;
	Relation	rel;
	AttrNumber	attno;
	Form_pg_attribute att;
	const char *path;			/* for code of the table's owner */
} Mapped;

static void
refuse(const Mapped *m, const char *problem, const char *detail,
	   const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TABLE_DEFINITION),
			 errmsg("%s \"%s\" of table \"%s\" %s", m->what, m->name,
					RelationGetRelationName(m->rel), problem),
			 detail ? errdetail("%s", detail) : 0, errhint("%s", hint)));
}

/* ---------- what the column is ---------- */

static bool
is_key(LrRow *row, const char *name)
{
	bool		isnull;
	Datum		keys = lr_row_column(row, row->new, "key_columns", &isnull);
	Datum	   *key;
	bool	   *nulls;
	int			n;
	int			i;

	deconstruct_array(DatumGetArrayTypeP(keys), TEXTOID, -1, false,
					  TYPALIGN_INT, &key, &nulls, &n);
	for (i = 0; i < n; i++)
		if (!nulls[i] && strcmp(TextDatumGetCString(key[i]), name) == 0)
			return true;
	return false;
}

static bool
is_number(Oid type)
{
	switch (getBaseType(type))
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case FLOAT4OID:
		case FLOAT8OID:
		case NUMERICOID:
			return true;
		default:
			return false;
	}
}

static bool
is_word(Oid type)
{
	char		category;
	bool		preferred;

	type = getBaseType(type);
	get_type_category_preferred(type, &category, &preferred);
	return category == TYPCATEGORY_STRING || get_typtype(type) == TYPTYPE_ENUM;
}

static void
check_column(LrRow *row, const Mapped *m)
{
	if (m->attno <= 0)
		refuse(m, "does not exist", NULL,
			   "Add the column, or name the one that there is.");
	if (m->att->attgenerated != '\0' || m->att->attidentity != '\0')
		refuse(m, "cannot be written", "It is generated.",
			   "Name a column that can be written.");
	if (strcmp(m->name, lr_row_text(row, row->new, "owner_column")) == 0)
		refuse(m, "is the owner column", NULL, "Name another column.");
	if (is_key(row, m->name))
		/* and so is what a partition is chosen by, before triggers can set it */
		refuse(m, "is part of the key", NULL, "Name another column.");
}

/* ---------- what the column can hold ---------- */

/* A text to be read as a value of the column. */
typedef struct Input
{
	const Mapped *mapped;
	const char *text;
	Datum		value;
} Input;

static void
read_input(void *arg)
{
	Input	   *in = (Input *) arg;
	const Mapped *m = in->mapped;
	LrRights	rights;
	Oid			function;
	Oid			param;

	lr_become(m->rel->rd_rel->relowner, m->path, true, &rights);
	getTypeInputInfo(m->att->atttypid, &function, &param);
	in->value = OidInputFunctionCall(function, unconstify(char *, in->text),
									 param, m->att->atttypmod);
	lr_resign(&rights);
}

/* A CHECK constraint over a row of which only one column is known. */
typedef struct Check
{
	const Mapped *mapped;
	Node	   *check;
	Datum		value;
	bool		violated;
} Check;

static void
try_constraint(void *arg)
{
	Check	   *c = (Check *) arg;
	TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(c->mapped->rel),
													&TTSOpsVirtual);
	ExprContext *econtext = CreateStandaloneExprContext();
	LrRights	rights;
	bool		isnull;
	Datum		value;

	ExecStoreAllNullTuple(slot);
	slot->tts_values[c->mapped->attno - 1] = c->value;
	slot->tts_isnull[c->mapped->attno - 1] = false;
	econtext->ecxt_scantuple = slot;
	lr_become(c->mapped->rel->rd_rel->relowner, c->mapped->path, true, &rights);
	value = ExecEvalExprSwitchContext(lr_expr_state(expression_planner((Expr *) c->check)),
									  econtext, &isnull);
	lr_resign(&rights);
	c->violated = !isnull && !DatumGetBool(value);
	FreeExprContext(econtext, true);
	ExecDropSingleTupleTableSlot(slot);
}

/* Whether an expression over the row reads this column and no other. */
static bool
reads_only(Node *check, AttrNumber attno)
{
	Bitmapset  *columns = NULL;

	pull_varattnos(check, 1, &columns);
	return bms_is_member(attno - FirstLowInvalidHeapAttributeNumber, columns) &&
		bms_num_members(columns) == 1;
}

static void
check_constraints(const Mapped *m, const char *word, Datum value)
{
	TupleConstr *constr = RelationGetDescr(m->rel)->constr;
	int			i;

	for (i = 0; constr != NULL && i < constr->num_check; i++)
	{
		Check		c = {m, NULL, value, false};

		c.check = (Node *) stringToNode(constr->check[i].ccbin);
		if (reads_only(c.check, m->attno) &&
			(lr_guarded(try_constraint, &c) != NULL || c.violated))
			refuse(m, psprintf("cannot hold the word \"%s\"", word),
				   psprintf("Its check constraint \"%s\" refuses it.",
							constr->check[i].ccname),
				   "Let the constraint allow qualified, nurture, disqualified and quarantined, or add a column of its own for them.");
	}
}

/* Words that the table which the column refers to does not have. */
static void
check_foreign_keys(const Mapped *m)
{
	static const char *const query =
		"SELECT pg_catalog.format('SELECT 1 FROM %s WHERE %I OPERATOR(pg_catalog.=) $1',"
		" c.confrelid::pg_catalog.regclass, a.attname), c.conname"
		" FROM pg_catalog.pg_constraint c JOIN pg_catalog.pg_attribute a"
		" ON a.attrelid = c.confrelid AND a.attnum = c.confkey[1]"
		" WHERE c.contype = 'f' AND c.conrelid = $1 AND c.conkey = ARRAY[$2]";
	Oid			types[2] = {OIDOID, INT2OID};
	Datum		values[2];
	LrRights	rights;
	char	   *lookup = NULL;
	char	   *name = NULL;
	int			i;

	values[0] = ObjectIdGetDatum(RelationGetRelid(m->rel));
	values[1] = Int16GetDatum(m->attno);
	SPI_connect();
	lr_become(m->rel->rd_rel->relowner, m->path, true, &rights);
	if (SPI_execute_with_args(query, 2, types, values, NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read pg_constraint");
	if (SPI_processed > 0)
	{
		lookup = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
		name = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2);
	}
	for (i = 0; lookup != NULL && i < LR_STATUS_WORDS; i++)
	{
		Input		in = {m, lr_status_word[i], (Datum) 0};

		types[0] = getBaseType(m->att->atttypid);
		read_input(&in);
		values[0] = in.value;
		if (SPI_execute_with_args(lookup, 1, types, values, NULL, true, 1) != SPI_OK_SELECT)
			elog(ERROR, "could not read what \"%s\" refers to", name);
		if (SPI_processed == 0)
			refuse(m, psprintf("cannot hold the word \"%s\"", lr_status_word[i]),
				   psprintf("Its foreign key \"%s\" refuses it.", name),
				   "Add qualified, nurture, disqualified and quarantined to the table that it refers to, and leave them there.");
	}
	lr_resign(&rights);
	SPI_finish();
}

static void
check_words(const Mapped *m)
{
	int			i;

	if (!is_word(m->att->atttypid))
		refuse(m, psprintf("is of type %s",
						   format_type_with_typemod(m->att->atttypid, m->att->atttypmod)),
			   "A status is a text, an enum, or a domain over one of them.",
			   "Name a column of such a type.");
	for (i = 0; i < LR_STATUS_WORDS; i++)
	{
		Input		in = {m, lr_status_word[i], (Datum) 0};
		char	   *error = lr_guarded(read_input, &in);

		if (error != NULL)
			refuse(m, psprintf("cannot hold the word \"%s\"", lr_status_word[i]),
				   psprintf("The column says: %s.", error),
				   get_typtype(getBaseType(m->att->atttypid)) == TYPTYPE_ENUM ?
				   psprintf("ALTER TYPE %s ADD VALUE '%s'; so the others of qualified, nurture, disqualified and quarantined.",
							format_type_be(getBaseType(m->att->atttypid)), lr_status_word[i]) :
				   "Let it hold qualified, nurture, disqualified and quarantined.");
		check_constraints(m, lr_status_word[i], in.value);
	}
	check_foreign_keys(m);
}

static void
check_number(const Mapped *m)
{
	if (!is_number(m->att->atttypid))
		refuse(m, psprintf("is of type %s",
						   format_type_with_typemod(m->att->atttypid, m->att->atttypmod)),
			   "A score is a number.", "Name a column of a number type.");
}

static bool
look_for(LrRow *row, Relation rel, const char *what, Mapped *m)
{
	m->what = what;
	m->name = lr_row_text(row, row->new, what);
	m->rel = rel;
	if (m->name == NULL ||
		(row->old != NULL && !lr_row_differs(row, what) &&
		 !lr_row_column_differs(row, "relation")))
		return false;
	m->attno = get_attnum(RelationGetRelid(rel), m->name);
	m->att = m->attno <= 0 ? NULL :
		TupleDescAttr(RelationGetDescr(rel), m->attno - 1);
	m->path = lr_safe_path(lr_row_text(row, row->new, "search_path"));
	check_column(row, m);
	return true;
}

void
lr_check_mapped(LrRow *row, Relation rel)
{
	char	   *status = lr_row_text(row, row->new, "status_column");
	char	   *score = lr_row_text(row, row->new, "score_column");
	Mapped		m;

	if (look_for(row, rel, "status_column", &m))
		check_words(&m);
	if (look_for(row, rel, "score_column", &m))
		check_number(&m);
	if (status != NULL && score != NULL && strcmp(status, score) == 0)
		refuse(&m, "is the status_column, too", NULL, "Name another column.");
}
