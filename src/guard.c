/*
 * guard.c
 *	  Running something that may raise inside a subtransaction of its own.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "expr.h"
#include "guard.h"

ErrorData *
lr_guarded_error(LrGuardedFn fn, void *arg)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		fn(arg);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		/* also when it is raised on: who catches it must find its own level */
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return error;
}

char *
lr_guarded(LrGuardedFn fn, void *arg)
{
	ErrorData  *error = lr_guarded_error(fn, arg);
	char	   *message;

	if (error == NULL)
		return NULL;
	if (lr_error_is_fatal(error->sqlerrcode))
		ReThrowError(error);
	message = pstrdup(error->message);
	FreeErrorData(error);
	return message;
}
