// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <cstdint>
#include <optional>

#include "proxy/flow/flow.h"
#include "proxy/flow/index_list.h"
#include "proxy/flow/keyed_pool.h"
#include "proxy/flow/timer_wheel.h"

namespace synward::flow {

// Connections by who and which listen, and by who and which backend: fixed capacity, keyed hash,
// one timer each. Those that have ended and only linger (TIME-WAIT, CLOSED), and those that may be
// no connections at all, are in a list, oldest first, to be recycled when the table is full (T4);
// all others in one by their last touch(), to give way. A flow stays at its address until it is
// erased.
class FlowTable {
 public:
  FlowTable(std::uint32_t capacity, const HashKey& key, Instant start);

  std::uint32_t size() const { return flows_.size(); }
  std::uint32_t capacity() const { return flows_.capacity(); }
  Flow* find(const ConnectionKey& key) { return flows_.find(key); }
  // The one that was given this backend last: a client that calls several listens from one port may
  // have ended connections with it too. One look-up, however many listens lie before the backend.
  Flow* find_before_backend(const BackendTuple& tuple);
  // From now on it is found by this backend, which is flow.backend_endpoint, and by no other.
  void set_backend(Flow& flow, const wire::Endpoint& backend);
  // A default Flow with its key, unarmed; nullptr when full. The key must not be in the table.
  Flow* insert(const ConnectionKey& key);
  void erase(Flow& flow);  // disarms, unlinks
  // Below capacity(), and its own until it is erased.
  std::uint32_t place_of(const Flow& flow) const { return flows_.index_of(flow); }

  void linger(Flow& flow);   // to the end of the lingering list; no effect if it is there
  void revive(Flow& flow);   // open again, as a new one; no effect if it is
  Flow* oldest_lingering();  // nullptr if none
  std::uint32_t lingering_count() const { return lingering_count_; }
  void touch(Flow& flow);  // an open one: to the end of their list, as a new one is
  Flow* first_open();      // of that list; nullptr if none
  std::uint32_t open_count() const { return size() - lingering_count_; }

  // Any deadline: one beyond the wheel's horizon fires early, and pop_expired re-arms it itself.
  // Sets flow.deadline.
  void arm(Flow& flow, Instant now, Instant deadline);
  void disarm(Flow& flow);
  Flow* pop_expired(Instant now);  // disarmed; flow->deadline <= now; nullptr if none
  // When pop_expired should next be called (for a deadline beyond the horizon: before it is due).
  std::optional<Instant> next_deadline(Duration within = timer_horizon) const {
    return timers_.next_deadline(within);
  }

  // A walk over all flows, which may be erased meanwhile: the first one at `place` (0 at the start)
  // or behind it, and `place` is then behind that; nullptr at the end. The whole walk looks at each
  // place once.
  Flow* next(std::uint32_t& place);

 private:
  static BackendTuple backend_tuple(const Flow& flow) {
    return {.client = {flow.key.client, flow.key.client_port}, .backend = flow.backend_endpoint};
  }
  std::uint32_t& backend_bucket(const BackendTuple& tuple) {
    return backend_buckets_[keyed_hash(hash_key_, tuple) & (backend_buckets_.size() - 1)];
  }
  void unset_backend(Flow& flow);

  HashKey hash_key_;
  KeyedPool<Flow> flows_;
  ZeroedArray<std::uint32_t> backend_buckets_;  // index + 1; 0: empty
  TimerWheel<Flow> timers_;
  using List = IndexList<Flow, &Flow::list_next, &Flow::list_prev>;
  List& list_of(const Flow& flow) { return flow.lingering ? lingering_ : open_; }
  List open_, lingering_;
  std::uint32_t lingering_count_ = 0;
};

}  // namespace synward::flow
