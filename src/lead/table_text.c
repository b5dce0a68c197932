/*
 * table_text.c
 *	  Keys and owners of leads as canonical text, whatever the settings of the
 *	  session, and back.  See table.h.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

#include "base/owner_rights.h"
#include "base/settings.h"
#include "lead/table.h"

/* Output of a type as text that no session setting changes. */
char *
lr_canonical_output(Oid output, Datum value)
{
	int			nest;
	char	   *text;

	switch (output)
	{
		case F_INT2OUT:
		case F_INT4OUT:
		case F_INT8OUT:
		case F_TEXTOUT:
		case F_VARCHAROUT:
		case F_NAMEOUT:
		case F_UUID_OUT:
		case F_NUMERIC_OUT:
			return OidOutputFunctionCall(output, value);
		default:
			break;
	}
	nest = NewGUCNestLevel();
	lr_settings_canonical();
	text = OidOutputFunctionCall(output, value);
	AtEOXact_GUC(false, nest);
	return text;
}

static char *
key_column_text(LrTable *table, int i, Datum value)
{
	char	   *buffer;

	switch (table->key_kind[i])
	{
		case LR_KEY_INT2:
			buffer = (char *) palloc(8);
			pg_itoa(DatumGetInt16(value), buffer);
			return buffer;
		case LR_KEY_INT4:
			buffer = (char *) palloc(16);
			pg_ltoa(DatumGetInt32(value), buffer);
			return buffer;
		case LR_KEY_INT8:
			buffer = (char *) palloc(MAXINT8LEN + 1);
			pg_lltoa(DatumGetInt64(value), buffer);
			return buffer;
		case LR_KEY_TEXT:
			return TextDatumGetCString(value);
		case LR_KEY_CHAR:
			return TextDatumGetCString(DirectFunctionCall1(rtrim1, value));
		case LR_KEY_NUMERIC:
			return DatumGetCString(DirectFunctionCall1(numeric_out,
													   DirectFunctionCall1(numeric_trim_scale, value)));
		default:
			return lr_canonical_output(table->key_output[i], value);
	}
}

/* Quotes a field of a row as record output does. */
static void
append_field(StringInfo buf, const char *field)
{
	bool		quote = field[0] == '\0';
	const char *c;

	for (c = field; *c && !quote; c++)
		quote = strchr("\"\\(),", *c) != NULL || isspace((unsigned char) *c);
	if (quote)
		appendStringInfoChar(buf, '"');
	for (c = field; *c; c++)
	{
		if (*c == '"' || *c == '\\')
			appendStringInfoChar(buf, *c);
		appendStringInfoChar(buf, *c);
	}
	if (quote)
		appendStringInfoChar(buf, '"');
}

char *
lr_table_key(LrTable *table, TupleTableSlot *row)
{
	StringInfoData buf;
	bool		isnull;
	int			i;

	if (table->nkeys == 1)
	{
		Datum		value = slot_getattr(row, table->key[0], &isnull);

		/* NULL will be refused by the key itself */
		return isnull ? pstrdup("") : key_column_text(table, 0, value);
	}
	initStringInfo(&buf);
	for (i = 0; i < table->nkeys; i++)
	{
		Datum		value = slot_getattr(row, table->key[i], &isnull);

		appendStringInfoChar(&buf, i == 0 ? '(' : ',');
		if (!isnull)
			append_field(&buf, key_column_text(table, i, value));
	}
	appendStringInfoChar(&buf, ')');
	return buf.data;
}

/* Takes the fields of a row's text apart; error if there are not n. */
static char **
split_key(LrTable *table, const char *key)
{
	char	  **field = (char **) palloc(table->nkeys * sizeof(char *));
	const char *c = key;
	int			n = 0;

	if (table->nkeys == 1)
	{
		field[0] = pstrdup(key);
		return field;
	}
	while (*c && (n == 0 ? *c == '(' : *c == ','))
	{
		StringInfoData buf;
		bool		quoted = false;

		c++;
		initStringInfo(&buf);
		for (; *c && (quoted || (*c != ',' && *c != ')')); c++)
		{
			if (*c == '\\' && c[1])
				appendStringInfoChar(&buf, *++c);
			else if (*c == '"' && quoted && c[1] == '"')
				appendStringInfoChar(&buf, *++c);
			else if (*c == '"')
				quoted = !quoted;
			else
				appendStringInfoChar(&buf, *c);
		}
		if (n == table->nkeys)
			break;
		field[n++] = buf.data;
	}
	if (n != table->nkeys || strcmp(c, ")") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" is not a key of lead table \"%s\"", key,
						table->name),
				 errhint("Its key has %d columns: pass ROW(…), or its text, for example (17,4711).",
						 table->nkeys)));
	return field;
}

void
lr_key_values(LrTable *table, const char *key, Oid *types, Datum *values)
{
	char	  **field = split_key(table, key);
	int			i;

	for (i = 0; i < table->nkeys; i++)
	{
		Form_pg_attribute att = TupleDescAttr(table->desc, table->key[i] - 1);
		Oid			input;
		Oid			param;

		getTypeInputInfo(att->atttypid, &input, &param);
		types[i] = att->atttypid;
		values[i] = OidInputFunctionCall(input, field[i], param,
										 att->atttypmod);
	}
}

char *
lr_key_where(LrTable *table, const char *key, Oid *types, Datum *values)
{
	StringInfoData buf;
	int			i;

	lr_key_values(table, key, types, values);
	initStringInfo(&buf);
	for (i = 0; i < table->nkeys; i++)
		appendStringInfo(&buf, "%s%s OPERATOR(pg_catalog.=) $%d",
						 i > 0 ? " AND " : "",
						 quote_identifier(NameStr(TupleDescAttr(table->desc,
																table->key[i] - 1)->attname)),
						 i + 1);
	return buf.data;
}

char *
lr_key_argument(FunctionCallInfo fcinfo, int arg)
{
	Oid			type = get_fn_expr_argtype(fcinfo->flinfo, arg);
	Oid			output;
	bool		varlena;

	if (type == TEXTOID)
		return text_to_cstring(PG_GETARG_TEXT_PP(arg));
	getTypeOutputInfo(type, &output, &varlena);
	return lr_canonical_output(output, PG_GETARG_DATUM(arg));
}

Datum
lr_owner_datum(LrTable *table, const char *owner_value)
{
	LrRights	rights;
	Datum		value;

	if (table->owner_is_domain)
		lr_become(table->relowner, table->search_path, true, &rights);
	value = OidInputFunctionCall(table->owner_input,
								 unconstify(char *, owner_value),
								 table->owner_ioparam, table->owner_typmod);
	if (table->owner_is_domain)
		lr_resign(&rights);
	return value;
}

char *
lr_owner_text(LrTable *table, Datum value)
{
	return lr_canonical_output(table->owner_output, value);
}

char *
lr_table_owner(LrTable *table, TupleTableSlot *row)
{
	bool		isnull;
	Datum		value = slot_getattr(row, table->owner, &isnull);
	char	   *text;

	if (isnull)
		return NULL;
	text = lr_owner_text(table, value);
	if (!table->nobody_isnull && strcmp(text, table->nobody) == 0)
		return NULL;
	return text;
}
