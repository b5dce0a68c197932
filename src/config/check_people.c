/*
 * check_people.c
 *	  Refusing a member, a membership, hours or an absence that cannot work, and
 *	  the deletion of a member with a history.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/rel.h"

#include "base/guard.h"
#include "base/owner_rights.h"
#include "calendar/schedule.h"
#include "config/check_row.h"
#include "lead/table.h"

PG_FUNCTION_INFO_V1(lr_owner_text_sql);

/* A value for an owner column; read with the rights of the table's owner. */
typedef struct Input
{
	Oid			type;
	int32		typmod;
	Oid			relowner;
	const char *search_path;
	char	   *value;
	char	   *canonical;
} Input;

/* The canonical text of a value; raises if the column cannot hold it. */
static void
read_input(void *arg)
{
	Input	   *in = (Input *) arg;
	LrRights	rights;
	Oid			function;
	Oid			param;
	Oid			output;
	bool		varlena;

	getTypeInputInfo(in->type, &function, &param);
	getTypeOutputInfo(getBaseType(in->type), &output, &varlena);
	/* a domain's constraints are code of its owner, see owner_rights.h */
	lr_become(in->relowner, in->search_path, true, &rights);
	in->canonical = lr_canonical_output(output,
										OidInputFunctionCall(function, in->value,
															 param,
															 in->typmod));
	lr_resign(&rights);
}

/* A member's owner value must fit the owner column of each of its tables. */
static void
check_owner_value(const char *member, char *owner_value, LrAttached *t)
{
	Relation	rel = table_open(t->relid, AccessShareLock);
	int			attno = SPI_fnumber(RelationGetDescr(rel), t->owner_column);
	Input		in = {0};
	Input		nobody;
	char	   *error = NULL;

	if (attno <= 0)
	{
		table_close(rel, AccessShareLock);
		return;
	}
	in.type = TupleDescAttr(RelationGetDescr(rel), attno - 1)->atttypid;
	in.typmod = TupleDescAttr(RelationGetDescr(rel), attno - 1)->atttypmod;
	in.relowner = rel->rd_rel->relowner;
	in.search_path = t->search_path;
	nobody = in;
	in.value = owner_value;
	nobody.value = t->nobody;
	error = lr_guarded(read_input, &in);
	table_close(rel, AccessShareLock);
	if (error != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("owner value \"%s\" of member \"%s\" does not fit column \"%s\" of lead table \"%s\"",
						owner_value, member, t->owner_column, t->name),
				 errdetail("The column says: %s.", error),
				 errhint("Set owner_value to what your application writes into \"%s\" for this person, for example its user id.",
						 t->owner_column)));
	if (nobody.value != NULL && lr_guarded(read_input, &nobody) == NULL &&
		strcmp(in.canonical, nobody.canonical) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("owner value \"%s\" of member \"%s\" means nobody in lead table \"%s\"",
						owner_value, member, t->name),
				 errhint("Set owner_value to what your application writes into \"%s\" for this person.",
						 t->owner_column)));
}

Datum
lr_owner_text_sql(PG_FUNCTION_ARGS)
{
	Relation	rel = relation_open(PG_GETARG_OID(0), AccessShareLock);
	int			attno = SPI_fnumber(RelationGetDescr(rel),
									text_to_cstring(PG_GETARG_TEXT_PP(1)));
	Input		in = {0};

	if (attno <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of table \"%s\" does not exist",
						text_to_cstring(PG_GETARG_TEXT_PP(1)),
						RelationGetRelationName(rel))));
	in.type = TupleDescAttr(RelationGetDescr(rel), attno - 1)->atttypid;
	in.typmod = TupleDescAttr(RelationGetDescr(rel), attno - 1)->atttypmod;
	in.relowner = rel->rd_rel->relowner;
	in.search_path = lr_safe_path(GetConfigOption("search_path", false, false));
	in.value = text_to_cstring(PG_GETARG_TEXT_PP(2));
	read_input(&in);
	relation_close(rel, AccessShareLock);
	PG_RETURN_TEXT_P(cstring_to_text(in.canonical));
}

/* A member that decisions refer to stays: its leads would lose their owner. */
static void
refuse_delete_with_history(LrRow *row)
{
	char	   *name = lr_row_text(row, row->old, "name");
	bool		isnull;
	Oid			types[1] = {INT4OID};
	Datum		values[1];
	LrRights	rights;
	bool		found;

	values[0] = lr_row_column(row, row->old, "id", &isnull);
	lr_become_owner(&rights);
	SPI_connect();
	if (SPI_execute_with_args("SELECT FROM leadroute.journal WHERE member = $1 LIMIT 1",
							  1, types, values, NULL, false, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not look into the journal");
	found = SPI_processed > 0;
	SPI_finish();
	lr_resign(&rights);
	if (found)
		ereport(ERROR,
				(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
				 errmsg("member \"%s\" has a history and cannot be deleted", name),
				 errdetail("Decisions in the journal refer to it."),
				 errhint("SELECT * FROM leadroute.offboard(%s): it never receives a lead again, and its open leads go to others.",
						 quote_literal_cstr(name))));
}

void
lr_check_schedule(LrRow *row)
{
	lr_check_zone(row, lr_row_text(row, row->new, "router"));
	lr_hours_check(lr_row_text(row, row->new, "name"),
				   lr_row_text(row, row->new, "hours"));
}

/* Refuses a number that is not greater than 0; NULL passes. */
static void
check_positive(LrRow *row, const char *name, const char *of, const char *hint)
{
	bool		isnull;
	int32		value = DatumGetInt32(lr_row_column(row, row->new, name, &isnull));

	if (!isnull && value <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("%s %d of %s is out of range", name, value, of),
				 errdetail("A %s is greater than 0.", name),
				 errhint("%s", hint)));
}

void
lr_check_member(LrRow *row)
{
	char	   *name;
	char	   *owner_value;
	ListCell   *lc;

	if (row->new == NULL)
	{
		refuse_delete_with_history(row);
		return;
	}
	name = lr_row_text(row, row->new, "name");
	if (name == NULL)
		return;					/* NOT NULL says so */
	lr_check_zone(row, lr_row_text(row, row->new, "router"));
	if (lr_row_text(row, row->new, "owner_value") == NULL)
		lr_row_set_text(row, "owner_value", name);
	owner_value = lr_row_text(row, row->new, "owner_value");
	check_positive(row, "tier", psprintf("member \"%s\"", name),
				   "1 is the best tier. NULL: the tier is measured.");
	if (row->old != NULL && !lr_row_differs(row, "owner_value"))
		return;
	foreach(lc, lr_tables_of(lr_row_text(row, row->new, "router"), NULL))
		check_owner_value(name, owner_value, (LrAttached *) lfirst(lc));
}

/* Which leads reach the member: valid for every table of the router. */
static void
check_reach(LrRow *row)
{
	char	   *condition = lr_row_text(row, row->new, "condition");
	ListCell   *lc;

	if (condition == NULL && lr_row_text(row, row->new, "written_by") == NULL)
		return;
	lr_fill_writer(row, row->old == NULL || lr_row_differs(row, "condition"));
	if (condition == NULL ||
		(row->old != NULL && !lr_row_differs(row, "condition") &&
		 !lr_row_changes_router(row) && !lr_row_differs(row, "written_by") &&
		 !lr_row_differs(row, "search_path")))
		return;
	foreach(lc, lr_tables_of(lr_row_text(row, row->new, "router"), NULL))
		lr_check_expression(((LrAttached *) lfirst(lc))->relid, condition,
						 LR_EXPR_BOOL, row,
						 psprintf("condition of member \"%s\" in team \"%s\"",
								  lr_row_text(row, row->new, "member"),
								  lr_row_text(row, row->new, "team")));
}

void
lr_check_team_member(LrRow *row)
{
	bool		isnull;
	Datum		value = lr_row_column(row, row->new, "weight", &isnull);
	double		weight;

	if (isnull || lr_row_text(row, row->new, "member") == NULL ||
		lr_row_text(row, row->new, "team") == NULL)
		return;					/* NOT NULL says so */
	check_positive(row, "target",
				   psprintf("member \"%s\" in team \"%s\"",
							lr_row_text(row, row->new, "member"),
							lr_row_text(row, row->new, "team")),
				   "NULL: the member has no target, and by_target it comes after all who have one.");
	check_reach(row);
	weight = DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow,
												value));
	if (!(weight >= 1e-6 && weight <= 1e6))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("weight %s of member \"%s\" in team \"%s\" is out of range",
						DatumGetCString(DirectFunctionCall1(numeric_out, value)),
						lr_row_text(row, row->new, "member"),
						lr_row_text(row, row->new, "team")),
				 errdetail("A weight is greater than 0 (at least 0.000001) and at most 1000000."),
				 errhint("Delete the row to take the member out of the team, or pause it: SELECT leadroute.pause(%s).",
						 quote_literal_cstr(lr_row_text(row, row->new, "member")))));
}

void
lr_check_absence(LrRow *row)
{
	char	   *writer = lr_row_text(row, row->new, "written_by");

	if (writer != NULL &&
		strcmp(writer, GetUserNameFromId(GetUserId(), false)) != 0 &&
		(row->old == NULL || lr_row_differs(row, "written_by")))
		lr_check_writer(writer);
}
