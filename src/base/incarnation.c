/*
 * incarnation.c
 *	  Which CREATE EXTENSION made the extension of this database.  See
 *	  incarnation.h.
 */
#include "postgres.h"

#include "base/generation.h"
#include "base/incarnation.h"
#include "base/scan.h"

int64
lr_incarnation(void)
{
	static int64 incarnation = 0;
	static uint64 read_at = 0;

	if (incarnation == 0 || read_at != lr_schema_generation())
	{
		LrScan		scan;
		bool		isnull;

		incarnation = 0;
		/* from now on, invalidations of these are noticed */
		(void) lr_relid("absence");
		(void) lr_relid("config_state");
		(void) lr_relid("incarnation");
		read_at = lr_schema_generation();
		lr_scan_begin(&scan, "incarnation", NULL, NULL, NULL);
		if (lr_scan_next(&scan))
			incarnation = DatumGetInt64(lr_scan_datum(&scan, "id", &isnull));
		lr_scan_end(&scan);
		if (incarnation == 0)
			elog(ERROR, "leadroute.incarnation is empty");
	}
	return incarnation;
}
