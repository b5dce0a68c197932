/*
 * own_update.c
 *	  Updates of leads that leadroute makes itself.  See own_update.h.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/fmgrprotos.h"

#include "base/compat.h"
#include "lead/own_update.h"

static SubTransactionId own_update_subid = InvalidSubTransactionId;
static int	own_update_depth = 0;
static LocalTransactionId own_update_lxid = 0;

static int
trigger_depth(void)
{
	return DatumGetInt32(DirectFunctionCall1(pg_trigger_depth, (Datum) 0));
}

void
lr_own_update_begin(void)
{
	own_update_depth = trigger_depth() + 1;
	own_update_subid = GetCurrentSubTransactionId();
	own_update_lxid = lr_my_lxid();
}

void
lr_own_update_end(void)
{
	own_update_depth = 0;
	own_update_subid = InvalidSubTransactionId;
}

bool
lr_is_own_update(void)
{
	return own_update_lxid == lr_my_lxid() && own_update_depth != 0 &&
		own_update_subid == GetCurrentSubTransactionId() &&
		own_update_depth == trigger_depth();
}
