/*
 * settings.h
 *	  Settings under which stored expressions are read, and others that code
 *	  of ours needs for a while.
 */
#ifndef LR_SETTINGS_H
#define LR_SETTINGS_H

typedef struct LrSetting
{
	const char *name;
	const char *value;
} LrSetting;

/* Sets these, for the rest of the current nest level of settings. */
extern void lr_settings_set(const LrSetting *setting, int n);

/*
 * Sets what decides how a constant is read to fixed values, so that the same
 * text means the same in every session: a time without a zone is UTC, dates
 * are ISO.  For the rest of the current nest level of settings.
 */
extern void lr_settings_pin(void);

/*
 * Sets what output functions of the server read to fixed values, so that the
 * same value is the same text in every session.  For the rest of the current
 * nest level of settings.
 */
extern void lr_settings_canonical(void);

#endif							/* LR_SETTINGS_H */
