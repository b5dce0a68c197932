/*
 * router_name.c
 *	  Which router a name means, and which is meant where none is written.  See
 *	  router_name.h.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"

#include "base/guc.h"
#include "base/scan.h"
#include "config/router_name.h"

PG_FUNCTION_INFO_V1(lr_default_router);

int32
lr_router_id(const char *name)
{
	LrScan		scan;
	int32		id = 0;

	lr_scan_begin(&scan, "router", "router_pkey", "name", name);
	if (lr_scan_next(&scan))
		id = lr_scan_int(&scan, "id", 0);
	lr_scan_end(&scan);
	return id;
}

/* *n: how many it could be; 2 for many. */
static char *
meant_router_name(int *n)
{
	LrScan		scan;
	char	   *name = NULL;

	*n = 1;
	if (lr_router_setting != NULL && lr_router_setting[0] != '\0')
		return pstrdup(lr_router_setting);
	*n = 0;
	lr_scan_begin(&scan, "router", NULL, NULL, NULL);
	while (*n < 2 && lr_scan_next(&scan))
	{
		name = lr_scan_text(&scan, "name");
		(*n)++;
	}
	lr_scan_end(&scan);
	return *n == 1 ? name : NULL;
}

char *
lr_meant_router_name(void)
{
	int			n;

	return meant_router_name(&n);
}

char *
lr_default_router_name(void)
{
	int			n;
	char	   *name = meant_router_name(&n);

	if (n == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("there is no router yet"),
				 errhint("SELECT leadroute.attach('your_table', 'owner_column') makes one, or INSERT INTO leadroute.router.")));
	if (n > 1)
		ereport(ERROR,
				(errcode(ERRCODE_AMBIGUOUS_PARAMETER),
				 errmsg("there are several routers, and none is named"),
				 errhint("Name the router, or SET LOCAL leadroute.router = 'its name'.")));
	return name;
}

Datum
lr_default_router(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(lr_default_router_name()));
}
