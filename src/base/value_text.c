/*
 * value_text.c
 *	  Values in words; see value_text.h.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "base/value_text.h"

/* Bytes of a value that are shown. */
#define MAX_SHOWN	60

static bool
is_bare(Oid type)
{
	char		category;
	bool		preferred;

	get_type_category_preferred(getBaseType(type), &category, &preferred);
	return category == TYPCATEGORY_NUMERIC || category == TYPCATEGORY_BOOLEAN;
}

char *
lr_value_text(Oid type, Datum value)
{
	Oid			output;
	bool		varlena;
	char	   *text;
	int			len;

	if (getBaseType(type) == BOOLOID)
		return pstrdup(DatumGetBool(value) ? "true" : "false");
	getTypeOutputInfo(type, &output, &varlena);
	text = OidOutputFunctionCall(output, value);
	len = strlen(text);
	if (len > MAX_SHOWN)
		text = psprintf("%.*s...", pg_mbcliplen(text, len, MAX_SHOWN), text);
	return is_bare(type) ? text : quote_literal_cstr(text);
}

char *
lr_column_text(TupleDesc desc, int attno, Datum value, bool isnull)
{
	Form_pg_attribute att = TupleDescAttr(desc, attno - 1);
	const char *name = quote_identifier(NameStr(att->attname));

	if (isnull)
		return psprintf("%s is null", name);
	return psprintf("%s = %s", name, lr_value_text(att->atttypid, value));
}
