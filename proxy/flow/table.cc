// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/flow/table.h"

namespace synward::flow {

FlowTable::FlowTable(std::uint32_t capacity, const HashKey& key, Instant start)
    : flows_(capacity, key), timers_(flows_.data(), start) {}

Flow* FlowTable::insert(const ConnectionKey& key) {
  Flow* const flow = flows_.insert(key);
  if (flow != nullptr) flow->live = true;
  return flow;
}

void FlowTable::erase(Flow& flow) {
  disarm(flow);
  unlinger(flow);
  flow.live = false;
  flows_.erase(flow);
}

void FlowTable::linger(Flow& flow) {
  if (flow.lingering) return;
  flow.lingering = true;
  ++lingering_count_;
  lingering_.push_back(flows_.data(), flows_.index_of(flow));
}

void FlowTable::unlinger(Flow& flow) {
  if (!flow.lingering) return;
  flow.lingering = false;
  --lingering_count_;
  lingering_.remove(flows_.data(), flows_.index_of(flow));
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
