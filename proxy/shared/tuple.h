/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* Who talks to whom, as the client sees it: the key of the shield's maps and the first thing that
 * a cookie's MAC covers. BPF C, C11 and C++. */
#ifndef SYNWARD_SHARED_TUPLE_H
#define SYNWARD_SHARED_TUPLE_H

#include <linux/types.h>

#ifdef __cplusplus
#define SYNWARD_STATIC_ASSERT(condition, text) static_assert(condition, text)
#else
#define SYNWARD_STATIC_ASSERT(condition, text) _Static_assert(condition, text)
#endif

struct synward_tuple {
  __u64 client[2]; /* address: 16 bytes in network order, IPv4 as ::ffff:a.b.c.d */
  __u64 service[2];
  __u16 client_port; /* ports in host order */
  __u16 service_port;
  __u32 zero; /* maps compare keys as bytes: no padding may hold what was on the stack */
};

SYNWARD_STATIC_ASSERT(sizeof(struct synward_tuple) == 40, "no padding in a map key");
SYNWARD_STATIC_ASSERT(__builtin_offsetof(struct synward_tuple, service) == 16, "");
SYNWARD_STATIC_ASSERT(__builtin_offsetof(struct synward_tuple, client_port) == 32, "");
SYNWARD_STATIC_ASSERT(__builtin_offsetof(struct synward_tuple, zero) == 36, "");

#endif
