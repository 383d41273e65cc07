// SPDX-License-Identifier: GPL-2.0-or-later
//
// H3: who is remembered in a half-open queue, and who is answered by cookie alone.
//
// A slow flood (2000 SYN/s against a backlog of 50000 whose entries live 31 s) fills any queue, and
// one that is full of spoofed SYNs is of no use to the clients for whom it is kept: those whose
// final ACK was lost while the server speaks first (H4). So one /24 or /64 holds at most a tenth of
// the capacity, and is answered statelessly beyond that; and from the high watermark on, until the
// queue has fallen to the low one,
//
//  - the oldest entry gives way to the new one, once it has been kept for its first wait: a genuine
//    client answers within a round trip, hence the oldest is the most likely to be spoofed;
//  - where even the oldest is younger, room above the watermark is used, and when there is none,
//    the new SYN is answered statelessly: otherwise a fast flood would wash every entry out
//    before its client could answer;
//  - an entry is retransmitted once at most, and all within a budget: a victim whose address is
//    being spoofed must not be hit five times (RFC 4987 3.6).
//
// Nothing is lost by not being remembered: the cookie is in every challenge.
#pragma once
#include <cstdint>

#include "proxy/flood/rate_budget.h"
#include "proxy/flow/half_open.h"
#include "proxy/time.h"

namespace synward::flood {

struct AdmissionSettings {
  std::uint32_t high_entries = 0;            // pressure begins at this size
  std::uint32_t low_entries = 0;             // and ends at this
  std::uint32_t retransmits_per_second = 0;  // under pressure
  Duration keep_at_least{};                  // the first wait: synack_timeout
};

// The policy over one queue. It never changes the queue, so that the engine can account for a
// displaced entry while it still exists:
//
//   const auto decision = admission.decide(queue, key.client, now);
//   if (decision.displace) { ...; queue.erase(*decision.displace); }
//   if (decision.remember) entry = queue.insert(key, now, schedule.wait(0));
class Admission {
 public:
  Admission(const AdmissionSettings& settings, Instant start);

  // From now on; pressure that there is stays until its end (H3).
  void set_settings(const AdmissionSettings& settings, Instant now);

  // Whether the rules of pressure hold; takes the present size into account.
  bool pressured(const flow::HalfOpenQueue& queue);

  struct Decision {
    bool remember = false;                    // else: answer statelessly
    flow::HalfOpenEntry* displace = nullptr;  // to be erased first; only if `remember`
  };
  // For a SYN of a client that is not in the queue.
  Decision decide(flow::HalfOpenQueue& queue, const wire::Address& client, Instant now);

  // Whether the timer may send `entry`'s SYN-ACK again. Spends budget if so.
  bool may_retransmit(const flow::HalfOpenQueue& queue, const flow::HalfOpenEntry& entry,
                      Instant now);

 private:
  AdmissionSettings settings_;
  RateBudget retransmits_;
  bool pressured_ = false;
};

}  // namespace synward::flood
