/*
 * bits.h
 *	  Bitmaps over the members of a team, by index.
 *
 * They are in whole words of eight bytes, aligned like what palloc returns, and
 * no bit beyond the last member is set.
 */
#ifndef LR_BITS_H
#define LR_BITS_H

#include "common/hashfn.h"
#include "port/pg_bitutils.h"
#include "port/pg_bswap.h"

/* Bytes of a bitmap over n members. */
#define LR_BITS_SIZE(n)	((Size) ((n) + 63) / 64 * 8)

static inline bool
lr_bit(const uint8 *bits, int i)
{
	return (bits[i / 8] & (1 << (i % 8))) != 0;
}

static inline void
lr_bit_set(uint8 *bits, int i)
{
	bits[i / 8] |= 1 << (i % 8);
}

/* Eight bytes of it: bit number i is in the word i / 64, at i % 64. */
static inline uint64
lr_bits_word(const uint8 *bits, int word)
{
	uint64		w;

	memcpy(&w, bits + (Size) word * 8, 8);
#ifdef WORDS_BIGENDIAN
	w = pg_bswap64(w);
#endif
	return w;
}

/* The first from i on that is set; n: none. */
static inline int
lr_bits_next(const uint8 *bits, int i, int n)
{
	int			word = i / 64;
	uint64		w;

	if (i >= n)
		return n;
	w = lr_bits_word(bits, word) & (~UINT64CONST(0) << (i % 64));
	while (w == 0)
	{
		if (++word * 64 >= n)
			return n;
		w = lr_bits_word(bits, word);
	}
	return word * 64 + pg_rightmost_one_pos64(w);
}

/* The first from i on that is not set; n: none. */
static inline int
lr_bits_next_clear(const uint8 *bits, int i, int n)
{
	int			word = i / 64;
	uint64		w;

	if (i >= n)
		return n;
	w = ~lr_bits_word(bits, word) & (~UINT64CONST(0) << (i % 64));
	while (w == 0)
	{
		if (++word * 64 >= n)
			return n;
		w = ~lr_bits_word(bits, word);
	}
	return Min(word * 64 + pg_rightmost_one_pos64(w), n);
}

/* How many are set. */
static inline int
lr_bits_count(const uint8 *bits, int n)
{
	int			count = 0;
	int			word;

	for (word = 0; word * 64 < n; word++)
		count += pg_popcount64(lr_bits_word(bits, word));
	return count;
}

static inline uint64
lr_bits_hash(const uint8 *bits, int n)
{
	return hash_bytes_extended(bits, (n + 7) / 8, n);
}

#endif							/* LR_BITS_H */
