/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the generator and its XDP program share; compiles as BPF C and as C++. */
#ifndef SYNWARD_LAB_FLOOD_STATE_H
#define SYNWARD_LAB_FLOOD_STATE_H
#include <linux/types.h>

enum { FLOOD_OFFSET_TCP4 = 34, FLOOD_OFFSET_TCP6 = 54, FLOOD_FRAME_MAX = 96 };

struct flood_state {
  __u64 tcp_sum;  /* one's complement sum of what does not change, pseudo header included */
  __u64 ip_sum;   /* the same of the IPv4 header */
  __u64 random;   /* never zero */
  __u64 start_ns; /* of the first frame; 0 before it */
  __u64 frames_max;
  __u64 sent;
  __u64 rate_pps;       /* 0: as fast as it goes */
  __u32 source[4];      /* network order, v4 in the last word */
  __u32 source_mask[4]; /* set bits are the prefix's */
  __u32 is_ipv6;
  __u32 is_ack;
  __u8 frame[FLOOD_FRAME_MAX]; /* the whole frame, changing fields zero */
};

#endif
