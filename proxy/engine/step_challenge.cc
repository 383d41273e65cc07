// SPDX-License-Identifier: GPL-2.0-or-later
//
// Step: a client's SYN is answered with a challenge, remembered if there is room (H1..H3).
#include "proxy/engine/step_challenge.h"

#include <algorithm>

#include "proxy/engine/capacity.h"
#include "proxy/engine/lifecycle.h"
#include "proxy/engine/step_orphaned.h"
#include "proxy/engine/treatment.h"
#include "proxy/engine/verdicts.h"

namespace synward::engine {

using flow::Flow;
using flow::HalfOpenEntry;
using flow::Phase;
using wire::SeqNumber;

namespace {

// T3: a SYN reopens a connection that has ended, if it cannot be an old duplicate of it (RFC 9293
// 3.10.7.4, TIME-WAIT; RFC 6191). The backend is who would receive it: one that is CLOSED takes
// any, and whether the client's own TIME-WAIT allows it is for the client to know.
bool reopens(const Flow& flow, const wire::Segment& syn) {
  if (flow.phase != Phase::lingering) return false;
  if (flow.connection.backend.state != tcp::State::time_wait) return true;
  const auto& timestamps = syn.options.timestamps;
  const bool later = timestamps && flow.client_tsval != 0 &&
                     wire::SeqNumber(timestamps->value) > wire::SeqNumber(flow.client_tsval);
  return later || syn.seq > flow.connection.client.snd_nxt;
}

void remember(Core& core, const Arrival& arrival, const handshake::Handshake& handshake) {
  ServiceState& service = arrival.service;
  const auto admitted = service.admission.decide(service.queue, arrival.key.client, arrival.now);
  if (admitted.displace != nullptr) {
    service.counters.half_open_displaced.add();
    forget(service, *admitted.displace);
  }
  HalfOpenEntry* entry = admitted.remember
                             ? service.queue.insert(arrival.key, arrival.now, core.schedule.wait(0))
                             : nullptr;
  if (entry == nullptr) {
    service.counters.half_open_untracked.add();
    return;
  }
  entry->client_isn = handshake.client_isn.value();
  entry->challenge_isn = handshake.challenge_isn.value();
  entry->client_tsval = handshake.client_tsval;
  entry->offer = handshake.offer;
  entry->dscp = handshake.traffic_class >> wire::ecn_bits;
  ServiceCounters& counters = service.counters;
  counters.half_open_connections.add(1);
  counters.half_open.enter();
  counters.connections[0][static_cast<std::size_t>(tcp::State::syn_sent)].add(1);
  counters.connections[1][static_cast<std::size_t>(tcp::State::syn_received)].add(1);
}

void count_left_out(ServiceCounters& counters, const wire::TcpOptions& options) {
  const auto count = [&](bool offered, LeftOut option) {
    if (offered) counters.options_left_out[static_cast<std::size_t>(option)].add();
  };
  count(options.fast_open, LeftOut::fast_open);
  count(options.multipath, LeftOut::multipath);
  count(options.authenticated, LeftOut::authentication);
}

// O3: a prefix that holds its share of early data is to wait for its servers.
void limit_window(Core& core, Instant now, wire::SegmentToSend& challenge) {
  const std::uint64_t held = core.early_data_shares.memory_of(challenge.destination.address);
  if (held < zero_window_from(core.settings)) return;
  challenge.window = 0;
  core.zero_windows_until = now + 2 * handshake::epoch_length;
}

bool same(const synward_client_offer& one, const synward_client_offer& other) {
  return one.mss == other.mss && one.window_scale == other.window_scale && one.flags == other.flags;
}

// The SYN-ACK's header has the SYN's own length (O1): no amplification.
Decision answer(const Arrival& arrival, wire::SegmentToSend challenge) {
  arrival.service.counters.synacks_sent.add();
  challenge.options_length_min = arrival.segment.header_length - wire::tcp_header_min;
  return reply(arrival, challenge);
}

}  // namespace

void forget(ServiceState& service, HalfOpenEntry& entry) {
  service.counters.half_open_connections.add(-1);
  service.counters.half_open.leave();
  service.counters.connections[0][static_cast<std::size_t>(tcp::State::syn_sent)].add(-1);
  service.counters.connections[1][static_cast<std::size_t>(tcp::State::syn_received)].add(-1);
  service.queue.erase(entry);
}

wire::SegmentToSend challenge_for(Core& core, Instant now, const HalfOpenEntry& entry) {
  handshake::Handshake handshake;
  handshake.client = {entry.key.client, entry.key.client_port};
  handshake.service = core.service_endpoint(entry.key.listen);
  handshake.client_isn = SeqNumber(entry.client_isn);
  handshake.challenge_isn = SeqNumber(entry.challenge_isn);
  handshake.offer = entry.offer;
  handshake.client_tsval = entry.client_tsval;
  handshake.traffic_class = static_cast<std::uint8_t>(entry.dscp << wire::ecn_bits);
  // What was promised first is promised again.
  const auto offers = core.offers_to_try(entry.key.listen, now);
  const auto made = handshake::promised_offer(core.mint(now), handshake, offers.all());
  wire::SegmentToSend challenge =
      handshake::challenge(core.keys, now, handshake, offers[made.value_or(0)]);
  limit_window(core, now, challenge);
  return challenge;
}

Decision answer_syn(Core& core, const Arrival& arrival, Flow* flow) {
  const wire::Segment& syn = arrival.segment;
  ServiceState& service = arrival.service;

  if (flow != nullptr) {
    if (!reopens(*flow, syn)) {
      service.counters.syns_received.add();
      flow->syn_challenged = true;
      return challenge_ack(core, arrival, *flow);
    }
    erase_flow(core, *flow);
  }
  // Its service is gone: new connections are the servers' own matter.
  if (core.directory.listen(arrival.key.listen).retired) return pass_call(core, arrival.segment);
  if (!service.synacks.allows(arrival.key.client, arrival.now)) {
    return drop(arrival, synward_reason_synack_limit);
  }
  // T4: a client must not believe in a connection that cannot be had.
  if (!place_is_left(core, arrival)) {
    return drop(arrival, synward_reason_flow_table_full);
  }
  if (!syn.ip.plain && !core.answers_apart.spend(arrival.now)) {
    return drop(arrival, synward_reason_ip_options_limit);
  }
  service.synacks.spend(arrival.key.client, arrival.now);
  service.counters.syns_received.add();
  count_left_out(service.counters, syn.options);

  handshake::Handshake handshake = handshake::handshake_of(syn);
  HalfOpenEntry* entry = service.queue.find(arrival.key);
  // Another SYN from the same port is a new attempt, and the old one is over.
  if (entry != nullptr && entry->client_isn != syn.seq.value()) {
    forget(service, *entry);
    entry = nullptr;
  }
  if (entry != nullptr) {
    service.counters.client_syn_retransmits.add();
    entry->client_tsval = wire::later_tsval(entry->client_tsval, handshake.client_tsval);
    entry->dscp = handshake.traffic_class >> wire::ecn_bits;
    // The same SYN again gets the same SEQ and options (H2).
    if (same(entry->offer, handshake.offer)) {
      return answer(arrival, challenge_for(core, arrival.now, *entry));
    }
  }

  core.shrink_offers(arrival.now);
  const handshake::ServiceOffer& ours = core.offer(arrival.key.listen, arrival.now);
  handshake.challenge_isn = handshake::challenge_isn(core.mint(arrival.now), handshake, ours);
  if (entry != nullptr) {
    // The client tries with less (RFC 3168 6.1.1.1 without ECN; FreeBSD without options), and this
    // SYN must not be promised what it does not offer (O1). The first challenge stays redeemable.
    entry->challenge_isn = handshake.challenge_isn.value();
    entry->offer = handshake.offer;
  } else {
    remember(core, arrival, handshake);
  }
  wire::SegmentToSend challenge = handshake::challenge(core.keys, arrival.now, handshake, ours);
  limit_window(core, arrival.now, challenge);
  return answer(arrival, challenge);
}

// RFC 9293 3.10.7.4 (RFC 5961 4): <SEQ=SND.NXT><ACK=RCV.NXT>, and nothing changes. A client that
// has really lost its connection answers with a RST, which ends it.
Decision challenge_ack(Core& core, const Arrival& arrival, Flow& flow) {
  if (!flood::may_answer(flow.answered, arrival.now)) return consume();
  const bool connecting = flow.phase == Phase::connecting;
  const SeqNumber seq = connecting ? flow.challenge_isn + 1 : flow.connection.backend.snd_nxt;
  const SeqNumber ack = connecting ? flow.client_isn + 1 : flow.connection.client.snd_una;
  const std::int32_t window =
      connecting ? core.offer(arrival.key.listen, arrival.now).window
                 : flow.connection.client.window_right - flow.connection.client.snd_una;
  wire::SegmentToSend answer;
  answer.source = arrival.segment.destination;
  answer.destination = arrival.segment.source;
  answer.seq = seq;
  answer.ack = ack;
  answer.flags = wire::flag_ack;
  answer.window =
      splice::window_for_client(flow.offsets, static_cast<std::uint32_t>(std::max(window, 0)));
  treat_as_service(core, answer, flow);
  send(arrival.out, arrival.service.counters, answer);
  return consume();
}

}  // namespace synward::engine
