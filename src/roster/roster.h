/*
 * roster.h
 *	  Shared memory: databases, members, seats, rotations, caps, open
 *	  transactions.
 *
 * Truth is in tables; all of this is a cache that a restart loses and
 * recovery.c loads again.
 *
 * Locks, in the only order in which they may be taken:
 *	  lr_shared->lock	allocation of slots, the prepared array
 *	  db->lock			every counter of one database
 * Neither is held across a user expression, SPI, a palloc of unknown size, an
 * ereport or a catalog read: an error in a commit callback is a PANIC.
 *
 * Who has a slot
 * - A database slot belongs to one installation: a database and an incarnation
 *	 of the extension in it.  Two of one database may exist at once, while a
 *	 transaction that drops and creates the extension is open; neither knows
 *	 of the other.
 * - It is in use while a transaction has pinned it (LrBackend.pin: since its
 *	 first call of lr_database or lr_database_slot, to its end) or has
 *	 reservations in it (LrBackend.holds), while a prepared transaction has
 *	 any (prepared), and while it has a worker.
 * - A slot in use is not freed, whatever has happened to its extension or
 *	 database.  One that is not in use may be freed at any time: it is a cache.
 * - What outlives a transaction (slots of members and seats in a session's
 *	 memory) is good as long as the generation is the same; the generation of
 *	 a pinned slot does not change.
 *
 * Who loads
 *	 A slot is loaded by whoever needs it first, under a lock of the lock
 *	 manager (an advisory one that nobody else can take), after it has got all
 *	 relation locks that loading needs.  So all who wait for the end of loading
 *	 wait where the deadlock detector sees them, and who waits for a relation
 *	 is not loading yet: the holder of that relation may load in its place.
 *
 *	 On a standby nobody reserves; what was loaded there is good until the next
 *	 record is replayed, and not beyond the promotion.  Transactions prepared
 *	 on the primary are not known there, so their reservations are left out.
 */
#ifndef LR_ROSTER_H
#define LR_ROSTER_H

#include "access/xlogdefs.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "utils/timestamp.h"

/* One lead, in the unit of credits.  Integers, so that credits sum to 0. */
#define LR_CREDIT_ONE	(INT64CONST(1) << 40)

/* Credit in leads. */
#define LR_CREDIT_LEADS(c)	((double) (c) / (double) LR_CREDIT_ONE)

/* What an open lead counts in a load where its table does not say. */
#define LR_LEAD_LOAD	1

/* "No slot could be had": the setting named in the error is too small. */
#define LR_NO_SLOT	(-1)

/* Nobody has asked for one yet. */
#define LR_SLOT_UNKNOWN	(-2)

/* Lines of held leads as a bitmap by hash, see held.h. */
#define LR_LINE_BYTES	512

static inline uint32
lr_line_bit(int64 line)
{
	return (uint32) (((uint64) line * UINT64CONST(0x9E3779B97F4A7C15)) >> 52);
}

/* Changes of counters of caps that are remembered, see cap_view.h. */
#define LR_CAP_LOG		1024

/* What slots are for. */
typedef enum LrSlotKind
{
	LR_SLOT_MEMBER,
	LR_SLOT_SEAT,
	LR_SLOT_ROTATION,
	LR_SLOT_CAP
} LrSlotKind;

#define LR_SLOT_KINDS	4

/* Slots of one kind, on the whole server. */
typedef struct LrRoom
{
	const char *setting;		/* says how many there are */
	int			used;
	int			most;
	TimestampTz refused;		/* since when none could be had; 0: never */
} LrRoom;

typedef enum LrLoadState
{
	LR_EMPTY,
	LR_READY
} LrLoadState;

/* Whether the worker is to look at all leads of a sort. */
typedef enum LrLook
{
	LR_NO_LOOK,
	LR_LOOK_WANTED,
	LR_LOOKING					/* it does, or has ended while it did */
} LrLook;

/*
 * Slots of databases and of backends begin at a line of memory.  What is written
 * for each lead, or each transaction, shares no line with what others only read
 * meanwhile: they would wait for it at each look.
 */
typedef struct LrDatabase
{
	/* who has the slot; all three under shared->lock */
	Oid			dboid;			/* InvalidOid: slot is free */
	int64		incarnation;	/* leadroute.incarnation.id */
	uint64		generation;		/* of this use of the slot; never again */

	/* since when it was refused a slot, by kind; 0: never; under shared->lock */
	TimestampTz refused[LR_SLOT_KINDS];

	LWLock	   *lock;			/* protects all below and all counters */
	LrLoadState state;
	XLogRecPtr	replayed;		/* loaded on a standby, as of here; 0: not */
	int			busy;			/* member slots that are; read without lock, too */
	int64		caps_open_below;	/* greatest open_below of its cap slots; 0: none */
	int64		caps_settled;	/* all smaller ids were settled when they were looked at */
	int64		caps_marked;	/* caps_missed up to which they are marked */
	int64		rewritten;		/* counts commits of SQL that wrote the journal */
	bool		restored;		/* journal written by SQL: see restore.c */

	/* written for each lead or transaction */
	int64		last_id pg_attribute_aligned(PG_CACHE_LINE_SIZE);
								/* last id handed out to journal or event */
	int64		checkpoint_id;	/* last_id at the last checkpoint */
	int			open_xacts;		/* backends whose min_id is set */
	int			prepared;		/* entries of the prepared array */

	/* see cap_earlier.h */
	int64		caps_begun;		/* counts counters of caps that began in a window */
	int64		caps_missed;	/* last lead that may not have known of one; 0: none */

	/* what the worker has to do, see due.h */
	TimestampTz checkpoint_due;
	TimestampTz held_due;
	TimestampTz ready_due;
	TimestampTz late_due;
	TimestampTz measure_due;
	int64		late_from;		/* leads to look at late, from this id; 0: none */
	int64		late_at;		/* from where the worker is looking; 0: it is not */
	bool		ids_news;		/* ids have ended since it last wrote one */
	bool		held_news;		/* something to look at since it last looked */
	bool		ready_news;		/* a lead waits since it last looked at such */
	LrLook		ready_look;		/* at all that wait */
	bool		made;			/* nobody has looked yet */

	/* leads that are held go first, see held.h */
	int64		free_seq;
	int64		all_freed;
	int64		looked_seq;
	TimestampTz held_until;
	bool		looking;
	int64		pass_seq;
	TimestampTz pass_until;
	TimestampTz looked_at;
	uint8		line[LR_LINE_BYTES];
	uint8		next_line[LR_LINE_BYTES];	/* of leads held since the look began */

	/* slots of caps whose counts have changed, the last ones; see cap_view.h */
	int64		cap_moves;
	int32		cap_log[LR_CAP_LOG];	/* move m at m % LR_CAP_LOG */

	int64		tried_id;		/* last_id when a checkpoint was last tried */
	Latch	   *worker;			/* of the database's worker; NULL: none */
	int			worker_pid;
	TimestampTz worker_started; /* last start by the launcher; 0: none */
	TimestampTz not_before;		/* the next one, unless the worker ended well */

	/* see sticky_old.h; written by the worker alone */
	TimestampTz trim_due;		/* with the first checkpoint after that */
	uint32		trim_page;		/* where it goes on; 0: it begins */

	/* see measured.h */
	TimestampTz measured_at;	/* 0: never */
	TimestampTz measure_from;	/* nobody wants it before; 0: it went well */
	uint64		measured_serial;
} LrDatabase;

typedef struct LrMemberSlot
{
	int			db;				/* index of the database; -1: free */
	int32		member;			/* member.id */
	int64		load;			/* open load, reservations included */
	int64		last_turn;		/* id of the last lead received; 0: none */
	int			place;			/* first on a board, see board.h; LR_NO_SLOT: none */
	int64		freed;			/* when it may have become able, see held.h */

	/*
	 * Transactions that had interleaved here were rolled back, so last_turn
	 * may name a lead that is not: the next checkpoint puts it right.
	 */
	bool		turn_dirty;
	bool		busy;			/* on a call: leadroute.busy; see LrDatabase.busy */

	/* as last measured, see measured.h; NaN: not yet */
	double		response_rate;
	double		conversion_rate;
} LrMemberSlot;

/* A member's place in one rotation. */
typedef struct LrSeat
{
	int			db;
	int32		router;
	int32		team;			/* 0: every member of the router */
	int32		member;
	int			place;			/* on a board, see board.h; LR_NO_SLOT: none */
	int64		credit;			/* exact share minus received; see lr_seat_credit */

	/* leads by_target: of the latest month with any, and of the one before */
	int32		month;			/* see month.h; 0: none yet */
	int32		received;
	int32		before;
	int32		tier;			/* as last measured, see measured.h; 0: not yet */
} LrSeat;

/* Leads that a seat has received by_target in a month. */
static inline int32
lr_seat_received(const LrSeat *seat, int32 month)
{
	return month == seat->month ? seat->received :
		month == seat->month - 1 ? seat->before : 0;
}

/* What the trees of a board are ordered by. */
typedef enum LrTree
{
	LR_BY_CREDIT,
	LR_BY_LOAD,					/* by weight */
	LR_BY_CAPACITY,				/* load by capacity */
	LR_BY_IDLE,
	LR_BY_TARGET,
	LR_BY_TIER
} LrTree;

#define LR_TREES	6

/* A rotation's board, see board.h. */
typedef struct LrBoard
{
	uint64		serial;			/* of its places and parts; 0: it does not stand */
	int			first;			/* range of places, if room > 0 */
	int			room;
	int			missed;			/* picks without it since the last one with it */
	int			n;				/* places taken, one for each member */
	int			grades;
	int			parts;
	int			in;
	int			unlimited;		/* of those in: without a capacity above 0 */
	int64		moves;			/* places that came in or went out */
	int64		picks;			/* since it was put up */
	int32		month;			/* that the tree by target is of */
	bool		kept[LR_TREES]; /* the tree is right */
	bool		weight_known;
	bool		set_known;
	double		weight;			/* of those in, if not all */
	uint64		set;			/* hash of those in, if not all */
} LrBoard;

/* What a rotation remembers beside its seats. */
typedef struct LrRotationSlot
{
	int			db;
	int32		router;
	int32		team;
	uint64		last_set;		/* hash of the last candidates; 0: none */
	LrBoard		board;
} LrRotationSlot;

/* What a cap has counted in one window, see cap_count.h. */
typedef struct LrCapCount
{
	uint32		key;			/* of the window; 0: none */
	bool		complete;		/* earlier is known */
	bool		again;			/* it was, and is to be counted once more */
	TimestampTz until;			/* of the window; 0: not known */
	int64		used;
	int64		earlier;
	int64		open_below;		/* transactions with smaller ids were open when
								 * earlier was counted; 0: none */
	TimestampTz retry_at;		/* a table was locked then: it is not counted
								 * again before; 0: none was */
} LrCapCount;

typedef struct LrCapSlot
{
	int			db;
	int32		cap;			/* cap.id; -cap.id: it is gone, see cap_free.h */
	int32		member;			/* member.id; 0: not of one member */
	LrCapCount	now;
	LrCapCount	before;
} LrCapSlot;

/*
 * Per backend, for its transaction; written by itself.  The slots are numbers
 * of databases from 1.
 */
typedef struct LrBackend
{
	/* slot that it uses; 0: none; set under shared->lock */
	int			pin pg_attribute_aligned(PG_CACHE_LINE_SIZE);
	int			holds;			/* slot of its reservations; 0: none */
	int64		min_id;			/* smallest id handed out, in holds, or that it
								 * keeps from being settled; 0: none */
} LrBackend;

typedef enum LrCounterKind
{
	LR_COUNTER_XACT,			/* slot is what it leaves (due.h), amount the
								 * smallest id, before what lr_late_mark said */
	LR_COUNTER_READY,			/* leads wait: amount is when one is due (due.h) */
	LR_COUNTER_LOAD,			/* of a member slot: reserved */
	LR_COUNTER_RELEASE,			/* of a member slot: given back by a commit */
	LR_COUNTER_TURN,			/* last_turn of a member slot */
	LR_COUNTER_CREDIT,			/* of a seat */
	LR_COUNTER_RECEIVED,		/* of a seat; before is the month */
	LR_COUNTER_CAP,				/* of a cap slot, in the window before */
	LR_COUNTER_CAP_RELEASE		/* the same, given back by a commit */
} LrCounterKind;

/* What a prepared transaction holds; one array entry a counter. */
typedef struct LrPreparedCounter
{
	TransactionId xid;			/* invalid: entry is free */
	int			db;
	LrCounterKind kind;
	bool		handed_over;	/* XACT: it is prepared, see prepared.h */
	int			slot;			/* of the counter, but for these two */
	int64		amount;			/* TURN: as the transaction set it */
	int64		before;			/* TURN: as it was before; CAP: the window */
} LrPreparedCounter;

/* More workers than that at once are told of too late, see launcher.c. */
#define LR_LOOKED	32

typedef struct LrShared
{
	LWLock	   *lock;
	Latch	   *launcher;		/* NULL: not running; see due.h */

	/* what the launcher has to know of databases; under lock */
	uint64		databases_made; /* counts CREATE DATABASE */
	int			nlooked;
	Oid			looked[LR_LOOKED];	/* where a worker has had its first look */
	int			waiting;		/* databases that no process was found for */
	pg_atomic_uint64 member_saves;	/* see late.h */
	uint64		generation;		/* last one given to a database slot */
	uint64		board_serial;	/* last one given to a board */
	int			members_used;	/* high-water marks of the arrays */
	int			seats_used;
	int			rotations_used;
	int			caps_used;
	int			prepared_used;
	uint64		caps_freed;		/* counts when slots of caps were freed */
	LrDatabase	database[FLEXIBLE_ARRAY_MEMBER];
} LrShared;

extern LrShared *lr_shared;
extern LrMemberSlot *lr_member_slots;
extern LrSeat *lr_seats;
extern LrRotationSlot *lr_rotation_slots;
extern LrCapSlot *lr_cap_slots;
extern LrBackend *lr_backends;
extern LrPreparedCounter *lr_prepared;

/* Carves n elements of one size off a block of memory. */
extern void *lr_carve(char **at, Size n, Size element);

/* Registers the request for shared memory; only while preloading. */
extern void lr_roster_request(void);

/*
 * The slot of the current database, pinned, its counters loaded.  Waits while
 * another backend loads them.  Error: leadroute.max_databases is used up.
 */
extern LrDatabase *lr_database(void);

/* The same without loading: for the worker and for reading. */
extern LrDatabase *lr_database_slot(void);

/* The slot that this transaction has pinned last; NULL: none. */
extern LrDatabase *lr_database_pinned(void);

/* The transaction has ended: it uses no slot any more. */
extern void lr_database_unpin(void);

/*
 * Frees the slots of a database that nobody uses, but that of one incarnation
 * (0: all).  For a database that is gone or has no extension, or another one.
 */
extern void lr_database_sweep(Oid dboid, int64 keep);

/* Index of a database slot, as the counters' slots keep it. */
#define lr_db_index(d)	((int) ((d) - lr_shared->database))

/* What this backend has in shared memory. */
#define lr_me()	(&lr_backends[lr_my_backend_index()])

/* Slots by key, made when missing; LR_NO_SLOT when the array is full. */
extern int	lr_member_slot(LrDatabase *db, int32 member);
extern int	lr_seat_slot(LrDatabase *db, int32 router, int32 team, int32 member);
extern int	lr_rotation_slot(LrDatabase *db, int32 router, int32 team);
extern int	lr_cap_slot(LrDatabase *db, int32 cap, int32 member);

/*
 * The same of a cap that is there and has one already; else LR_NO_SLOT.  For a
 * transaction that has been given an id: the slot is not freed before its end.
 */
extern int	lr_cap_slot_find(LrDatabase *db, int32 cap, int32 member);

/* Frees the slot of a cap that is gone.  shared->lock held exclusively. */
extern void lr_cap_slot_free(int slot);

/* The room for slots, by kind; refused: to this database. */
extern void lr_look_at_room(const LrDatabase *db, LrRoom *room);

/*
 * Somebody (LR_NO_SLOT: anybody) may be able to take leads, see held.h.  db->lock
 * held.
 */
static inline void
lr_freed(LrDatabase *db, int member_slot)
{
	db->free_seq++;
	if (member_slot == LR_NO_SLOT)
		db->all_freed = db->free_seq;
	else
		lr_member_slots[member_slot].freed = db->free_seq;
}

/* The next id; publishes the smallest of this transaction.  db->lock held. */
extern int64 lr_next_id(LrDatabase *db);

/* The smallest id that this transaction has been given; 0: none. */
extern int64 lr_first_id(void);

/* The transaction ends: its ids are settled.  db->lock held. */
extern void lr_forget_ids(LrDatabase *db);

/* All ids below it are settled for good.  Takes both locks. */
extern int64 lr_settled_below(LrDatabase *db);

/*
 * The same; and until this transaction, which has been given one, has ended, no id
 * from there on is settled for others: a checkpoint's cut stays below.
 */
extern int64 lr_settled_hold(LrDatabase *db);

/* Sets all counters of a database to zero.  db->lock held. */
extern void lr_clear_counters(LrDatabase *db);

#endif							/* LR_ROSTER_H */
