// SPDX-License-Identifier: GPL-2.0-or-later
//
// Step: the backend answers our SYN. From here on both sides' sequence numbers are known: the
// offsets are fixed, the backend is acknowledged, and the held data goes to it, in that order.
#include "proxy/engine/step_complete.h"

#include <algorithm>

#include "proxy/engine/capacity.h"
#include "proxy/engine/lifecycle.h"
#include "proxy/engine/resets.h"
#include "proxy/engine/timers.h"
#include "proxy/engine/treatment.h"
#include "proxy/engine/verdicts.h"

namespace synward::engine {

using flow::Flow;
using wire::SeqNumber;

namespace {

bool agrees_to_ecn(const wire::Segment& syn_ack) {  // RFC 3168 6.1.1
  return syn_ack.has(wire::flag_ece) && !syn_ack.has(wire::flag_cwr);
}

void fix_offsets(const Core& core, Flow& flow, const wire::Segment& syn_ack) {
  flow.offsets.sequence = flow.challenge_isn.value() - syn_ack.seq.value();
  flow.offsets.backend_scale = syn_ack.options.window_scale.value_or(SYNWARD_WINDOW_SCALE_ABSENT);
  flow.offsets.blank_sack = flow.promised(SYNWARD_OFFER_SACK) && !syn_ack.options.sack_permitted;
  flow.offsets.clear_ecn = flow.promised(SYNWARD_OFFER_ECN) && !agrees_to_ecn(syn_ack);
  if (syn_ack.options.timestamps) {
    // The backend's clock continues ours from the challenge on, so that the client's echo of the
    // challenge becomes an echo of the backend's own first value.
    flow.backend_tsval = syn_ack.options.timestamps->value;
    flow.offsets.timestamp = flow.challenge_tsval - flow.backend_tsval;
  }
  if (!syn_ack.ip.is_ipv4()) {
    const wire::Endpoint client{flow.key.client, flow.key.client_port};
    flow.offsets.flow_label = core.keys.flow_label(client, core.service_endpoint(flow.key.listen)) ^
                              syn_ack.ip.flow_label;
  }
  const std::uint16_t default_mss = wire::default_mss(syn_ack.ip.is_ipv4());
  flow.backend_mss = std::max<std::uint16_t>(syn_ack.options.mss.value_or(default_mss), 64);
}

// Both endpoints as they stand after both handshakes, in the client's numbers.
void start_tracking(Core& core, Flow& flow, const wire::Segment& syn_ack, Instant now) {
  tcp::Endpoint& client = flow.connection.client;
  tcp::Endpoint& backend = flow.connection.backend;
  const SeqNumber first_of_client = flow.client_isn + 1;
  const SeqNumber first_of_backend = flow.challenge_isn + 1;
  const std::uint32_t client_window = splice::client_window_bytes(flow.offsets, flow.client_window);
  client.snd_una = first_of_client;
  client.snd_nxt = first_of_client + flow.early.bytes + (flow.early_fin ? 1 : 0);
  client.fin_sent = flow.early_fin;
  client.fin = first_of_client + flow.early.bytes;
  client.window_right =
      first_of_client +
      std::max<std::uint32_t>(syn_ack.window, core.offer(flow.key.listen, now).window);
  client.window_max = client_window;
  backend.snd_una = backend.snd_nxt = first_of_backend;
  backend.window_right = first_of_backend + client_window;
  backend.window_max = syn_ack.window;
}

// A segment from the client to the backend, made by us of what the client said.
wire::SegmentToSend to_backend(const Flow& flow) {
  wire::SegmentToSend segment;
  segment.source = {flow.key.client, flow.key.client_port};
  segment.destination = flow.backend_endpoint;
  segment.seq = flow.client_isn + 1;
  segment.ack = flow.challenge_isn + 1 - flow.offsets.sequence;
  segment.flags = wire::flag_ack;
  treat_as_client(segment, flow);
  segment.window = splice::window_for_backend(
      flow.offsets, splice::client_window_bytes(flow.offsets, flow.client_window));
  if (flow.promised(SYNWARD_OFFER_TIMESTAMPS)) {
    segment.options.timestamps = wire::Timestamps{flow.client_tsval, flow.backend_tsval};
  }
  return segment;
}

// What a segment to a backend may carry there: a raw socket refuses more than the link's MTU.
std::uint32_t link_mss(const EngineSettings& settings, const wire::Address& client) {
  const std::uint32_t headers = client.is_ipv4() ? 40 : 60;
  return std::max(settings.server_mtu, headers + 64) - headers;
}

// Of a segment `sent` bytes after the first that was held. As Linux sends them: every segment
// before the end of urgent data says how far that is, at most as far as the field can.
void mark_urgent(wire::SegmentToSend& segment, std::uint32_t urgent, std::uint32_t sent) {
  segment.flags &= static_cast<std::uint16_t>(~wire::flag_urg);
  segment.urgent_pointer = 0;
  if (sent >= urgent) return;
  segment.flags |= wire::flag_urg;
  segment.urgent_pointer = static_cast<std::uint16_t>(std::min(urgent - sent, 65535U));
}

// The acknowledgement, or the held data, which acknowledges too; cut to the backend's MSS, from
// which the timestamps' room is to be taken (RFC 6691).
void acknowledge_and_release(Core& core, Flow& flow, const Arrival& arrival) {
  wire::SegmentToSend segment = to_backend(flow);
  mark_urgent(segment, flow.early.urgent, 0);
  if (flow.early.bytes == 0 && !flow.early_fin) {
    send(arrival.out, arrival.service.counters, segment);
    return;
  }
  const std::uint32_t cut =
      std::min<std::uint32_t>(flow.backend_mss, link_mss(core.settings, flow.key.client)) -
      (segment.options.timestamps ? 12U : 0U);
  std::array<std::uint8_t, 9000> buffer;  // NOLINT: written before it is read
  std::uint32_t sent = 0;
  do {
    const std::uint32_t length =
        std::min({cut, flow.early.bytes - sent, static_cast<std::uint32_t>(buffer.size())});
    core.early_data.copy(flow.early, sent, std::span(buffer).first(length));
    segment.seq = flow.client_isn + 1 + sent;
    segment.payload = std::span(buffer).first(length);
    mark_urgent(segment, flow.early.urgent, sent);
    sent += length;
    const bool last = sent == flow.early.bytes;
    if (last && length > 0) segment.flags |= wire::flag_psh;
    if (last && flow.early_fin) segment.flags |= wire::flag_fin;
    send(arrival.out, arrival.service.counters, segment);
    arrival.service.counters.segments_translated[0].add();
  } while (sent < flow.early.bytes);
  arrival.service.counters.bytes_translated[0].add(flow.early.bytes);
  release_early_data(core, flow);
}

void learn_from(const Core& core, const Flow& flow, const wire::Segment& syn_ack) {
  if (core.settings.learned == nullptr) return;
  const backend::Asked asked{.scaling = flow.offsets.promised_scale != SYNWARD_WINDOW_SCALE_ABSENT,
                             .sack = flow.promised(SYNWARD_OFFER_SACK),
                             .timestamps = flow.promised(SYNWARD_OFFER_TIMESTAMPS),
                             .ecn = flow.promised(SYNWARD_OFFER_ECN)};
  core.settings.learned->learn(flow.service, flow.backend, asked,
                               {.window = syn_ack.window,
                                .options = syn_ack.options,
                                .ecn_echo = agrees_to_ecn(syn_ack),
                                .ipv4 = syn_ack.ip.is_ipv4()});
}

bool another_is_well(const Core& core, const Flow& flow, Instant now) {
  const auto next = core.choice.next(flow.key, flow.backends_tried, now);
  return next && core.choice.is_well(flow.service, *next, now);
}

// W2: the client was promised timestamps and may drop segments without them (RFC 7323 3.2). Without
// ECN it can be served, though less well: another backend is asked if there is one that is well.
bool breaks_our_promise(const Core& core, const Flow& flow, const Arrival& arrival) {
  const wire::Segment& syn_ack = arrival.segment;
  if (flow.promised(SYNWARD_OFFER_TIMESTAMPS) && !syn_ack.options.timestamps) return true;
  return flow.promised(SYNWARD_OFFER_ECN) && !agrees_to_ecn(syn_ack) &&
         another_is_well(core, flow, arrival.now);
}

Decision established(Core& core, const Arrival& arrival, Flow& flow) {
  const wire::Segment& syn_ack = arrival.segment;
  ServiceCounters& counters = arrival.service.counters;
  core.choice.answered(flow.service, flow.backend, arrival.now);
  learn_from(core, flow, syn_ack);
  if (breaks_our_promise(core, flow, arrival)) {
    reset_backend(core, flow, arrival.out);
    backend_failed(core, flow, BackendFailure::refused, arrival.now, arrival.out);
    return consume();
  }
  fix_offsets(core, flow, syn_ack);
  start_tracking(core, flow, syn_ack, arrival.now);
  set_state(core, flow, Side::backend, tcp::State::established);
  flow.phase = flow::Phase::spliced;
  counters.connections_spliced.add();
  counters.backend_connect.observe_us(static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(arrival.now - flow.backend_syn_at)
          .count()));
  acknowledge_and_release(core, flow, arrival);
  heard(core, flow, arrival.now);
  watch_idle(core, flow, arrival.now);
  if (flow.window_updates_left > 0) open_window(core, flow, arrival.now, arrival.out);
  return consume();
}

// S3: an old connection on the same ports answers our SYN with an ACK (RFC 9293 figure 9): the RST
// that it asks for ends it, and our SYN goes again at once.
Decision old_connection(Core& core, const Arrival& arrival, Flow& flow) {
  constexpr std::uint8_t syns_max = 8;
  if (flow.backend_syns >= syns_max) return drop(arrival, synward_reason_bad_backend_answer);
  reset_old_connection(arrival, flow);
  send_backend_syn(core, flow, arrival.now, arrival.out);
  return consume();
}

}  // namespace

void open_window(Core& core, Flow& flow, Instant now, Outbox& out) {
  constexpr std::chrono::milliseconds first_wait{200};
  const SeqNumber first_of_backend = flow.challenge_isn + 1;
  const bool heard = flow.connection.client.snd_una != flow.client_isn + 1 ||
                     flow.connection.backend.snd_una != first_of_backend;
  if (heard || flow.window_updates_left == 0) {
    flow.window_updates_left = 0;
    watch_idle(core, flow, now);
    return;
  }
  wire::SegmentToSend update;
  update.source = core.service_endpoint(flow.key.listen);
  update.destination = {flow.key.client, flow.key.client_port};
  update.seq = first_of_backend;
  update.ack = flow.client_isn + 1;
  update.flags = wire::flag_ack;
  treat_as_service(core, update, flow);
  update.window = splice::window_for_client(flow.offsets, flow.connection.backend.window_max);
  if (flow.promised(SYNWARD_OFFER_TIMESTAMPS)) {
    update.options.timestamps = wire::Timestamps{flow.challenge_tsval, flow.client_tsval};
  }
  send(out, service_of(core, flow).counters, update);
  --flow.window_updates_left;
  const unsigned sent = flow::window_updates_max - flow.window_updates_left;
  core.flows.arm(flow, now, now + first_wait * (1U << (sent - 1U)));
}

// RFC 9293 3.10.7.3, SYN-SENT: ACK first, then RST, then SYN.
Decision complete(Core& core, const Arrival& arrival, Flow& flow) {
  const wire::Segment& segment = arrival.segment;
  const bool acknowledges = segment.has(wire::flag_ack) && segment.ack == flow.client_isn + 1;
  if (segment.has(wire::flag_rst)) {
    if (!acknowledges) return drop(arrival, synward_reason_bad_backend_answer);
    pass_over(core, flow, arrival.now);
    backend_failed(core, flow, BackendFailure::refused, arrival.now, arrival.out);
    return consume();
  }
  if (acknowledges && segment.has(wire::flag_syn)) return established(core, arrival, flow);
  if (segment.has(wire::flag_ack)) return old_connection(core, arrival, flow);
  return drop(arrival, synward_reason_bad_backend_answer);
}

}  // namespace synward::engine
