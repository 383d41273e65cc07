// SPDX-License-Identifier: GPL-2.0-or-later
//
// Answers that nobody has to get: challenge ACKs, and RSTs for segments of no connection (RFC 5961
// 7 asks for a limit). One budget for all would tell an attacker, who counts what he gets himself,
// whether segments with another's address were answered, hence whether that one has a connection,
// and in the end its sequence numbers (CVE-2016-5696). So
//
//  - a connection has a limit of its own, as in Linux (tcp_invalid_ratelimit);
//  - segments of no connection share a bound that is drawn anew each second from a secret, between
//    500 and 1500, and of it one client's port gets one each half-second: what can be learnt about
//    it is two in a noise of a thousand.
#pragma once
#include <cstdint>

#include "proxy/counters.h"
#include "proxy/flow/key.h"
#include "proxy/flow/zeroed_array.h"
#include "proxy/time.h"

namespace synward::flood {

// Shorter than the first retransmission of a SYN (1 s), which asks again.
inline constexpr std::chrono::milliseconds answer_interval{500};

// For a connection. True if it may be answered now; `last`, the instant of its last answer, is then
// now.
bool may_answer(Instant& last, Instant now);

class AnswerLimit {
 public:
  static constexpr std::uint32_t per_second_min = 500, per_second_max = 1500;

  explicit AnswerLimit(const flow::HashKey& secret);
  // For a segment of no connection, `from` that side. True if it may be answered; that is spent.
  // Tuples share 32768 places by keyed hash: where two meet within half a second, one has to ask
  // again.
  bool spend(const flow::ConnectionKey& key, Side from, Instant now);

 private:
  std::uint32_t bound_of(std::int64_t second) const;

  flow::HashKey secret_;
  flow::ZeroedArray<Instant> last_;
  std::int64_t second_ = -1;
  std::uint32_t left_ = 0;  // in this second
};

}  // namespace synward::flood
