/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * SipHash-2-4 (Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012) over whole 64-bit
 * words. One key, one number of words for each use: the length is part of the hash, as in the
 * paper. BPF C, C11 and C++.
 */
#ifndef SYNWARD_SHARED_SIPHASH_H
#define SYNWARD_SHARED_SIPHASH_H

#include <linux/types.h>

#ifdef __cplusplus
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wold-style-cast" /* C has no other */
#endif

struct synward_siphash_state {
	__u64 v0, v1, v2, v3;
};

static inline __u64 synward_rotate_left(__u64 value, unsigned int bits)
{
	return (value << bits) | (value >> (64 - bits));
}

static inline void synward_sip_round(struct synward_siphash_state *s)
{
	s->v0 += s->v1;
	s->v1 = synward_rotate_left(s->v1, 13) ^ s->v0;
	s->v0 = synward_rotate_left(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = synward_rotate_left(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = synward_rotate_left(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = synward_rotate_left(s->v1, 17) ^ s->v2;
	s->v2 = synward_rotate_left(s->v2, 32);
}

static inline void synward_sip_compress(struct synward_siphash_state *s, __u64 word)
{
	s->v3 ^= word;
	synward_sip_round(s);
	synward_sip_round(s);
	s->v0 ^= word;
}

/* `words` in the machine's order: on a big-endian machine the values differ from the paper's byte
 * strings, and nodes that share a key must share their byte order. */
static inline __u64 synward_siphash(__u64 k0, __u64 k1, const __u64 *words, unsigned int count)
{
	struct synward_siphash_state s = {
		k0 ^ 0x736f6d6570736575ULL,
		k1 ^ 0x646f72616e646f6dULL,
		k0 ^ 0x6c7967656e657261ULL,
		k1 ^ 0x7465646279746573ULL,
	};
	unsigned int i;

	for (i = 0; i < count; i++)
		synward_sip_compress(&s, words[i]);
	synward_sip_compress(&s, (__u64)count << 59); /* length in bytes, modulo 256, on top */
	s.v2 ^= 0xff;
	for (i = 0; i < 4; i++)
		synward_sip_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

#ifdef __cplusplus
#pragma GCC diagnostic pop
#endif

#endif
