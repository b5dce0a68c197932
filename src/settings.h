/*
 * settings.h
 *	  Settings under which stored expressions are read.
 */
#ifndef LR_SETTINGS_H
#define LR_SETTINGS_H

/*
 * Sets what decides how a constant is read to fixed values, so that the same
 * text means the same in every session: a time without a zone is UTC, dates
 * are ISO.  For the rest of the current nest level of settings.
 */
extern void lr_settings_pin(void);

#endif							/* LR_SETTINGS_H */
