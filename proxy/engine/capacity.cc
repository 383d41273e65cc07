// SPDX-License-Identifier: GPL-2.0-or-later
//
// T4: who gives way when the table of connections fills, so that silent clients cannot lock others
// out, nor one network or one service take everything. Those that have ended go first,
// and the guesses of step_adopt.cc, of which nothing is proven (open_flow); then
//
//  - above three quarters of the table timeouts shrink, in a line, to a minute at the bound, as
//    pf's adaptive ones do. At the bound who wants in takes the place of the one that is silent
//    longest. The list for that is put in order by the first segment of a connection in each
//    second, not by all of them: silent longest to a second.
//  - if nobody has been silent for so long, who wants in takes the place of somebody of a network
//    above an eighth, or of a service above its share, while his own are below. Of sixteen places
//    the one of these that is silent longest is chosen. A newcomer looks at a few times sixteen; if
//    that is in vain he is refused, and the ticks look further: a flood of SYNs is no more work.
//    Who is of a network above its own eighth displaces only others of such, also where his service
//    is below its share.
//
// Nobody gives way but to who has redeemed a challenge: anybody can forge a SYN.
//
// The bound is a 64th short of the table: challenges that are under way will want places too; for
// how many of them nobody knows, since most may be spoofed.
#include "proxy/engine/capacity.h"

#include <algorithm>

#include "proxy/engine/lifecycle.h"
#include "proxy/engine/resets.h"

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

std::uint32_t share_of_network(const Core& core) {
  return std::max(core.flows.capacity() / shares_of_networks, 1U);
}
bool network_above(const Core& core, const Flow& flow) {
  return core.flows_by_prefix.of(flow.key.client) > share_of_network(core);
}
bool service_above(const Core& core, const Flow& flow) {
  return core.services[flow.service].open_flows > core.service_share;
}

// Of those above a share of which the one that wants in is below.
class AboveShare {
 public:
  AboveShare(const Core& core, const Arrival& newcomer)
      : core_(core),
        by_network_(core.flows_by_prefix.of(newcomer.key.client) < share_of_network(core)),
        by_service_(newcomer.service.open_flows < core.service_share) {}
  bool anybody() const { return by_network_ || by_service_; }
  bool operator()(const Flow& flow) const {
    const bool network = network_above(core_, flow);
    if (by_network_ && network) return true;
    return by_service_ && service_above(core_, flow) && (by_network_ || network);
  }

 private:
  const Core& core_;
  bool by_network_, by_service_;
};

// Of the next places, from `hand` on, which is then behind them.
Flow* silent_longest(Core& core, const AboveShare& above, std::uint32_t& hand) {
  constexpr int places = 16;
  Flow* found = nullptr;
  for (int looks = 0; looks < places; ++looks) {
    Flow* const flow = core.flows.next(hand);
    if (flow == nullptr) {
      hand = 0;
      continue;
    }
    const bool longer = found == nullptr || flow->last_segment < found->last_segment;
    if (longer && !flow->lingering && above(*flow)) found = flow;
  }
  return found;
}

// The hand stays where there is one, for others above a share are beside it. What a newcomer looks
// at is bounded: if that is in vain, the ticks look further, and others meanwhile look at less.
Flow* next_to_give_way(Core& core, const Arrival& newcomer) {
  constexpr int tries_max = 4;
  const AboveShare above(core, newcomer);
  if (!above.anybody()) return nullptr;
  const bool searching = core.share_looks_left != 0;
  for (int tries = searching ? tries_max - 2 : 0; tries < tries_max; ++tries) {
    std::uint32_t hand = core.share_hand;
    if (Flow* const found = silent_longest(core, above, hand)) return found;
    core.share_hand = hand;
  }
  if (!searching) core.share_looks_left = core.flows.capacity();
  return nullptr;
}

void end(Core& core, Flow& flow, CloseReason reason, Instant now, Outbox& out) {
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
  return next_to_give_way(core, arrival) != nullptr;
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

void search_on(Core& core) {
  constexpr std::uint32_t looks_per_tick = 512;
  const std::uint32_t looks = std::min(core.share_looks_left, looks_per_tick);
  core.share_looks_left -= looks;
  for (std::uint32_t look = 0; look < looks; ++look) {
    Flow* const flow = core.flows.next(core.share_hand);
    if (flow == nullptr) {
      core.share_hand = 0;
    } else if (!flow->lingering && (network_above(core, *flow) || service_above(core, *flow))) {
      core.share_hand = core.flows.place_of(*flow);
      core.share_looks_left = 0;
      return;
    }
  }
}

}  // namespace synward::engine
