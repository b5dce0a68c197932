/*
 * roster.c
 *	  Shared memory of fixed size: who holds what, in slots found by key.
 *
 * A slot, once given, stays with its key until its database slot is freed,
 * which waits for all who use it (see roster.h), or the server restarts; so
 * reservations keep slot numbers and callbacks look nothing up.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "access/xlogrecovery.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "storage/shmem.h"
#include "utils/float.h"
#include "utils/hsearch.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "base/generation.h"
#include "base/guc.h"
#include "base/incarnation.h"
#include "cap/cap_count.h"
#include "roster/board.h"
#include "roster/claim.h"
#include "roster/due.h"
#include "roster/prepared.h"
#include "roster/recovery.h"
#include "roster/roster.h"
#include "rule/rule_share.h"

/* Key of the hash from names of counters to slots; no padding. */
typedef struct SlotKey
{
	int32		kind;
	int32		db;
	int32		router;			/* SLOT_CAP: the cap */
	int32		team;
	int32		member;
} SlotKey;

typedef struct SlotEntry
{
	SlotKey		key;
	int			slot;
} SlotEntry;

LrShared   *lr_shared = NULL;
LrMemberSlot *lr_member_slots = NULL;
LrSeat	   *lr_seats = NULL;
LrRotationSlot *lr_rotation_slots = NULL;
LrCapSlot  *lr_cap_slots = NULL;
LrBackend  *lr_backends = NULL;
LrPreparedCounter *lr_prepared = NULL;

static HTAB *slot_hash = NULL;
static shmem_request_hook_type prev_request_hook = NULL;
static shmem_startup_hook_type prev_startup_hook = NULL;

static Size
shared_size(void)
{
	Size		size = offsetof(LrShared, database);

	size = add_size(size, mul_size(lr_max_databases, sizeof(LrDatabase)));
	size = add_size(size, mul_size(lr_max_members, sizeof(LrMemberSlot)));
	size = add_size(size, mul_size(lr_max_seats, sizeof(LrSeat)));
	size = add_size(size, mul_size(lr_max_teams, sizeof(LrRotationSlot)));
	size = add_size(size, mul_size(lr_max_caps, sizeof(LrCapSlot)));
	size = add_size(size, mul_size(MaxBackends, sizeof(LrBackend)));
	size = add_size(size, mul_size(lr_max_prepared_counters,
								   sizeof(LrPreparedCounter)));
	size = add_size(size, lr_board_memory());
	size = add_size(size, lr_claims_memory());
	return add_size(size, 7 * MAXIMUM_ALIGNOF + PG_CACHE_LINE_SIZE);
}

static long
hash_entries(void)
{
	return (long) lr_max_members + lr_max_seats + lr_max_teams + lr_max_caps;
}

static void
roster_request(void)
{
	if (prev_request_hook)
		prev_request_hook();
	RequestAddinShmemSpace(add_size(shared_size(),
									hash_estimate_size(hash_entries(),
													   sizeof(SlotEntry))));
	RequestNamedLWLockTranche("leadroute", 2 + lr_max_databases);
}

void *
lr_carve(char **at, Size n, Size element)
{
	void	   *result = (void *) MAXALIGN(*at);

	*at = (char *) result + n * element;
	return result;
}

static void
init_shared(void)
{
	LWLockPadded *locks = GetNamedLWLockTranche("leadroute");
	int			i;

	lr_shared->lock = &locks[0].lock;
	lr_claims_init(&locks[1 + lr_max_databases].lock);
	for (i = 0; i < lr_max_databases; i++)
		lr_shared->database[i].lock = &locks[1 + i].lock;
	for (i = 0; i < lr_max_members; i++)
		lr_member_slots[i].db = -1;
	for (i = 0; i < lr_max_seats; i++)
		lr_seats[i].db = -1;
	for (i = 0; i < lr_max_teams; i++)
		lr_rotation_slots[i].db = -1;
	for (i = 0; i < lr_max_caps; i++)
		lr_cap_slots[i].db = -1;
}

static void
roster_startup(void)
{
	HASHCTL		info;
	bool		found;
	char	   *at;

	if (prev_startup_hook)
		prev_startup_hook();

	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	lr_shared = ShmemInitStruct("leadroute", shared_size(), &found);
	at = (char *) &lr_shared->database[lr_max_databases];
	lr_member_slots = lr_carve(&at, lr_max_members, sizeof(LrMemberSlot));
	lr_seats = lr_carve(&at, lr_max_seats, sizeof(LrSeat));
	lr_rotation_slots = lr_carve(&at, lr_max_teams, sizeof(LrRotationSlot));
	lr_cap_slots = lr_carve(&at, lr_max_caps, sizeof(LrCapSlot));
	at = (char *) CACHELINEALIGN(at);
	lr_backends = lr_carve(&at, MaxBackends, sizeof(LrBackend));
	lr_prepared = lr_carve(&at, lr_max_prepared_counters,
						sizeof(LrPreparedCounter));
	lr_board_carve(&at);
	lr_claims_carve(&at);
	if (!found)
	{
		memset(lr_shared, 0, shared_size());
		pg_atomic_init_u64(&lr_shared->member_saves, 0);
		init_shared();
	}
	info.keysize = sizeof(SlotKey);
	info.entrysize = sizeof(SlotEntry);
	slot_hash = ShmemInitHash("leadroute slots", hash_entries(),
							  hash_entries(), &info,
							  HASH_ELEM | HASH_BLOBS | HASH_FIXED_SIZE);
	LWLockRelease(AddinShmemInitLock);
}

void
lr_roster_request(void)
{
	prev_request_hook = shmem_request_hook;
	shmem_request_hook = roster_request;
	prev_startup_hook = shmem_startup_hook;
	shmem_startup_hook = roster_startup;
}

/* Gives the slots of a database back.  shared->lock held exclusively. */
static void
free_slots(int db)
{
	HASH_SEQ_STATUS seq;
	SlotEntry  *entry;
	int			i;

	lr_board_free(db);
	hash_seq_init(&seq, slot_hash);
	while ((entry = hash_seq_search(&seq)) != NULL)
		if (entry->key.db == db)
			hash_search(slot_hash, &entry->key, HASH_REMOVE, NULL);
	for (i = 0; i < lr_shared->members_used; i++)
		if (lr_member_slots[i].db == db)
			lr_member_slots[i].db = -1;
	for (i = 0; i < lr_shared->seats_used; i++)
		if (lr_seats[i].db == db)
			lr_seats[i].db = -1;
	for (i = 0; i < lr_shared->rotations_used; i++)
		if (lr_rotation_slots[i].db == db)
			lr_rotation_slots[i].db = -1;
	for (i = 0; i < lr_shared->caps_used; i++)
		if (lr_cap_slots[i].db == db)
			lr_cap_slots[i].db = -1;
	lr_shared->caps_freed++;
}

/* ---------- databases ---------- */

/* The slot this backend has used last, and its generation then. */
static LrDatabase *known = NULL;
static int	known_pin = 0;		/* how LrBackend says that it is pinned */
static uint64 known_generation = 0;

LrDatabase *
lr_database_pinned(void)
{
	int			me = lr_my_backend_index();
	int			pin;

	/* auxiliary processes release resources, too, and have no LrBackend */
	if (lr_shared == NULL || me < 0 || me >= MaxBackends)
		return NULL;
	pin = lr_backends[me].pin;
	return pin != 0 ? &lr_shared->database[pin - 1] : NULL;
}

void
lr_database_unpin(void)
{
	lr_me()->pin = 0;
}

/* shared->lock held exclusively: nobody pins meanwhile. */
static bool
in_use(int index)
{
	LrDatabase *db = &lr_shared->database[index];
	bool		used;
	int			i;

	LWLockAcquire(db->lock, LW_SHARED);
	used = db->open_xacts > 0 || db->prepared > 0 || db->worker != NULL;
	LWLockRelease(db->lock);
	for (i = 0; i < MaxBackends && !used; i++)
		used = lr_backends[i].pin == index + 1 ||
			lr_backends[i].holds == index + 1;
	return used;
}

/* shared->lock held exclusively. */
static void
sweep(Oid dboid, int64 keep)
{
	int			i;

	for (i = 0; i < lr_max_databases; i++)
	{
		LrDatabase *db = &lr_shared->database[i];

		if (db->dboid == dboid && db->incarnation != keep && !in_use(i))
		{
			free_slots(i);
			db->dboid = InvalidOid;
			db->incarnation = 0;
			db->generation = 0;
		}
	}
}

void
lr_database_sweep(Oid dboid, int64 keep)
{
	LWLockAcquire(lr_shared->lock, LW_EXCLUSIVE);
	sweep(dboid, keep);
	LWLockRelease(lr_shared->lock);
	lr_share_forget(dboid, keep);
}

/* The slot of an installation; NULL: it has none.  shared->lock held. */
static LrDatabase *
find_database(Oid dboid, int64 incarnation)
{
	int			i;

	for (i = 0; i < lr_max_databases; i++)
		if (lr_shared->database[i].dboid == dboid &&
			lr_shared->database[i].incarnation == incarnation)
			return &lr_shared->database[i];
	return NULL;
}

/* A slot for an installation that has none; NULL: all are taken. */
static LrDatabase *
make_database(Oid dboid, int64 incarnation)
{
	int			i;

	/* what the database had before, if nobody uses it */
	sweep(dboid, incarnation);
	for (i = 0; i < lr_max_databases; i++)
	{
		LrDatabase *db = &lr_shared->database[i];

		if (OidIsValid(db->dboid))
			continue;
		db->dboid = dboid;
		db->incarnation = incarnation;
		db->generation = ++lr_shared->generation;
		memset(db->refused, 0, sizeof(db->refused));
		LWLockAcquire(db->lock, LW_EXCLUSIVE);
		db->state = LR_EMPTY;
		db->replayed = InvalidXLogRecPtr;
		db->last_id = db->checkpoint_id = db->tried_id = 0;
		db->caps_open_below = db->caps_settled = 0;
		db->caps_marked = db->caps_missed = 0;
		db->rewritten = 0;
		db->busy = 0;
		db->restored = false;
		db->checkpoint_due = db->held_due = db->late_due = DT_NOEND;
		db->measure_due = db->ready_due = DT_NOEND;
		db->ready_look = LR_LOOK_WANTED;
		db->ready_news = false;
		db->measured_at = db->measure_from = 0;
		db->trim_due = 0;
		db->trim_page = 0;
		db->late_from = db->late_at = 0;
		db->ids_news = db->held_news = false;
		/* nobody knows yet what is held: anybody is fresh, any line busy */
		db->free_seq = db->all_freed = 1;
		db->looked_seq = 0;
		db->held_until = DT_NOEND;
		db->looked_at = 0;
		db->looking = false;
		memset(db->line, 0xff, sizeof(db->line));
		db->made = true;
		db->worker_started = db->not_before = 0;
		LWLockRelease(db->lock);
		return db;
	}
	return NULL;
}

/* Finds or makes the slot and pins it. */
static LrDatabase *
pin_database(int64 incarnation)
{
	LrDatabase *db;

	LWLockAcquire(lr_shared->lock, LW_SHARED);
	if (known != NULL && known->generation == known_generation &&
		known->incarnation == incarnation)
		db = known;
	else
		db = find_database(MyDatabaseId, incarnation);
	if (db == NULL)
	{
		LWLockRelease(lr_shared->lock);
		/* what has ended keeps no slot */
		lr_settle_all();
		LWLockAcquire(lr_shared->lock, LW_EXCLUSIVE);
		db = find_database(MyDatabaseId, incarnation);
		if (db == NULL)
			db = make_database(MyDatabaseId, incarnation);
	}
	if (db != NULL)
	{
		lr_me()->pin = lr_db_index(db) + 1;
		known = db;
		known_pin = lr_db_index(db) + 1;
		known_generation = db->generation;
	}
	LWLockRelease(lr_shared->lock);
	return db;
}

/* Frees the slots of databases that do not exist any more. */
static void
free_dropped(void)
{
	Oid		   *dboid = (Oid *) palloc(lr_max_databases * sizeof(Oid));
	int			i;

	LWLockAcquire(lr_shared->lock, LW_SHARED);
	for (i = 0; i < lr_max_databases; i++)
		dboid[i] = lr_shared->database[i].dboid;
	LWLockRelease(lr_shared->lock);
	for (i = 0; i < lr_max_databases; i++)
		if (OidIsValid(dboid[i]) &&
			!SearchSysCacheExists1(DATABASEOID, ObjectIdGetDatum(dboid[i])))
			lr_database_sweep(dboid[i], 0);
	pfree(dboid);
}

LrDatabase *
lr_database_slot(void)
{
	LrDatabase *db;
	int64		incarnation;

	lr_require_preload();
	incarnation = lr_incarnation();
	db = pin_database(incarnation);
	if (db == NULL)
	{
		free_dropped();
		db = pin_database(incarnation);
	}
	if (db == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("too many databases route leads"),
				 errhint("Raise leadroute.max_databases, %d now, and restart the server.",
						 lr_max_databases)));
	return db;
}

/* ---------- loading ---------- */

/* How far the server has replayed; invalid: it is no standby. */
static XLogRecPtr
replayed_now(void)
{
	return RecoveryInProgress() ? GetXLogReplayRecPtr(NULL) : InvalidXLogRecPtr;
}

static inline bool
loaded(LrDatabase *db)
{
	return db->state == LR_READY &&
		db->replayed == replayed_now();
}

/* Loads the counters; false: the tables were rewritten meanwhile. */
static bool
load_once(LrDatabase *db)
{
	XLogRecPtr	replayed = replayed_now();
	Latch	   *wake = NULL;
	int64		seen;
	bool		current;

	LWLockAcquire(db->lock, LW_SHARED);
	seen = db->rewritten;
	LWLockRelease(db->lock);
	(void) lr_recovery_load(db, false);
	LWLockAcquire(db->lock, LW_EXCLUSIVE);
	current = db->rewritten == seen;
	if (current)
	{
		db->state = LR_READY;
		db->replayed = replayed;
	}
	/* what took long to read is not to be read again */
	if (current && db->last_id > db->checkpoint_id)
		wake = lr_due_at(db, &db->checkpoint_due, GetCurrentTimestamp());
	LWLockRelease(db->lock);
	if (wake != NULL)
		SetLatch(wake);
	return current;
}

static void
load(LrDatabase *db)
{
	static const char *const read[] = {"journal", "event", "team_version", "candidate_set", "checkpoint", "measured", "member"};
	bool		again = db->rewritten > 0;
	LOCKTAG		tag;
	int			i;

	for (i = 0; i < (int) lengthof(read); i++)
		LockRelationOid(lr_relid(read[i]), AccessShareLock);

	/*
	 * Counters that have been used may hold reservations of others, which
	 * would be lost: wait for them.  They need not wait for us when we have
	 * loaded; and this lock comes last, since they would wait for us while we
	 * wait for another.
	 */
	if (again)
		LockRelationOid(lr_relid("journal"), ShareLock);
	/* 1 and 2 are the advisory locks of SQL */
	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, lr_relid("incarnation"), 0, 3);
	(void) LockAcquire(&tag, ExclusiveLock, false, false);
	if (!loaded(db))
		while (!load_once(db))
			CHECK_FOR_INTERRUPTS();
	LockRelease(&tag, ExclusiveLock, false);
	for (i = 0; i < (int) lengthof(read); i++)
		UnlockRelationOid(lr_relid(read[i]), AccessShareLock);
	if (again)
		UnlockRelationOid(lr_relid("journal"), ShareLock);
}

/*
 * Counters that are to be loaded again (the journal was written by SQL) wait
 * for the end of a transaction that has reservations in the old ones.
 */
static inline bool
usable(LrDatabase *db)
{
	return loaded(db) || lr_me()->holds == lr_db_index(db) + 1;
}

LrDatabase *
lr_database(void)
{
	LrDatabase *db;

	if (known != NULL && lr_me()->pin == known_pin &&
		known->incarnation == lr_incarnation() && usable(known))
		return known;
	db = lr_database_slot();
	if (!usable(db))
		load(db);
	return db;
}

/* ---------- counters ---------- */

/* A free element of an array of slots: the first beyond the mark, else a gap. */
#define TAKE_SLOT(array, used, max, slot) \
	do { \
		(slot) = LR_NO_SLOT; \
		if ((used) < (max)) \
			(slot) = (used)++; \
		else \
			for (int i_ = 0; i_ < (max); i_++) \
				if ((array)[i_].db == -1) \
				{ \
					(slot) = i_; \
					break; \
				} \
	} while (0)

/* Makes a slot for a key.  shared->lock held exclusively. */
static int
make_slot(const SlotKey *key)
{
	int			slot;

	switch ((LrSlotKind) key->kind)
	{
		case LR_SLOT_MEMBER:
			TAKE_SLOT(lr_member_slots, lr_shared->members_used,
					  lr_max_members, slot);
			if (slot != LR_NO_SLOT)
			{
				LrMemberSlot *m = &lr_member_slots[slot];

				m->member = key->member;
				m->load = 0;
				m->last_turn = 0;
				m->place = LR_NO_SLOT;
				m->freed = 0;
				m->turn_dirty = m->busy = false;
				m->response_rate = m->conversion_rate = get_float8_nan();
				m->db = key->db;
			}
			break;
		case LR_SLOT_SEAT:
			TAKE_SLOT(lr_seats, lr_shared->seats_used, lr_max_seats, slot);
			if (slot != LR_NO_SLOT)
			{
				LrSeat	   *s = &lr_seats[slot];

				s->router = key->router;
				s->team = key->team;
				s->member = key->member;
				s->credit = 0;
				s->month = s->received = s->before = s->tier = 0;
				s->place = LR_NO_SLOT;
				s->db = key->db;
			}
			break;
		case LR_SLOT_CAP:
			TAKE_SLOT(lr_cap_slots, lr_shared->caps_used, lr_max_caps, slot);
			if (slot != LR_NO_SLOT)
			{
				LrCapSlot  *c = &lr_cap_slots[slot];

				memset(c, 0, sizeof(*c));
				c->cap = key->router;
				c->member = key->member;
				c->db = key->db;
			}
			break;
		default:
			TAKE_SLOT(lr_rotation_slots, lr_shared->rotations_used,
					  lr_max_teams, slot);
			if (slot != LR_NO_SLOT)
			{
				LrRotationSlot *r = &lr_rotation_slots[slot];

				r->router = key->router;
				r->team = key->team;
				r->last_set = 0;
				r->db = key->db;
			}
			break;
	}
	return slot;
}

static int
slot_by_key(const SlotKey *key)
{
	SlotEntry  *entry;
	int			slot;
	bool		found;

	LWLockAcquire(lr_shared->lock, LW_SHARED);
	entry = hash_search(slot_hash, key, HASH_FIND, NULL);
	slot = entry != NULL ? entry->slot : LR_NO_SLOT;
	LWLockRelease(lr_shared->lock);
	if (entry != NULL)
		return slot;

	LWLockAcquire(lr_shared->lock, LW_EXCLUSIVE);
	entry = hash_search(slot_hash, key, HASH_FIND, NULL);
	if (entry != NULL)
		slot = entry->slot;
	else
	{
		slot = make_slot(key);
		if (slot != LR_NO_SLOT)
		{
			/* as many entries as slots were asked for: this finds room */
			entry = hash_search(slot_hash, key, HASH_ENTER_NULL, &found);
			if (entry != NULL)
				entry->slot = slot;
		}
		else if (lr_shared->database[key->db].refused[key->kind] == 0)
			lr_shared->database[key->db].refused[key->kind] = GetCurrentTimestamp();
	}
	LWLockRelease(lr_shared->lock);
	return slot;
}

int
lr_member_slot(LrDatabase *db, int32 member)
{
	SlotKey		key = {LR_SLOT_MEMBER, lr_db_index(db), 0, 0, member};

	return slot_by_key(&key);
}

int
lr_seat_slot(LrDatabase *db, int32 router, int32 team, int32 member)
{
	SlotKey		key = {LR_SLOT_SEAT, lr_db_index(db), router, team, member};

	return slot_by_key(&key);
}

int
lr_rotation_slot(LrDatabase *db, int32 router, int32 team)
{
	SlotKey		key = {LR_SLOT_ROTATION, lr_db_index(db), router, team, 0};

	return slot_by_key(&key);
}

int
lr_cap_slot(LrDatabase *db, int32 cap, int32 member)
{
	SlotKey		key = {LR_SLOT_CAP, lr_db_index(db), cap, 0, member};

	return slot_by_key(&key);
}

int
lr_cap_slot_find(LrDatabase *db, int32 cap, int32 member)
{
	SlotKey		key = {LR_SLOT_CAP, lr_db_index(db), cap, 0, member};
	SlotEntry  *entry;
	int			slot;

	Assert(lr_first_id() != 0);
	LWLockAcquire(lr_shared->lock, LW_SHARED);
	entry = hash_search(slot_hash, &key, HASH_FIND, NULL);
	slot = entry != NULL ? entry->slot : LR_NO_SLOT;
	LWLockAcquire(db->lock, LW_SHARED);
	/* of a cap that is gone: it may be free before we have ended */
	if (slot != LR_NO_SLOT && lr_cap_slots[slot].cap != cap)
		slot = LR_NO_SLOT;
	LWLockRelease(db->lock);
	LWLockRelease(lr_shared->lock);
	return slot;
}

void
lr_cap_slot_free(int slot)
{
	LrCapSlot  *c = &lr_cap_slots[slot];
	SlotKey		key = {LR_SLOT_CAP, c->db, -c->cap, 0, c->member};

	hash_search(slot_hash, &key, HASH_REMOVE, NULL);
	c->db = -1;
}

/* Counts the used elements of an array of slots. */
#define COUNT_SLOTS(array, mark, n) \
	do { \
		(n) = 0; \
		for (int i_ = 0; i_ < (mark); i_++) \
			(n) += (array)[i_].db != -1; \
	} while (0)

void
lr_look_at_room(const LrDatabase *db, LrRoom *room)
{
	int			kind;

	room[LR_SLOT_MEMBER].setting = "leadroute.max_members";
	room[LR_SLOT_MEMBER].most = lr_max_members;
	room[LR_SLOT_SEAT].setting = "leadroute.max_seats";
	room[LR_SLOT_SEAT].most = lr_max_seats;
	room[LR_SLOT_ROTATION].setting = "leadroute.max_teams";
	room[LR_SLOT_ROTATION].most = lr_max_teams;
	room[LR_SLOT_CAP].setting = "leadroute.max_caps";
	room[LR_SLOT_CAP].most = lr_max_caps;
	LWLockAcquire(lr_shared->lock, LW_SHARED);
	COUNT_SLOTS(lr_member_slots, lr_shared->members_used,
				room[LR_SLOT_MEMBER].used);
	COUNT_SLOTS(lr_seats, lr_shared->seats_used, room[LR_SLOT_SEAT].used);
	COUNT_SLOTS(lr_rotation_slots, lr_shared->rotations_used,
				room[LR_SLOT_ROTATION].used);
	COUNT_SLOTS(lr_cap_slots, lr_shared->caps_used, room[LR_SLOT_CAP].used);
	for (kind = 0; kind < LR_SLOT_KINDS; kind++)
		room[kind].refused = db->refused[kind];
	LWLockRelease(lr_shared->lock);
}

int64
lr_next_id(LrDatabase *db)
{
	LrBackend  *me = lr_me();
	int64		id = ++db->last_id;

	Assert(me->holds == lr_db_index(db) + 1);
	if (me->min_id == 0)
	{
		me->min_id = id;
		db->open_xacts++;
	}
	return id;
}

int64
lr_first_id(void)
{
	return lr_me()->min_id;
}

void
lr_forget_ids(LrDatabase *db)
{
	LrBackend  *me = lr_me();

	if (me->min_id != 0)
	{
		me->min_id = 0;
		db->open_xacts--;
	}
	me->holds = 0;
}

/* Both locks held. */
static int64
settled_below(LrDatabase *db)
{
	int			index = lr_db_index(db);
	int64		low = db->last_id + 1;
	int			i;

	for (i = 0; i < MaxBackends; i++)
		if (lr_backends[i].min_id != 0 && lr_backends[i].holds == index + 1)
			low = Min(low, lr_backends[i].min_id);
	for (i = 0; i < lr_shared->prepared_used; i++)
		if (TransactionIdIsValid(lr_prepared[i].xid) &&
			lr_prepared[i].db == index &&
			lr_prepared[i].kind == LR_COUNTER_XACT)
			low = Min(low, lr_prepared[i].amount);
	return low;
}

int64
lr_settled_below(LrDatabase *db)
{
	int64		low;

	LWLockAcquire(lr_shared->lock, LW_SHARED);
	LWLockAcquire(db->lock, LW_EXCLUSIVE);
	low = settled_below(db);
	LWLockRelease(db->lock);
	LWLockRelease(lr_shared->lock);
	return low;
}

int64
lr_settled_hold(LrDatabase *db)
{
	LrBackend  *me = lr_me();
	int64		low;

	Assert(me->holds == lr_db_index(db) + 1 && me->min_id != 0);
	LWLockAcquire(lr_shared->lock, LW_SHARED);
	LWLockAcquire(db->lock, LW_EXCLUSIVE);
	/* in one hold of the lock: nobody's cut comes in between */
	low = me->min_id = settled_below(db);
	LWLockRelease(db->lock);
	LWLockRelease(lr_shared->lock);
	return low;
}

void
lr_clear_counters(LrDatabase *db)
{
	int			index = lr_db_index(db);
	int			i;

	lr_board_clear(index);
	for (i = 0; i < lr_shared->members_used; i++)
		if (lr_member_slots[i].db == index)
		{
			lr_member_slots[i].load = lr_member_slots[i].last_turn = 0;
			lr_member_slots[i].turn_dirty = false;
		}
	for (i = 0; i < lr_shared->seats_used; i++)
		if (lr_seats[i].db == index)
		{
			lr_seats[i].credit = 0;
			lr_seats[i].month = lr_seats[i].received = lr_seats[i].before = 0;
		}
	for (i = 0; i < lr_shared->rotations_used; i++)
		if (lr_rotation_slots[i].db == index)
			lr_rotation_slots[i].last_set = 0;
	for (i = 0; i < lr_shared->caps_used; i++)
		if (lr_cap_slots[i].db == index && lr_cap_slots[i].cap > 0)
		{
			memset(&lr_cap_slots[i].now, 0, sizeof(LrCapCount));
			memset(&lr_cap_slots[i].before, 0, sizeof(LrCapCount));
		}
	lr_caps_touched(db);
}
