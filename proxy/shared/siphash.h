/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * SipHash-2-4 (Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012) over whole 64-bit
 * words. The length is part of the hash, as in the paper, so messages of different lengths under
 * one key never share an output by construction. In three pieces too, so that tries which begin
 * alike pay for their beginning once. BPF C, C11 and C++.
 *
 * Words are the machine's own: on a big-endian machine the values differ from the paper's byte
 * strings, and nodes that share a key must share their byte order.
 */
#ifndef SYNWARD_SHARED_SIPHASH_H
#define SYNWARD_SHARED_SIPHASH_H

#include <linux/types.h>

/* The state must stay in registers, and the BPF back end passes no struct between functions. */
#define SYNWARD_INLINE static inline __attribute__((always_inline))

struct synward_siphash_state {
  __u64 v0, v1, v2, v3;
};

SYNWARD_INLINE __u64 synward_rotate_left(__u64 value, unsigned int bits) {
  return (value << bits) | (value >> (64 - bits));
}

SYNWARD_INLINE void synward_sip_round(struct synward_siphash_state* s) {
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

SYNWARD_INLINE struct synward_siphash_state synward_sip_begin(__u64 k0, __u64 k1) {
  const struct synward_siphash_state s = {
      k0 ^ 0x736f6d6570736575ULL,
      k1 ^ 0x646f72616e646f6dULL,
      k0 ^ 0x6c7967656e657261ULL,
      k1 ^ 0x7465646279746573ULL,
  };

  return s;
}

SYNWARD_INLINE void synward_sip_compress(struct synward_siphash_state* s, __u64 word) {
  s->v3 ^= word;
  synward_sip_round(s);
  synward_sip_round(s);
  s->v0 ^= word;
}

/* `last`: the message's length in bytes modulo 256 in the top byte, below it the bytes that fill
 * no whole word. */
SYNWARD_INLINE __u64 synward_sip_end(struct synward_siphash_state s, __u64 last) {
  synward_sip_compress(&s, last);
  s.v2 ^= 0xff;
  synward_sip_round(&s);
  synward_sip_round(&s);
  synward_sip_round(&s);
  synward_sip_round(&s);
  return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

/* The last word of a message of `count` whole words. */
SYNWARD_INLINE __u64 synward_sip_length(__u64 count) {
  return count << 59; /* * 8, << 56 */
}

SYNWARD_INLINE __u64 synward_siphash(__u64 k0, __u64 k1, const __u64* words, unsigned int count) {
  struct synward_siphash_state s = synward_sip_begin(k0, k1);
  unsigned int i;

  for (i = 0; i < count; i++) synward_sip_compress(&s, words[i]);
  return synward_sip_end(s, synward_sip_length(count));
}

#endif
