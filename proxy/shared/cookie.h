/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The SYN cookie: the sequence number of every challenge. BPF C, C11 and C++.
 *
 *   31                         8 7                    0
 *  +----------------------------+----------------------+
 *  |          MAC (24)          | data XOR top 8 bits  |
 *  +----------------------------+----------------------+
 *
 *  data:   7..5 MSS index | 4..2 window-scale index | 1 SACK | 0 parity of the epoch
 *
 * MAC = top 24 bits of SipHash-2-4, under the epoch's key, of six words: client address (2),
 * service address (2), both ports and the epoch, and {client ISN, digest of what the service
 * offered, data}. Addresses are those before any translation. The client's ISN and the data are
 * inside the MAC, not added to it: with addition, SEQ +- 1 decodes as another MSS. The XOR hides
 * nothing that matters; it keeps ISNs from looking alike.
 *
 * Odds: a blind acknowledgement is tried for two client ISNs (SEQ - 1, and SEQ for a keep-alive or
 * zero-window probe), so it passes with 2 * 2^-24 = 2^-23: a million of them per second open one
 * connection in eight seconds. That doubles in the last four seconds of an epoch (for one parity),
 * doubles again for 128 s after a step of the wall clock, and again while two different offers are
 * tried: 2^-20 at the worst.
 *
 * A client that comes back within the epoch with the same ports and ISN (a device that boots) would
 * get the cookie that it has spent, and its acknowledgement would be a replay. It gets another
 * number, whose MAC covers a seventh word, the attempt (1, 2, ...). Only who knows what was spent
 * tries these: as many more for one tuple and ISN as its client completed handshakes with them in
 * two epochs, SYNWARD_COOKIE_ATTEMPTS - 1 at most. All others' odds stay as they are.
 *
 * Where the client offered timestamps, the low six bits of the challenge's TSval hold the window
 * scale exactly (5..2, 15 = absent), SACK (1) and ECN (0). They come back in TSecr, which nothing
 * authenticates: it is believed only where it agrees with the data above, so that it can sharpen
 * a rounded scale and set ECN for the connection that carries it, and do nothing else.
 */
#ifndef SYNWARD_SHARED_COOKIE_H
#define SYNWARD_SHARED_COOKIE_H

#include <linux/types.h>

#include "proxy/shared/client_offer.h"
#include "proxy/shared/siphash.h"
#include "proxy/shared/tuple.h"

#define SYNWARD_COOKIE_MSS_VALUES {64, 536, 1220, 1360, 1400, 1440, 1460, 8960}
/* Index 0 is "absent", which is not scale 0. */
#define SYNWARD_COOKIE_SCALE_VALUES {SYNWARD_WINDOW_SCALE_ABSENT, 0, 3, 5, 6, 7, 8, 10}
#define SYNWARD_COOKIE_INDICES 8

struct synward_cookie_key {
  __u64 k0, k1;
};

SYNWARD_STATIC_ASSERT(sizeof(struct synward_cookie_key) == 16, "the shield's key map");
SYNWARD_STATIC_ASSERT(sizeof(struct synward_client_offer) == 4, "");

/* Both tables round down: segments larger than the client takes are lost on its path every time
 * they are sent again, and a window read as larger than it is is overrun. Only below the least MSS
 * is there no down: less than 64 reads as 64. No real stack announces so little (RFC 9293 3.7.1
 * assumes 536 of one that is silent), and one that does is out to make servers send a packet for
 * every few bytes (CVE-2019-11479), for which Linux ignores what is below its TCP_MIN_SND_MSS, 48
 * with options. */
SYNWARD_INLINE __u8 synward_cookie_mss_index(__u16 mss) {
  static const __u16 values[SYNWARD_COOKIE_INDICES] = SYNWARD_COOKIE_MSS_VALUES;
  __u8 i, index = 0;

  for (i = 1; i < SYNWARD_COOKIE_INDICES; i++)
    if (values[i] <= mss) index = i;
  return index;
}

SYNWARD_INLINE __u8 synward_cookie_scale_index(__u8 scale) {
  static const __u8 values[SYNWARD_COOKIE_INDICES] = SYNWARD_COOKIE_SCALE_VALUES;
  __u8 i, index = 0;

  if (scale == SYNWARD_WINDOW_SCALE_ABSENT) return 0;
  for (i = 1; i < SYNWARD_COOKIE_INDICES; i++)
    if (values[i] <= scale) index = i;
  return index;
}

/* The data bits of a cookie for this client in this epoch. */
SYNWARD_INLINE __u8 synward_cookie_encode(const struct synward_client_offer* offer, __u32 epoch) {
  return (synward_cookie_mss_index(offer->mss) << 5) |
         (synward_cookie_scale_index(offer->window_scale) << 2) |
         ((offer->flags & SYNWARD_OFFER_SACK) ? 2 : 0) | (epoch & 1);
}

/* What data bits say of the client: table values. */
SYNWARD_INLINE struct synward_client_offer synward_cookie_decode(__u8 data) {
  static const __u16 mss[SYNWARD_COOKIE_INDICES] = SYNWARD_COOKIE_MSS_VALUES;
  static const __u8 scales[SYNWARD_COOKIE_INDICES] = SYNWARD_COOKIE_SCALE_VALUES;
  struct synward_client_offer offer;

  offer.mss = mss[(data >> 5) & 7];
  offer.window_scale = scales[(data >> 2) & 7];
  offer.flags = (data & 2) ? SYNWARD_OFFER_SACK : 0;
  return offer;
}

/* The part of the MAC that all tries for one acknowledgement and one epoch have in common. */
SYNWARD_INLINE struct synward_siphash_state synward_cookie_begin(
    const struct synward_cookie_key* key, const struct synward_tuple* tuple, __u32 epoch) {
  struct synward_siphash_state s = synward_sip_begin(key->k0, key->k1);
  __u64 ports = tuple->client_port;

  ports = (ports << 16) | tuple->service_port;
  synward_sip_compress(&s, tuple->client[0]);
  synward_sip_compress(&s, tuple->client[1]);
  synward_sip_compress(&s, tuple->service[0]);
  synward_sip_compress(&s, tuple->service[1]);
  synward_sip_compress(&s, (ports << 32) | epoch);
  return s;
}

/* `last` is the last word of the message that was compressed into `state`. */
SYNWARD_INLINE __u32 synward_cookie_end(struct synward_siphash_state state, __u64 last, __u8 data) {
  const __u32 mac = synward_sip_end(state, last) >> 40;

  return (mac << 8) | (data ^ (mac >> 16));
}

/* The cookie; a received one is right if this, with its own data bits, gives it again. `promise`:
 * 24 bits of digest of what the service offered. */
SYNWARD_INLINE __u32 synward_cookie_make(struct synward_siphash_state begun, __u32 client_isn,
                                         __u32 promise, __u8 data) {
  const __u64 word = client_isn;

  synward_sip_compress(&begun, (word << 32) | ((promise & 0xffffffU) << 8) | data);
  return synward_cookie_end(begun, synward_sip_length(6), data);
}

#define SYNWARD_COOKIE_ATTEMPTS 8

/* The same for an attempt; 0 is the cookie itself. */
SYNWARD_INLINE __u32 synward_cookie_make_again(struct synward_siphash_state begun, __u32 client_isn,
                                               __u32 promise, __u8 data, __u8 attempt) {
  const __u64 word = client_isn;

  if (attempt == 0) return synward_cookie_make(begun, client_isn, promise, data);
  synward_sip_compress(&begun, (word << 32) | ((promise & 0xffffffU) << 8) | data);
  synward_sip_compress(&begun, attempt);
  return synward_cookie_end(begun, synward_sip_length(7), data);
}

SYNWARD_INLINE __u8 synward_cookie_data(__u32 cookie) {
  return (cookie ^ (cookie >> 24)) & 0xff;
}

SYNWARD_INLINE __u32 synward_cookie_parity(__u32 cookie) {
  return synward_cookie_data(cookie) & 1;
}

/* The challenge's TSval: `clock` in milliseconds with the six bits put in, rolled back by 64 where
 * that would be ahead of the clock. So it lies within the last 64 ms and, for the same options,
 * never runs backwards from one connection of a pair to the next (PAWS in TIME-WAIT). A client
 * that offers other options less than 64 ms later may see it less than 64 back; the least
 * TIME-WAIT that stacks honour for a reused port is a second. */
SYNWARD_INLINE __u32 synward_cookie_tsval(__u32 clock, const struct synward_client_offer* offer) {
  const __u32 bits = ((offer->window_scale & 15U) << 2) |
                     ((offer->flags & SYNWARD_OFFER_SACK) ? 2U : 0U) |
                     ((offer->flags & SYNWARD_OFFER_ECN) ? 1U : 0U);
  const __u32 tsval = (clock & ~63U) | bits;

  return bits > (clock & 63U) ? tsval - 64 : tsval;
}

/* `offer` as decoded from a cookie, made exact by the TSecr that came with it; as it is if they
 * do not agree. */
SYNWARD_INLINE struct synward_client_offer synward_cookie_refine(struct synward_client_offer offer,
                                                                 __u32 tsecr) {
  const __u8 scale = (tsecr >> 2) & 15;
  const __u8 sack = (tsecr & 2) ? SYNWARD_OFFER_SACK : 0;

  if (synward_cookie_scale_index(scale) != synward_cookie_scale_index(offer.window_scale) ||
      sack != (offer.flags & SYNWARD_OFFER_SACK))
    return offer;
  offer.window_scale = scale;
  if (tsecr & 1) offer.flags |= SYNWARD_OFFER_ECN;
  return offer;
}

#endif
