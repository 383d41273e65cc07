// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include "proxy/flow/flow.h"
#include "proxy/flow/half_open.h"

namespace synward::flow {

// Connections by who and which listen: fixed capacity, keyed hash, one timer each, and the list of
// those that have ended and only linger (TIME-WAIT, CLOSED), oldest first, to be recycled when the
// table is full (T4).
class FlowTable {
 public:
  FlowTable(std::uint32_t capacity, const HashKey& key, Instant start);

  std::uint32_t size() const;
  std::uint32_t capacity() const;
  Flow* find(const HalfOpenKey& key);
  // A default Flow with its key, unarmed; nullptr when full. The key must not be in the table.
  Flow* insert(const HalfOpenKey& key);
  void erase(Flow& flow);  // disarms, unlinks

  void linger(Flow& flow);   // to the end of the lingering list; no effect if it is there
  Flow* oldest_lingering();  // nullptr if none

  // Any deadline: one beyond the wheel's horizon fires early, and pop_expired re-arms it itself.
  void arm(Flow& flow, Instant now, Instant deadline);
  Flow* pop_expired(Instant now);  // disarmed; flow->deadline <= now
  std::optional<Instant> next_deadline() const;

  // Every live flow, for the ordered stop; `visit` may not insert.
  template <class Visit>
  void for_each(Visit visit);

 private:
  // (see the implementation)
};

}  // namespace synward::flow
