/*
 * guard.c
 *	  Running something that may raise inside a subtransaction of its own.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "base/guard.h"

static ErrorData *
guarded(LrGuardedFn fn, void *arg, bool keep)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		fn(arg);
		if (keep)
			ReleaseCurrentSubTransaction();
		else
			RollbackAndReleaseCurrentSubTransaction();
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

/* The message of what users have written; other errors are raised on. */
static char *
message_of(ErrorData *error)
{
	char	   *message;

	if (error == NULL)
		return NULL;
	if (lr_error_is_fatal(error->sqlerrcode))
		ReThrowError(error);
	message = pstrdup(error->message);
	FreeErrorData(error);
	return message;
}

ErrorData *
lr_guarded_error(LrGuardedFn fn, void *arg)
{
	return guarded(fn, arg, true);
}

char *
lr_guarded(LrGuardedFn fn, void *arg)
{
	return message_of(guarded(fn, arg, true));
}

char *
lr_guarded_reading(LrGuardedFn fn, void *arg)
{
	return message_of(guarded(fn, arg, false));
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
