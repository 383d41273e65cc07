// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/flow/table.h"

#include <bit>
#include <cassert>

namespace synward::flow {

FlowTable::FlowTable(std::uint32_t capacity, const HashKey& key, Instant start)
    : hash_key_(key),
      flows_(capacity, key),
      backend_buckets_(std::bit_ceil(std::size_t{capacity})),
      timers_(flows_.data(), start) {}

Flow* FlowTable::insert(const ConnectionKey& key) {
  Flow* const flow = flows_.insert(key);
  if (flow == nullptr) return nullptr;
  flow->live = true;
  open_.push_back(flows_.data(), flows_.index_of(*flow));
  return flow;
}

void FlowTable::erase(Flow& flow) {
  disarm(flow);
  unset_backend(flow);
  list_of(flow).remove(flows_.data(), flows_.index_of(flow));
  if (flow.lingering) --lingering_count_;
  flow.live = false;
  flows_.erase(flow);
}

Flow* FlowTable::find_before_backend(const BackendTuple& tuple) {
  std::uint32_t link = backend_bucket(tuple);
  while (link != 0 && backend_tuple(flows_[link - 1]) != tuple)
    link = flows_[link - 1].backend_next;
  return link == 0 ? nullptr : &flows_[link - 1];
}

void FlowTable::set_backend(Flow& flow, const wire::Endpoint& backend) {
  unset_backend(flow);
  flow.backend_endpoint = backend;
  std::uint32_t& bucket = backend_bucket(backend_tuple(flow));
  flow.backend_next = bucket;
  bucket = flows_.index_of(flow) + 1;
}

void FlowTable::unset_backend(Flow& flow) {
  if (flow.backend_endpoint.port == 0) return;
  const std::uint32_t link = flows_.index_of(flow) + 1;
  std::uint32_t* at = &backend_bucket(backend_tuple(flow));
  while (*at != link) {
    assert(*at != 0);  // else somebody else has set its backend
    at = &flows_[*at - 1].backend_next;
  }
  *at = flow.backend_next;
  flow.backend_endpoint = {};
}

void FlowTable::linger(Flow& flow) {
  if (flow.lingering) return;
  const std::uint32_t index = flows_.index_of(flow);
  open_.remove(flows_.data(), index);
  flow.lingering = true;
  ++lingering_count_;
  lingering_.push_back(flows_.data(), index);
}

void FlowTable::revive(Flow& flow) {
  if (!flow.lingering) return;
  const std::uint32_t index = flows_.index_of(flow);
  lingering_.remove(flows_.data(), index);
  flow.lingering = false;
  --lingering_count_;
  open_.push_back(flows_.data(), index);
}

void FlowTable::touch(Flow& flow) {
  const std::uint32_t index = flows_.index_of(flow);
  open_.remove(flows_.data(), index);
  open_.push_back(flows_.data(), index);
}

Flow* FlowTable::first_open() {
  return open_.empty() ? nullptr : &flows_[open_.first()];
}

Flow* FlowTable::next(std::uint32_t& place) {
  while (place < flows_.touched()) {
    Flow& flow = flows_[place++];
    if (flow.live) return &flow;
  }
  return nullptr;
}

Flow* FlowTable::oldest_lingering() {
  return lingering_.empty() ? nullptr : &flows_[lingering_.first()];
}

void FlowTable::arm(Flow& flow, Instant now, Instant deadline) {
  flow.deadline = deadline;
  timers_.arm(flows_.index_of(flow), now, deadline);
}

void FlowTable::disarm(Flow& flow) {
  timers_.cancel(flows_.index_of(flow));
}

Flow* FlowTable::pop_expired(Instant now) {
  for (;;) {
    const std::uint32_t index = timers_.pop_expired(now);
    if (index == no_index) return nullptr;
    Flow& flow = flows_[index];
    if (flow.deadline <= now) return &flow;
    timers_.arm(index, now, flow.deadline);
  }
}

}  // namespace synward::flow
