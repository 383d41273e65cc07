/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* What a client's SYN offered, as far as a challenge can remember it. BPF C, C11 and C++. */
#ifndef SYNWARD_SHARED_CLIENT_OFFER_H
#define SYNWARD_SHARED_CLIENT_OFFER_H

#include <linux/types.h>

#define SYNWARD_WINDOW_SCALE_ABSENT 15 /* 0..14 are scales (RFC 7323 2.3); 0 is not absent */

#define SYNWARD_OFFER_SACK 1
#define SYNWARD_OFFER_TIMESTAMPS 2
#define SYNWARD_OFFER_ECN 4

struct synward_client_offer {
  __u16 mss;         /* bytes; what the SYN said, or 536 (IPv4), 1220 (IPv6) if it said nothing */
  __u8 window_scale; /* 0..14 or SYNWARD_WINDOW_SCALE_ABSENT */
  __u8 flags;        /* SYNWARD_OFFER_* */
};

#endif
