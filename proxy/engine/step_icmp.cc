// SPDX-License-Identifier: GPL-2.0-or-later
//
// Step: an ICMP error about a segment of a connection is translated like the segment itself, the
// other way, so that path MTU discovery (RFC 1191, RFC 8201) works through the splice. Whether it
// is hard or soft is for the endpoint to say (RFC 5461): it ends nothing here and is no sign of
// life either. Only an error about our own SYN is ours to act on.
#include "proxy/engine/step_icmp.h"

#include "proxy/engine/lifecycle.h"
#include "proxy/engine/verdicts.h"
#include "proxy/splice/quote.h"

namespace synward::engine {

using flow::Flow;
using flow::Phase;
using wire::IcmpError;
using wire::SeqNumber;

namespace {

// RFC 5927 4.1: "the TCP sequence number contained in the payload of the ICMP error message" is to
// be of data "already sent but not yet acknowledged": SND.UNA =< SEG.SEQ < SND.NXT. SND.NXT itself
// is let in, as Linux does: a segment without data has it.
bool under_way(const tcp::Endpoint& sender, SeqNumber seq) {
  return seq.value() - sender.snd_una.value() <= sender.snd_nxt.value() - sender.snd_una.value();
}

Decision drop_of(Core& core, std::uint16_t listen, Reason reason) {
  return drop(core.service_of(listen).counters, reason);
}

// While we connect, the backend's side has heard nothing but our SYN. Unreachable: another is
// tried at once (S3), and if none is left the client is told as its own stack would have told it.
// Anything else, a SYN too big among it, is left to our timer. Nothing is for the client, which
// believes itself connected.
//
// The number of our SYN was chosen by the client, who could so send the error itself: only this
// host's own says something of the backend that concerns other connections.
Decision about_our_syn(Core& core, const ErrorArrival& arrival, Flow& flow) {
  if (arrival.error.seq != flow.client_isn) {
    return drop_of(core, flow.key.listen, synward_reason_icmp_out_of_window);
  }
  if (arrival.error.is_unreachable()) {
    if (arrival.of_this_host) pass_over(core, flow, arrival.now);
    backend_failed(core, flow, BackendFailure::unreachable, arrival.now, arrival.out);
  }
  return consume();
}

}  // namespace

std::optional<Decision> error_for_backend(Core& core, const IcmpError& error,
                                          std::span<const std::uint16_t> listens) {
  for (const std::uint16_t listen : listens) {
    const flow::ConnectionKey key{error.destination.address, error.destination.port, listen};
    const Flow* flow = core.flows.find(key);
    // A challenge stays remembered: a forged error is as cheap as a SYN.
    const bool challenged = core.service_of(listen).queue.find(key) != nullptr;
    if (flow == nullptr && !challenged) continue;
    // About a challenge, or about a reset of ours: nobody needs to hear of it.
    if (flow == nullptr || flow->phase != Phase::spliced) {
      return drop_of(core, listen, synward_reason_icmp_unknown);
    }
    if (!under_way(flow->connection.backend, error.seq)) {
      return drop_of(core, listen, synward_reason_icmp_out_of_window);
    }
    splice::translate_error_to_backend(error, flow->offsets, flow->backend_endpoint);
    return Decision{Verdict::forward, error.packet};
  }
  return std::nullopt;
}

std::optional<Decision> error_for_client(Core& core, const ErrorArrival& arrival) {
  const IcmpError& error = arrival.error;
  const flow::BackendTuple tuple{.client = error.source, .backend = error.destination};
  Flow* const flow = core.flows.find_before_backend(tuple);
  if (flow == nullptr) {
    if (!core.abandoned.contains(tuple, error.seq, arrival.now)) return std::nullopt;
    return drop(core.counters.none(), synward_reason_icmp_unknown);
  }
  if (flow->phase == Phase::lingering) {
    return drop_of(core, flow->key.listen, synward_reason_icmp_unknown);
  }
  if (flow->phase == Phase::connecting) return about_our_syn(core, arrival, *flow);
  if (!under_way(flow->connection.client, error.seq)) {
    return drop_of(core, flow->key.listen, synward_reason_icmp_out_of_window);
  }
  splice::translate_error_to_client(error, flow->offsets, core.service_endpoint(flow->key.listen));
  return Decision{Verdict::forward, error.packet};
}

// What a service's address is said to have sent without a connection of ours may be a challenge
// that is not remembered. A flood's errors are not to reach the server in its place; so what is no
// longer than a challenge is taken for one. Behind a translated address nobody waits for either.
Decision error_of_no_connection(Core& core, const IcmpError& error,
                                std::span<const std::uint16_t> listens) {
  if (listens.empty() || core.directory.listen(listens.front()).retired) return pass();
  const bool may_be_challenge =
      error.segment_length <= wire::tcp_header_min + wire::tcp_options_max;
  if (!may_be_challenge && core.directory.listen(listens.front()).transparent) return pass();
  return drop_of(core, listens.front(), synward_reason_icmp_unknown);
}

}  // namespace synward::engine
