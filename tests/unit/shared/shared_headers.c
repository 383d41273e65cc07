/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* The shared headers as C: built as C11 into the unit tests, which compare it with C++, and by
 * clang for BPF, which proves that the shield can say the same. */
#include "proxy/shared/cookie.h"
#include "proxy/shared/reasons.h"

__u32 synward_c_cookie(const struct synward_cookie_key* key, const struct synward_tuple* tuple,
                       const __u32 numbers[3], const struct synward_client_offer* offer);
__u32 synward_c_cookie_again(const struct synward_cookie_key* key, __u32 epoch, __u8 attempt);
__u32 synward_c_tsval(__u32 clock, const struct synward_client_offer* offer);
__u32 synward_c_redeem(__u32 cookie, __u32 tsecr);

/* numbers: client ISN, epoch, promise digest */
__u32 synward_c_cookie(const struct synward_cookie_key* key, const struct synward_tuple* tuple,
                       const __u32 numbers[3], const struct synward_client_offer* offer) {
  return synward_cookie_make(synward_cookie_begin(key, tuple, numbers[1]), numbers[0], numbers[2],
                             synward_cookie_encode(offer, numbers[1]));
}

/* Of an empty tuple, client ISN 1000, promise 3, data 0x5a. */
__u32 synward_c_cookie_again(const struct synward_cookie_key* key, __u32 epoch, __u8 attempt) {
  const struct synward_tuple tuple = {{0, 0}, {0, 0}, 0, 0, 0};

  return synward_cookie_make_again(synward_cookie_begin(key, &tuple, epoch), 1000, 3, 0x5a,
                                   attempt);
}

__u32 synward_c_tsval(__u32 clock, const struct synward_client_offer* offer) {
  return synward_cookie_tsval(clock, offer);
}

/* mss << 16 | window scale << 8 | flags */
__u32 synward_c_redeem(__u32 cookie, __u32 tsecr) {
  const struct synward_client_offer offer =
      synward_cookie_refine(synward_cookie_decode(synward_cookie_data(cookie)), tsecr);
  const __u32 mss = offer.mss;

  return (mss << 16) | (offer.window_scale << 8) | offer.flags;
}
