/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The SYN cookie: the sequence number of every challenge. BPF C, C11 and C++.
 *
 *   31                         8 7                    0
 *  +----------------------------+----------------------+
 *  |          MAC (24)          | data XOR top 8 bits  |
 *  +----------------------------+----------------------+
 *
 *  data:   7..5 MSS index | 4..2 window-scale index | 1 SACK | 0 key parity
 *
 * MAC = SipHash-2-4 under the epoch's key over the client's and the service's address and port
 * (before any translation), the client's ISN, the epoch, the data bits, and the digest of what the
 * service offered. The client's ISN and the data are inside the MAC rather than added to it: with
 * addition, SEQ +- 1 decodes as another MSS. The data bits are XORed with the transmitted top bits
 * only so that they look random.
 *
 * Odds: a blind acknowledgement is tried for two client ISNs (SEQ-1, and SEQ for a keep-alive or
 * zero-window probe), so it passes with 2 * 2^-24 = 2^-23; twice that in the last four seconds of
 * an epoch, for 128 s after a step of the wall clock, and while two offers are valid.
 *
 * Where the client offered timestamps, the low six bits of the challenge's TSval hold its exact
 * window scale (5..2, 15 = absent), SACK (1) and ECN (0). They come back unauthenticated in TSecr:
 * they may affect that client's own connection and nothing else.
 */
#ifndef SYNWARD_SHARED_COOKIE_H
#define SYNWARD_SHARED_COOKIE_H

#include <linux/types.h>

#include "proxy/shared/client_offer.h"
#include "proxy/shared/siphash.h"

#ifdef __cplusplus
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wold-style-cast" /* C has no other */
#endif

#define SYNWARD_COOKIE_MSS_VALUES { 64, 536, 1220, 1360, 1400, 1440, 1460, 8960 }
/* Index 0 is "absent", which is not scale 0. */
#define SYNWARD_COOKIE_SCALE_VALUES { SYNWARD_WINDOW_SCALE_ABSENT, 0, 3, 5, 6, 7, 8, 10 }
#define SYNWARD_COOKIE_INDICES 8

struct synward_cookie_key {
	__u64 k0, k1;
};

/* All that the MAC covers, in a shape without padding; zero it first. Ports in host order. */
struct synward_cookie_input {
	__u64 client[2];  /* address, 16 bytes in network order, IPv4 mapped */
	__u64 service[2];
	__u16 client_port, service_port;
	__u32 client_isn;
	__u32 epoch;
	__u32 promise; /* 24 bits of digest << 8 | data */
};

#ifdef __cplusplus
static_assert(sizeof(synward_cookie_input) == 48, "six words, no padding");
#else
_Static_assert(sizeof(struct synward_cookie_input) == 48, "six words, no padding");
#endif

/* Rounded down: a client must not be sent more than it offered to take, nor its window be read as
 * larger than it is. An MSS below the smallest value reads as that: Linux, too, sends no smaller
 * segments than its TCP_MIN_SND_MSS of 48 bytes and options. */
static inline __u8 synward_cookie_mss_index(__u16 mss)
{
	static const __u16 values[SYNWARD_COOKIE_INDICES] = SYNWARD_COOKIE_MSS_VALUES;
	__u8 i, index = 0;

	for (i = 1; i < SYNWARD_COOKIE_INDICES; i++)
		if (values[i] <= mss)
			index = i;
	return index;
}

static inline __u16 synward_cookie_mss(__u8 index)
{
	static const __u16 values[SYNWARD_COOKIE_INDICES] = SYNWARD_COOKIE_MSS_VALUES;

	return values[index & 7];
}

static inline __u8 synward_cookie_scale_index(__u8 scale)
{
	static const __u8 values[SYNWARD_COOKIE_INDICES] = SYNWARD_COOKIE_SCALE_VALUES;
	__u8 i, index = 0;

	if (scale == SYNWARD_WINDOW_SCALE_ABSENT)
		return 0;
	for (i = 1; i < SYNWARD_COOKIE_INDICES; i++)
		if (values[i] <= scale)
			index = i;
	return index;
}

static inline __u8 synward_cookie_scale(__u8 index)
{
	static const __u8 values[SYNWARD_COOKIE_INDICES] = SYNWARD_COOKIE_SCALE_VALUES;

	return values[index & 7];
}

static inline __u8 synward_cookie_encode(const struct synward_client_offer *offer, __u32 epoch)
{
	return (__u8)((synward_cookie_mss_index(offer->mss) << 5) |
		      (synward_cookie_scale_index(offer->window_scale) << 2) |
		      ((offer->flags & SYNWARD_OFFER_SACK) ? 2 : 0) | (epoch & 1));
}

/* `input` with its promise's low byte still zero; the whole cookie. */
static inline __u32 synward_cookie_make(const struct synward_cookie_key *key,
					struct synward_cookie_input *input, __u8 data)
{
	__u32 mac;

	input->promise = (input->promise & 0xffffff00U) | data;
	mac = (__u32)(synward_siphash(key->k0, key->k1, (const __u64 *)(const void *)input,
				      sizeof(*input) / sizeof(__u64)) >>
		      40);
	return (mac << 8) | ((data ^ (mac >> 16)) & 0xff);
}

static inline __u8 synward_cookie_data(__u32 cookie)
{
	return (__u8)((cookie ^ (cookie >> 24)) & 0xff);
}

static inline __u32 synward_cookie_parity(__u32 cookie)
{
	return synward_cookie_data(cookie) & 1;
}

/* The challenge's TSval: rolled back so that it never exceeds `clock`, which is what makes it never
 * run backwards from one connection of a pair to the next (PAWS in TIME-WAIT). */
static inline __u32 synward_cookie_tsval(__u32 clock, const struct synward_client_offer *offer)
{
	__u32 bits = ((__u32)(offer->window_scale & 15) << 2) |
		     ((offer->flags & SYNWARD_OFFER_SACK) ? 2U : 0U) |
		     ((offer->flags & SYNWARD_OFFER_ECN) ? 1U : 0U);
	__u32 tsval = (clock & ~63U) | bits;

	if (bits > (clock & 63U))
		tsval -= 64;
	return tsval;
}

#ifdef __cplusplus
#pragma GCC diagnostic pop
#endif

#endif
