// SPDX-License-Identifier: GPL-2.0-or-later
//
// T4: who gives way when the table of connections fills, so that silent clients cannot lock others
// out, nor one network or one service take everything. Those that have ended go first
// (open_flow); then
//
//  - above three quarters of the table timeouts shrink, in a line, to a minute at the bound, as
//    pf's adaptive ones do. At the bound who wants in takes the place of the one that is silent
//    longest. The list for that is put in order by the first segment of a connection in each
//    second, not by all of them: silent longest to a second.
//  - if nobody has been silent for so long, who wants in takes the place of somebody of a network
//    above an eighth, or of a service above its share, while his own are below. The one that is
//    silent longest of the next sixteen of these is chosen; where fewer than an eighth of all are
//    such, the search goes on at the next try. Who is of a network above its own eighth displaces
//    only others of such, also where his service is below its share. Before all go the guesses of
//    step_adopt.cc, of which nothing is proven.
//
// Nobody gives way but to who has redeemed a challenge: anybody can forge a SYN.
//
// The bound is a 64th short of the table: challenges that are under way will want places too; for
// how many of them nobody knows, since most may be spoofed.
#include "proxy/engine/capacity.h"

#include <algorithm>

#include "proxy/engine/lifecycle.h"
#include "proxy/engine/resets.h"
#include "proxy/engine/step_adopt.h"

namespace synward::engine {

using flow::Flow;

namespace {

using std::chrono::milliseconds;

constexpr milliseconds timeout_min = look_every;
constexpr std::uint32_t shares_of_networks = 8;

std::uint32_t bound(const Core& core) {
  return core.flows.capacity() - core.flows.capacity() / 64;
}

// "One side has closed and the other is silent": also where the last acknowledgement is missing.
Duration own_timeout(const Core& core, const Flow& flow) {
  const bool half_closed = flow.connection.client.fin_sent || flow.connection.backend.fin_sent;
  return half_closed ? core.settings.half_closed_idle : core.settings.idle;
}

// The first of the list, if it is silent for too long: no other is so for a second more.
Flow* oldest_silent(Core& core, Instant now) {
  Flow* const flow = core.flows.first_open();
  const bool too_long = flow != nullptr && now - flow->last_segment >= idle_timeout(core, *flow);
  return too_long ? flow : nullptr;
}

// Of those above a share of which the one that wants in is below.
class AboveShare {
 public:
  AboveShare(const Core& core, const Arrival& newcomer)
      : core_(core),
        network_share_(std::max(core.flows.capacity() / shares_of_networks, 1U)),
        by_network_(core.flows_by_prefix.of(newcomer.key.client) < network_share_),
        by_service_(newcomer.service.open_flows < core.service_share) {}
  bool anybody() const { return by_network_ || by_service_; }
  bool operator()(const Flow& flow) const {
    const bool network_above = core_.flows_by_prefix.of(flow.key.client) > network_share_;
    if (by_network_ && network_above) return true;
    const bool service_above = core_.services[flow.service].open_flows > core_.service_share;
    return by_service_ && service_above && (by_network_ || network_above);
  }

 private:
  const Core& core_;
  std::uint32_t network_share_;
  bool by_network_, by_service_;
};

Flow* next_to_give_way(Core& core, const Arrival& newcomer) {
  constexpr int looks_max = 16;
  const AboveShare above(core, newcomer);
  if (!above.anybody() && core.provisional_flows == 0) return nullptr;
  Flow* silent_longest = nullptr;
  for (int looks = 0; looks < looks_max; ++looks) {
    Flow* const flow = core.flows.next(core.share_hand);
    if (flow == nullptr) {
      core.share_hand = 0;
      continue;
    }
    if (is_provisional(*flow)) return flow;
    const bool silent_longer =
        silent_longest == nullptr || flow->last_segment < silent_longest->last_segment;
    if (silent_longer && !flow->lingering && above(*flow)) silent_longest = flow;
  }
  return silent_longest;
}

void end(Core& core, Flow& flow, CloseReason reason, Instant now, Outbox& out) {
  if (is_provisional(flow)) {  // maybe of a connection past us, which goes on
    erase_flow(core, flow);
    return;
  }
  reset_client(core, flow, out);
  reset_backend(core, flow, out);
  end_flow(core, flow, reason, now);
}

void count(Core& core, const Flow& flow, GaveWay cause) {
  service_of(core, flow).counters.connections_gave_way[static_cast<std::size_t>(cause)].add();
}

}  // namespace

void count_open(Core& core, const Flow& flow, bool begins) {
  std::uint32_t& of_service = service_of(core, flow).open_flows;
  if (begins) {
    ++of_service;
    core.flows_by_prefix.add(flow.key.client, 1);
  } else {
    --of_service;
    core.flows_by_prefix.remove(flow.key.client, 1);
  }
}

Duration idle_timeout(const Core& core, const Flow& flow) {
  const auto own = std::chrono::duration_cast<milliseconds>(own_timeout(core, flow));
  const std::uint32_t open = core.flows.open_count(), last = bound(core);
  const std::uint32_t first = core.flows.capacity() - core.flows.capacity() / 4;
  if (own <= timeout_min) return own;
  if (open >= last) return timeout_min;
  if (open <= first) return own;
  return timeout_min + (own - timeout_min) * (last - open) / (last - first);
}

void heard(Core& core, Flow& flow, Instant now) {
  using std::chrono::floor;
  using std::chrono::seconds;
  const bool first_of_second = floor<seconds>(now) != floor<seconds>(flow.last_segment);
  if (first_of_second && !flow.lingering) core.flows.touch(flow);
  flow.last_segment = now;
}

void end_silent(Core& core, Flow& flow, Instant now, Outbox& out) {
  if (now - flow.last_segment < own_timeout(core, flow)) count(core, flow, GaveWay::silence);
  end(core, flow, CloseReason::idle, now, out);
}

bool place_is_left(Core& core, const Arrival& arrival) {
  if (core.flows.open_count() < bound(core)) return true;
  if (oldest_silent(core, arrival.now) != nullptr) return true;
  const std::uint32_t hand = core.share_hand;
  const bool somebody = next_to_give_way(core, arrival) != nullptr;
  if (somebody) core.share_hand = hand;  // for make_room() to find again
  return somebody;
}

void make_room(Core& core, const Arrival& arrival) {
  if (core.flows.open_count() < bound(core)) return;
  if (Flow* const silent = oldest_silent(core, arrival.now)) {
    end_silent(core, *silent, arrival.now, arrival.out);
  } else if (Flow* const flow = next_to_give_way(core, arrival)) {
    count(core, *flow, GaveWay::share);
    end(core, *flow, CloseReason::displaced, arrival.now, arrival.out);
  }
}

}  // namespace synward::engine
