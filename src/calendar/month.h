/*
 * month.h
 *	  Calendar months, for method by_target.
 *
 * A month is that of the router's time zone: one for all of its members, so that
 * what they have received can be compared.  It is a number, year * 12 + month - 1,
 * never 0; the journal keeps it with each lead that counts (target_month), so
 * that a router that gets another time zone changes no month that was.
 */
#ifndef LR_MONTH_H
#define LR_MONTH_H

#include "config/config.h"

/* The month of a moment. */
extern int32 lr_month(const LrRouter *router, TimestampTz at);

#endif							/* LR_MONTH_H */
