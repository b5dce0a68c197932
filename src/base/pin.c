/*
 * pin.c
 *	  What is pinned until a statement is done with it.  See pin.h.
 *
 * The pins are in the order of their levels, which is the order they were taken
 * in: what was pinned through something else is given back before it.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/memutils.h"

#include "base/pin.h"

typedef struct Pin
{
	void	   *object;
	LrUnpinFn	unpin;
	int			nest;			/* transaction nest level */
} Pin;

static Pin *pins = NULL;
static int	npins = 0;
static int	room = 0;

void
lr_pin_add(void *object, LrUnpinFn unpin)
{
	if (npins == room)
	{
		int			more = Max(16, 2 * room);

		if (pins == NULL)
			pins = (Pin *) MemoryContextAlloc(TopMemoryContext,
											  more * sizeof(Pin));
		else
			pins = (Pin *) repalloc(pins, more * sizeof(Pin));
		room = more;
	}
	pins[npins].object = object;
	pins[npins].unpin = unpin;
	pins[npins++].nest = GetCurrentTransactionNestLevel();
}

void
lr_pin_remove(void *object)
{
	int			i;

	for (i = npins - 1; i >= 0; i--)
		if (pins[i].object == object)
		{
			npins--;
			memmove(&pins[i], &pins[i + 1], (npins - i) * sizeof(Pin));
			return;
		}
}

void
lr_pins_abort(int nest)
{
	while (npins > 0 && pins[npins - 1].nest >= nest)
	{
		npins--;
		pins[npins].unpin(pins[npins].object);
	}
}

void
lr_pins_commit_sub(int nest)
{
	int			i;

	for (i = npins - 1; i >= 0 && pins[i].nest >= nest; i--)
		pins[i].nest = nest - 1;
}
