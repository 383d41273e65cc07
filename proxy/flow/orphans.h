// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "proxy/counters.h"
#include "proxy/flow/live_tuples.h"

namespace synward::flow {

// T6: connections of a daemon that died, found by either end: {client, listen} from the client,
// {client, backend} from the backend. Made once, at the start, with room for what it is given, and
// less from then on; all workers ask it, each about the clients that are steered to it, and no lock
// is needed.
class Orphans {
 public:
  static constexpr std::size_t endpoints_max = 4096;  // listens and backends, each

  Orphans() = default;
  // The tuples, of which any bytes may be read, stay where they are, also for the next process:
  // those that are not marked yet become orphans `now`. Of two that are equal the younger one
  // counts.
  Orphans(std::span<LiveTuple> tuples, const HashKey& key, Instant now);

  struct Orphan {
    LiveTuple* tuple = nullptr;
    Instant since{};
    std::array<Instant, 2> answered{};  // [Side]: when it was last told
  };
  // nullptr if there is none, or it was forgotten.
  Orphan* find(Side from, const BackendTuple& tuple);
  // This end knows that it is over, or has a new connection at its ports.
  void forget(Side from, const BackendTuple& tuple);
  // Those that became orphans before that: no end waits for so long. True if there were any.
  // By one thread.
  bool expire(Instant before);

  bool empty() const { return halves_left_.load(std::memory_order_relaxed) == 0; }
  // The rules may still queue for what is configured nowhere.
  bool had_any() const { return !orphans_.empty(); }
  // Of those that are left, no more than endpoints_max: the rules queue for them, whatever is
  // configured.
  std::vector<wire::Endpoint> listens() const { return endpoints(Side::client); }
  std::vector<wire::Endpoint> backends() const { return endpoints(Side::backend); }

 private:
  void index(Side side, std::uint32_t place);
  bool clear(LiveTuple& tuple, std::uint8_t halves);
  std::vector<wire::Endpoint> endpoints(Side side) const;

  HashKey key_{};
  std::vector<Orphan> orphans_;  // the oldest first
  std::size_t expired_ = 0;      // so many of them
  std::atomic<std::uint32_t> halves_left_ = 0;
  // [Side]: open addressing, place + 1, half of it empty at least.
  std::array<std::vector<std::uint32_t>, 2> indexes_;
};

}  // namespace synward::flow
