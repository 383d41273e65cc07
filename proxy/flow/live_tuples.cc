// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/flow/live_tuples.h"

#include <atomic>

namespace synward::flow {
namespace {

// A process may die between any two instructions: what is written before is there before, and what
// is written behind it is not there yet.
void set_halves(LiveTuple& tuple, std::uint8_t halves) {
  std::atomic_ref(tuple.halves).store(halves, std::memory_order_release);
  std::atomic_thread_fence(std::memory_order_release);
}

}  // namespace

void LiveTuples::begin(std::uint32_t place, const wire::Endpoint& client,
                       const wire::Endpoint& listen) {
  LiveTuple* const tuple = at(place);
  if (tuple == nullptr) return;
  set_halves(*tuple, 0);
  tuple->client = client.address;
  tuple->client_port = client.port;
  tuple->listen = listen.address;
  tuple->listen_port = listen.port;
  tuple->orphaned_at = 0;
  set_halves(*tuple, LiveTuple::client_half);
}

void LiveTuples::ask(std::uint32_t place, const wire::Endpoint& backend) {
  LiveTuple* const tuple = at(place);
  if (tuple == nullptr) return;
  set_halves(*tuple, LiveTuple::client_half);
  tuple->backend = backend.address;
  tuple->backend_port = backend.port;
  set_halves(*tuple, LiveTuple::client_half | LiveTuple::backend_half);
}

void LiveTuples::end(std::uint32_t place) {
  if (LiveTuple* const tuple = at(place)) set_halves(*tuple, 0);
}

}  // namespace synward::flow
