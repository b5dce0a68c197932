/*
 * guard.c
 *	  Running something that may raise inside a subtransaction of its own.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "base/guard.h"

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

bool
lr_error_is_fatal(int sqlerrcode)
{
	int			class = ERRCODE_TO_CATEGORY(sqlerrcode);

	return class == MAKE_SQLSTATE('4', '0', '0', '0', '0') ||
		class == MAKE_SQLSTATE('5', '3', '0', '0', '0') ||
		class == MAKE_SQLSTATE('5', '4', '0', '0', '0') ||
		class == MAKE_SQLSTATE('5', '7', '0', '0', '0') ||
		class == MAKE_SQLSTATE('5', '8', '0', '0', '0') ||
		class == MAKE_SQLSTATE('X', 'X', '0', '0', '0');
}
