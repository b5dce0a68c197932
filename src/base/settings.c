/*
 * settings.c
 *	  Settings under which stored expressions are read; see settings.h.
 *
 * What an expression means must not depend on who inserts the lead: the rule
 * index is shared by all sessions.  Settings that have their value already
 * are left alone, since to set one costs more than to look at it.
 */
#include "postgres.h"

#include "utils/guc.h"

#include "base/settings.h"

static const LrSetting pinned[] = {
	{"DateStyle", "ISO, YMD"},
	{"IntervalStyle", "postgres"},
	{"TimeZone", "UTC"},
	{"lc_monetary", "C"},
	{"array_nulls", "on"},
	{"backslash_quote", "safe_encoding"},
	{"standard_conforming_strings", "on"},
	{"transform_null_equals", "off"},
};

static const LrSetting canonical[] = {
	{"DateStyle", "ISO, YMD"},
	{"IntervalStyle", "postgres"},
	{"TimeZone", "UTC"},
	{"extra_float_digits", "1"},
	{"bytea_output", "hex"},
};

void
lr_settings_set(const LrSetting *setting, int n)
{
	int			i;

	for (i = 0; i < n; i++)
		if (strcmp(GetConfigOption(setting[i].name, false, false),
				   setting[i].value) != 0)
			(void) set_config_option(setting[i].name, setting[i].value,
									 PGC_USERSET, PGC_S_SESSION,
									 GUC_ACTION_SAVE, true, 0, false);
}

void
lr_settings_pin(void)
{
	lr_settings_set(pinned, lengthof(pinned));
}

void
lr_settings_canonical(void)
{
	lr_settings_set(canonical, lengthof(canonical));
}
