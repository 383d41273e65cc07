// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a successor must know of connections, should this process die: who talks to whom, and no
// more. Translated, they are lost with their offsets; both ends are to be told so at their next
// segment.
#pragma once
#include <cstdint>
#include <span>

#include "proxy/flow/key.h"
#include "proxy/time.h"

namespace synward::flow {

// One connection, in memory that outlives the process. All zero: none.
struct LiveTuple {
  static constexpr std::uint8_t client_half = 1, backend_half = 2;

  wire::Address client, listen, backend;
  std::uint16_t client_port, listen_port, backend_port;
  std::uint8_t halves;  // which ends are (or were) in a connection; written last
  std::uint8_t reserved;
  std::uint32_t orphaned_at;  // seconds since boot, when its process was found dead; 0: not yet
  std::uint32_t reserved_too;

  BackendTuple of_client() const { return {{client, client_port}, {listen, listen_port}}; }
  BackendTuple of_backend() const { return {{client, client_port}, {backend, backend_port}}; }
};
static_assert(sizeof(LiveTuple) == 64);

// One worker's part of them, by the flow's place in its table: one write at the beginning, one for
// each backend that is asked, one at the end. Without memory nothing is kept.
class LiveTuples {
 public:
  explicit LiveTuples(std::span<LiveTuple> memory) : tuples_(memory) {}

  void begin(std::uint32_t place, const wire::Endpoint& client, const wire::Endpoint& listen);
  void ask(std::uint32_t place, const wire::Endpoint& backend);
  void end(std::uint32_t place);

 private:
  LiveTuple* at(std::uint32_t place) { return place < tuples_.size() ? &tuples_[place] : nullptr; }
  std::span<LiveTuple> tuples_;
};

}  // namespace synward::flow
